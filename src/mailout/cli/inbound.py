"""`mailout inbound`: what comes back - bounces, complaints, automatic replies.

Here is what needs no store; the rest is in `inbound_log`.
"""

from __future__ import annotations

import json
from pathlib import Path

import click

from mailout.cli import inbound_log, inbound_ways
from mailout.cli.console import Options, note, table
from mailout.cli.webhooks import webhooks_command
from mailout.core.errors import BadFile, MailoutError, UsageError, decoded, place
from mailout.core.inbound.addresses import Known
from mailout.core.inbound.report import Inbound, known_addresses, read
from mailout.core.inbound.rules import Rules

_MOST_BYTES = 64 * 1024 * 1024  # of a file; of a mail far fewer are looked at


@click.group("inbound")
def inbound_command() -> None:
    """Look at what comes back: bounces, complaints, automatic replies."""


for _command in (*inbound_ways.COMMANDS, *inbound_log.COMMANDS):
    inbound_command.add_command(_command)
inbound_command.add_command(webhooks_command)


@inbound_command.command("classify")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--known", multiple=True, metavar="ADDRESS", help="One to whom you wrote.")
@click.option("--known-file", metavar="F", help="Those to whom you wrote, one a line.")
@click.option("--json-lines", is_flag=True, help="Print one JSON object for each file.")
@click.pass_context
def classify(
    context: click.Context,
    files: tuple[str, ...],
    known: tuple[str, ...],
    known_file: str | None,
    json_lines: bool,
) -> None:
    """Say what mails are, whom they name, and why they came back.

    Each FILE holds one mail. Needs no site and no store; in a site its bounce-rules.toml is asked
    first. With --known or --known-file only these addresses are looked for in a report's words.

    \b
    Example:
      mailout inbound classify bounce.eml --known anna@example.org
    """
    rules = _rules(context)
    people = _known(known, known_file)
    rows: list[tuple[object, ...]] = []
    unread = 0
    for name in files:
        try:
            with Path(name).open("rb") as file:
                found = read(file.read(_MOST_BYTES), rules, people)
        except OSError as error:
            unread += 1
            note(f"mailout: {name}: cannot be read: {error.strerror}")
            if json_lines:
                _print({"file": name, "kind": None, "reports": [], "original_message_id": None})
            continue
        if json_lines:
            _print({"file": name, **shown(found)})
        else:
            rows += _rows(name, found)
    if rows:
        table(["file", "kind", "recipient", "category", "fault", "reply"], rows)
    if unread:
        context.exit(1)


def shown(found: Inbound) -> dict[str, object]:
    """The keys are a contract: scripts read them."""
    return {
        "kind": found.kind.value,
        "reports": [
            {
                "recipient": report.recipient,
                "action": report.action,
                "status": report.status,
                "category": report.category.value,
                "fault": report.fault.value,
                "permanent": report.permanent,
                "diagnostic": report.diagnostic,
            }
            for report in found.reports
        ],
        "original_message_id": found.original_message_id,
    }


def _print(value: dict[str, object]) -> None:
    # What is no letter (half a surrogate pair) is escaped, so that any terminal can have it.
    text = json.dumps(value, ensure_ascii=False)
    click.echo(text.encode("utf-8", "backslashreplace").decode("utf-8"))


def _rows(name: str, found: Inbound) -> list[tuple[object, ...]]:
    if not found.reports:
        return [(name, found.kind.value, "", "", "", "")]
    return [
        (
            name,
            found.kind.value,
            report.recipient or "",
            report.category.value,
            report.fault.value,
            report.diagnostic or report.status or "",
        )
        for report in found.reports
    ]


def _rules(context: click.Context) -> Rules:
    """The rules of the site, if there is one. Raises: MailoutError."""
    from mailout.config.bounce_rules import read_rules, standard_rules
    from mailout.config.site import find_root

    options = context.find_object(Options) or Options()
    try:
        root = find_root(options.site)
    except MailoutError:
        if options.site:
            raise
        return standard_rules()
    return read_rules(root)


def _known(typed: tuple[str, ...], path: str | None) -> Known | None:
    """Those to whom one wrote; None if nobody is named. Raises: UsageError, BadFile."""
    for address in typed:
        if "@" not in address:
            raise UsageError(f"`{address}` is no address", where="--known")
    if path is None:
        return known_addresses(typed) if typed else None
    try:
        lines = decoded(Path(path).read_bytes(), path).splitlines()
    except OSError as error:
        raise BadFile(f"cannot be read: {error.strerror}", where=path) from None
    people = list(typed)
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        if "@" not in text:
            raise BadFile("there is no address", where=place(path, number), fix="One a line.")
        people.append(text)
    return known_addresses(people)

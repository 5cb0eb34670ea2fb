"""`mailout sheets`: paper to sign up on."""

from __future__ import annotations

import secrets
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import click

from mailout import catalogue
from mailout.cli.console import JSON, as_json, local, opened, read_site, say, table
from mailout.cli.publishing import only_list
from mailout.core import language as languages
from mailout.core.errors import UsageError
from mailout.roster import proof, sheets


@click.group(name="sheets")
def sheets_command() -> None:
    """Print sheets to sign up on, for a stall or a meeting.

    What stands over the lines is kept under the sheet's code. When you have typed the lines into
    a file, import it with `--consent "sheet CODE, signed DAY"`: the words come along as evidence.
    """


@sheets_command.command("new")
@click.option("--list", "list_id", help="The mailing list; needed only if there are several.")
@click.option("--language", "code", help="Of the sheet; else the list's first one.")
@click.option("--rows", type=click.IntRange(1, 40), default=14, show_default=True)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True,
              help="The file to print from a browser, on A4.")  # fmt: skip
@click.pass_context
def new(
    context: click.Context, list_id: str | None, code: str | None, rows: int, out: Path
) -> None:
    """Make a sheet: a page to open in a browser and print.

    Example: mailout sheets new --language de --out sheet.html
    """
    from mailout.config.templates import read_templates
    from mailout.core.render import Templates
    from mailout.preferences.joining import wording_of

    site = read_site(context)
    mailing_list = only_list(site, list_id)
    code = code or mailing_list.default_language
    if code not in mailing_list.settings.languages:
        raise UsageError(
            f"the list `{mailing_list.id}` is not written in `{code}`",
            where="--language",
            fix="Choose one of: " + ", ".join(mailing_list.settings.languages) + ".",
        )
    if out.exists():
        raise UsageError("there is such a file already", where=str(out), fix="Name another.")
    words = catalogue.words(code)
    with opened(site) as store:
        made = sheets.make(
            store,
            mailing_list,
            code,
            wording_of(mailing_list, code),
            datetime.now(UTC),
            secrets.token_bytes,
        )
    page = Templates(read_templates(site.root), words).render(
        "pages/sheet.html.j2",
        {
            "language": code,
            "dir": languages.direction(code),
            "site": {"name": site.identity.name, "url": site.identity.url},
            "list": {
                "name": mailing_list.settings.name,
                "description": mailing_list.described(code),
                "contact": mailing_list.settings.contact,
            },
            "wording": made.wording,
            "version": proof.version(made.wording),
            "code": made.code,
            "rows": rows,
        },
    )
    out.write_text(page, encoding="utf-8")
    say(f"{out}: open it in a browser and print it. Its code is {made.code}.")


@sheets_command.command("list")
@JSON
@click.pass_context
def list_(context: click.Context, as_json_: bool) -> None:
    """List the sheets that were made, the newest first.

    Example: mailout sheets list
    """
    site = read_site(context)
    with opened(site) as store:
        found = sheets.listed(store)
    if as_json_:
        as_json([asdict(one) for one in found])
        return
    table(
        ["code", "list", "language", "made", "words"],
        [
            (one.code, one.list_id, one.language, local(one.made_at, site), one.wording)
            for one in found
        ],
    )

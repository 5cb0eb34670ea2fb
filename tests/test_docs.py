"""The pages tell all there is: every command, option, setting and dependency, and no dead link."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import click
import pytest

from mailout.cli.main import mailout
from mailout.config.site import read_site
from mailout.core import site as settings
from mailout.core.inbox import Inbox
from mailout.send import lines

REPOSITORY = Path(__file__).parent.parent
_COMMANDS = (REPOSITORY / "docs" / "commands.md").read_text(encoding="utf-8")
_PAGES = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md")
    for path in REPOSITORY.glob(pattern)
    if ".venv" not in path.parts
)
_EXAMPLE = REPOSITORY / "config.example.toml"
_SHAPES = {
    "site": settings.Identity,
    "store": settings.StoreSettings,
    "relays": settings.Relay,
    "sending": settings.Sending,
    "pages": settings.Pages,
    "archive": settings.ArchiveSettings,
    "brand": settings.Brand,
    "inbound": Inbox,
}


def _commands() -> Iterator[tuple[str, click.Command]]:
    """Every command of the tree by the words that call it."""

    def walk(words: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
        if not isinstance(command, click.Group):
            yield words, command
            return
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from walk(f"{words} {name}".strip(), found)

    return walk("", mailout)


def _section(words: str) -> str:
    """What docs/commands.md says under the heading of a command."""
    heading = re.search(rf"(?m)^(#+) {re.escape(words)}$", _COMMANDS)
    assert heading, f"docs/commands.md has no heading `{words}`"
    return re.split(r"(?m)^#+ ", _COMMANDS[heading.end() :], maxsplit=1)[0]


@pytest.mark.parametrize(("words", "command"), list(_commands()), ids=lambda value: str(value))
def test_every_command_and_option_is_in_the_commands_page(
    words: str, command: click.Command
) -> None:
    section = _section(words)
    assert f"$ mailout {words}" in section or f"&& mailout {words}" in section, "no example"
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            for name in (*parameter.opts, *parameter.secondary_opts):
                assert re.search(rf"`{name}[` ]", section), f"`{name}` of `mailout {words}`"


def test_every_option_before_the_command_is_in_the_commands_page() -> None:
    for parameter in mailout.params:
        for name in parameter.opts:
            assert f"`{name}" in _COMMANDS


def test_every_heading_of_the_commands_page_is_a_command() -> None:
    known = {words for words, _ in _commands()} | set(mailout.list_commands(click.Context(mailout)))
    others = {"Exit codes", "What scripts may rely on"}
    assert set(re.findall(r"(?m)^#{2,3} (.+)$", _COMMANDS)) - others == known


def test_the_example_settings_are_known_complete_and_commented(site_root: Path) -> None:
    read_site(site_root)  # refuses unknown keys
    source = _EXAMPLE.read_text(encoding="utf-8")
    for table, values in tomllib.loads(source).items():
        given = values[0] if isinstance(values, list) else values
        # A password never stands in the file; it is there for MAILOUT_RELAY_URL.
        known = {field.name for field in fields(_SHAPES[table])} - {"password"}
        known -= {"imap"}  # tables of their own, in comments
        assert set(given) == known, table


def test_every_block_of_the_example_settings_begins_with_a_comment() -> None:
    """A block is what stands between blank lines, the head of a table not counted."""
    for block in _EXAMPLE.read_text(encoding="utf-8").split("\n\n"):
        lines = [line for line in block.strip().splitlines() if not line.startswith("[")]
        assert lines[0].startswith("#"), block


def test_every_dependency_has_a_line_in_its_page() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = project["dependencies"] + project["optional-dependencies"]["test"]
    page = (REPOSITORY / "docs" / "dependencies.md").read_text(encoding="utf-8")
    told = re.findall(r"(?m)^\| ([a-z0-9-]+) \|", page)
    names = [re.split(r"[\[<>=]", dependency)[0] for dependency in wanted]
    assert sorted(told) == sorted([*names, "package", "package"])


def test_the_pages_name_the_bound_that_the_sender_keeps() -> None:
    for name, words in (
        ("delivery.md", f"At most {lines.WINDOW} rows for each connection"),
        ("delivery.md", f"before the wire; at most {lines.WINDOW} for each connection"),
        ("ARCHITECTURE.md", f"at most {lines.WINDOW} per connection"),
        ("adr/0002-one-state-machine-and-a-commit-before-the-wire.md", f"at most {lines.WINDOW}"),
    ):
        assert words in (REPOSITORY / "docs" / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    text = re.sub(r"(?s)```.*?```", "", page.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not re.match(r"[a-z]+:", target):
            path, _, _ = target.partition("#")
            assert not path or (page.parent / path).exists(), target


def test_no_file_is_too_long_to_be_read_in_one_sitting() -> None:
    long = {
        str(path.relative_to(REPOSITORY)): lines
        for path in (REPOSITORY / "src").rglob("*.py")
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > 400
    }
    assert not long

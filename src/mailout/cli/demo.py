"""`mailout demo`: the whole trip on a scratch site - real SMTP, real pages, on this machine only.

Each step prints the command that does the same on a site of one's own, and then calls just
that command. Only the reader who leaves is played by a browser's two requests.
"""

from __future__ import annotations

import email
import email.policy
import os
import re
import shutil
import tempfile
import urllib.request
from contextlib import ExitStack
from html import unescape
from importlib.resources import as_file, files
from pathlib import Path

import click

from mailout.cli.console import say, table
from mailout.cli.main import mailout
from mailout.config.site import read_site
from mailout.config.starter import copy_site
from mailout.core.errors import MailoutError
from mailout.core.site import Site
from mailout.smtp.catcher import Catcher, Caught
from mailout.store.engine import open_store
from mailout.web.app import make_app
from mailout.web.inbox import make_inbox
from mailout.web.serving import listen, serve, serving, url_of

_REFUSALS = {
    "gone.example.net": "550 5.1.1 There is nobody of this name here",
    "full.example.net": "552 5.2.2 The mailbox is full",
}
_BULLETIN, _URGENT = "2026-11-20-bulletin", "2026-11-23-urgent"
_SEGMENTS = ("unions", "journalists", "socialists")
_CONSENT = "Signed up on a paper sheet at a meeting in autumn 2026"
_OVERRIDES = ("MAILOUT_SITE", "MAILOUT_STORE_URL", "MAILOUT_RELAY_URL", "MAILOUT_KEYS_FILE")


@click.command(name="demo")
@click.option("--keep", is_flag=True, help="Leave the site; serve inbox and pages until Ctrl-C.")
def demo_command(keep: bool) -> None:
    """Show the whole trip on a scratch site: import, compile, send, leave, bounce log.

    Mails over real SMTP to a catching server in this process; nothing leaves this machine,
    and no site of yours is touched.

    Example: mailout demo --keep
    """
    for name in _OVERRIDES:  # the demo must not write into a real site's store
        os.environ.pop(name, None)
    with ExitStack() as stack:
        folder = _scratch(stack, keep)
        catcher = stack.enter_context(Catcher(rules=_REFUSALS))
        with listen("127.0.0.1", 0) as free:
            url = url_of(free)
        site = _make_site(folder, catcher.port, url)
        store = open_store(site.store.url, site.root)
        stack.callback(store.close)
        port = int(url.rpartition(":")[2])
        stack.enter_context(serving(make_app(site, store), port=port))
        _walk(folder, catcher)
        if keep:
            _stay(folder, url, catcher)


def _scratch(stack: ExitStack, keep: bool) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="mailout-demo-"))
    if not keep:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
    return folder / "site"


def _make_site(folder: Path, relay_port: int, url: str) -> Site:
    """A site as `init` makes it, with the demo's posts, its relay and its pages' address."""
    _title(f"A new site in {folder}")
    copy_site(folder)
    for post in (folder / "posts").iterdir():
        post.unlink()
    with as_file(files("mailout") / "demo_site") as demo:
        for name in ("posts", "issues", "people"):
            shutil.copytree(demo / name, folder / name, dirs_exist_ok=True)
    config = folder / "config.toml"
    text = config.read_text(encoding="utf-8")
    text = re.sub(r"(?m)^port = 2525$", f"port = {relay_port}", text)
    text = re.sub(r'(?m)^url = "http://.*"$', f'url = "{url}"', text)
    config.write_text(text, encoding="utf-8")
    say("config.toml, lists/, templates/, posts/, issues/, keys.toml and mailout.db are there.")
    return read_site(folder)


def _walk(folder: Path, catcher: Catcher) -> None:
    """The trip itself, from the people to the bounce log."""
    _title("People come in, from three spreadsheets")
    for name in _SEGMENTS:
        people = str(folder / "people" / f"{name}.csv")
        _command(folder, "subscribers", "import", people, "--list", "bulletin",
                 "--consent", _CONSENT, shown=f"people/{name}.csv")  # fmt: skip
    _title("Posts become a bulletin in four languages")
    _command(folder, "compile", _BULLETIN)
    _title("It is sent, segment by segment: who is in two of them gets it once")
    for name in _SEGMENTS:
        _command(folder, "send", _BULLETIN, "--segment", name, "--yes")
    _command(folder, "status", _BULLETIN)
    reports = sum(_is_report(message) for message in catcher.messages)
    say(
        f"The catching server holds {len(catcher.messages) - reports} messages to readers and "
        f"{reports} reports to the list's contact."
    )
    reader = _leave(catcher)
    _title("An urgent appeal follows, and passes by the reader who left")
    before = len(catcher.messages)
    _command(folder, "send", _URGENT, "--segment", "unions", "--yes")
    again = [m for m in catcher.messages[before:] if reader in m.recipients]
    if again:
        raise MailoutError(f"{reader} left, and was mailed all the same: this is a defect")
    say(f"Among these {len(catcher.messages) - before} messages is none to {reader}.")
    _title("What came back, in the servers' own words")
    _command(folder, "bounces", "list")
    _title("What was mailed is in the archive, without a word about any reader")
    _command(folder, "archive", "build")


def _is_report(message: Caught) -> bool:
    """Whether the message went to the list's contact, and not to a reader."""
    return any(recipient.startswith("contact@") for recipient in message.recipients)


def _leave(catcher: Catcher) -> str:
    """The address of one reader, who has just left by the link in their mail."""
    _title("A reader opens the unsubscribe link")
    caught = catcher.messages[0]
    message = email.message_from_bytes(caught.content, policy=email.policy.default)
    link = str(message["List-Unsubscribe"]).strip("<>")
    say(f"{caught.recipients[0]} reads “{message['Subject']}”")
    say(
        f"GET  {link}\n     {_heading(_request(link))} - a page with a button; nothing has changed."
    )
    say(f"POST {link}\n     {_heading(_request(link, b''))}")
    return caught.recipients[0]


def _heading(page: str) -> str:
    """The words of a page's heading."""
    found = re.search(r"<h1[^>]*>(.*?)</h1>", page, re.S)
    return " ".join(unescape(re.sub(r"<[^>]*>", "", found[1] if found else page)).split())


def _request(url: str, body: bytes | None = None) -> str:
    """The page that answers; the address is the demo's own, on loopback."""
    with urllib.request.urlopen(url, data=body, timeout=10) as answer:  # noqa: S310
        return str(answer.read().decode())


def _stay(folder: Path, url: str, catcher: Catcher) -> None:
    """Serves the inbox in the foreground until Ctrl-C; the pages go on in their thread."""
    _title("Look around")
    with listen("127.0.0.1", 0) as listening:
        table(
            ["what", "where"],
            [
                ("the inbox with every message", url_of(listening)),
                ("the public pages", url),
                ("the archive", f"{url}/archive/"),
                ("the site", folder),
            ],
        )
        say(f"\nIn a second terminal: mailout --site {folder} status\nCtrl-C ends the demo.")
        serve(make_inbox(catcher), listening)
    say(f"The site stays in {folder}; take it away with: rm -r {folder.parent}")


def _command(folder: Path, *words: str, shown: str = "") -> None:
    """Prints a command and calls it. Raises: MailoutError if it fails."""
    told = [shown if shown and word.endswith(shown) else word for word in words]
    quoted = [f'"{word}"' if " " in word else word for word in told]
    say(click.style(f"\n$ mailout {' '.join(quoted)}", bold=True))
    try:
        mailout.main(["--site", str(folder), *words], "mailout", standalone_mode=False)
    except SystemExit as end:
        if end.code:
            raise MailoutError(f"`mailout {words[0]}` ended with code {end.code}") from None


def _title(text: str) -> None:
    say(click.style(f"\n{text}\n{'=' * len(text)}", bold=True))

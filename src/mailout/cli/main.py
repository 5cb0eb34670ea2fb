"""`mailout`: finds the command, catches what an organiser can cause, prints it on one line."""

from __future__ import annotations

import importlib
import os
import signal
import sys
from collections.abc import Mapping, Sequence

import click

from mailout import __version__
from mailout.cli.console import Options
from mailout.core.errors import MailoutError, TryLater

# Each command's module is imported when the command is called, so that `--help` is quick.
_COMMANDS: Mapping[str, tuple[str, str]] = {
    "init": ("site", "Make a new site that sends on the first try."),
    "demo": ("demo", "Show the whole trip on a scratch site, on this machine only."),
    "doctor": ("doctor", "Check the site, its store, its relay and its pages."),
    "subscribers": (
        "subscribers",
        "Import, list, show, add, edit, merge, export, erase people.",
    ),
    "suppressions": ("suppressions", "Say who is never mailed, by address or domain."),
    "exports": ("exports", "List the exports of people that were made."),
    "consent": ("consent", "Show, verify and export how people agreed."),
    "sheets": ("sheets", "Print sheets to sign up on."),
    "signatories": ("signatories", "Name who agreed to be named as a supporter."),
    "segments": ("segments", "List the segments and show who is in one."),
    "posts": ("posts", "Begin a new post, list the posts, import posts."),
    "issues": ("issues", "Draft an issue from posts, list and show issues."),
    "compile": ("issues", "Compile an issue into what will be sent."),
    "check": ("check", "Check an issue before anybody gets it."),
    "approve": ("issues", "Approve what is compiled."),
    "preview": ("preview", "Look at a compiled issue in the browser."),
    "test": ("preview", "Mail a proof of an issue to one address."),
    "send": ("send", "Send an issue to a segment."),
    "digest": ("digest", "Send readers what they missed who want a digest."),
    "worker": ("worker", "Send whatever is due, again and again."),
    "pause": ("control", "Let a send rest."),
    "resume": ("control", "Let a paused or held send go on."),
    "cancel": ("control", "Call off what is not sent yet."),
    "resend": ("control", "Send an issue again to those who are missing it."),
    "status": ("status", "Show what was sent, what is under way and what is held."),
    "deliveries": ("deliveries", "List the deliveries of an issue, one person a line."),
    "bounces": ("bounces", "List what came back and why; lift what was decided."),
    "receive": ("receive", "Take one mail from a mail server, on standard input."),
    "inbound": ("inbound", "Look at what comes back: bounces, complaints, replies."),
    "letters": ("letters", "List and mail confirmations, links, welcomes, reports."),
    "archive": ("archive", "Build the archive: pages of what was mailed."),
    "serve": ("serve", "Serve the public pages."),
    "dkim": ("dkim", "Make a key that signs your mail, or show its DNS record."),
    "backup": ("backup", "Write the whole site to one file, encrypted."),
    "verify": ("backup", "Check a backup, or the store of the site."),
    "restore": ("restore", "Make a site out of a backup, in an empty folder."),
    "settle": ("restore", "After a restore: look at what is held, and go on."),
    "db": ("db", "Upgrade the store, or show its version."),
}


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"mailout.cli.{_COMMANDS[cmd_name][0]}")
        command = getattr(module, f"{cmd_name}_command")
        assert isinstance(command, click.Command)  # noqa: S101 - a mistake of ours
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in _COMMANDS.items()])


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--site", metavar="DIR", help="The site's folder; else MAILOUT_SITE, else upward.")
@click.version_option(__version__, prog_name="mailout")
@click.pass_context
def mailout(context: click.Context, site: str | None) -> None:
    """Newsletters and urgent appeals, honest about every single recipient.

    Begin with `mailout demo`, or with `mailout init DIR` for a site of your own.

    Exit codes: 0 done, 1 an expected failure, 2 wrong usage, 75 try again later.
    """
    context.obj = Options(site)


def main(words: Sequence[str] | None = None) -> int:
    """The exit code of a command line (the process's own if None), its errors printed."""
    try:
        code = mailout.main(words, "mailout", standalone_mode=False)
    except MailoutError as error:
        click.echo(f"mailout: {error}", err=True)
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("\nmailout: stopped; nothing is lost, the same command goes on.", err=True)
        return TryLater.exit_code
    except BrokenPipeError:
        # The reader of our output went away (`mailout ... | head`): that is no failure.
        _output_to_nowhere()
        return 0
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        click.echo(f"mailout: {where}{error.strerror or error}", err=True)
        _output_to_nowhere()
        return 1
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    return code if isinstance(code, int) else 0


def _output_to_nowhere() -> None:
    """What could not be written is not tried again when the interpreter ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def run() -> None:
    """The program's entry. SIGTERM ends a command as Ctrl-C does, where it does not drain first."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main())

"""`mailout digest`: what was missed is told once, to those who missed it, and to nobody else."""

from __future__ import annotations

import email
import email.policy
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from command_line import CommandLine, Said
from mailout.config.site import read_site
from mailout.core.dispatch import DispatchState
from mailout.core.frequency import Frequency, period
from mailout.smtp.catcher import Catcher
from mailout.store import dispatches
from mailout.store.engine import open_store

PEOPLE = (
    "email,name,language,tags\n"
    "anna@example.org,Anna,en,unions\n"
    "boris@example.org,Boris,ru,unions\n"
    "vera@example.org,Vera,en,unions\n"
)
POST = "---\ntitle: {title}\ndate: 2026-11-24\n{more}---\n\nSomething happened at {title}.\n"
WEEKLY = f"{period(Frequency.WEEKLY, datetime.now(UTC).date())}-bulletin-weekly"


def begin(shell: CommandLine) -> None:
    """Three people, of whom Anna wants the weekly digest."""
    shell.fall_back_to_english()
    path = shell.root / "lists" / "bulletin.toml"
    text = path.read_text("utf-8").replace('["en", "ru", "kk", "de"]', '["en", "ru"]')
    path.write_text(text.replace('kk = ["ru"]\n', ""), "utf-8")
    for path in (shell.root / "posts").glob("*"):
        path.unlink()
    shell.import_people(PEOPLE)
    shell("subscribers", "frequency", "anna@example.org", "weekly")


def issue(shell: CommandLine, title: str, more: str = "", segment: str = "unions") -> str:
    """The name of an issue of one post, just sent to the segment."""
    key = f"2026-11-24-{title.lower()}"
    shell.write(f"posts/{key}.en.md", POST.format(title=title, more=more))
    name = shell("issues", "new", key).out.removeprefix("issues/").partition(".")[0]
    return str(shell("send", name, "--segment", segment, "--yes", "--json").json["issue"])


def digest(shell: CommandLine, *words: str, code: int = 0) -> Said:
    return shell("digest", "--weekly", "--yes", *words, code=code)


@dataclass(frozen=True)
class Mail:
    """What a reader got; the reports to the list's contact are none of it."""

    reader: str
    subject: str
    text: str


def got(catcher: Catcher) -> list[Mail]:
    """The readers' mails, in their order."""
    found = []
    for message in catcher.messages:
        reader = message.recipients[0].partition("@")[0]
        parsed = email.message_from_bytes(message.content, policy=email.policy.default)
        part = parsed.get_body(("plain",))
        if reader != "contact" and part is not None:
            found.append(Mail(reader, str(parsed["Subject"]), str(part.get_content())))
    return found


def readers(catcher: Catcher) -> Counter[str]:
    return Counter(mail.reader for mail in got(catcher))


def test_a_week_of_a_reader_who_wants_a_digest(shell: CommandLine, catcher: Catcher) -> None:
    begin(shell)
    with shell.relay(catcher):
        shell.write("posts/2026-11-24-harbour.en.md", POST.format(title="Harbour", more=""))
        dry = shell("send", "--segment", "unions", "--dry-run", "--json").json
        assert (dry["total"], dry["left_out"]) == (2, {"for the weekly digest": 1})
        said = shell("send", "--segment", "unions", "--yes")
        assert "To 2 people" in said.err and "Left out: 1 for the weekly digest." in said.err
        first = shell("status", "--json").json
        assert first["deliveries"] | {"accepted": 2, "skipped": 1} == first["deliveries"]
        assert "left out: 1 for the weekly digest" in shell("status").out
        issue(shell, "Mill")
        urgent = issue(shell, "Arrest", more="kind: appeal\n")
        assert readers(catcher) == {"anna": 1, "boris": 3, "vera": 3}
        catcher.clear()
        told = shell("subscribers", "show", "anna@example.org").out
        assert "Gets the weekly digest, and urgent issues at once." in told
        assert told.count("gets the weekly digest: the next one tells it") == 2
        assert f"{urgent}: was accepted" in told
        said = digest(shell)
        assert f"{WEEKLY}: done (1 accepted)" in said.out
        (mail,) = got(catcher)
        assert (mail.reader, mail.subject.partition(",")[0]) == ("anna", "Weekly digest")
        text = mail.text
        assert text.index("Something happened at Mill") < text.index("Something happened at Harb")
        assert "Arrest" not in text, "she has it"
        told = shell("subscribers", "show", "anna@example.org").out
        assert told.count(f"told in the digest {WEEKLY}") == 2
        again = digest(shell)
        assert f"{WEEKLY} was sent already" in again.err
        assert len(got(catcher)) == 1
    shown = shell("subscribers", "show", "vera@example.org").out
    assert WEEKLY not in shown, "it was not for her"


def test_nothing_missed_is_said_and_nothing_written(shell: CommandLine, catcher: Catcher) -> None:
    begin(shell)
    with shell.relay(catcher):
        said = digest(shell)
        assert said.out == (
            "Nothing was sent: the weekly readers of `bulletin` have missed nothing.\n"
        )
        issue(shell, "Harbour")
        assert shell("digest", "--monthly", "--yes", "--json").json == {
            "frequency": "monthly", "dry_run": False, "digests": [],
        }  # fmt: skip
    assert not list((shell.root / "issues").glob("*weekly*"))


@pytest.mark.parametrize("words", [(), ("--weekly", "--monthly")])
def test_which_digest_has_to_be_said(shell: CommandLine, words: tuple[str, ...]) -> None:
    assert "Add --weekly or --monthly" in shell("digest", *words, code=2).err


def test_a_dry_run_of_a_digest_writes_nothing(shell: CommandLine, catcher: Catcher) -> None:
    begin(shell)
    with shell.relay(catcher):
        name = issue(shell, "Harbour")
        catcher.clear()
        (shown,) = digest(shell, "--dry-run", "--json").json["digests"]
    assert shown == {
        "issue": WEEKLY, "list": "bulletin", "issues": [name], "posts": ["2026-11-24-harbour"],
        "total": 1, "by_language": {"en": 1}, "left_out": {},
    }  # fmt: skip
    assert not got(catcher)
    assert not list((shell.root / "issues").glob("*weekly*"))
    assert shell("issues", "list", "--json").json[0]["issue"] == name


def test_the_count_is_typed_or_yes_said_and_the_same_command_goes_on(
    shell: CommandLine, catcher: Catcher
) -> None:
    begin(shell)
    with shell.relay(catcher):
        issue(shell, "Harbour")
        catcher.clear()
        assert "Add --yes in scripts" in shell("digest", "--weekly", code=2).err
        assert not got(catcher)
        issue(shell, "Mill")  # too late for this one
        digest(shell)
    (mail,) = (mail for mail in got(catcher) if mail.reader == "anna")
    assert "Something happened at Harbour" in mail.text and "Mill" not in mail.text
    told = shell("subscribers", "show", "anna@example.org").out
    assert told.count("the next one tells it") == 1


def test_a_relay_that_is_down_holds_a_digest(shell: CommandLine, catcher: Catcher) -> None:
    begin(shell)
    with shell.relay(catcher):
        issue(shell, "Harbour")
    catcher.clear()
    with Catcher() as gone, shell.relay(gone):
        gone.stop()
        assert "no server answers there" in digest(shell, code=75).err
    with shell.relay(catcher):
        assert "Going on with" in digest(shell).err
        assert "Nobody is missing" in shell("resend", WEEKLY, "--missing").out
    assert readers(catcher) == {"anna": 1}


def test_no_script_goes_on_with_a_digest_that_a_person_is_to_decide(
    shell: CommandLine, catcher: Catcher
) -> None:
    begin(shell)
    with shell.relay(catcher):
        issue(shell, "Harbour")
    catcher.clear()
    with Catcher() as gone, shell.relay(gone):
        gone.stop()
        digest(shell, code=75)
    store = open_store(read_site(shell.root).store.url, shell.root)
    with store.writing() as tx:
        (held,) = dispatches.open_ones(tx, (DispatchState.HELD,))
        dispatches.set_state(tx, held.id, DispatchState.HELD, of=(held.state,), why="complaints")
    store.close()
    with shell.relay(catcher):
        assert "held: complaints. `mailout resume" in digest(shell, code=75).err
        assert catcher.messages == []
        shell("resume", WEEKLY)
        digest(shell)
    assert readers(catcher) == {"anna": 1}


def test_one_that_was_called_off_is_made_anew(shell: CommandLine, catcher: Catcher) -> None:
    begin(shell)
    with shell.relay(catcher):
        issue(shell, "Harbour")
    catcher.clear()
    with Catcher() as gone, shell.relay(gone):
        gone.stop()
        digest(shell, code=75)
    shell("cancel", WEEKLY, "--yes")
    with shell.relay(catcher):
        digest(shell)
        digest(shell)
    assert readers(catcher) == {"anna": 1}
    assert f"told in the digest {WEEKLY}-2" in shell("subscribers", "show", "anna@example.org").out


def test_a_digest_stands_in_no_ones_way(shell: CommandLine, catcher: Catcher) -> None:
    """An issue compiled before it is still the next one; its posts are as free as before."""
    begin(shell)
    with shell.relay(catcher):
        issue(shell, "Harbour")
        shell.write("posts/2026-11-25-mill.en.md", POST.format(title="Mill", more=""))
        waiting = shell("issues", "new", "2026-11-25-mill").out.splitlines()[0]
        waiting = waiting.removeprefix("issues/").partition(".")[0]
        shell("compile", waiting)
        assert "Add --yes" in shell("digest", "--weekly", code=2).err
        assert f"approve {waiting}`" in shell("compile").out, "the newest issue is no digest"
        digest(shell)
        sent = shell("send", "--segment", "unions", "--yes", "--json").json
        assert sent["issue"] == waiting
        refused = shell("send", WEEKLY, "--segment", "unions", "--yes", code=1)
        assert "`mailout digest --weekly` sends it" in refused.err
        nothing = shell("send", "--segment", "unions", "--yes", "--json").json
        assert nothing["why"] == "every ready post was sent already"
    built = shell("archive", "build", "--json").json
    assert WEEKLY not in built["issues"] and waiting in built["issues"]


def test_what_went_to_some_is_told_to_those_alone(shell: CommandLine, catcher: Catcher) -> None:
    begin(shell)
    shell.import_people("email,tags\nilse@example.org,journalists\n")
    shell("subscribers", "frequency", "ilse@example.org", "weekly")
    with shell.relay(catcher):
        issue(shell, "Harbour")
        issue(shell, "Embargoed", segment="journalists")
        catcher.clear()
        digest(shell)
    texts = {mail.reader: mail.text for mail in got(catcher)}
    assert readers(catcher) == {"anna": 1, "ilse": 1}
    assert "Harbour" in texts["anna"] and "Embargoed" not in texts["anna"]
    assert "Embargoed" in texts["ilse"] and "Harbour" not in texts["ilse"]


def test_an_issue_that_all_are_to_be_told_of_by_a_digest(
    shell: CommandLine, catcher: Catcher
) -> None:
    begin(shell)
    for name in ("boris", "vera"):
        shell("subscribers", "frequency", f"{name}@example.org", "weekly")
    with shell.relay(catcher):
        shell.write("posts/2026-11-24-mill.en.md", POST.format(title="Mill", more=""))
        sent = shell("send", "--segment", "unions", "--yes", "--json").json
        assert sent["state"] == "done" and sent["deliveries"]["skipped"] == 3
        assert not got(catcher)
        digest(shell)
    assert readers(catcher) == {"anna": 1, "boris": 1, "vera": 1}


def test_a_post_that_was_taken_back_is_not_told(shell: CommandLine, catcher: Catcher) -> None:
    begin(shell)
    with shell.relay(catcher):
        issue(shell, "Harbour")
        issue(shell, "Mill")
        shell.write(
            "posts/2026-11-24-mill.en.md", POST.format(title="Mill", more="status: private\n")
        )
        catcher.clear()
        assert "the post 2026-11-24-mill is kept back" in digest(shell).err
    (mail,) = got(catcher)
    assert "Harbour" in mail.text and "Mill" not in mail.text


def test_who_changes_in_between_is_mailed_nothing_twice(
    shell: CommandLine, catcher: Catcher
) -> None:
    begin(shell)
    with shell.relay(catcher):
        shell("subscribers", "frequency", "boris@example.org", "weekly")
        name = issue(shell, "Harbour")
        shell("subscribers", "frequency", "boris@example.org", "every")
        shell("subscribers", "frequency", "vera@example.org", "weekly")
        shell.import_people("email,tags\nboris@example.org,journalists\n")
        again = ("send", name, "--segment", "journalists", "--yes", "--json")
        assert shell(*again).json["why"].startswith("nobody in bulletin/journalists")
        assert "Nobody is missing" in shell("resend", name, "--missing").out
        digest(shell)
        shell("subscribers", "frequency", "boris@example.org", "urgent")
        second = issue(shell, "Mill")
    assert readers(catcher) == {"vera": 1, "anna": 1}, "Vera had it in full"
    told = shell("subscribers", "show", "boris@example.org").out
    assert "which they do not get any more" in told
    assert f"{second}: went to unions, and is not urgent: they get urgent issues only" in told


def test_a_pause_with_an_end(shell: CommandLine, catcher: Catcher) -> None:
    begin(shell)
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).date().isoformat()
    said = shell("subscribers", "pause", "vera@example.org", "--until", tomorrow)
    assert said.out == f"vera@example.org gets nothing of `bulletin` until {tomorrow}.\n"
    shell("subscribers", "pause", "boris@example.org")
    with shell.relay(catcher):
        shell.write("posts/2026-11-24-mill.en.md", POST.format(title="Mill", more=""))
        dry = shell("send", "--segment", "unions", "--dry-run", "--json").json
        assert dry["left_out"] == {"for the weekly digest": 1, "paused by the reader": 2}
        told = shell("subscribers", "show", "vera@example.org").out
        assert f"gets nothing until {tomorrow} 00:00 UTC" in told
        shell("subscribers", "resume", "boris@example.org")
        shell("send", "--segment", "unions", "--yes")
    assert readers(catcher) == {"boris": 1}


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("frequency", "anna@example.org", "daily"), 2, "daily"),
        (("frequency", "nobody@example.org", "weekly"), 1, "nobody with this address"),
        (("frequency", "nadia@example.org", "weekly"), 1, "has not confirmed yet for the list"),
        (("frequency", "left@example.org", "weekly"), 1, "has left the list"),
        (("pause", "left@example.org"), 1, "has left the list"),
        (("pause", "anna@example.org", "--until", "2020-01-01"), 2, "has begun already"),
        (("pause", "anna@example.org", "--until", "soon"), 2, "`soon` is no day"),
        (("pause", "anna@example.org", "--until", "9999-12-31T"), 2, "is no day"),
        (("resume", "anna@example.org"), 1, "is not paused"),
    ],
)
def test_what_cannot_be_chosen_is_refused(
    shell: CommandLine, words: tuple[str, ...], code: int, says: str
) -> None:
    shell.import_people(
        "email,status\nanna@example.org,\nnadia@example.org,pending\nleft@example.org,unsubscribed\n"
    )
    assert says in shell("subscribers", *words, code=code).err

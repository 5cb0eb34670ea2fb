"""`mailout archive build`, after a real send, on either database."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from command_line import CommandLine
from mailout.core.archive import FOLDER
from mailout.smtp.catcher import Catcher

POST = "---\ntitle: {title}\nlang: en\ndraft: false\n---\nNo crane has moved since Monday, and no ship has left.\n"


def sent(shell: CommandLine, catcher: Catcher) -> None:
    """One issue of one post, mailed to one reader; the send has built the archive."""
    shell.fall_back_to_english()
    for post in (shell.root / "posts").iterdir():
        post.unlink()
    shell.write("posts/harbour.en.md", POST.format(title="The harbour stands still"))
    shell.import_people("email\nanna@example.org\n", "--tag", "unions")
    with shell.relay(catcher):
        shell("send", "--segment", "unions", "--yes")


def test_what_was_sent_is_built(shell: CommandLine, catcher: Catcher) -> None:
    said = shell("archive", "build")
    assert "0 issues" in said.out
    sent(shell, catcher)
    built = shell("archive", "build", "--json").json
    assert set(built) == {
        "folder", "url", "languages", "issues", "posts", "added", "changed", "removed",
        "unchanged", "left_out",
    }  # fmt: skip
    assert built["folder"] == FOLDER
    assert built["url"] == "http://127.0.0.1:8080/archive"
    assert built["posts"] == ["harbour"]
    assert built["left_out"] == []
    (issue,) = built["issues"]
    assert (built["added"], built["changed"], built["removed"]) == ([], [], [])
    page = (shell.root / FOLDER / f"en/issues/{issue}.html").read_text(encoding="utf-8")
    assert "No crane has moved since Monday" in page
    assert "anna" not in page
    again = shell("archive", "build")
    assert again.out.splitlines() == [
        f"{FOLDER}/: 1 issue and 1 post in 4 languages",
        f"0 files added, 0 changed, 0 removed, {built['unchanged']} as they were",
        "Its address is http://127.0.0.1:8080/archive/",
    ]


def test_what_is_left_out_is_said(shell: CommandLine, catcher: Catcher) -> None:
    sent(shell, catcher)
    (shell.root / "posts/harbour.en.md").unlink()
    said = shell("archive", "build")
    assert "harbour: the post is kept back, or not in posts/ any more" in said.out
    assert "0 issues" in said.out
    assert "removed" in said.out


def test_an_archive_that_cannot_be_built_stops_no_mail(
    shell: CommandLine, catcher: Catcher
) -> None:
    shell.write("build/archive", "a file in its way")
    sent(shell, catcher)
    assert len(catcher.messages) == 1


def test_mails_link_to_the_page_of_their_issue(shell: CommandLine, catcher: Catcher) -> None:
    sent(shell, catcher)
    (message,) = catcher.messages
    (issue,) = shell("archive", "build", "--json").json["issues"]
    link = f"http://127.0.0.1:8080/archive/en/issues/{issue}.html".encode()
    assert link in message.content.replace(b"=\r\n", b"")


def test_a_worker_builds_it_for_what_it_begins(shell: CommandLine, catcher: Catcher) -> None:
    shell.fall_back_to_english()
    shell.import_people("email\nanna@example.org\n", "--tag", "unions")
    with shell.relay(catcher):
        at = datetime.now(UTC) + timedelta(seconds=4)
        shell("send", "--segment", "unions", "--yes", "--at", at.isoformat())
        time.sleep(max(0.0, (at - datetime.now(UTC)).total_seconds()))
        shell("worker", "--once")
    assert len(catcher.messages) == 1
    assert list((shell.root / FOLDER / "en" / "issues").glob("*.html"))


def test_a_site_without_an_archive_says_so(shell: CommandLine) -> None:
    config = shell.root / "config.toml"
    text = config.read_text(encoding="utf-8").replace("enabled = true", "enabled = false")
    config.write_text(text, encoding="utf-8")
    said = shell("archive", "build", code=1)
    assert said.err.startswith("mailout: config.toml: this site has no archive.")
    assert not (shell.root / FOLDER).exists()


def test_a_broken_post_is_named_and_keeps_nothing_else_back(
    shell: CommandLine, catcher: Catcher
) -> None:
    sent(shell, catcher)
    shell.write("posts/broken.en.md", "---\ntitel: Wrong\n---\n")
    said = shell("archive", "build")
    assert "left out: posts/broken.en.md:2: unknown key `titel`" in said.out
    assert "1 issue and 1 post" in said.out

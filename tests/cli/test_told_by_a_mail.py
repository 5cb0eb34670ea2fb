"""What a mail gives away of the people around it: nothing."""

from __future__ import annotations

import getpass
import platform
import re

import pytest

from command_line import CommandLine, IssueCatcher

PEOPLE = """\
email,name,language,tags
anna@example.org,Anna,en,unions
bert@example.org,Bert,en,journalists
"""


@pytest.fixture
def mails(shell: CommandLine, catcher: IssueCatcher) -> list[bytes]:
    """The raw mails of one issue, to one reader each of two segments."""
    shell.import_people(PEOPLE)
    with shell.relay(catcher):
        sent = shell("send", "--segment", "unions", "--yes", "--json").json
        shell("send", sent["issue"], "--segment", "journalists", "--yes")
    assert [one.recipients for one in catcher.messages] == [
        ("anna@example.org",), ("bert@example.org",),
    ]  # fmt: skip
    return [one.content for one in catcher.messages]


def own_parts_out(mail: bytes) -> str:
    """The mail without what differs from reader to reader whatever their segment."""
    text = mail.decode("ascii").replace("=\r\n", "")
    text = re.sub(r"(?m)^(Message-ID|Date|To|DKIM-Signature): .*(\r\n[ \t].*)*", r"\1", text)
    text = re.sub(r"/(u|p)/[A-Za-z0-9_-]{22}", r"/\1/TOKEN", text)
    text = re.sub(r"boundary=\"?([^\"\s;]+)\"?", "boundary", text)
    return re.sub(r"\b(Anna|Bert)\b", "NAME", text)


def test_two_segments_get_mails_that_tell_no_difference(mails: list[bytes]) -> None:
    first, second = map(own_parts_out, mails)
    boundary = re.compile(r"(?m)^--\S+")
    assert boundary.sub("--", first) == boundary.sub("--", second)
    heads = [mail.partition(b"\r\n\r\n")[0].lower() for mail in mails]
    assert not [head for head in heads if b"unions" in head or b"journalist" in head]


def _word(name: str) -> str:
    begin, end = (r"\b" if edge.isalnum() else "" for edge in (name[0], name[-1]))
    return f"{begin}{re.escape(name)}{end}"


def test_nothing_names_the_sender_s_machine_or_the_program(
    mails: list[bytes], shell: CommandLine
) -> None:
    wanted = {platform.node(), str(shell.root), "/home/", "127.0.0.1:", "mailout/", "x-mailer"}
    if getpass.getuser() != "root":
        wanted.add(getpass.getuser())
    for mail in mails:
        text = mail.decode("ascii").replace("=\r\n", "").replace("http://127.0.0.1:8080", "")
        head = text.partition("\r\n\r\n")[0].lower()
        # As a word: a machine of a short name has that somewhere in a token by chance.
        found = [one for one in wanted if one and re.search(_word(one.lower()), head)]
        assert not found
        assert str(shell.root) not in text
        assert re.search(r"(?m)^Date: .* \+0000\r$", text)
        assert not re.search(r"(?mi)^(received|x-originating-ip|user-agent|x-mailer):", text)

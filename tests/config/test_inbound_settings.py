"""[inbound]: every mistake names file, line and what to write; the example has every key."""

from __future__ import annotations

import dataclasses
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from mailout.config.site import read_site
from mailout.core.errors import BadFile
from mailout.core.inbox import ImapBox, Inbox
from places import REPOSITORY

EXAMPLE = (REPOSITORY / "config.example.toml").read_text("utf-8")
_DEFAULTS = {field.name: field for field in dataclasses.fields(ImapBox)}


def of_example() -> dict[str, Any]:
    """The commented [[inbound.imap]] of the example, read."""
    (block,) = re.findall(r"(?m)^# \[\[inbound\.imap\]\]\n(?:# .*\n)+", EXAMPLE)
    found = tomllib.loads(re.sub(r"(?m)^# ", "", block))
    (box,) = found["inbound"]["imap"]
    assert isinstance(box, dict)
    return box


def test_the_example_shows_every_key_of_a_mailbox_with_its_default() -> None:
    box = of_example()
    assert set(box) == set(_DEFAULTS)
    for name, value in box.items():
        if name not in ("host", "username", "password_env"):
            assert _DEFAULTS[name].default == (tuple(value) if isinstance(value, list) else value)


def test_the_example_shows_every_key_of_inbound_with_its_default() -> None:
    inbound = tomllib.loads(EXAMPLE)["inbound"]
    expected = dataclasses.asdict(Inbox())
    assert expected.pop("imap") == ()
    assert {k: tuple(v) if isinstance(v, list) else v for k, v in inbound.items()} == expected


def write(root: Path, text: str) -> None:
    """Puts a table of [inbound] in place of the example's."""
    path = root / "config.toml"
    path.write_text(
        re.sub(r"(?ms)^\[inbound\]\n.*?(?=^\[pages\])", lambda _: text, EXAMPLE), "utf-8"
    )


BOX = """[[inbound.imap]]
host = "mail.example.org"
username = "bounces"
password_env = "X"
"""


def test_paths_are_those_of_the_site(site_root: Path) -> None:
    write(
        site_root,
        '[inbound]\nmaildir = ["box", "/var/box"]\nmbox = ["m"]\nlmtp = "./l.sock"\n'
        '[[inbound.imap]]\nhost = "mail.example.org"\nusername = "b"\npassword_file = "secrets/imap"\n',
    )
    inbound = read_site(site_root).inbound
    assert inbound.maildir == (str(site_root / "box"), "/var/box")
    assert (inbound.mbox, inbound.lmtp) == ((str(site_root / "m"),), str(site_root / "l.sock"))
    (box,) = inbound.imap
    assert box.password_file == str(site_root / "secrets/imap")
    assert (box.real_port, box.label) == (993, "mail.example.org:993/INBOX")


@pytest.mark.parametrize(
    ("text", "at", "words"),
    [
        ("[inbound]\nmaildr = []\n", "maildr", "unknown key `maildr`. Did you mean `maildir`?"),
        ("[inbound]\nmax_bytes = 99\n", "max_bytes", "must be at least 100000"),
        ("[inbound]\nkeep_days = 0\n", "keep_days", "must be at least 1"),
        ('[inbound]\nmaildir = [""]\n', "maildir", "empty path"),
        ('[inbound]\nmbox = ["a", "a"]\n', "mbox", "`a` stands here twice"),
        ('[inbound]\nlmtp = "0.0.0.0:24"\n', "lmtp", "everybody who reaches 0.0.0.0"),
        ('[inbound]\nlmtp = "127.0.0.1:99999"\n', "lmtp", "from 1 to 65535"),
        ('[inbound]\nlmtp = "24"\n', "lmtp", "no place to listen at"),
        (f'[inbound]\nlmtp = "/{"x" * 120}"\n', "lmtp", "too long"),
        (BOX.replace("username", "user"), "user =", "unknown key `user`. Did you mean `username`?"),
        (BOX.replace("password_env", "password"), "password =", "unknown key `password`"),
        (BOX.replace("example.org", "example.org:993"), "host", "`host` holds a port"),
        (BOX.replace('"bounces"', '""'), "username", "`username` is empty"),
        (BOX.replace('password_env = "X"\n', ""), "username", "nothing to log in with"),
        (BOX + 'token_file = "t"\n', "token_file", "both `password_env` and `token_file` are set"),
        (BOX + 'tls = "none"\n', "tls", "would show the password"),
        (BOX + 'tls = "ssl"\n', "tls", "`tls` must be 'tls', 'starttls' or 'none'"),
        (BOX + "port = 70000\n", "port", "from 1 to 65535"),
        (BOX + 'move_to = "INBOX"\n', "move_to", "the folder that is read"),
        (BOX + "poll_seconds = 1\n", "poll_seconds", "must be at least 5"),
    ],
)
def test_a_mistake_names_its_line(site_root: Path, text: str, at: str, words: str) -> None:
    write(site_root, text)
    with pytest.raises(BadFile) as caught:
        read_site(site_root)
    assert words in str(caught.value)
    source = (site_root / "config.toml").read_text("utf-8").splitlines()
    found = re.match(r"config\.toml:(\d+)", str(caught.value))
    assert found and source[int(found[1]) - 1].startswith(at)


def test_the_same_mailbox_twice(site_root: Path) -> None:
    write(site_root, BOX + BOX)
    with pytest.raises(BadFile, match="this mailbox stands here twice"):
        read_site(site_root)

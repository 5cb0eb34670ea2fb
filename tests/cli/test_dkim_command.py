"""`mailout dkim`: making a key, showing its record, and what is refused."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

import dkim as judge
import pytest

from command_line import CommandLine
from mailout.config.dkim import signers
from mailout.config.site import read_site
from mailout.core.errors import MailoutError
from mailout.core.site import Dkim

MESSAGE = b"From: a@example.org\r\nSubject: x\r\n\r\nHello\r\n"
TABLE = '\n[[dkim]]\ndomain = "example.org"\nselector = "2026a"\n'


@pytest.fixture
def shell(site_root: Path, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    """In a site without a store: none of these commands opens one."""
    return CommandLine(site_root, capsys)


def add(shell: CommandLine, text: str) -> None:
    path = shell.root / "config.toml"
    path.write_text(path.read_text() + text)


def line_of(shell: CommandLine, text: str) -> int:
    return (shell.root / "config.toml").read_text().splitlines().index(text) + 1


def test_a_key_is_made_named_and_signs(shell: CommandLine) -> None:
    said = shell("dkim", "new", "2026a").out
    key = shell.root / "dkim" / "2026a.pem"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(key.parent.stat().st_mode) == 0o700
    assert (key.parent / ".gitignore").read_text() == "*\n"
    name, strings, settings = said.split("\n", 2)
    (domain,) = re.findall(r"^2026a\._domainkey\.(.+)$", name)
    assert f"@{domain}" in (shell.root / "lists" / "bulletin.toml").read_text()
    parts = re.findall(r'"([^"]*)"', strings)
    assert len(parts) == 2 and max(map(len, parts)) == 255
    add(shell, settings)
    (signer,) = signers(read_site(shell.root))
    assert (signer.domain, signer.selector, signer.algorithm) == (domain, "2026a", "rsa-sha256")
    message = signer.sign(MESSAGE, 1_795_530_900) + MESSAGE
    record = "".join(parts).encode()
    assert judge.verify(message, dnsfunc=lambda name, timeout=5: record)
    assert shell("dkim", "show").out == f"{name}\n{strings}\n"


def test_both_kinds_stand_side_by_side(shell: CommandLine) -> None:
    for selector, kind in (("a", "rsa"), ("b", "ed25519")):
        said = shell("dkim", "new", selector, "--domain", "example.org", "--kind", kind)
        add(shell, said.out.split("\n", 2)[2])
    found = shell("dkim", "show", "--json").json
    assert [entry["name"] for entry in found] == [
        "a._domainkey.example.org", "b._domainkey.example.org",
    ]  # fmt: skip
    assert found[0].keys() == {"domain", "selector", "key_file", "name", "record"}
    assert found[0]["key_file"] == "dkim/a.pem"
    assert [entry["record"][:18].split(";")[1] for entry in found] == [" k=rsa", " k=ed25519"]
    both = signers(read_site(shell.root))
    assert [signer.algorithm for signer in both] == ["rsa-sha256", "ed25519-sha256"]


def test_a_key_is_not_overwritten(shell: CommandLine) -> None:
    shell("dkim", "new", "2026a", "--kind", "ed25519")
    before = (shell.root / "dkim" / "2026a.pem").read_bytes()
    assert "there is a key already" in shell("dkim", "new", "2026a", code=1).err
    assert (shell.root / "dkim" / "2026a.pem").read_bytes() == before


def test_a_site_without_keys_signs_nothing(shell: CommandLine) -> None:
    assert signers(read_site(shell.root)) == ()
    said = shell("dkim", "show")
    assert said.out == "" and "mails are not signed" in said.err
    assert shell("dkim", "show", "--json").json == []


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("../keys",), "not a selector"),
        (("a_b",), "not a selector"),
        (("a", "--domain", "example"), "not a domain"),
        (("a", "--domain", "bücher.example"), "not a domain in plain letters"),
        (("a", "--kind", "dsa"), "dsa"),
    ],
)
def test_names_that_cannot_be_are_refused(
    shell: CommandLine, words: tuple[str, ...], says: str
) -> None:
    assert says in shell("dkim", "new", *words, code=2).err
    assert not (shell.root / "dkim").exists()


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('domain = "example.org"', 'domain = "example"', "`example` is not a domain"),
        ('selector = "2026a"', 'selector = "2026 a"', "`2026 a` is not a selector"),
        ('selector = "2026a"', 'selektor = "2026a"', "unknown key `selektor`. Did you mean `sel"),
    ],
)
def test_broken_settings_name_the_line(shell: CommandLine, old: str, new: str, says: str) -> None:
    add(shell, TABLE.replace(old, new))
    said = shell("dkim", "show", code=1).err
    assert f"config.toml:{line_of(shell, new)}: {says}" in said


def test_a_key_named_twice_is_refused(shell: CommandLine) -> None:
    add(shell, TABLE + TABLE.replace("example.org", "Example.ORG"))
    line = line_of(shell, 'domain = "Example.ORG"') - 1
    said = shell("dkim", "show", code=1).err
    assert f"config.toml:{line}: the selector `2026a` of Example.ORG stands here twice" in said


def test_a_key_that_is_missing_or_open_to_others_is_refused(shell: CommandLine) -> None:
    add(shell, TABLE)
    key = shell.root / "dkim" / "2026a.pem"
    site = read_site(shell.root)
    with pytest.raises(MailoutError, match="is missing"):
        signers(site)
    assert f"{key}: the DKIM key of example.org is missing" in shell("dkim", "show", code=1).err
    shell("dkim", "new", "2026a", "--domain", "example.org")
    for mode in (0o640, 0o604, 0o620):
        key.chmod(mode)
        said = shell("dkim", "show", code=1).err
        assert "can read" in said and f"chmod 600 {key}" in said
        with pytest.raises(MailoutError, match="can read"):
            signers(site)
    key.chmod(0o400)
    assert len(signers(site)) == 1


def test_a_file_that_is_no_key_is_named(shell: CommandLine) -> None:
    add(shell, TABLE + 'key_file = "keys.toml"\n')
    site = read_site(shell.root)
    assert site.dkim == (Dkim(domain="example.org", selector="2026a", key_file="keys.toml"),)
    said = shell("dkim", "show", code=1).err
    assert f"{shell.root / 'keys.toml'}: this is not a private key in PEM" in said
    with pytest.raises(MailoutError, match="not a private key"):
        signers(site)


def test_a_key_may_stand_elsewhere(shell: CommandLine, tmp_path: Path) -> None:
    shell("dkim", "new", "2026a", "--kind", "ed25519")
    away = tmp_path / "away.pem"
    os.rename(shell.root / "dkim" / "2026a.pem", away)
    add(shell, TABLE + f'key_file = "{away}"\n')
    assert len(signers(read_site(shell.root))) == 1

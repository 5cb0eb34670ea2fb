"""Reading a site: every mistake names file, line and what was probably meant."""

from __future__ import annotations

import dataclasses
import os
import stat
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailout.config import keys, toml
from mailout.config.site import find_root, read_site, relay_of_url
from mailout.core.errors import BadFile, MailoutError, UsageError
from mailout.core.site import ArchiveSettings, Brand, Identity, Pages, Relay, Sending, StoreSettings

EXAMPLE = Path(__file__).parents[2] / "config.example.toml"

# What the example sets otherwise than the default, so that a new site works on this machine,
# and what has no default.
OTHERWISE = {
    "site": {"name", "url", "mail_domain"},
    "relays": {"host", "port", "tls", "password_env"},
}


def line_of(source: str, words: str) -> int:
    return next(n for n, line in enumerate(source.splitlines(), 1) if words in line)


def edit(root: Path, old: str, new: str, file: str = "config.toml") -> None:
    path = root / file
    source = path.read_text("utf-8")
    assert source.count(old) >= 1
    path.write_text(source.replace(old, new, 1), "utf-8")


# -- the example ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "shape"),
    [
        ("site", Identity),
        ("store", StoreSettings),
        ("relays", Relay),
        ("sending", Sending),
        ("pages", Pages),
        ("archive", ArchiveSettings),
        ("brand", Brand),
    ],
)
def test_the_example_shows_every_key_with_its_default(table: str, shape: Any) -> None:
    values = tomllib.loads(EXAMPLE.read_text("utf-8"))[table]
    values = values[0] if isinstance(values, list) else values
    fields = {field.name: field for field in dataclasses.fields(shape)}
    fields.pop("password", None)  # no key of the file: it comes from the environment
    assert set(values) == set(fields)
    for name, value in values.items():
        if name in OTHERWISE.get(table, ()):
            continue
        default = fields[name].default
        assert (tuple(value) if isinstance(value, list) else value) == default, name


def test_the_example_explains_every_key() -> None:
    tables = tomllib.loads(EXAMPLE.read_text("utf-8"))
    assert set(tables) == {
        "site", "store", "relays", "sending", "inbound", "pages", "archive", "brand",
    }  # fmt: skip
    lines = EXAMPLE.read_text("utf-8").splitlines()
    assert sum(1 for line in lines if line.startswith("#")) > 25


def test_the_example_is_a_site(site_root: Path) -> None:
    site = read_site(site_root)
    assert list(site.lists) == ["bulletin"]
    assert {name.name for name in site.segments()} == {"unions", "journalists", "socialists"}
    assert site.is_loopback


# -- mistakes in TOML --------------------------------------------------------------------------


def test_an_unknown_key_names_the_nearest(site_root: Path) -> None:
    edit(site_root, "max_age_hours =", "max_age_hour =")
    line = line_of((site_root / "config.toml").read_text("utf-8"), "max_age_hour =")
    with pytest.raises(BadFile) as caught:
        read_site(site_root)
    assert str(caught.value) == (
        f"config.toml:{line}: unknown key `max_age_hour`. Did you mean `max_age_hours`?"
    )


def test_an_unknown_key_of_a_relay(site_root: Path) -> None:
    edit(site_root, "connections =", "conections =")
    line = line_of((site_root / "config.toml").read_text("utf-8"), "conections =")
    with pytest.raises(BadFile, match=rf"config.toml:{line}: .*`conections`.*`connections`"):
        read_site(site_root)


def test_an_unknown_table(site_root: Path) -> None:
    edit(site_root, "[pages]", "[page]")
    line = line_of((site_root / "config.toml").read_text("utf-8"), "[page]")
    with pytest.raises(BadFile, match=rf"config.toml:{line}: unknown key `page`.*`pages`"):
        read_site(site_root)


def test_a_table_that_stands_there_already(site_root: Path) -> None:
    edit(site_root, "[pages]", '[inbound]\nlmtp = "127.0.0.1:8024"\n\n[pages]')
    with pytest.raises(BadFile, match=r"config.toml:\d+:\d+: .*'inbound'.* twice.*already"):
        read_site(site_root)


def test_unknown_keys_of_a_list(site_root: Path) -> None:
    edit(site_root, "reply_to =", "replyto =", "lists/bulletin.toml")
    line = line_of((site_root / "lists/bulletin.toml").read_text("utf-8"), "replyto =")
    with pytest.raises(BadFile, match=rf"lists/bulletin.toml:{line}: .*`replyto`.*`reply_to`"):
        read_site(site_root)


def test_an_unknown_key_of_a_segment(site_root: Path) -> None:
    edit(site_root, 'rule = "tag = unions"', 'rul = "tag = unions"', "lists/bulletin.toml")
    with pytest.raises(BadFile, match=r"lists/bulletin.toml:\d+: .*`rule?`"):
        read_site(site_root)


def test_where_the_archive_is(site_root: Path) -> None:
    assert read_site(site_root).archive_url == "http://127.0.0.1:8080/archive"
    edit(site_root, 'url = ""', 'url = "https://mirror.example.net/ours/"')
    assert read_site(site_root).archive_url == "https://mirror.example.net/ours"
    edit(site_root, "enabled = true", "enabled = false")
    assert read_site(site_root).archive_url == ""


def test_a_list_may_stay_out_of_the_archive(site_root: Path) -> None:
    assert read_site(site_root).lists["bulletin"].settings.archive
    edit(site_root, "archive = true", "archive = false", "lists/bulletin.toml")
    assert not read_site(site_root).lists["bulletin"].settings.archive


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('name = "Solidarity Bulletin"', "name = Solidarity", "config.toml:{line}:8"),
        ("port = 2525", 'port = "many"', "`port` must be a whole number"),
        ('tls = "none"', 'tls = "maybe"', "`tls` must be"),
        ("connections = 4", "connections = 500", "from 1 to 100"),
        ("port = 2525", "port = 99999", "from 1 to 65535"),
        ('timezone = "UTC"', 'timezone = "Mars/Olympus"', "not a time zone"),
        ('url = "http://127.0.0.1:8080"', 'url = "http://example.org"', "need https"),
        ('url = "http://127.0.0.1:8080"', 'url = "example.org"', "not a web address"),
        ('url = ""', 'url = "http://example.org/archive"', ":{line}: .* need https"),
        ('url = ""', 'url = "/archive"', ":{line}: `url` is not a web address"),
        ('url = ""', 'url = "https://[example"', ":{line}: `url` is not a web address"),
        ("searchable = true", "searchible = true", "unknown key `searchible`.*`searchable`"),
        ('host = "127.0.0.1"', 'host = "relay.example.org"', "in the clear"),
        ('return_path = ""', 'return_path = "nobody"', "`nobody`"),
        ("max_age_hours = 72", "max_age_hours = 0", ":{line}: `max_age_hours` must be at least 1"),
        ("retry_minutes = [5, 15, 30, 60, 120, 240]", "retry_minutes = []", ":{line}: .* is empty"),
        (
            "retry_minutes = [5, 15, 30, 60, 120, 240]",
            "retry_minutes = [5, -1]",
            ":{line}: `retry_minutes` must not have a negative wait",
        ),
        (
            'warm_up_from = ""',
            'warm_up_from = "2026-12-01"',
            ":{line}: `warm_up_from` has no effect without `warm_up`",
        ),
        ("warm_up = []", "warm_up = [200]", ":{line}: `warm_up` needs the day"),
        ('host = "127.0.0.1"', 'host = "127.0.0.1:2526"', ":{line}: `host` holds a port"),
        ('host = "127.0.0.1"', 'host = "[::1]:2526"', ":{line}: `host` holds a port"),
    ],
)
def test_a_wrong_value_names_its_line(site_root: Path, old: str, new: str, words: str) -> None:
    edit(site_root, old, new)
    line = line_of((site_root / "config.toml").read_text("utf-8"), new)
    with pytest.raises(BadFile, match=words.format(line=line)) as caught:
        read_site(site_root)
    assert caught.value.where.startswith("config.toml:")


@pytest.mark.parametrize(
    ("tables", "key", "words"),
    [
        ((("big", "example.net"), ("big", "example.com")), "name", "two providers called `big`"),
        (
            (("big", "example.net"), ("small", "")),
            "domains",
            "`small` has no `domains` and no `mx`",
        ),
    ],
)
def test_providers_that_make_no_sense(
    site_root: Path, tables: tuple[tuple[str, str], ...], key: str, words: str
) -> None:
    path = site_root / "config.toml"
    source = path.read_text("utf-8")
    for name, domain in tables:
        domains = f'["{domain}"]' if domain else "[]"
        source += f'\n[[providers]]\nname = "{name}"\ndomains = {domains}\n'
    path.write_text(source, "utf-8")
    lines = [n for n, line in enumerate(source.splitlines(), 1) if line.startswith(f"{key} =")]
    with pytest.raises(BadFile, match=rf"^config.toml:{lines[-1]}: .*{words}"):
        read_site(site_root)


@pytest.mark.parametrize(
    ("servers", "words"),
    [
        ('["mx example"]', "`mx example` is no name of a mail server"),
        ('["*"]', "no name of a mail server"),
        ('["*.MX.example.net"]', "`.*` belongs to `big` already"),
    ],
)
def test_mail_servers_that_make_no_sense(site_root: Path, servers: str, words: str) -> None:
    path = site_root / "config.toml"
    source = path.read_text("utf-8")
    source += '\n[[providers]]\nname = "big"\nmx = ["*.mx.example.net"]\n'
    path.write_text(source, "utf-8")
    assert read_site(site_root).providers[0].mx == ("*.mx.example.net",)
    source += f'\n[[providers]]\nname = "small"\nmx = {servers}\n'
    path.write_text(source, "utf-8")
    with pytest.raises(BadFile, match=rf"^config.toml:{len(source.splitlines())}: .*{words}"):
        read_site(site_root)


@pytest.mark.parametrize("server", ["name.example.org", "127.0.0.1:x", "127.0.0.1:0", "1.2.3"])
def test_a_name_server_is_an_address(site_root: Path, server: str) -> None:
    edit(site_root, 'name_server = ""', f'name_server = "{server}"')
    with pytest.raises(BadFile, match="is no address of a name server"):
        read_site(site_root)


@pytest.mark.parametrize("server", ["127.0.0.1", "127.0.0.1:5353", "::1"])
def test_a_name_server_may_have_a_port(site_root: Path, server: str) -> None:
    edit(site_root, 'name_server = ""', f'name_server = "{server}"')
    assert read_site(site_root).sending.name_server == server


def test_an_address_of_version_6_is_a_host(site_root: Path) -> None:
    edit(site_root, 'host = "127.0.0.1"', 'host = "::1"')
    assert read_site(site_root).relays[0].host == "::1"


def test_a_missing_key(site_root: Path) -> None:
    edit(site_root, 'name = "Solidarity Bulletin"', "")
    with pytest.raises(BadFile, match=r"`name` is missing in \[site\]"):
        read_site(site_root)


def test_a_file_in_another_encoding(site_root: Path) -> None:
    (site_root / "config.toml").write_bytes('[site]\nname = "Забастовка"\n'.encode("cp1251"))
    with pytest.raises(BadFile, match=r"config\.toml:2: this is not UTF-8"):
        read_site(site_root)


def test_a_byte_order_mark_does_no_harm(site_root: Path) -> None:
    path = site_root / "config.toml"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    read_site(site_root)


def test_a_password_does_not_stand_in_the_file(site_root: Path) -> None:
    edit(site_root, 'username = ""', 'username = "news"\npassword = "hunter2"')
    with pytest.raises(BadFile, match="password_env") as caught:
        read_site(site_root)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("from =", "sender =", "unknown key `sender`.*`from`"),
        ('languages = ["en"', 'languages = ["kz"', "a country, not a language.*`kk`"),
        ('kk = ["ru"]', 'kk = ["fr"]', "`fr` in .fallback. is not among"),
        ('contact = "contact@news.example.org"', 'contact = "somebody"', "`somebody`"),
        ('list_id = "bulletin.news.example.org"', 'list_id = "bulletin"', "not a List-Id"),
        ("[segments.unions]", '[segments."Die Gewerkschaft"]', "cannot be called"),
        ('rule = "tag = unions"', 'rule = "tag = "', "lists/bulletin.toml:"),
    ],
)
def test_mistakes_in_a_list(site_root: Path, old: str, new: str, words: str) -> None:
    edit(site_root, old, new, "lists/bulletin.toml")
    with pytest.raises(MailoutError, match=words):
        read_site(site_root)


def test_a_site_without_lists(site_root: Path) -> None:
    (site_root / "lists/bulletin.toml").unlink()
    with pytest.raises(MailoutError, match="no mailing list"):
        read_site(site_root)


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_text(text, "utf-8", errors="replace", newline="")
    try:
        toml.read(path, "any.toml")
    except BadFile as error:
        assert error.where.startswith("any.toml")


# -- keys ----------------------------------------------------------------------------------


def test_keys_are_written_for_their_owner_alone(site_root: Path) -> None:
    path = site_root / "keys.toml"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    found = keys.read(site_root)
    assert found.address != found.message_id
    assert len(found.undo.newest.secret) == 32
    assert "secret" not in repr(found)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660, 0o601])
def test_keys_that_others_can_read_are_refused(site_root: Path, mode: int) -> None:
    (site_root / "keys.toml").chmod(mode)
    with pytest.raises(MailoutError, match="chmod 600"):
        read_site(site_root)


def test_keys_are_never_overwritten(site_root: Path) -> None:
    before = (site_root / "keys.toml").read_bytes()
    with pytest.raises(MailoutError, match="keys already"):
        keys.write_new(site_root)
    assert (site_root / "keys.toml").read_bytes() == before


def test_missing_keys_say_what_to_do(site_root: Path) -> None:
    (site_root / "keys.toml").unlink()
    with pytest.raises(MailoutError, match=r"Copy keys\.toml back"):
        read_site(site_root)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("address =", "adress =", "unknown key `adress`"),
        ("number = 1", "number = 300", "from 0 to 255"),
        ("[[undo]]", "[undo]", "key ring `undo`"),
        ('secret = "', 'secret = "!', "not base64"),
    ],
)
def test_broken_keys_are_refused_and_not_shown(
    site_root: Path, old: str, new: str, words: str
) -> None:
    path = site_root / "keys.toml"
    edit(site_root, old, new, "keys.toml")
    secrets = [line.partition('"')[2].strip('"') for line in path.read_text().splitlines()]
    with pytest.raises(MailoutError, match=words) as caught:
        read_site(site_root)
    assert not any(secret in str(caught.value) for secret in secrets if len(secret) > 8)


def test_the_newest_key_of_a_ring_signs(site_root: Path) -> None:
    path = site_root / "keys.toml"
    fresh = "[[undo]]\nnumber = 7\nsecret = " + '"' + "QUJD" * 10 + '"\n'
    path.write_text(path.read_text() + fresh)
    ring = keys.read(site_root).undo
    assert [key.number for key in ring.keys] == [7, 1]


# -- the environment ---------------------------------------------------------------------------


def test_the_environment_overrides(
    site_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAILOUT_STORE_URL", "postgresql://user@host/db")
    monkeypatch.setenv("MAILOUT_RELAY_URL", "smtp+plain://127.0.0.1:2526?connections=10")
    moved = tmp_path / "keys-elsewhere.toml"
    os.rename(site_root / "keys.toml", moved)
    monkeypatch.setenv("MAILOUT_KEYS_FILE", str(moved))
    site = read_site(site_root)
    assert site.store.url == "postgresql://user@host/db"
    [relay] = site.relays
    assert (relay.host, relay.port, relay.tls, relay.connections) == ("127.0.0.1", 2526, "none", 10)


@pytest.mark.parametrize(
    ("url", "host", "port", "tls", "username", "password"),
    [
        ("smtp://user@relay.example.org:587", "relay.example.org", 587, "starttls", "user", ""),
        ("smtp://relay.example.org", "relay.example.org", 587, "starttls", "", ""),
        ("smtps://a%40b:p%3A%2F@relay.example.org", "relay.example.org", 465, "tls", "a@b", "p:/"),
        ("smtp+plain://localhost", "localhost", 25, "none", "", ""),
    ],
)
def test_a_relay_by_its_address(
    url: str, host: str, port: int, tls: str, username: str, password: str
) -> None:
    relay = relay_of_url(url)
    assert (relay.host, relay.port, relay.tls) == (host, port, tls)
    assert (relay.username, relay.password) == (username, password)
    assert password == "" or password not in repr(relay)


@pytest.mark.parametrize(
    "url",
    [
        "relay.example.org",
        "http://relay.example.org",
        "smtp://",
        "smtp://relay:notaport",
        "smtp+plain://relay.example.org",
        "smtp://relay.example.org?connections=x",
        "smtp://relay.example.org?connections=0",
        "smtp://relay.example.org?verify=no",
        "smtp://[::1",
    ],
)
def test_what_is_no_address_of_a_relay(url: str) -> None:
    with pytest.raises(MailoutError, match="MAILOUT_RELAY_URL"):
        relay_of_url(url)


def test_the_site_is_found_upward(site_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    below = site_root / "lists"
    monkeypatch.chdir(below)
    assert find_root(None) == site_root
    monkeypatch.chdir(site_root.parent)
    with pytest.raises(UsageError, match="mailout init"):
        find_root(None)
    monkeypatch.setenv("MAILOUT_SITE", str(site_root))
    assert find_root(None) == site_root
    with pytest.raises(UsageError, match=r"no config\.toml in"):
        find_root(str(below))


# -- what mails look like, and what lists say --------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (
            'accent = "#a8141f"',
            'accent = "crimson"',
            "`crimson` is not a colour. Write it as #rrggbb",
        ),
        ('text = "#1f1b18"', 'text = "#1f1b18; x: y"', "is not a colour"),
        ('logo_url = ""', 'logo_url = "http://example.org/logo.png"', "`logo_url` is not at https"),
        ('font = "Segoe UI', 'font = "</style>', "`font` holds more than names of fonts"),
    ],
)
def test_a_brand_that_is_none(site_root: Path, old: str, new: str, says: str) -> None:
    edit(site_root, old, new)
    line = line_of((site_root / "config.toml").read_text("utf-8"), new)
    with pytest.raises(BadFile, match=says) as caught:
        read_site(site_root)
    assert caught.value.where == f"config.toml:{line}"


@pytest.mark.parametrize(
    ("new", "says"),
    [
        ('blocked_in = ["kaz"]', "`kaz` is not a country code"),
        ('blocked_in = []\n[press]\nemail = "nobody"', "`nobody`"),
        ('blocked_in = []\n[signature]\nkz = "Us"', "`kz` is not among the list's languages"),
        ('blocked_in = []\n[welcome]\nxx = "Hi"', "`xx` is not among the list's languages"),
        (
            'blocked_in = []\n[descriptions]\nxyz9 = "Hi"',
            "`xyz9` in .descriptions. is not a language code",
        ),
        ('blocked_in = []\n[categories.News]\nxx = "N"', "`xx` is not among the list's languages"),
    ],
)
def test_what_a_list_says_wrong(site_root: Path, new: str, says: str) -> None:
    path = site_root / "lists" / "bulletin.toml"
    text = path.read_text("utf-8")
    head, _, rest = text.partition("blocked_in = []\n")
    tail = rest[rest.index("[why]") :]
    path.write_text(f"{head}{new}\n\n{tail}", "utf-8")
    with pytest.raises(BadFile, match=says):
        read_site(site_root)


def test_every_other_language_may_fall_back(site_root: Path) -> None:
    edit(site_root, 'kk = ["ru"]', '"*" = ["en"]\nkk = ["ru"]', "lists/bulletin.toml")
    fallback = read_site(site_root).lists["bulletin"].settings.fallback
    assert fallback == {"*": ("en",), "kk": ("ru",)}


def test_a_choice_of_readers_is_one_tag(site_root: Path) -> None:
    path = site_root / "lists" / "bulletin.toml"
    text = path.read_text("utf-8")
    path.write_text(text.replace('"tag = unions"', '"tag = unions and country = DE"'), "utf-8")
    with pytest.raises(BadFile, match="readers cannot choose `unions`") as refused:
        read_site(site_root)
    assert "lists/bulletin.toml:" in str(refused.value)

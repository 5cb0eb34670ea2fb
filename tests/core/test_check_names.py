"""What the check makes of DNS records, asked of a table; and a real name server on loopback."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailout.core.check.names import KeyName, Ours, check_names
from mailout.core.check.rule import Severity
from mailout.core.dkim import new_key, public_record
from mailout.core.errors import TryLater, UsageError
from mailout.dns import asker
from name_server import name_server

KEY = public_record(new_key("ed25519"))
OURS = Ours(
    sender_domain="news.example.org",
    return_domain="news.example.org",
    reply_domain="example.org",
    relays=("relay.example.org",),
    keys=(KeyName("m1._domainkey.news.example.org", KEY),),
)
RECORDS: Mapping[tuple[str, str], Sequence[str]] = {
    ("news.example.org", "TXT"): ["other", "v=spf1 include:_spf.example.org -all"],
    ("_spf.example.org", "TXT"): ["v=spf1 ip4:192.0.2.0/28 ~all"],
    ("m1._domainkey.news.example.org", "TXT"): [KEY],
    ("_dmarc.example.org", "TXT"): ["v=DMARC1; p=none; rua=mailto:dmarc@example.org"],
    ("news.example.org", "MX"): ["10 mail.example.org."],
    ("example.org", "MX"): ["10 mail.example.org."],
    ("relay.example.org", "A"): ["192.0.2.7"],
    ("7.2.0.192.in-addr.arpa", "PTR"): ["relay.example.org."],
}


def said(changes: Mapping[tuple[str, str], Sequence[str]], ours: Ours = OURS) -> str:
    records = {**RECORDS, **changes}
    found = check_names(ours, lambda name, kind: records.get((name, kind), ()))
    return "\n".join(f"{one.rule} {one.severity.value} {one.what}" for one in found)


def test_names_as_they_should_be() -> None:
    assert said({}) == ""


SPF, DMARC = ("news.example.org", "TXT"), ("_dmarc.example.org", "TXT")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({SPF: []}, "D01 warn news.example.org has no SPF record"),
        ({SPF: ["v=spf1 -all", "v=spf1 a -all"]}, "has 2 SPF records"),
        ({SPF: ["v=spf1 ip4:192.0.2.7 +all"]}, "lets anybody send"),
        ({SPF: ["v=spf1 " + " ".join(f"exists:x{n}.example.org" for n in range(11))]}, "asks for 11 lookups"),
        ({SPF: ["v=spf1 ip4:198.51.100.1 -all"]}, "D01 note the SPF record of news.example.org does not name"),
        ({("m1._domainkey.news.example.org", "TXT"): []}, "there is no DKIM key at m1._domainkey"),
        ({("m1._domainkey.news.example.org", "TXT"): ["v=DKIM1; k=ed25519; p=AAAA"]}, "is another than ours"),
        ({DMARC: []}, "has no DMARC record"),
        ({DMARC: ["v=DMARC1; rua=mailto:x@example.org"]}, "has no policy"),
        ({DMARC: ["v=DMARC1; p=none"]}, "names nobody for reports"),
        ({DMARC: ["v=DMARC1; p=none; rua=mailto:x@example.org; pct=50"]}, "has `pct=`"),
        ({("news.example.org", "MX"): []}, "D02 warn news.example.org takes no mail"),
        ({("news.example.org", "MX"): ["0 ."]}, "D02 warn news.example.org takes no mail"),
        ({("7.2.0.192.in-addr.arpa", "PTR"): ["other.example.org."]}, "no name that leads back"),
        ({("relay.example.org", "A"): []}, "the relay relay.example.org has no address"),
        ({("example.org", "MX"): []}, "H16 note example.org (Reply-To) takes no mail"),
    ],
)  # fmt: skip
def test_names_that_are_not(changes: Mapping[tuple[str, str], Sequence[str]], says: str) -> None:
    assert says in said(changes)


def test_spf_by_a_and_mx_names_the_relay_too() -> None:
    for mechanism in ("a:relay.example.org", "mx:relays.example.org", "a:relay.example.org/32"):
        changes = {
            SPF: [f"v=spf1 {mechanism} -all"],
            ("relays.example.org", "MX"): ["1 relay.example.org."],
        }
        assert said(changes) == ""


def test_an_include_of_itself_ends() -> None:
    assert "lookups" not in said({SPF: ["v=spf1 include:news.example.org ip4:192.0.2.7 -all"]})


def test_a_short_rsa_key_is_refused() -> None:
    def key(size: int) -> str:
        return f"v=DKIM1; k=rsa; p={'A' * ((size // 8 + 38) * 4 // 3 + 2)}"

    for size, says in ((512, "refuse"), (1024, "D01 warn"), (2048, "")):
        ours = replace(OURS, keys=(KeyName("m1._domainkey.news.example.org", key(size)),))
        told = said({("m1._domainkey.news.example.org", "TXT"): [key(size)]}, ours)
        assert (says in told) if says else told == "", (size, told)


def test_a_site_that_signs_nothing_is_told_so() -> None:
    assert "D01 note this site signs nothing" in said({}, replace(OURS, keys=()))


@given(st.lists(st.text(max_size=60), max_size=3), st.lists(st.text(max_size=60), max_size=3))
def test_no_record_breaks_the_check(texts: list[str], hosts: list[str]) -> None:
    def everywhere(_: str, kind: str) -> Sequence[str]:
        return texts if kind == "TXT" else [host or "x" for host in hosts if kind == "MX"]

    assert all(one.severity in Severity for one in check_names(OURS, everywhere))


@pytest.fixture
def server() -> Iterator[str]:
    with name_server({"news.example.org.": '"v=spf1 " "ip4:192.0.2.7 -all"'}) as address:
        yield address


def test_a_real_server_is_asked(server: str) -> None:
    ask = asker(server)
    assert ask("news.example.org", "TXT") == ("v=spf1 ip4:192.0.2.7 -all",)
    assert ask("nobody.example.org", "TXT") == ()
    assert ask("no..name", "TXT") == ()
    with pytest.raises(TryLater, match="no name server answers"):
        ask("broken.example", "TXT")


def test_a_server_that_is_none_is_refused() -> None:
    for text in ("ns.example.org", "127.0.0.1:x"):
        with pytest.raises(UsageError, match="names no name server"):
            asker(text)

"""Addresses: the fast way agrees with the library, and the key tells two spellings of one."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mailout.core.address import Address, BadAddress, Parser, _is_plain, _parse_by_library

KEY = b"k" * 32

_ATOM = "abzAZ019!#$%&'*+/=?^_`{|}~-."
_local = st.text(alphabet=_ATOM, min_size=0, max_size=70)
_label = st.text(alphabet="abzAZ019-", min_size=0, max_size=65)
_domain = st.lists(_label, min_size=1, max_size=5).map(".".join)
_ending = st.sampled_from(
    ["org", "test", "example", "invalid", "local", "localhost", "arpa", "onion", "com", "xn--p1ai"]
)


@settings(max_examples=600)
@given(
    st.builds(lambda local, domain, ending: f"{local}@{domain}.{ending}", _local, _domain, _ending)
)
@example("a@xn--.org")
@example("a@ab--cd.org")
@example("a@1.2.3.com")
@example("=?utf-8?q?x?=@example.org")
@example("a@test")
@example("a" * 64 + "@" + ".".join(["b" * 61] * 3) + ".org")
def test_what_is_plain_is_what_the_library_reads(text: str) -> None:
    if _is_plain(text):
        assert Address.parse(text) == _parse_by_library(text)


_parser = Parser(KEY)  # one for all examples: it remembers domains
_few_domains = st.sampled_from(
    ["x.org", "X.Org", "a.test", "b--c.org", "письмо.рф", "x", "-x.org", "", "x.org.", "1.2"]
)


@settings(max_examples=600)
@given(
    st.builds(lambda local, domain: f"{local}@{domain}", _local | st.text(max_size=5), _few_domains)
    | st.text(max_size=40)
    | st.builds(lambda local, domain: f" {local}@{domain}.org", _local, _domain)
)
@example("a" * 65 + "@x.org")
@example("a." * 32 + "b@x.org")
@example("a@" + "b" * 62 + ".org")
def test_the_parser_of_many_agrees_with_that_of_one(text: str) -> None:
    try:
        expected = Address.parse(text)
    except BadAddress as error:
        with pytest.raises(BadAddress) as caught:
            _parser.parse(text)
        assert str(caught.value) == str(error)
        return
    assert _parser.parse(text) == (expected, expected.key(KEY))


@settings(max_examples=400)
@given(st.text(max_size=80))
def test_any_text_is_an_address_or_a_clear_refusal(text: str) -> None:
    try:
        address = Address.parse(text)
    except BadAddress as error:
        assert str(error)
        return
    assert address.text == text.strip()
    assert Address.stored(address.text).key(KEY) == address.key(KEY)
    assert "\n" not in address.wire and " " not in address.wire.rpartition("@")[2]


@pytest.mark.parametrize(
    "text",
    [
        "", "  ", "anna", "anna@", "@example.org", "anna@example", "anna@@example.org",
        "a@b.org,c@d.org", "a@b.org\r\nRCPT TO:<x@y.org>", "Anna <anna@example.org>",
        "anna @example.org", "anna@exam ple.org", ".anna@example.org", "an..na@example.org",
        "anna@-example.org", "anna@example-.org",
        "anna@" + "b" * 64 + ".org", "anna@" + "b." * 130 + "org", "anna@example.org.", "a\0@b.org",
    ],
)  # fmt: skip
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(BadAddress):
        Address.parse(text)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Anna@Example.ORG", "anna@example.org"),
        (" anna@example.org\t", "anna@example.org"),
        ("инфо@письмо.рф", "ИНФО@xn--h1aigbl0e.xn--p1ai"),
        ("e\u0301va@example.org", "\u00e9va@example.org"),
    ],
)
def test_two_spellings_of_one_mailbox(one: str, other: str) -> None:
    assert Address.parse(one).key(KEY) == Address.parse(other).key(KEY)


def test_tags_and_dots_are_part_of_the_identity() -> None:
    keys = {Address.parse(text).key(KEY) for text in ("anna@x.org", "anna+a@x.org", "an.na@x.org")}
    assert len(keys) == 3


def test_the_key_depends_on_the_secret_and_holds_no_address() -> None:
    address = Address.parse("anna@example.org")
    assert address.key(KEY) != address.key(b"o" * 32)
    assert len(address.key(KEY)) == 32 and "anna" not in address.key(KEY)


def test_what_smtp_needs() -> None:
    assert not Address.parse("anna@письмо.рф").needs_smtputf8
    assert Address.parse("инфо@example.org").needs_smtputf8
    assert Address.parse("Anna@Example.ORG").wire == "Anna@example.org"

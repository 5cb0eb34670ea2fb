"""Rules: each example means what its rule says, and no pattern goes on without end."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailout.config.bounce_rules import package_rules, standard_rules
from mailout.core.inbound.category import Category
from mailout.core.inbound.pattern import BadPattern, check, needed
from mailout.core.inbound.reason import explain, explain_refusal
from mailout.core.inbound.report import walk
from mailout.core.inbound.rules import Rule, Sign, compile_rules, normal

RULES, SIGNS = package_rules()


def _name(one: object) -> str:
    return str(getattr(one, "example", one))[:60]


@pytest.mark.parametrize("rule", RULES, ids=_name)
def test_the_example_of_a_rule_means_its_category_through_all_rules(rule: Rule) -> None:
    assert re.search(rule.pattern, normal(rule.example)), "the pattern does not match its example"
    assert explain(standard_rules(), diagnostic=rule.example).category is rule.category


@pytest.mark.parametrize("sign", SIGNS, ids=_name)
def test_the_example_of_a_sign_shows_its_kind(sign: Sign) -> None:
    assert re.search(sign.pattern, normal(sign.example)), "the pattern does not match its example"
    assert standard_rules().shows(sign.kind, sign.place, normal(sign.example))


@pytest.mark.parametrize("one", [*RULES, *SIGNS], ids=_name)
def test_a_pattern_ends_and_its_quick_look_misses_nothing(one: Rule | Sign) -> None:
    check(one.pattern)
    parts = needed(one.pattern)
    assert not parts or any(part in normal(one.example) for part in parts)


def test_no_two_rules_have_the_same_pattern() -> None:
    patterns = [one.pattern for one in RULES]
    assert len(patterns) == len(set(patterns))


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("", "empty"),
        ("(unclosed", "no regular expression"),
        ("a*b", "has no end"),
        ("a.+b", "has no end"),
        ("a{3,}", "has no end"),
        ("x(?:a{0,40}){0,40}", "repeated"),
        (".{0,200}.{0,200}.{0,200}x", "too many ways"),
        ("[[a]", "nested set"),
        ("User Unknown", "capital"),
        ("(?P<name>a)", "groups"),
        ("(?i)a", "groups"),
        (r"(a)\1", "cannot be used"),
        ("(?:full)?", "matches an empty text"),
        ("x" * 3000, "more than"),
    ],
)
def test_a_pattern_that_cannot_be_used_is_refused(pattern: str, why: str) -> None:
    with pytest.raises(BadPattern, match=re.escape(why)):
        check(pattern)


@given(st.text(max_size=60))
def test_any_text_is_a_pattern_or_is_refused(text: str) -> None:
    try:
        check(text)
    except BadPattern:
        return
    needed(text)


_PIECES = st.sampled_from(
    [
        "full",
        "mail",
        "box ",
        "(?:is|was) ",
        "(?:very )?",
        "[abc]",
        r"\S{1,9}",
        ".{0,5}",
        "x?",
        r"\b",
        "|",
    ]
)


@given(
    st.lists(_PIECES, min_size=1, max_size=6).map("".join), st.text("fulmaixvery bosw", max_size=30)
)
def test_the_quick_look_never_hides_a_match(pattern: str, text: str) -> None:
    if re.search(pattern, text):
        parts = needed(pattern)
        assert not parts or any(part in text for part in parts)


def test_words_are_asked_before_codes_and_weak_rules_after_them() -> None:
    rules = compile_rules(
        [
            Rule("no longer a friend", Category.MOVED, "x", "2026-11-26"),
            Rule("rejected", Category.BLOCKED_CONTENT, "x", "2026-11-26", weak=True),
        ],
        [],
    )
    assert explain(rules, diagnostic="550 5.1.1 no longer a friend").category is Category.MOVED
    assert explain(rules, diagnostic="550 5.1.1 rejected").category is Category.NO_MAILBOX
    assert explain(rules, diagnostic="550 rejected").category is Category.BLOCKED_CONTENT


def test_a_refusal_in_words_that_no_rule_knows_is_no_dead_address() -> None:
    """qmail says of every refusal that the server "does not like recipient" and that it gives up,
    Postfix that it was the recipient's address that was rejected."""
    rules = standard_rules()
    around = "192.0.2.9 does not like recipient.\nRemote host said: {}\nGiving up on 192.0.2.9."
    for reply in (
        "550 zzyzx qqfoo bar",
        "554 5.7.1 <anna@example.org>: Recipient address rejected: ZZ",
    ):
        found = explain(rules, diagnostic=reply, words=(around.format(reply),), action="failed")
        assert not found.category.is_dead
        assert found.category is not Category.UNREACHABLE
    bare = explain(rules, diagnostic="550", words=(around.format("550"),), action="failed")
    assert bare.category is Category.NO_MAILBOX


def test_a_name_server_that_did_not_answer_denied_no_domain() -> None:
    reply = "554 4.4.7 Message expired: unable to deliver.<421 4.4.0 Unable to lookup DNS for example.com>"
    found = explain(standard_rules(), diagnostic=reply, status="4.4.7", action="failed")
    assert (found.category, found.permanent) == (Category.UNREACHABLE, True)


def test_a_status_that_ends_in_two_zeros_counts_as_none() -> None:
    rules = compile_rules([], [])
    assert (
        explain(rules, diagnostic="552 5.2.2 so", status="5.0.0").category is Category.MAILBOX_FULL
    )
    assert explain(rules, status="5.0.0").category is Category.UNKNOWN
    assert explain(rules, words=("it is 5.1.1 here",), status="5.0.0").status == "5.1.1"


def test_a_reply_of_many_lines_reads_as_one() -> None:
    reply = "550-5.1.1 The email account\n550-5.1.1 that you tried\n550 5.1.1 <a@example.org> gone"
    assert normal(reply) == "550-5.1.1 the email account that you tried <@> gone"


@pytest.mark.parametrize(
    ("domain", "category"),
    [
        ("harbour.example.net", Category.BLOCKED_POLICY),
        ("mx.harbour.example.net", Category.BLOCKED_POLICY),
        ("myharbour.example.net", Category.NO_MAILBOX),
        ("example.com", Category.NO_MAILBOX),
        ("", Category.NO_MAILBOX),
    ],
)
def test_a_rule_for_one_domain_overrides_what_others_mean_by_it(
    domain: str, category: Category
) -> None:
    """Some say `unknown user` to whom they do not like: in the session and in a bounce."""
    own = Rule(
        "user unknown", Category.BLOCKED_POLICY, "x", "2026-11-26", domain="Harbour.example.net"
    )
    rules = compile_rules(*package_rules(), first=[own])
    said = "<anna@x> user unknown"
    assert explain_refusal(rules, 550, "5.1.1", said, domain).category is category
    raw = (
        "From: MAILER-DAEMON@mx.example.net\nSubject: failure notice\n\n"
        f"<anna@{domain or 'example.net'}>:\n550 5.1.1 user unknown\n"
    ).encode()
    assert [one.category for one in walk(raw, rules).reports] == [category]

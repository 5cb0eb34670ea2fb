"""Posts and issues from files: every mistake names its line and what to write."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailout.core import front_matter, issue, post
from mailout.core.errors import BadFile

GOOD = """\
---
title: Strike vote
date: 2026-11-20
kind: appeal
categories: [News, Appeals]
actions:
  - type: letter
    label: Write
    to: reception@ministry.example.net
    cc: [copies@example.org]
    subject: Release her
    body: |
      Dear minister,

      [your name]
---

Body here.
"""


def parse(text: str, file: str = "posts/2026-11-20-vote.en.md") -> post.Post:
    return post.parse(text, file, "en")


def test_a_whole_post() -> None:
    found = parse(GOOD)
    assert (found.key, found.language, found.date) == ("2026-11-20-vote", "en", date(2026, 11, 20))
    assert found.actions[0].cc == ("copies@example.org",)
    assert found.body == "Body here."
    assert found.body_line == 18


@pytest.mark.parametrize(
    ("file", "key", "language"),
    [
        ("posts/2026-11-20-vote.ru.md", "2026-11-20-vote", "ru"),
        ("posts/vote.md", "vote", "en"),
        ("posts/deep/v1.2.kk.markdown", "v1.2", "kk"),
    ],
)
def test_key_and_language_come_from_the_name(file: str, key: str, language: str) -> None:
    found = parse("---\ntitle: x\n---\n", file)
    assert (found.key, found.language) == (key, language)


def test_a_date_in_the_name_counts() -> None:
    assert parse("---\ntitle: x\n---\n").date == date(2026, 11, 20)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("---\ntitle: x\ntilte: y\n---\n", "vote.en.md:3: unknown key `tilte`. Did you mean `title`?"),
        ("---\ntitle: x\n", "vote.en.md:1: the front matter that begins here has no end"),
        ("---\ntitle: a: b\n---\n", "vote.en.md:2:9: the front matter is not YAML"),
        ("---\ntitle: x\ntitle: y\n---\n", "vote.en.md:3: the key `title` stands twice"),
        ("---\n- x\n---\n", "vote.en.md:2: the front matter must be lines of `key: value`"),
        ("---\ndate: 2026-11-20\n---\n", "vote.en.md:1: a post needs a title"),
        ("no front matter", "a post needs a title"),
        ("---\ntitle: x\nlang: kz\n---\n", "vote.en.md:3: `kz` is a country, not a language. Write `kk`"),
        ("---\ntitle: x\ndate: soon\n---\n", "vote.en.md:3: `soon` is not a date"),
        ("---\ntitle: x\nkind: reprot\n---\n", "vote.en.md:3: unknown kind `reprot`. Did you mean `report`?"),
        ("---\ntitle: x\ndraft: maybe\n---\n", "vote.en.md:3: `draft` must be true or false"),
        ("---\ntitle: x\nsource_url: javascript:x\n---\n", "vote.en.md:3: `source_url` is not a web"),
        ("---\ntitle: x\nactions:\n- type: sgin\n---\n", "vote.en.md:4: unknown type of action `sgin`"),
        ("---\ntitle: x\nactions:\n- type: sign\n---\n", "needs a `label`"),
        ("---\ntitle: x\nactions:\n- {type: sign, label: l}\n---\n", "needs `url` or `email` or `reply`"),
        ("---\ntitle: x\nactions:\n- {type: letter, label: l, to: nobody}\n---\n", "`nobody` in an action"),
        ('{\n "title": "x"\n}\nText.\n', "vote.en.md:1: front matter in JSON is not read here"),
        ("---\ntitle: x\nactions: x\n---\n", "vote.en.md:3: `actions` must be a list of mappings"),
        ("---\ntitle: [x]\n---\n", "vote.en.md:2: `title` must be a text"),
        ("---\ntitle: x\n---\n\na\0b", "vote.en.md:5: a NUL character"),
        ("---\ntitle: &a [*a]\n---\n", "vote.en.md"),
    ],
)  # fmt: skip
def test_mistakes_name_the_place_and_the_cure(text: str, says: str) -> None:
    with pytest.raises(BadFile) as error:
        parse(text)
    assert says in str(error.value)


ACTIONS = """\
---
title: Strike vote
actions:
  - type: sign
    label: Sign
    url: https://example.org/sign
    reply: true
  - label: Write
    type: letter
    to: office@example.org
    cc:
      - copies@example.org
      - archive@example.org
    body: |
      url: this is no key

      [your name]
---
"""


@pytest.mark.parametrize(
    ("right", "wrong", "says"),
    [
        ("type: sign", "type: sing", "4: unknown type of action `sing`. Did you mean `sign`?"),
        ("type: sign", "kind: sign", "4: unknown key `kind` in an action"),
        ("url: https://example.org/sign", "url: example.org", "6: `example.org` is not a web address"),
        ("reply: true", "reply: perhaps", "7: `reply` in an action must be true or false"),
        ("reply: true", "replay: true", "7: unknown key `replay` in an action. Did you mean `reply`?"),
        ("reply: true", "label: Twice", "7: the key `label` stands twice. It stands on line 5"),
        ("label: Write", "subject: Write", "8: the action `letter` needs a `label`"),
        ("type: letter", "label_: x", "9: unknown key `label_` in an action. Did you mean `label`?"),
        ("to: office@example.org", "to: office", "10: `office` in an action: "),
        ("to: office@example.org", "targets: x\n    to: a@example.org", "10: an action has `to` or"),
        ("- archive@example.org", "- archive", "13: `archive` in an action: "),
        ("    to: office@example.org\n", "", "8: the action `letter` needs `to` or `targets`"),
        ("  - label: Write\n", "  - x\n  - label: Write\n", "8: `actions` must be a list of mappings"),
    ],
)  # fmt: skip
def test_a_mistake_in_an_action_names_its_own_line(right: str, wrong: str, says: str) -> None:
    assert len(parse(ACTIONS).actions) == 2
    with pytest.raises(BadFile) as error:
        parse(ACTIONS.replace(right, wrong, 1))
    assert f"vote.en.md:{says}" in str(error.value)


def test_lines_of_a_head_in_toml() -> None:
    text = """\
+++
title = "Strike vote"
event.place = "Union Hall"

[[actions]]
type = "donate"
label = "Give"
url = "https://example.org/give"

[[actions]]
type = "sponsor"
label = "Sponsor"
email = "nobody"
+++
"""
    with pytest.raises(BadFile, match=r"vote\.en\.md:13: `nobody` in an action"):
        parse(text)
    with pytest.raises(BadFile, match=r"vote\.en\.md:3: an event needs a `start`"):
        parse(text.replace('"nobody"', '"a@example.org"'))
    with pytest.raises(BadFile, match=r"vote\.en\.md:10: the action `sponsor` needs"):
        parse(text.replace('email = "nobody"', ""))


def test_a_merged_mapping_may_be_overruled() -> None:
    text = """\
---
title: x
actions:
  - &first {type: sign, label: Sign, reply: true}
  - <<: *first
    label: Sign again
---
"""
    assert [one.label for one in parse(text).actions] == ["Sign", "Sign again"]


def test_an_alias_within_itself_has_an_end() -> None:
    head = "---\ntitle: x\ntags: &a [*a, *a]\n---\n"
    with pytest.raises(BadFile, match=r"vote\.en\.md:3: `tags` must be a list of texts"):
        parse(head)


@given(st.text(max_size=300))
def test_any_text_is_a_post_or_a_clear_complaint(text: str) -> None:
    for source in (text, f"---\n{text}\n---\nbody"):
        try:
            parse(source)
        except BadFile as error:
            assert error.where


VALUES = st.dictionaries(
    st.text("abcdef", min_size=1, max_size=8),
    st.one_of(st.text(st.characters(codec="utf-8", exclude_categories=["C"])), st.booleans()),
    max_size=5,
)


@given(VALUES, st.text("ab \n-#", max_size=60))
def test_front_matter_written_reads_back(values: dict[str, object], body: str) -> None:
    found = front_matter.split(front_matter.join(values, body), "x.md")
    assert dict(found.values) == values
    assert found.body == body


MAIN = "---\nlist: bulletin\nposts: [a, b]\nsubject: News\n---\n\nHello.\n"


def test_an_issue_is_one_file_a_language() -> None:
    plan = issue.parse(
        {"issues/2026-w47.en.md": MAIN, "issues/2026-w47.ru.md": "---\nsubject: Новости\n---\n"},
        "en",
    )
    assert (plan.name, plan.posts) == ("2026-w47", ("a", "b"))
    assert plan.wordings["en"].intro == "Hello."
    assert plan.wordings["ru"].subject == "Новости"


@pytest.mark.parametrize(
    ("texts", "says"),
    [
        ({"issues/w.en.md": "---\nsubject: x\n---\n"}, "issues/w.en.md:1: an issue needs `posts`"),
        ({"issues/w.en.md": "---\nposts: []\n---\n"}, "an issue needs `posts`"),
        (
            {"issues/w.en.md": "---\nposts:\n- a\n- a\n---\n"},
            "w.en.md:4: the post `a` stands twice",
        ),
        (
            {"issues/w.en.md": "---\nposts: [a]\nfallback:\n  de: EN!\n---\n"},
            "w.en.md:4: `EN!` is not a",
        ),
        ({"issues/W w.en.md": MAIN}, "an issue's file name may hold only"),
        ({"issues/w.en.md": MAIN, "issues/w.ru.md": MAIN}, "belongs into one file of an issue"),
        ({"issues/w.en.md": MAIN, "issues/w.md": "---\nsubject: x\n---\n"}, "a second file for"),
        ({"issues/w.en.md": "---\nposts: [a]\nsubjcet: x\n---\n"}, "Did you mean `subject`?"),
    ],
)
def test_mistakes_in_issues(texts: dict[str, str], says: str) -> None:
    with pytest.raises(BadFile) as error:
        issue.parse(texts, "en")
    assert says in str(error.value)


def test_more_brackets_than_can_be_read_in_time_are_refused() -> None:
    head = "---\ntitle: x\n---\n"
    parse(head + "[a](https://example.org)\n" * 10_000)
    with pytest.raises(BadFile, match=r"^posts/x\.en\.md:5: more than 10,000 opening brackets"):
        parse(head + "\n" + "[" * 300_000, "posts/x.en.md")

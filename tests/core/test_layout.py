"""Front matter in TOML, and posts as Jekyll and Hugo keep them, straight from posts/."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailout.core import front_matter, layout, post
from mailout.core.errors import BadFile


def parse(text: str, file: str = "posts/2026-11-20-vote.md") -> post.Post:
    return post.parse(text, file, "en")


TOML = """\
+++
title = "Vote"
date = 2026-11-20
tags = ["port", "vote"]

[params]
author = "Mara Lind"
[params.deep]
x = 1
+++

Body.
"""


def test_toml_with_the_line_of_each_key() -> None:
    head = front_matter.split(TOML, "x.md")
    assert (head.values["title"], head.values["date"]) == ("Vote", date(2026, 11, 20))
    assert dict(head.lines) == {
        ("title",): 2,
        ("date",): 3,
        ("tags",): 4,
        ("params",): 6,
        ("params", "author"): 7,
    }
    assert (head.body, head.body_line) == ("\nBody.\n", 11)
    found = parse(TOML)
    assert (found.title, found.tags, found.author) == ("Vote", ("port", "vote"), "Mara Lind")


def test_windows_line_ends_make_no_difference() -> None:
    assert parse(TOML.replace("\n", "\r\n")) == parse(TOML)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("+++\ntitle = x\n+++\n", "vote.md:2:9: the front matter is not TOML: Invalid value. A text needs"),
        ("+++\ntitle = 'x'\n", "vote.md:1: the front matter that begins here has no end. Close it with a line that holds only `+++`"),
        ("+++\ntitle = 'x'\ntitle = 'y'\n+++\n", "vote.md:3"),
        ("+++\ntitle = 'x'\ntilte = 'y'\n+++\n", "vote.md:3: unknown key `tilte`. Did you mean `title`?"),
        ("---\ntitle: x\nstatus: redy\n---\n", "vote.md:3: unknown status `redy`. Did you mean `ready`?"),
        ("---\nlayout: post\ntitle: x\nmood: y\n---\n", "vote.md:4: unknown key `mood`"),
    ],
)  # fmt: skip
def test_mistakes_name_the_line(text: str, says: str) -> None:
    with pytest.raises(BadFile) as error:
        parse(text)
    assert says in str(error.value)


@pytest.mark.parametrize(
    ("head", "field", "value"),
    [
        ("published: false", "status", "draft"),
        ("published: true", "status", "ready"),
        ("published: 2026-11-02", "date", date(2026, 11, 2)),
        ("publishDate: 2026-11-02T10:00:00Z", "date", date(2026, 11, 2)),
        ("date: 2026-11-02 10:00 +0100", "date", date(2026, 11, 2)),
        ("draft: true", "status", "draft"),
        ("status: archived", "status", "archived"),
        ("status: archived\ndraft: true", "status", "draft"),
        ("status: private\ndraft: true", "status", "private"),
        ("layout: post\ncategories: news port", "categories", ("news", "port")),
        ("categories: Press freedom", "categories", ("Press freedom",)),
        ("category: news", "categories", ("news",)),
        ("taxonomies:\n  tags: [a, b]", "tags", ("a", "b")),
        ("tag: a", "tags", ("a",)),
        ("author: {name: Mara Lind, url: x}", "author", "Mara Lind"),
        ("authors: [Mara, {name: Ben}]", "author", "Mara, Ben"),
        ("summary: short", "excerpt", "short"),
        ("language: ru", "language", "ru"),
        ("Lang: ru", "language", "ru"),
        ("translationKey: strike", "key", "strike"),
        ("permalink: https://example.org/x", "canonical_url", "https://example.org/x"),
        ("permalink: /x", "canonical_url", ""),
        ("excerpt_separator: <!--cut-->", "body", "a\n<!--more-->\nb"),
        ("aliases: [x]\nweight: 3\nmenu: {main: {}}\nlastmod: 2026-01-01", "title", "x"),
    ],
)
def test_foreign_keys_are_told_in_ours(head: str, field: str, value: object) -> None:
    found = parse(f"---\ntitle: x\n{head}\n---\na\n<!--cut-->\nb\n")
    assert getattr(found, field) == value


@pytest.mark.parametrize(
    ("file", "key", "language"),
    [
        ("posts/2026-11-20-vote.md", "2026-11-20-vote", "en"),
        ("posts/ru/vote.md", "vote", "ru"),
        ("posts/ru/2026/vote.md", "vote", "ru"),
        ("posts/pt-br/vote.md", "vote", "pt-br"),
        ("posts/ru/vote.kk.md", "vote", "kk"),
        ("posts/vote/index.md", "vote", "en"),
        ("posts/vote/index.ru.md", "vote", "ru"),
        ("posts/old/vote.md", "vote", "en"),
        ("posts/2026/vote.md", "vote", "en"),
        ("posts/index.md", "index", "en"),
    ],
)
def test_key_and_language_in_the_path(file: str, key: str, language: str) -> None:
    found = parse("---\ntitle: x\n---\n", file)
    assert (found.key, found.language) == (key, language)


def test_a_folder_named_after_a_country_is_refused() -> None:
    with pytest.raises(BadFile) as error:
        parse("---\ntitle: x\n---\n", "posts/kz/vote.md")
    assert "posts/kz/vote.md: the folder `kz` is named after a country" in str(error.value)
    assert "Name it `kk`" in str(error.value)
    assert parse("---\ntitle: x\nlang: kk\n---\n", "posts/kz/vote.md").language == "kk"


def test_our_own_posts_are_left_alone() -> None:
    head = front_matter.split("---\ntitle: x\ncategories: a b\n---\n", "x.md")
    assert layout.ours(head, post.KEYS) is head


@given(st.text(max_size=200))
def test_any_toml_is_a_post_or_a_clear_complaint(text: str) -> None:
    for source in (f"+++\n{text}\n+++\nbody", f"+++\ntitle = 'x'\n{text}\n+++\nbody"):
        try:
            parse(source)
        except BadFile as error:
            assert error.where


KEYS = ["title", "date", "published", "categories", "author", "authors", "tags", "params", "slug",
        "layout", "excerpt_separator", "status", "draft", "language", "permalink", "taxonomies"]  # fmt: skip
VALUES = st.recursive(
    st.one_of(st.text("ab :/-1", max_size=6), st.booleans(), st.integers(), st.none(), st.dates()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["name", "tags", "author"]), inner),
    ),
    max_leaves=4,
)


@given(st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=5))
def test_any_value_of_a_foreign_key_is_taken_or_refused(values: dict[str, object]) -> None:
    try:
        parse(front_matter.join(values, "body"))
    except BadFile as error:
        assert error.where

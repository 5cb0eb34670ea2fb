"""The shelf: what becomes of a source's posts, the first time and every time after."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailout.core import front_matter
from mailout.core import post as core_post
from mailout.core.errors import BadFile, MailoutError
from mailout.core.ingest import filing
from mailout.core.ingest.item import STATUSES, Gathered, Item, Skipped
from mailout.core.slug import slug
from mailout.publish import shelf, sources
from mailout.publish.shelf import File, Plan, Terms
from nobody import without_rights

TODAY = date(2026, 11, 26)
TERMS = Terms("wxr", "en", ("en", "ru", "kk"), date(2026, 11, 10), TODAY)
STRIKE = Item(
    what='post 17 "Strike vote"',
    source_id="https://harbour.example.org/?p=17",
    title="Strike vote",
    html="<p>The crane drivers voted.</p>\n<!--more-->\n<p>All of them.</p>",
    slug="strike-vote",
    date=date(2026, 11, 20),
    author="Aliya N.",
    url="https://harbour.example.org/2026/strike-vote",
    excerpt="They voted.",
    categories=("Harbour", "Strikes"),
    tags=("cranes",),
)
NAME = "posts/2026-11-20-strike-vote.en.md"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "posts").mkdir()
    return tmp_path


def take(root: Path, *items: Item, terms: Terms = TERMS) -> Plan:
    """The plan of an import, carried out."""
    plan = shelf.plan(root, "en", Gathered(items, len(items)), terms)
    shelf.write(root, plan.files)
    return plan


def counts(plan: Plan) -> tuple[int, int, int, int]:
    return plan.imported, plan.updated, plan.unchanged, len(plan.skipped)


def files(root: Path) -> dict[str, str]:
    """Every file below the folder, by its path."""
    return {
        path.relative_to(root).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def edit(root: Path, path: str, change: Callable[[str], str]) -> None:
    file = root / path
    text = file.read_text(encoding="utf-8")
    changed = change(text)
    assert changed != text
    file.write_text(changed, encoding="utf-8")


def test_a_new_item_becomes_a_file_that_reads_as_a_post(root: Path) -> None:
    plan = take(root, STRIKE)
    assert counts(plan) == (1, 0, 0, 0)
    assert list(files(root)) == [NAME]
    post = sources.read_posts(root, "en")["2026-11-20-strike-vote"]["en"]
    assert (post.title, post.date, post.author) == ("Strike vote", STRIKE.date, "Aliya N.")
    assert post.canonical_url == STRIKE.url
    assert (post.categories, post.tags) == (("Harbour", "Strikes"), ("cranes",))
    assert (post.excerpt, post.status, post.kind) == ("They voted.", "ready", "article")
    assert "The crane drivers voted." in post.body
    head = files(root)[NAME].split("---\n")[1]
    assert "status" not in head
    assert re.search(
        r"imported:\n  by: wxr\n  from: \S+p=17\n  seen: '?[0-9a-f]{12}'?\n  wrote: ", head
    )


def test_the_same_again_writes_nothing(root: Path) -> None:
    take(root, STRIKE)
    before = files(root)
    plan = take(root, replace(STRIKE, what="another name in reports"))
    assert counts(plan) == (0, 0, 1, 0)
    assert plan.files == []
    assert files(root) == before


def test_what_changed_at_the_source_changes_here(root: Path) -> None:
    take(root, STRIKE)
    assert counts(take(root, replace(STRIKE, title="Strike vote: 97 per cent"))) == (0, 1, 0, 0)
    assert list(files(root)) == [NAME]  # a file keeps its name, and a post its key
    assert "97 per cent" in files(root)[NAME]
    assert counts(take(root, replace(STRIKE, title="Strike vote: 97 per cent"))) == (0, 0, 1, 0)


def test_a_change_that_is_not_taken_over_is_none(root: Path) -> None:
    take(root, STRIKE)
    before = files(root)
    changed = replace(STRIKE, html=STRIKE.html.replace("<p>", '<p class="x">'))
    assert counts(take(root, changed)) == (0, 0, 1, 0)
    assert files(root) == before


def test_what_was_edited_here_stays(root: Path) -> None:
    take(root, STRIKE)
    edit(root, NAME, lambda text: text.replace("All of them.", "All but two."))
    before = files(root)
    assert counts(take(root, STRIKE)) == (0, 0, 1, 0)
    plan = take(root, replace(STRIKE, title="Other"))
    assert counts(plan) == (0, 0, 0, 1)
    assert plan.skipped[0].what == STRIKE.what
    assert f"{NAME} was edited here" in plan.skipped[0].why
    assert files(root) == before


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("title: Strike vote", "title: Our own title"),
        ("author: Aliya N.", "author: B. Orlov"),
        ("imported:", "draft: true\nimported:"),
        ("imported:", "status: private\nimported:"),
        ("imported:", "kind: appeal\nimported:"),
    ],
)
def test_a_change_of_the_head_is_an_edit_too(root: Path, old: str, new: str) -> None:
    take(root, STRIKE)
    edit(root, NAME, lambda text: text.replace(old, new, 1))
    assert counts(take(root, replace(STRIKE, title="Other"))) == (0, 0, 0, 1)


def test_overwrite_replaces_what_was_edited_even_with_the_same(root: Path) -> None:
    take(root, STRIKE)
    before = files(root)
    edit(root, NAME, lambda text: text.replace("All of them.", "All but two."))
    terms = replace(TERMS, overwrite=True)
    assert counts(take(root, STRIKE, terms=terms)) == (0, 1, 0, 0)
    assert files(root) == before
    assert counts(take(root, STRIKE, terms=terms)) == (0, 0, 1, 0)


def test_a_feed_does_not_replace_what_came_of_an_export(root: Path) -> None:
    """It may hold no more than openings, under the same ids."""
    take(root, STRIKE)
    before = files(root)
    opening = replace(STRIKE, html="<p>The crane drivers voted.</p>", slug="")
    feed = replace(TERMS, kind="feed")
    plan = take(root, opening, terms=feed)
    assert counts(plan) == (0, 0, 0, 1)
    assert "came by an import of `wxr`" in plan.skipped[0].why
    assert files(root) == before
    assert counts(take(root, opening, terms=replace(feed, overwrite=True))) == (0, 1, 0, 0)
    assert counts(take(root, opening, terms=feed)) == (0, 0, 1, 0)


def test_ready_or_archived_is_for_the_organiser_to_say(root: Path) -> None:
    take(root, STRIKE)
    edit(root, NAME, lambda text: text.replace("imported:", "status: archived\nimported:"))
    assert counts(take(root, replace(STRIKE, title="Other"))) == (0, 1, 0, 0)
    assert "title: Other" in files(root)[NAME]
    assert "status: archived" in files(root)[NAME]


def test_days_that_pass_change_no_post(root: Path) -> None:
    take(root, STRIKE)
    before = files(root)
    later = replace(TERMS, ready_since=date(2027, 3, 1))
    assert counts(take(root, STRIKE, terms=later)) == (0, 0, 1, 0)
    assert files(root) == before
    take(root, replace(STRIKE, author="B. Orlov"), terms=later)
    assert "status" not in files(root)[NAME]


def test_old_posts_are_archived_and_new_ones_ready(root: Path) -> None:
    days = {"a": date(2026, 11, 9), "b": date(2026, 11, 10), "c": TODAY, "d": None}
    items = [replace(STRIKE, source_id=key, slug=key, date=day) for key, day in days.items()]
    take(root, *items)
    status = {key: texts["en"].status for key, texts in sources.read_posts(root, "en").items()}
    assert status == {
        "2026-11-09-a": "archived",
        "2026-11-10-b": "ready",
        "2026-11-26-c": "ready",
        "d": "archived",
    }


def test_one_text_without_a_date_taken_alone_is_meant_to_be_sent(root: Path) -> None:
    take(root, replace(STRIKE, date=None))
    assert sources.read_posts(root, "en")["strike-vote"]["en"].status == "ready"


@pytest.mark.parametrize("status", [status for status in STATUSES if status != "published"])
def test_what_its_source_keeps_back_is_left_out_or_kept_back(root: Path, status: str) -> None:
    item = replace(STRIKE, status=status)
    plan = take(root, item)
    assert counts(plan) == (0, 0, 0, 1)
    assert "--drafts takes it along" in plan.skipped[0].why
    assert plan.by_status == {status: 1}
    assert not files(root)
    plan = take(root, item, terms=replace(TERMS, drafts=True))
    assert counts(plan) == (1, 0, 0, 0)
    assert sources.read_posts(root, "en")["2026-11-20-strike-vote"]["en"].status == status
    assert counts(take(root, item)) == (0, 0, 1, 0)  # it is here by now
    assert counts(take(root, STRIKE)) == (0, 1, 0, 0)  # and published at last
    assert sources.read_posts(root, "en")["2026-11-20-strike-vote"]["en"].status == "ready"


def test_what_its_source_withdraws_is_not_mailed_from_here(root: Path) -> None:
    take(root, STRIKE)
    withdrawn = replace(STRIKE, status="trash", html="")
    plan = take(root, withdrawn)
    assert counts(plan) == (0, 1, 0, 0)
    post = sources.read_posts(root, "en")["2026-11-20-strike-vote"]["en"]
    assert post.status == "trash"
    assert "All of them." in post.body
    assert counts(take(root, withdrawn)) == (0, 0, 1, 0)


HAND_MADE = """---
# Ours, of Monday.
title:   "Strike vote"   # as on the poster
date: 2026-11-20
tags: [cranes,  'harbour' ]
imported:
  by: wxr
  from: https://harbour.example.org/?p=17
  seen: 000000000000
  wrote: '1'
canonical_url: https://harbour.example.org/2026/strike-vote
---

All but two.\t
"""


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("status", [one for one in STATUSES if one != "published"])
@pytest.mark.parametrize("line", ["", "status: archived\n", "status:  ready\n"])
def test_what_was_edited_here_and_withdrawn_there_gets_its_status_and_keeps_its_words(
    root: Path, ending: str, status: str, line: str
) -> None:
    ours = HAND_MADE.replace("imported:", f"{line}imported:").replace("\n", ending).encode()
    (root / NAME).write_bytes(ours)
    plan = take(root, replace(STRIKE, status=status))
    assert counts(plan) == (0, 1, 0, 0)
    assert f"the status is `{status}`, the text stays, {NAME} was edited here" in plan.warnings[0]
    assert sources.read_posts(root, "en")["2026-11-20-strike-vote"]["en"].status == status
    told = re.compile(rb"(?:status|  seen|  withdrawn|  before):[^\n]*\n")
    assert told.sub(b"", (root / NAME).read_bytes()) == told.sub(b"", ours)

    assert counts(take(root, replace(STRIKE, status=status))) == (0, 0, 1, 0)
    plan = take(root, STRIKE)
    assert counts(plan) == (0, 1, 0, 0)
    assert "it is public again" in plan.warnings[0]
    post = sources.read_posts(root, "en")["2026-11-20-strike-vote"]["en"]
    assert post.status == ("archived" if "archived" in line else "ready")
    assert told.sub(b"", (root / NAME).read_bytes()) == told.sub(b"", ours)
    assert b"withdrawn" not in (root / NAME).read_bytes()


@pytest.mark.parametrize(
    "head",
    [
        'imported: {by: wxr, from: "https://harbour.example.org/?p=17", seen: a, wrote: b}\n',
        "? imported\n: by: wxr\n  from: https://harbour.example.org/?p=17\n",
    ],
)
def test_a_head_of_another_form_is_written_anew_and_the_text_stays(root: Path, head: str) -> None:
    (root / NAME).write_text(f"---\ntitle: Ours\ndate: 2026-11-20\n{head}---\nOur  text.\n")
    assert counts(take(root, replace(STRIKE, status="trash"))) == (0, 1, 0, 0)
    post = sources.read_posts(root, "en")["2026-11-20-strike-vote"]["en"]
    assert (post.title, post.status, post.body) == ("Ours", "trash", "Our  text.")
    assert files(root)[NAME].endswith("---\nOur  text.\n")


def test_a_head_in_toml_is_withdrawn_too(root: Path) -> None:
    mark = '[imported]\nby = "wxr"\nfrom = "https://harbour.example.org/?p=17"\n'
    (root / NAME).write_text(f'+++\ntitle = "Ours"\ndate = 2026-11-20\n{mark}+++\nOur text.\n')
    assert counts(take(root, replace(STRIKE, status="trash"))) == (0, 1, 0, 0)
    post = sources.read_posts(root, "en")["2026-11-20-strike-vote"]["en"]
    assert (post.title, post.status, post.body) == ("Ours", "trash", "Our text.")


def test_a_status_that_was_chosen_by_hand_outlives_a_withdrawal(root: Path) -> None:
    take(root, STRIKE)
    edit(root, NAME, lambda text: text.replace("imported:", "status: archived\nimported:"))
    private = replace(STRIKE, status="private")
    assert counts(take(root, private)) == (0, 1, 0, 0)
    assert counts(take(root, private)) == (0, 0, 1, 0)
    plan = take(root, replace(STRIKE, title="Other"))
    assert counts(plan) == (0, 1, 0, 0)
    assert "title: Other" in files(root)[NAME]
    assert "status: archived" in files(root)[NAME]
    assert "before" not in files(root)[NAME]


def test_what_was_kept_back_by_hand_since_stays_so(root: Path) -> None:
    take(root, STRIKE)
    edit(root, NAME, lambda text: text.replace("All of them.", "All but two."))
    take(root, replace(STRIKE, status="private"))
    edit(root, NAME, lambda text: text.replace("status: private", "status: draft"))
    assert counts(take(root, STRIKE)) == (0, 0, 0, 1)
    assert "status: draft" in files(root)[NAME]


def test_a_feed_can_withdraw_what_came_of_an_export(root: Path) -> None:
    take(root, STRIKE)
    feed = replace(TERMS, kind="feed")
    hidden = replace(STRIKE, html="<p>There is no excerpt.</p>", status="password")
    plan = take(root, hidden, terms=feed)
    assert counts(plan) == (0, 1, 0, 0)
    assert "came by an import of `wxr`" in plan.warnings[0]
    assert "status: password" in files(root)[NAME]
    assert "All of them." in files(root)[NAME]
    assert counts(take(root, hidden, terms=feed)) == (0, 0, 1, 0)
    assert counts(take(root, STRIKE)) == (0, 1, 0, 0)
    assert sources.read_posts(root, "en")["2026-11-20-strike-vote"]["en"].status == "ready"


LATER = date(2026, 11, 27)


def test_what_is_dated_after_today_is_kept_back_until_then(root: Path) -> None:
    item = replace(STRIKE, date=LATER)
    plan = take(root, item)
    assert counts(plan) == (0, 0, 0, 1)
    assert plan.skipped[0].why == "dated after today (2026-11-27): --drafts takes it along"
    assert plan.by_status == {"future": 1}
    drafts = replace(TERMS, drafts=True)
    plan = take(root, item, terms=drafts)
    assert [file.status for file in plan.files] == ["future"]
    assert counts(take(root, item, terms=drafts)) == (0, 0, 1, 0)
    assert counts(take(root, item, terms=replace(TERMS, today=LATER))) == (0, 1, 0, 0)
    assert sources.read_posts(root, "en")["2026-11-27-strike-vote"]["en"].status == "ready"


def test_what_is_put_off_at_its_source_is_put_off_here(root: Path) -> None:
    take(root, STRIKE)
    assert counts(take(root, replace(STRIKE, date=LATER))) == (0, 1, 0, 0)
    assert "status: future" in files(root)[NAME]


@pytest.mark.parametrize(
    ("expires", "status"),
    [(date(2026, 11, 25), "archived"), (TODAY, "archived"), (LATER, "ready"), (None, "ready")],
)
def test_what_has_expired_is_archived(root: Path, expires: date | None, status: str) -> None:
    plan = take(root, replace(STRIKE, expires=expires))
    assert [file.status for file in plan.files] == [status]
    assert [f"it expired on {expires}: archived" in one for one in plan.warnings] == (
        [True] if status == "archived" else []
    )


def test_what_expires_later_is_told(root: Path) -> None:
    item = replace(STRIKE, expires=LATER)
    take(root, item)
    plan = take(root, item, terms=replace(TERMS, today=LATER))
    assert counts(plan) == (0, 0, 1, 0)
    assert f"{NAME} is still ready" in plan.warnings[0]


RUSSIAN = "<p>Бригада крановщиков голосовала в порту, все до одного, под дождём.</p>"
KAZAKH = "<p>Кран жүргізушілері ереуілге дауыс берді, бәрі де, жаңбыр астында, қазір.</p>"
ARABIC = "<p>صوت عمال الرافعات على الإضراب في الميناء تحت المطر يوم الجمعة.</p>"
GREEK = "<p>Οι χειριστές γερανών ψήφισαν στο λιμάνι την Παρασκευή.</p>"


@pytest.mark.parametrize(
    ("html", "default", "languages", "code", "says"),
    [
        (RUSSIAN, "en", ("en", "kk", "ru"), "ru", "its letters are Cyrillic: taken as `ru`"),
        (KAZAKH, "en", ("en", "ru", "kk"), "kk", "its letters are Cyrillic: taken as `kk`"),
        (KAZAKH, "en", ("en", "ru"), "ru", "taken as `ru`"),
        (RUSSIAN, "de", ("de", "kk"), "kk", "taken as `kk`"),
        (RUSSIAN, "en", ("en", "de"), "en", "LOOK AT THIS: it is taken as `en`"),
        (ARABIC, "en", ("en", "fa", "ar"), "fa", "its letters are Arabic"),
        (GREEK, "en", ("en", "el"), "el", "its letters are Greek"),
        (STRIKE.html, "ru", ("ru", "de", "en"), "de", "its letters are Latin: taken as `de`"),
        (STRIKE.html, "ar", ("ar", "en"), "en", "its letters are Latin"),
        (STRIKE.html, "en", ("en", "ru"), "en", ""),
        (f"<style>.crane {{ margin: 0 }} {'a' * 99}</style>{RUSSIAN}", "en", ("en", "ru"), "ru",
         "Cyrillic"),
        (RUSSIAN, "kk", ("kk", "ru"), "kk", ""),
        (RUSSIAN, "sr", ("sr", "ru"), "sr", ""),
        ("<p>Да.</p>", "en", ("en", "ru"), "en", ""),
        (f"<p>См. https://harbour.example.org/{'long/' * 30}</p>{RUSSIAN}", "en", ("en", "ru"), "ru",
         "Cyrillic"),
    ],
)  # fmt: skip
def test_letters_contradict_a_language_that_nobody_told(
    root: Path, html: str, default: str, languages: tuple[str, ...], code: str, says: str
) -> None:
    item = replace(STRIKE, title="1", html=html)
    terms = replace(TERMS, language=default, languages=languages)
    plan = take(root, item, terms=terms)
    assert list(files(root)) == [f"posts/2026-11-20-strike-vote.{code}.md"]
    assert len(plan.warnings) == bool(says)
    assert says in "".join(plan.warnings)
    plan = take(root, item, terms=terms)
    assert counts(plan) == (0, 0, 1, 0)
    assert plan.warnings == []


def test_a_language_that_a_person_said_stands(root: Path) -> None:
    plan = take(root, replace(STRIKE, html=RUSSIAN), terms=replace(TERMS, language_is_said=True))
    assert list(files(root)) == [NAME]
    assert "taken as `en`, as you said, but its letters are Cyrillic" in plan.warnings[0]


MAY = Item(
    what="2026-11-20-may.md",
    source_id="file:2026-11-20-may",
    title="May Day in the harbour",
    html="<p>The crane drivers march with their families from the gate to the square.</p>",
    slug="may",
    date=date(2026, 11, 20),
    root="aaaaaaaaaaaa",
)
ELSEWHERE = replace(
    MAY,
    html="<p>No school opened this morning, and teachers sang on every bridge.</p>",
    root="bbbbbbbbbbbb",
)
FILES = replace(TERMS, kind="markdown")


@pytest.mark.parametrize("title", ["Teachers on May Day", MAY.title])
def test_files_of_one_name_in_two_blogs_are_two_posts(root: Path, title: str) -> None:
    other = replace(ELSEWHERE, title=title)
    take(root, MAY, terms=FILES)
    assert counts(take(root, other, terms=FILES)) == (1, 0, 0, 0)
    assert list(files(root)) == ["posts/2026-11-20-may-2.en.md", "posts/2026-11-20-may.en.md"]
    assert counts(take(root, MAY, terms=FILES)) == (0, 0, 1, 0)
    assert counts(take(root, other, terms=FILES)) == (0, 0, 1, 0)
    assert counts(take(root, other, MAY, terms=FILES)) == (0, 0, 2, 0)
    assert counts(take(root, replace(other, title="Anew"), terms=FILES)) == (0, 1, 0, 0)
    assert "crane drivers" in files(root)["posts/2026-11-20-may.en.md"]
    assert "title: Anew" in files(root)["posts/2026-11-20-may-2.en.md"]


def test_a_file_is_known_again_from_another_folder(root: Path) -> None:
    take(root, MAY, terms=FILES)
    moved = replace(MAY, root="cccccccccccc", what="blog/de/2026-11-20-may.md")
    assert counts(take(root, moved, terms=FILES)) == (0, 0, 1, 0)
    worked_over = replace(moved, html=MAY.html.replace("families", "children"))
    assert counts(take(root, worked_over, terms=FILES)) == (0, 1, 0, 0)
    assert len(files(root)) == 1


def test_a_file_with_another_title_and_text_is_another_post(root: Path) -> None:
    take(root, MAY, terms=FILES)
    assert counts(take(root, replace(MAY, title="Other"), terms=FILES)) == (0, 1, 0, 0)
    assert counts(take(root, replace(MAY, title="Other", html="<p>Anew.</p>"), terms=FILES)) == (
        *(0, 1, 0, 0),
    )
    next_week = replace(MAY, title="Third", html="<p>Words of another week.</p>")
    assert counts(take(root, next_week, terms=FILES)) == (1, 0, 0, 0)
    later = replace(next_week, html="<p>Nothing alike.</p>", date=date(2026, 11, 25))
    assert counts(take(root, later, terms=FILES)) == (1, 0, 0, 0)
    assert len(files(root)) == 3


def test_the_same_file_twice_in_one_import_is_one_post(root: Path) -> None:
    plan = take(root, MAY, replace(MAY, what="backup/2026-11-20-may.md"), terms=FILES)
    assert counts(plan) == (1, 0, 0, 1)


def test_all_translations_of_one_import_get_the_same_new_key(root: Path) -> None:
    ours = "---\ntitle: Ours\nkey: quite-another\n---\nOur own.\n"
    (root / "posts" / "2026-11-20-may.ru.md").write_text(ours)
    texts = {"de": "Erster Mai", "en": "First of May", "ru": "Первое мая"}
    items = [replace(MAY, language=code, title=t, html=f"<p>{t}</p>") for code, t in texts.items()]
    assert counts(take(root, *items, terms=FILES)) == (3, 0, 0, 0)
    posts = sources.read_posts(root, "en")
    assert set(posts["2026-11-20-may-2"]) == {"de", "en", "ru"}
    assert counts(take(root, *items, terms=FILES)) == (0, 0, 3, 0)
    assert counts(take(root, *reversed(items), terms=FILES)) == (0, 0, 3, 0)


def test_posts_of_two_sources_are_not_translations_of_each_other(root: Path) -> None:
    take(root, replace(MAY, language="de"), terms=FILES)
    texts = {"en": "First of May", "ru": "Первое мая"}
    others = [
        replace(ELSEWHERE, language=code, title=title, html=f"<p>{title}</p>")
        for code, title in texts.items()
    ]
    take(root, *others, terms=FILES)
    feed = replace(STRIKE, slug="may", language="kk", url="https://quay.example.net/may")
    take(root, replace(feed, source_id="https://quay.example.net/?p=1"))
    posts = sources.read_posts(root, "en")
    assert {key: set(found) for key, found in posts.items()} == {
        "2026-11-20-may": {"de"},
        "2026-11-20-may-2": {"en", "ru"},
        "2026-11-20-may-3": {"kk"},
    }


def test_a_translation_that_comes_later_from_the_same_folder_joins(root: Path) -> None:
    take(root, replace(MAY, language="de"), terms=FILES)
    russian = replace(MAY, language="ru", title="Первое мая", html="<p>Первое мая</p>")
    assert counts(take(root, russian, terms=FILES)) == (1, 0, 0, 0)
    kazakh = replace(MAY, language="kk", html="<p>Бірінші мамыр</p>")  # with a German title yet
    assert counts(take(root, kazakh, terms=FILES)) == (1, 0, 0, 0)
    assert set(sources.read_posts(root, "en")["2026-11-20-may"]) == {"de", "kk", "ru"}


def test_a_file_that_was_moved_or_renamed_is_found_again(root: Path) -> None:
    take(root, STRIKE)
    (root / "posts" / "2026").mkdir()
    (root / NAME).rename(root / "posts" / "2026" / "vote.en.md")
    assert counts(take(root, STRIKE)) == (0, 0, 1, 0)
    assert counts(take(root, replace(STRIKE, title="Other"))) == (0, 1, 0, 0)
    assert list(files(root)) == ["posts/2026/vote.en.md"]


def test_a_link_is_not_replaced_by_a_file(root: Path, tmp_path: Path) -> None:
    take(root, STRIKE)
    outside = tmp_path / "elsewhere.md"
    (root / NAME).rename(outside)
    (root / NAME).symlink_to(outside)
    before = outside.read_text()
    plan = take(root, replace(STRIKE, title="Other"))
    assert counts(plan) == (0, 0, 0, 1)
    assert "is a link" in plan.skipped[0].why
    assert outside.read_text() == before


def test_names_that_are_taken_get_a_number(root: Path) -> None:
    (root / NAME).write_text("---\ntitle: Ours\n---\nOur own.\n")
    take(root, STRIKE, replace(STRIKE, source_id="b"))
    take(root, replace(STRIKE, source_id="c"))
    assert list(files(root)) == [
        f"posts/2026-11-20-strike-vote{number}.en.md" for number in ("-2", "-3", "-4", "")
    ]
    assert "Our own." in files(root)[NAME]
    assert len(sources.read_posts(root, "en")) == 4


def test_a_key_that_is_taken_gets_a_number(root: Path) -> None:
    (root / "posts" / "x.ru.md").write_text("---\ntitle: X\nkey: 2026-11-20-Strike-Vote\n---\nx\n")
    take(root, STRIKE)
    assert "posts/2026-11-20-strike-vote-2.en.md" in files(root)


def test_translations_share_a_key(root: Path) -> None:
    russian = replace(STRIKE, title="Голосование", language="ru", html="<p>Краны.</p>")
    take(root, replace(STRIKE, language="en"), russian)
    take(root, replace(russian, source_id="another id", language="kk", date=date(2026, 11, 25)))
    posts = sources.read_posts(root, "en")
    assert {key: set(texts) for key, texts in posts.items()} == {
        "2026-11-20-strike-vote": {"en", "ru", "kk"}
    }


def test_one_id_in_two_languages_is_one_post(root: Path) -> None:
    russian = replace(STRIKE, title="Голосование", slug="golosovanie", language="ru")
    take(root, replace(STRIKE, language="en"), russian)
    assert set(sources.read_posts(root, "en")["2026-11-20-strike-vote"]) == {"en", "ru"}
    plan = take(root, replace(STRIKE, language="en"), replace(russian, author="X"))
    assert counts(plan) == (0, 1, 1, 0)


def test_the_same_name_a_year_later_is_another_post(root: Path) -> None:
    earlier = replace(STRIKE, source_id="b", language="ru", date=date(2025, 11, 20))
    take(root, STRIKE, earlier)
    assert set(sources.read_posts(root, "en")) == {
        "2025-11-20-strike-vote",
        "2026-11-20-strike-vote",
    }


def test_a_translation_does_not_join_what_was_not_imported(root: Path) -> None:
    (root / NAME).write_text("---\ntitle: Ours\n---\nOur own.\n")
    take(root, replace(STRIKE, language="ru"))
    assert "posts/2026-11-20-strike-vote-2.ru.md" in files(root)


def test_the_language_of_an_item_that_tells_none_may_change(root: Path) -> None:
    take(root, STRIKE, terms=replace(TERMS, language="de"))
    assert counts(take(root, STRIKE)) == (0, 0, 1, 0)
    assert counts(take(root, replace(STRIKE, title="Other"))) == (0, 1, 0, 0)
    assert list(files(root)) == ["posts/2026-11-20-strike-vote.de.md"]


@pytest.mark.parametrize(
    ("told", "code", "warning"),
    [
        ("", "en", ""),
        ("RU", "ru", ""),
        ("ru_RU", "ru", ""),
        ("kz", "kk", "`kz` is a country, no language: taken as `kk`"),
        ("kz-KZ", "kk", "`kz` is a country"),
        ("fr", "fr", "no list of yours is in `fr`"),
        ("pt-BR", "pt-br", "no list of yours is in `pt-br`"),
        ("English!", "en", "`english!` is no language: taken as `en`"),
        ("../../x", "en", "is no language"),
    ],
)
def test_languages_are_codes_that_the_site_knows(
    root: Path, told: str, code: str, warning: str
) -> None:
    plan = take(root, replace(STRIKE, language=told))
    assert list(files(root)) == [f"posts/2026-11-20-strike-vote.{code}.md"]
    assert len(plan.warnings) == bool(warning)
    assert warning in "".join(plan.warnings)


def test_what_is_said_of_a_language_is_said_once(root: Path) -> None:
    items = [replace(STRIKE, source_id=str(n), slug=str(n), language="kz") for n in range(30)]
    plan = take(root, *items)
    assert plan.warnings == ["30 posts: `kz` is a country, no language: taken as `kk`"]


def test_a_second_item_of_the_same_id_is_left_out(root: Path) -> None:
    plan = take(root, STRIKE, replace(STRIKE, title="Other"))
    assert counts(plan) == (1, 0, 0, 1)
    assert plan.skipped[0].why == "a second post with the same id"


@pytest.mark.parametrize(
    "html", ["", "  ", "<p> </p>", "<script>x()</script>", "<!-- only this -->"]
)
def test_an_item_without_text_is_left_out(root: Path, html: str) -> None:
    plan = take(root, replace(STRIKE, html=html), replace(STRIKE, source_id="b"))
    assert counts(plan) == (1, 0, 0, 1)
    assert "it has no text" in plan.skipped[0].why


def test_an_item_without_a_title_is_left_out_and_the_rest_goes_on(root: Path) -> None:
    plan = take(root, replace(STRIKE, title=" \n"), replace(STRIKE, source_id="b"))
    assert counts(plan) == (1, 0, 0, 1)
    assert "a post needs a title" in plan.skipped[0].why


def test_what_the_reader_left_out_and_warned_of_stays_in_the_report(root: Path) -> None:
    gathered = Gathered((STRIKE,), 3, (Skipped("2 menus", "no posts"),), ("x: y",))
    plan = shelf.plan(root, "en", gathered, TERMS)
    assert plan.skipped == [Skipped("2 menus", "no posts")]
    assert plan.warnings == ["x: y"]
    assert not files(root)  # a plan writes nothing


def test_an_address_that_is_none_of_the_web_is_left_out(root: Path) -> None:
    plan = take(root, replace(STRIKE, url="javascript:alert(1)", source_url="mailto:a@example.org"))
    assert counts(plan) == (1, 0, 0, 0)
    assert len(plan.warnings) == 2
    assert "javascript" not in files(root)[NAME]


def test_a_post_that_is_broken_here_is_named_before_anything_is_written(root: Path) -> None:
    (root / "posts" / "broken.md").write_text("---\ntitle: [\n---\n")
    with pytest.raises(BadFile, match="not YAML") as caught:
        take(root, STRIKE)
    assert caught.value.where.startswith("posts/broken.md:")


def test_all_is_as_it_was_if_one_file_cannot_be_written(root: Path) -> None:
    (root / "posts" / "old.en.md").write_text("as it was")
    (root / "posts" / "z.en.md").mkdir()
    names = ("new", "old", "z")  # a file cannot take the name of a folder
    with pytest.raises(MailoutError, match="cannot be written") as caught:
        shelf.write(root, [File(f"posts/{name}.en.md", "new", "ready") for name in names])
    assert caught.value.where == "posts/z.en.md"
    assert files(root) == {"posts/old.en.md": "as it was"}
    assert sorted(path.name for path in (root / "posts").iterdir()) == ["old.en.md", "z.en.md"]


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "posts").write_text("a file")
    with pytest.raises(MailoutError, match="cannot be written") as caught:
        shelf.write(tmp_path, [File("posts/a.en.md", "a", "ready")])
    assert caught.value.where == "posts/"


def test_a_read_only_folder_is_named(root: Path) -> None:
    (root / "posts").chmod(0o555)
    with without_rights(root / "posts"), pytest.raises(MailoutError, match="Permission denied"):
        take(root, STRIKE)


_texts = st.text(st.characters(exclude_categories=()), max_size=60)


@given(
    title=_texts, slug_=_texts, author=_texts, url=_texts, excerpt=_texts, source_id=_texts,
    language=_texts, categories=st.lists(_texts, max_size=3), markdown=_texts,
    day=st.none() | st.dates(), status=st.sampled_from(STATUSES), scheme=st.sampled_from(["", "file:"]),
)  # fmt: skip
def test_any_item_is_taken_or_left_out_and_never_leaves_posts(
    tmp_path_factory: pytest.TempPathFactory,
    title: str, slug_: str, author: str, url: str, excerpt: str, source_id: str, language: str,
    categories: list[str], markdown: str, day: date | None, status: str, scheme: str,
) -> None:  # fmt: skip
    root = tmp_path_factory.mktemp("site")
    item = Item(
        what="x", source_id=scheme + source_id, title=title, markdown=markdown, slug=slug_, author=author,
        url=url, excerpt=excerpt, language=language, categories=tuple(categories), date=day,
        status=status,
    )  # fmt: skip
    terms = replace(TERMS, drafts=True)
    plan = take(root, item, terms=terms)
    assert plan.imported + len(plan.skipped) == 1
    for file in plan.files:
        path = PurePosixPath(file.path)
        assert path.parent.as_posix() == "posts"
        assert len(path.name.encode()) <= 255
        assert (root / file.path).is_file()
        head = front_matter.split(file.text, file.path)
        mark = filing.mark_of(head)
        assert mark is not None
        assert filing.wrote(head.values, head.body) == mark.wrote
        public = "ready" if day is None or day >= TERMS.ready_since else "archived"
        public = "future" if day and day > TODAY else public
        found = core_post.parse(file.text, file.path, "en").status
        assert found == status.replace("published", public)
    again = take(root, item, terms=terms)
    assert (again.imported, again.updated) == (0, 0)


@given(st.text(st.characters(exclude_categories=())))
def test_a_slug_is_a_safe_name(title: str) -> None:
    name = slug(title)
    assert name == slug(name)
    assert re.fullmatch(r"[^\s./\\:*?\"<>|\x00-\x1f-][^\s./\\:*?\"<>|\x00-\x1f]*", name)
    assert len(name.encode()) <= 185


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Strike vote: 97 % say “yes”", "strike-vote-97-say-yes"),
        ("Забастовка в порту", "забастовка-в-порту"),
        ("हड़ताल का मत", "हड़ताल-का-मत"),
        ("../../etc/passwd", "etc-passwd"),
        ("CON", "post-con"),
        (
            "The crane drivers of the northern harbour vote on a strike of three days",
            "the-crane-drivers-of-the-northern-harbour-vote-on-a-strike",
        ),
        ("字" * 99, "字" * 60),
        ("𒀀" * 99, "𒀀" * 45),
        ("...", "post"),
    ],
)
def test_slugs(title: str, name: str) -> None:
    assert slug(title) == name

"""The mail templates: what comes out of them, held fast in `tests/goldens/`, is as it should be.

`tests/goldens/site` is a small site with texts of its own in five languages: a bulletin with
sections, press digest, meeting and appeal; an appeal with every kind of action; a press release
under embargo; a letter. Beside it stand the parts that the templates make of them: HTML and text
for each language, the low-data HTML of the bulletin, and whole messages in two languages.

After a change that is meant, write the goldens anew, and look at what it does:

    MAILOUT_GOLDENS=write make test ARGS=tests/publish/test_mail_templates.py
    git diff tests/goldens
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from typing import Any

import pytest

from mailout.catalogue import greeting
from mailout.config import keys
from mailout.config.site import read_site
from mailout.config.templates import read_templates
from mailout.core.action import Action
from mailout.core.check.rule import Severity
from mailout.core.issue import Variant
from mailout.core.mailing_list import MailingList, Press
from mailout.core.meeting import Meeting
from mailout.core.message import Reader, list_headers
from mailout.core.signatory import Signatory
from mailout.core.site import Brand, Site
from mailout.core.variants import Variants
from mailout.publish import checking, compile, sources
from mailout.publish.sheet import Sheet
from mailout.store.engine import Store
from places import REPOSITORY

GOLDENS = REPOSITORY / "tests" / "goldens"
LANGUAGES = ("en", "ru", "kk", "de", "ar")
ISSUES = ("bulletin", "appeal", "release", "letter")
NOW = datetime(2026, 11, 26, 9, 0, tzinfo=UTC)
TOKEN = "AAAAAAAAAAAAAAAAAAAAAA"  # of nobody
TEMPLATES = read_templates(REPOSITORY)


@dataclass(frozen=True, slots=True)
class Made:
    """A compiled issue of the goldens."""

    variants: Mapping[tuple[str, str], Variant]

    def standard(self, language: str = "en") -> Variant:
        return self.variants.get((language, "excerpt")) or self.variants[language, "full"]

    def html(self, language: str = "en") -> str:
        return self.standard(language).html

    def text(self, language: str = "en") -> str:
        return self.standard(language).text

    def low(self, language: str = "en") -> str:
        return self.variants[language, "low-data"].html


@pytest.fixture(scope="module")
def public(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """The site of the goldens."""
    root = tmp_path_factory.mktemp("goldens") / "site"
    shutil.copytree(GOLDENS / "site", root)
    keys.write_new(root)
    return read_site(root)


Make = Callable[[str], Made]


@pytest.fixture(scope="module")
def made(public: Site) -> Make:
    """Compiles an issue in all languages and editions, once."""
    return cache(lambda name: compiled(public, name))


def changed(site: Site, name: str, *, sections: bool = True, **changes: Any) -> Made:
    """An issue in English alone, its posts with the given changes."""
    english = with_settings(site, languages=("en",))
    return compiled(english, name, ("low-data",), sections=sections, **changes)


def compiled(
    site: Site,
    name: str,
    editions: Sequence[str] = ("full", "low-data", "text"),
    *,
    sections: bool = True,
    **changes: Any,
) -> Made:
    plan = sources.read_issue(site.root, name, "en")
    plan = replace(plan, sections=sections and plan.sections)
    posts = {
        key: {code: replace(post, **changes) for code, post in texts.items()}
        for key, texts in sources.read_posts(site.root, "en").items()
    }
    mailing_list = site.lists["bulletin"]
    variants = compile.compile_issue(
        site, mailing_list, plan, posts, TEMPLATES, NOW, editions
    ).variants
    return Made({(one.language, one.edition): one for one in variants})


def with_settings(site: Site, **changes: Any) -> Site:
    """The site, its list with other settings."""
    settings = replace(site.lists["bulletin"].settings, **changes)
    return replace(site, lists={"bulletin": MailingList("bulletin", settings)})


def golden(name: str, content: bytes) -> None:
    """Compares with the golden of that name, or writes it."""
    file = GOLDENS / name
    if os.environ.get("MAILOUT_GOLDENS") == "write":
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(content)
    assert file.is_file(), f"{name} is missing: see the head of this test"
    # Not `==` of two long texts, which pytest would compare for minutes.
    ours, theirs = content.split(b"\n"), file.read_bytes().split(b"\n")
    differing = [pair for pair in zip(ours, theirs, strict=False) if pair[0] != pair[1]]
    assert differing[:1] == [] and len(ours) == len(theirs), f"{name} differs"


@pytest.mark.parametrize("name", ISSUES)
def test_both_parts_are_as_they_were(made: Make, name: str) -> None:
    issue = made(name)
    for language in LANGUAGES:
        golden(f"{name}/{language}.html", issue.html(language).encode())
        golden(f"{name}/{language}.txt", issue.text(language).encode())


def test_the_low_data_edition_is_as_it_was(made: Make) -> None:
    issue = made("bulletin")
    for language in LANGUAGES:
        low = issue.variants[language, "low-data"]
        golden(f"bulletin/{language}.low-data.html", low.html.encode())


@pytest.mark.parametrize("name", ISSUES)
def test_whole_messages_are_as_they_were(public: Site, made: Make, name: str) -> None:
    issue = made(name)
    ready = Variants(list(issue.variants.values()), list_headers(public, public.lists["bulletin"]))
    for language, person, country in (("en", "Anna", "DE"), ("kk", "", "")):
        reader = Reader("reader@example.org", TOKEN, greeting(person, language))
        prepared = ready.prepared(language, issue.standard(language).edition, country)
        message = prepared.compose(reader, "<sample@news.example.org>", NOW.timestamp())
        golden(f"{name}/{language}.eml", message)


@pytest.mark.parametrize("name", ISSUES)
def test_a_check_finds_nothing_worse_than_notes(
    public: Site, made: Make, sqlite_store: Callable[[], Store], name: str
) -> None:
    """In all languages and editions."""
    store = sqlite_store()
    variants = list(made(name).variants.values())
    checked = checking.check_issue(public, store, public.lists["bulletin"], 1, variants, (), NOW)
    assert [one for one in checked.findings if one.severity is not Severity.NOTE] == []
    store.close()


# -- the low-data edition ------------------------------------------------------------------


@pytest.mark.parametrize("name", ISSUES)
def test_the_low_data_edition_is_small(made: Make, name: str) -> None:
    issue = made(name)
    for language in LANGUAGES:
        html = issue.low(language)
        # It sets no colour: it leaves light and dark to the program.
        html = html.replace('<meta name="color-scheme" content="light dark">', "", 1)
        words = re.sub(r"\s+", " ", re.sub(r"<[^>]*>", "", html))
        assert len(html.encode()) - len(words.encode()) < 3_000, language
        for heavy in ("<table", "<style", "<img", "color", "font", "bgcolor"):
            assert heavy not in html, heavy


def test_the_low_data_edition_holds_what_each_template_adds(made: Make) -> None:
    release = made("release").low("de")
    for words in ("Sperrfrist: Freitag, 27. November 2026", "Kontakt für die Presse", "– Ende –"):
        assert words in release
    assert "Mira Okan, für die Redaktion" not in release, "a release has a contact instead"
    appeal = made("appeal").low("de")
    assert "Brief zum Kopieren" in appeal and "Mira Okan, für die Redaktion" in appeal
    link = r'href="mailto:zqplace\d+linkzq\?cc=copies@news\.example\.org"'
    assert re.search(link, appeal), "all who get the letter, and none of its words"
    bulletin = made("bulletin").low("en")
    assert "nobody is dismissed for the strike" in bulletin, "every post is whole"


# -- sections, digests, meetings -----------------------------------------------------------


def test_sections_stand_under_headings(made: Make) -> None:
    html = made("bulletin").html()
    heads = re.findall(r"<h[12][^>]*>(.*?)</h[12]>", html)
    assert heads == [
        "The second week of the harbour strike",
        "The harbour stands still",
        "Press digest",
        "Eleven ships wait outside the port",
        "Solidarity",
        "How we help the dockers",
        "Three dockers are in custody",
        "Pass it on",
    ]
    contents = made("bulletin").text().partition("* * *")[0]
    assert "\nPress digest\n 2. Eleven ships" in contents and "\nSolidarity\n 3. " in contents


def test_without_sections_the_kind_of_each_post_is_told(public: Site) -> None:
    issue = changed(public, "bulletin", sections=False)
    assert "Solidarity" not in issue.html() + issue.text()
    assert '<p class="kind"' in issue.html() and "Press digest" in issue.html()
    assert "\nPress digest\n" in issue.text()


def test_a_digest_shows_its_paper_first(public: Site) -> None:
    issue = changed(public, "bulletin", author="Dana Seitova")
    html = issue.html().partition("Eleven ships wait outside the port</h2>")[2]
    assert html.index("The Eastport Courier") < html.index("Dana Seitova")
    text = issue.text().partition("port\n-----")[2]
    assert text.index("Source: The Eastport Courier, 24 November 2026") < text.index("Dana")


def test_a_text_that_is_not_translated_says_so_and_keeps_its_language(made: Make) -> None:
    html = made("bulletin").html("ar")
    assert re.search(r'<h2[^>]*lang="en" dir="ltr"[^>]*>Eleven ships', html)
    assert "لم يُترجم هذا النص بعد" in html
    assert "لم يُترجم هذا النص بعد" in made("bulletin").text("ar")


@pytest.mark.parametrize("name", ["bulletin", "letter", "release"])
def test_code_at_the_beginning_of_a_post_stays_set_in(public: Site, name: str) -> None:
    text = changed(public, name, body="```\none\ntwo\n```\n", excerpt="").text()
    assert "\n    one\n    two\n" in text


def test_a_day_that_is_not_translated_keeps_its_language(public: Site) -> None:
    """A date is told in the reader's language; what the author wrote instead is their own."""
    posts = {"source": "The Courier", "kind": "digest"}
    for told, shown in (
        ("2026-11-24", "نُشر في 24 نوفمبر 2026،"),
        ("Autumn 2026", 'نُشر في <span lang="en" dir="ltr">Autumn 2026</span>،'),
    ):
        made = compiled(public, "bulletin", (), source_date=told, **posts)
        assert shown in made.html("ar")


def test_a_meeting_tells_when_and_where(public: Site, made: Make) -> None:
    issue = made("bulletin")
    for part in (issue.html(), issue.text()):
        assert "When: Saturday, 5 December 2026, 18:00" in part
        assert "Until: 20:30" in part
        assert "Where: Union Hall, 4 Quay Street, Eastport" in part
    bare = changed(public, "letter", event=Meeting(datetime(2026, 12, 5, 18, 0)))  # noqa: DTZ001 - its place's
    assert "When: " in bare.html() and "When: " in bare.text()
    assert not re.search("Until:|Where:", bare.html() + bare.text())


# -- actions -------------------------------------------------------------------------------


def test_a_letter_goes_to_whom_the_readers_country_decides(made: Make) -> None:
    for language in LANGUAGES:
        variant = made("appeal").standard(language)
        here, there = variant.in_country("DE"), variant.in_country("KZ")
        assert "Embassy in Berlin &lt;berlin@embassy.example.org&gt;" in here.html
        assert 'href="mailto:berlin@embassy.example.org?cc=' in here.html
        assert "Embassy in Berlin <berlin@embassy.example.org>" in here.text
        assert "berlin" not in there.html + there.text
        assert "ministry@gov.example.org" in there.html and "ministry@gov.example.org" in there.text


def test_an_appeal_can_be_signed_by_a_reply_alone(public: Site, made: Make) -> None:
    issue = changed(public, "appeal", actions=(Action("sign", "Sign it", reply=True),))
    for part in (issue.html(), issue.text()):
        assert "Sign it" in part and "Reply to this mail with your name" in part
        assert "only after you have confirmed it" in part
    assert 'class="button"' not in issue.html()
    assert "Или просто ответьте на это письмо" in made("appeal").html("ru")


def test_a_letter_without_a_text_still_tells_who_gets_a_copy(public: Site) -> None:
    letter = Action("letter", "Write", to="a@example.org", cc=("b@example.org",))
    issue = changed(public, "appeal", actions=(letter,))
    for part in (issue.html(), issue.text()):
        assert "Copy to: " in part and "Letter to copy" not in part


# -- press release and letter --------------------------------------------------------------


def test_a_press_release_says_when_it_may_be_published(public: Site, made: Make) -> None:
    held = made("release")
    assert "Embargoed until Friday, 27 November 2026, 10:00" in held.html()
    assert "Embargoed until Friday, 27 November 2026, 10:00" in held.text()
    free = changed(public, "release", embargo=None)
    assert "For immediate release" in free.html() and "For immediate release" in free.text()
    assert "What you can do" not in free.html() and "Dear" not in free.text()
    asks = changed(
        public, "release", actions=(Action("donate", "Give", url="https://news.example.org/f"),)
    )
    assert "What you can do" in asks.html() and "What you can do" in asks.text()


def test_an_embargo_is_told_wherever_the_post_is_printed(public: Site) -> None:
    issue = changed(public, "bulletin", embargo=datetime(2026, 11, 27, 10, 0))  # noqa: DTZ001 - the site's
    for part in (issue.html(), issue.text(), issue.low("en")):
        assert part.count("Embargoed until ") == 4


def test_a_contact_may_be_an_address_alone(public: Site) -> None:
    issue = changed(with_settings(public, press=Press()), "release")
    assert "Mail: contact@news.example.org" in issue.text()
    for words in ("Telephone", "Mira Okan", "About us"):
        assert words not in issue.html() + issue.text()


def test_a_letter_shows_no_title_of_its_one_post(public: Site) -> None:
    issue = changed(public, "letter", title="A name for the archive")
    assert "A name for the archive" not in issue.text()
    assert "A name for the archive" not in issue.html()
    assert re.findall(r"<h[1-6][^>]*>(.*?)</h", issue.html()) == [
        "Harbour Desk",
        "A question to you",
    ]
    for words in ("<img", 'class="band'):
        assert words not in issue.html()


def test_who_signs_stands_before_the_foot(public: Site, made: Make) -> None:
    for name in ("bulletin", "appeal", "letter"):
        for part in (made(name).html(), made(name).text()):
            assert part.index("Mira Okan, for the editors") < part.index("You can forward")
    unsigned = changed(with_settings(public, signature={}), "bulletin")
    assert "With solidarity" not in unsigned.html() + unsigned.text()


@pytest.mark.parametrize("name", ISSUES)
def test_who_agreed_to_be_named_is_named(public: Site, name: str) -> None:
    people = (
        Signatory("Ines Falk", "secretary", "Dockers' Union", "DE", personal=True),
        Signatory("ليلى <حداد>", country="LB"),
    )
    plan = replace(sources.read_issue(public.root, name, "en"), signatories=True)
    mailing_list = with_settings(public, languages=("de",)).lists["bulletin"]
    posts = sources.read_posts(public.root, "en")
    variants = compile.compile_issue(
        public, mailing_list, plan, posts, TEMPLATES, NOW, ("low-data",), people
    ).variants
    assert variants
    for one in variants:
        for part in (one.html, one.text):
            assert "Unterstützt von" in part
            said = re.sub("<[^>]*>", "", part).replace("&#39;", "'")
            assert "Ines Falk, secretary, Dockers' Union, Deutschland (persönlich)" in said
        assert "ليلى <حداد>, Libanon" in one.text and "ليلى &lt;حداد&gt;" in one.html


@pytest.mark.parametrize("name", ISSUES)
def test_colours_and_logo_are_the_sites(public: Site, name: str) -> None:
    brand = Brand(accent="#104080", logo_url="https://news.example.org/logo.png")
    html = changed(replace(public, brand=brand), name).html()
    assert ("#a8141f" not in html) and ("logo.png" in html) == (name != "letter")
    assert "#104080" in html or name in ("release", "letter"), "the sober ones have no band"


# -- the page for designers ----------------------------------------------------------------


def test_the_page_on_templates_names_every_value(public: Site) -> None:
    plan = sources.read_issue(public.root, "bulletin", "en")
    posts = sources.read_posts(public.root, "en")
    sheet = Sheet(
        public, public.lists["bulletin"], plan, "en", NOW, signatories=[Signatory("Ines Falk")]
    )
    context = sheet.context([posts[key]["en"] for key in plan.posts])
    page = (REPOSITORY / "docs" / "templates.md").read_text("utf-8")
    told = set(re.findall(r"`([a-z_.]+)`", page))
    assert set(names_in(context)) - told == set()


SINGULAR = {
    "posts": "post",
    "sections": "section",
    "actions": "action",
    "signatories": "signatory",
}


def names_in(values: Mapping[str, object], before: str = "") -> Iterator[str]:
    """The dotted names of all values; those in lists are called by what one of them is."""
    for name, value in values.items():
        if name.startswith("_"):
            continue  # no template can reach it
        if isinstance(value, Mapping):
            yield from names_in(value, f"{before}{name}.")
        else:
            yield f"{before}{name}"
        for one in value if isinstance(value, list) else ():
            if isinstance(one, Mapping):
                yield from names_in(one, f"{SINGULAR[name]}.")

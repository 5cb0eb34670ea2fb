"""From files to readers: editions, countries, languages, sections, as their readers get them."""

from __future__ import annotations

import email
import email.policy
import time
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import cast

import pytest

from command_line import CommandLine
from mailout.smtp.catcher import Catcher

PEOPLE = """\
email,name,language,country,tags
anna@example.org,Anna,en,DE,unions
boris@example.org,Boris,en,KZ,unions
carla@example.org,Carla,en,FR,unions
dora@example.org,Dora,en,DE,unions
"""
LONG = "The crane drivers have counted again.\n\n<!--more-->\n\nWhat follows is the whole story.\n"
STORY = (
    "---\ntitle: The harbour\ndate: 2026-11-24\n"
    "canonical_url: https://news.example.org/harbour\n---\n\n" + LONG
)
APPEAL = """\
---
title: Free the driver
kind: appeal
date: 2026-11-23
actions:
- type: letter
  label: Write to the embassy
  targets: embassies
  subject: Free the driver
  body: "Dear Sir or Madam,\\n\\n[your name]"
---

She is still in prison.
"""
EMBASSIES = """\
[default]
name = "Ministry of Justice"
email = "office@ministry.example.org"

[countries.DE]
name = { en = "Embassy in Berlin" }
email = "berlin@embassy.example.org"
"""


@pytest.fixture
def newsroom(shell: CommandLine) -> CommandLine:
    """A site whose list is in English, blocked in one country, with two posts."""
    path = shell.root / "lists" / "bulletin.toml"
    text = path.read_text("utf-8")
    text = text.replace('languages = ["en", "ru", "kk", "de"]', 'languages = ["en"]')
    text = text.replace("blocked_in = []", 'blocked_in = ["KZ"]')
    start, end = text.index("[why]"), text.index("# A segment is a rule")
    path.write_text(text[:start] + text[end:], "utf-8")
    for post in (shell.root / "posts").iterdir():
        post.unlink()
    shell.write("posts/2026-11-24-harbour.en.md", STORY)
    shell.write("posts/2026-11-23-driver.en.md", APPEAL)
    shell.write("targets/embassies.toml", EMBASSIES)
    shell.write(
        "issues/w48.en.md",
        "---\nposts: [2026-11-23-driver, 2026-11-24-harbour]\nsubject: Week 48\n---\n",
    )
    shell.import_people(PEOPLE)
    return shell


def arrived(catcher: Catcher) -> dict[str, EmailMessage]:
    return {
        one.recipients[0].partition("@")[0]: cast(
            EmailMessage, email.message_from_bytes(one.content, policy=email.policy.default)
        )
        for one in catcher.messages
    }


def text_of(message: EmailMessage) -> str:
    body = message.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def test_each_reader_gets_the_edition_and_the_address_that_is_theirs(
    newsroom: CommandLine, catcher: Catcher
) -> None:
    newsroom("subscribers", "edition", "carla@example.org", "low-data")
    newsroom("subscribers", "edition", "dora@example.org", "text")
    with newsroom.relay(catcher):
        newsroom("send", "w48", "--segment", "unions", "--yes", "--json")
    mails = arrived(catcher)
    assert set(mails) == {"anna", "boris", "carla", "dora"}
    whole = {name: "the whole story" in text_of(mail) for name, mail in mails.items()}
    assert whole == {"anna": False, "boris": True, "carla": True, "dora": True}
    assert "Continue reading" in text_of(mails["anna"])
    assert mails["dora"].get_content_type() == "text/plain"
    assert mails["carla"].get_content_type() == "multipart/alternative"
    sizes = {name: len(mail.as_bytes()) for name, mail in mails.items()}
    assert sizes["dora"] < sizes["carla"] < sizes["boris"] / 2
    for name, address, other in (
        ("anna", "Embassy in Berlin <berlin@embassy.example.org>", "ministry"),
        ("dora", "Embassy in Berlin <berlin@embassy.example.org>", "ministry"),
        ("boris", "Ministry of Justice <office@ministry.example.org>", "berlin"),
    ):
        assert address in text_of(mails[name])
        assert other not in mails[name].as_string()
    html = mails["anna"].get_body(("html",))
    assert html is not None and "mailto:berlin@embassy.example.org?subject=" in html.get_content()
    assert not any("zqplace" in mail.as_string() for mail in mails.values())
    rows = newsroom("deliveries", "list", "w48", "--json").json
    assert {row["state"] for row in rows} == {"accepted"}


def test_only_editions_that_somebody_is_to_get_are_made(newsroom: CommandLine) -> None:
    newsroom("compile", "w48")
    built = sorted(path.name for path in (newsroom.root / "build" / "w48").iterdir())
    assert built == ["en.eml", "en.full.eml", "en.full.html", "en.full.txt", "en.html", "en.txt",
                     "report.txt"]  # fmt: skip
    report = (newsroom.root / "build" / "w48" / "report.txt").read_text("utf-8")
    assert "en, excerpt: Week 48" in report and "en, full: Week 48" in report
    newsroom("subscribers", "edition", "dora@example.org", "text")
    newsroom("compile", "w48")
    assert (newsroom.root / "build" / "w48" / "en.text.txt").exists()
    assert not (newsroom.root / "build" / "w48" / "en.text.html").exists()


def test_a_choice_made_after_the_compilation_waits_for_the_next_issue(
    newsroom: CommandLine, catcher: Catcher
) -> None:
    newsroom("compile", "w48")
    newsroom("approve", "w48")
    newsroom("subscribers", "edition", "carla@example.org", "low-data")
    with newsroom.relay(catcher):
        newsroom("send", "w48", "--segment", "unions", "--yes")
    assert "the whole story" not in text_of(arrived(catcher)["carla"])
    assert "Chose the low-data edition." in newsroom("subscribers", "show", "carla@example.org").out


def test_the_edition_of_somebody_who_is_not_there(newsroom: CommandLine) -> None:
    newsroom("subscribers", "edition", "nobody@example.org", "text", code=1)
    newsroom("subscribers", "edition", "anna@example.org", "tiny", code=2)


def test_a_half_translated_issue_is_refused_until_it_says_what_stands_in(
    shell: CommandLine,
) -> None:
    shell.write("posts/2026-11-24-harbour.en.md", STORY)
    shell.write("posts/2026-11-24-harbour.ru.md", STORY.replace("The harbour", "Порт"))
    shell.write("issues/w48.en.md", "---\nposts: [2026-11-24-harbour]\nsubject: Week\n---\n")
    said = shell("compile", "w48", code=1).err
    assert said == (
        "mailout: issues/w48.en.md: the issue is half translated: 2026-11-24-harbour (not in `de`),"
        " subject and introduction (not in `ru`, `kk`, `de`). Write these texts, or say what stands"
        " in for them: `fallback: {de: en}` here, or [fallback] in lists/bulletin.toml.\n"
    )
    for fallback in ("{de: en, ru: en, kk: en}", '{"*": en}'):
        shell.write(
            "issues/w48.en.md",
            f"---\nposts: [2026-11-24-harbour]\nsubject: Week\nfallback: {fallback}\n---\n",
        )
        said = shell("compile", "w48").err
        assert "not in `de`, another language is used: 2026-11-24-harbour" in said
    shell.write(
        "issues/w48.en.md",
        "---\nposts: [2026-11-24-harbour]\nsubject: Week\nfallback: [en]\n---\n",
    )
    assert (
        "issues/w48.en.md:4: `fallback` must name languages" in shell("compile", "w48", code=1).err
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[countries.DE]\nemail = 'a@example.org'\n", "targets/embassies.toml:1: the key `default` is missing"),
        ("[default]\nemail = 'nobody'\n", "targets/embassies.toml:2: `nobody`"),
        ("[default]\nemail = 'a@example.org'\n[countries.Germany]\nemail = 'b@example.org'\n",
         "targets/embassies.toml:3: `Germany` is not a country code"),
        ("[default]\nemial = 'a@example.org'\n", "targets/embassies.toml:2: unknown key `emial`"),
        ("[default\n", "targets/embassies.toml:1"),
    ],
)  # fmt: skip
def test_tables_of_targets_that_are_wrong(newsroom: CommandLine, text: str, says: str) -> None:
    newsroom.write("targets/embassies.toml", text)
    assert says in newsroom("compile", "w48", code=1).err


def test_a_table_of_targets_that_is_not_there(newsroom: CommandLine) -> None:
    newsroom.write("posts/2026-11-23-driver.en.md", APPEAL.replace("embassies", "embasies"))
    said = newsroom("compile", "w48", code=1).err
    assert "there is no table of targets `embasies`. Did you mean `embassies`?" in said


def test_a_time_zone_that_is_none(newsroom: CommandLine) -> None:
    newsroom.write(
        "posts/2026-11-24-harbour.en.md",
        "---\ntitle: Meet\nevent: {start: 2026-12-05 18:00, timezone: Europe/Berln}\n---\n",
    )
    assert (
        "harbour.en.md:3: `Europe/Berln` is not a time zone"
        in newsroom("compile", "w48", code=1).err
    )


def test_a_draft_of_many_posts_has_sections_and_an_appeal_alone_is_urgent(
    newsroom: CommandLine, catcher: Catcher
) -> None:
    newsroom("issues", "new", "2026-11-23-driver")
    (alone,) = (path for path in (newsroom.root / "issues").iterdir() if "bulletin" in path.name)
    assert "template: appeal" in alone.read_text("utf-8")
    name = alone.name.removesuffix(".en.md")
    with newsroom.relay(catcher):
        sent = newsroom("send", name, "--segment", "unions", "--yes", "--json").json
    assert sent["urgent"] is True
    for number in range(4):
        newsroom.write(
            f"posts/2026-11-2{number}-x.en.md", f"---\ntitle: News {number}\n---\nNews.\n"
        )
    newsroom("issues", "new")
    drafts = [path.read_text("utf-8") for path in (newsroom.root / "issues").iterdir()]
    assert any("sections: true" in text for text in drafts)


def test_what_was_edited_since_it_was_compiled_is_not_sent_unseen(
    newsroom: CommandLine, catcher: Catcher
) -> None:
    order = ("send", "w48", "--segment", "unions", "--yes")
    newsroom("compile", "w48")
    time.sleep(0.02)
    newsroom.write("posts/2026-11-24-harbour.en.md", STORY.replace("counted again", "voted"))
    with newsroom.relay(catcher):
        said = newsroom(*order, code=1).err
        assert "files of `w48` were changed since it was compiled. `mailout compile w48`" in said
        assert "w48 --accept" not in said
        newsroom("approve", "w48", code=1)
        proof = newsroom("test", "w48", "--to", "me@example.org").err
        assert "this is a proof of what was compiled" in proof
        newsroom("compile", "w48")
        newsroom("approve", "w48")
        newsroom.write("posts/2026-11-24-harbour.en.md", STORY.replace("counted again", "slept"))
        said = newsroom(*order).err
    assert "Files were changed since w48 was approved: what was approved is sent." in said
    assert "voted" in text_of(arrived(catcher)["anna"])


def test_a_file_that_was_only_touched_changes_nothing(
    newsroom: CommandLine, catcher: Catcher
) -> None:
    newsroom("compile", "w48")
    time.sleep(0.02)
    newsroom.write("posts/2026-11-24-harbour.en.md", STORY)
    with newsroom.relay(catcher):
        newsroom("send", "w48", "--segment", "unions", "--yes")
    assert set(arrived(catcher)) == {"anna", "boris", "carla", "dora"}


@pytest.mark.parametrize("by", ["remove", "erase"])
def test_a_name_that_is_taken_back_is_in_no_mail(
    newsroom: CommandLine, catcher: Catcher, by: str
) -> None:
    for who in ("anna", "boris"):
        newsroom("signatories", "add", f"{who}@example.org", "--name", f"{who.title()} Berg",
                 "--consent", "a letter")  # fmt: skip
    newsroom.write("issues/w48.en.md", "---\nposts: [2026-11-24-harbour]\nsignatories: true\n---\n")
    newsroom("compile", "w48")
    newsroom("approve", "w48")
    if by == "remove":
        said = newsroom("signatories", "remove", "boris@example.org").out
        assert "w48 is not sent before you compile it anew" in said
    else:
        newsroom("subscribers", "erase", "boris@example.org", "--yes")
    with newsroom.relay(catcher):
        said = newsroom("send", "w48", "--segment", "unions", "--yes", code=1).err
        assert "somebody whom `w48` names took that back since it was compiled" in said
        newsroom("compile", "w48")
        newsroom("send", "w48", "--segment", "unions", "--yes")
    mail = text_of(arrived(catcher)["anna"])
    assert "Anna Berg" in mail and "Boris Berg" not in mail


def test_what_authors_say_to_each_other_is_mailed_to_nobody(newsroom: CommandLine) -> None:
    note = "<!-- do not print: the source is Aigerim,\n+7 701 000 -->"
    newsroom.write(
        "posts/2026-11-24-harbour.en.md",
        STORY.replace("<!--more-->", f"{note}\n\n<!-- More -->"),
    )
    newsroom.write(
        "issues/w48.en.md",
        f"---\nposts: [2026-11-23-driver, 2026-11-24-harbour]\n---\nHello {note} all.\n",
    )
    newsroom("compile", "w48")
    for built in (newsroom.root / "build" / "w48").iterdir():
        text = built.read_text("utf-8")
        assert "Aigerim" not in text and "do not print" not in text
    assert "Continue reading" in (newsroom.root / "build/w48/en.txt").read_text("utf-8")
    newsroom.write("posts/2026-11-24-harbour.en.md", "---\ntitle: x\n---\n\na\n<!-- open\n")
    said = newsroom("compile", "w48", code=1).err
    assert "2026-11-24-harbour.en.md:6: a comment that begins here has no end" in said


def test_before_its_embargo_is_over_nothing_of_an_issue_is_public(
    newsroom: CommandLine, catcher: Catcher
) -> None:
    newsroom.write(
        "posts/2026-11-25-release.en.md",
        "---\ntitle: We win\nkind: press-release\nembargo: 2999-01-01 10:00\n---\n\nWe win.\n",
    )
    newsroom.write(
        "issues/w49.en.md", "---\nposts: [2026-11-24-harbour, 2026-11-25-release]\n---\n"
    )
    with newsroom.relay(catcher):
        newsroom("send", "w49", "--segment", "unions", "--yes")
    mail = text_of(arrived(catcher)["anna"])
    assert "Embargoed until Tuesday, 1 January 2999, 10:00" in mail
    assert "/archive/" not in mail
    built = newsroom("archive", "build")
    assert "left out: w49: embargoed until 2999-01-01 10:00 UTC" in built.out
    pages = (newsroom.root / "build" / "archive").rglob("*.*")
    assert not any(b"We win" in page.read_bytes() for page in pages if page.is_file())


@pytest.mark.parametrize(
    ("head", "body", "says"),
    [
        ("kind: appeal", "Help!", ":1: an appeal without `actions`"),
        ("event: {start: 2020-01-01 10:00, timezone: UTC}", "x", ":3: the event is over"),
        ("event: {start: 2999-01-01 10:00}", "x", ":3: the event has no `timezone`"),
        ("embargo: 2020-01-01 10:00", "x", ":1: the embargo is over"),
        ("date: 2999-01-01", "x", ":1: the post is of a day to come, 2999-01-01"),
        ("lang: en", "", ":1: the post has no text"),
        ("lang: en", "Забастовка продолжается, и ворота порта закрыты до утра.",
         ":1: the text is in Cyrillic letters, its language is `en`"),
        ("lang: en", "> " * 150 + "deepword", "words of the post are not in the mail: deepword"),
        ("lang: en", "| a | b |\n|---|---|\n| 1 | 2 | lostcell |",
         ":7: words of the post are not in the mail: lostcell"),
        ("lang: en", "![](https://x.example.org/a.jpg)", "is not shown, and it has no text"),
    ],
)  # fmt: skip
def test_what_an_organiser_in_a_hurry_should_look_at(
    newsroom: CommandLine, head: str, body: str, says: str
) -> None:
    newsroom.write("posts/2026-11-24-harbour.en.md", f"---\ntitle: x\n{head}\n---\n{body}\n")
    assert says in newsroom("compile", "w48").err


def test_translations_that_ask_for_different_things_are_told(shell: CommandLine) -> None:
    shell.fall_back_to_english()
    shell.write(
        "posts/2026-11-23-driver.en.md", APPEAL.replace("targets: embassies", "to: a@example.org")
    )
    shell.write("posts/2026-11-23-driver.ru.md", "---\ntitle: Свободу\n---\n\nОна ещё в тюрьме.\n")
    shell.write("issues/w48.en.md", "---\nposts: [2026-11-23-driver]\n---\n")
    said = shell("compile", "w48").err
    assert "driver.ru.md:1: another kind than in posts/2026-11-23-driver.en.md" in said
    assert "driver.ru.md:1: another number of `actions` than in" in said


def test_lists_as_deep_as_people_write_them_are_kept(newsroom: CommandLine) -> None:
    deep = "".join(f"{'  ' * level}- level{level}\n" for level in range(30))
    newsroom.write("posts/2026-11-24-harbour.en.md", f"---\ntitle: x\n---\n{deep}")
    assert "not in the mail" not in newsroom("compile", "w48").err
    for kind in ("html", "txt"):
        assert "level29" in (newsroom.root / "build" / "w48" / f"en.{kind}").read_text("utf-8")


def test_a_proof_is_what_readers_of_that_country_get(
    newsroom: CommandLine, catcher: Catcher
) -> None:
    newsroom("compile", "w48")
    with newsroom.relay(catcher):
        newsroom("test", "w48", "--to", "de@example.org", "--country", "de")
        newsroom(
            "test", "w48", "--to", "kz@example.org", "--country", "KZ", "--edition", "standard"
        )
        newsroom("test", "w48", "--to", "me@example.org", "--country", "Egypt", code=2)
        newsroom("test", "w48", "--to", "me@example.org", "--country", "UK", code=2)
    mails = arrived(catcher)
    assert "berlin@embassy.example.org" in text_of(mails["de"])
    assert "the whole story" not in text_of(mails["de"])
    assert "office@ministry.example.org" in text_of(mails["kz"])
    assert "the whole story" in text_of(mails["kz"])


def test_debris_of_other_programs_is_found(newsroom: CommandLine) -> None:
    for words in ("Hello *|FNAME|*,", "Hello [[first_name]],", "Hello %%NAME%%,", "a <b>word</b>",
                  "[a](javascript:x)"):  # fmt: skip
        newsroom.write("posts/2026-11-24-harbour.en.md", f"---\ntitle: x\n---\n{words}\n")
        assert "warning T04" in newsroom("check", "w48").out, words


def test_a_post_that_nobody_has_written_is_not_mailed(newsroom: CommandLine) -> None:
    name = newsroom("posts", "new", "A meeting", "--kind", "event").out.splitlines()[0]
    text = (newsroom.root / name).read_text("utf-8")
    assert "event:" in text and "18:00" in text
    newsroom.write(name, text.replace("draft: true", "draft: false"))
    key = name.removeprefix("posts/").removesuffix(".en.md")
    newsroom.write("issues/w49.en.md", f"---\nposts: [{key}]\n---\n")
    said = newsroom("compile", "w49", code=1).err
    assert "the post still begins as it was made: `The opening: what happened" in said
    appeal = newsroom("posts", "new", "Help", "--kind", "appeal").out.splitlines()[0]
    assert "reply: true" in (newsroom.root / appeal).read_text("utf-8")
    assert newsroom("posts", "list").err == "", "what was begun can be read"


def test_a_check_takes_no_approval_back_and_a_compilation_says_so(
    newsroom: CommandLine, catcher: Catcher
) -> None:
    newsroom("compile", "w48")
    newsroom("approve", "w48")
    time.sleep(0.02)
    newsroom.write("posts/2026-11-24-harbour.en.md", STORY.replace("counted again", "voted"))
    assert "this is what was approved" in newsroom("check", "w48").err
    assert newsroom("issues", "show", "w48", "--json").json["approved"] is True
    assert "were changed since it was compiled" in newsroom("approve", "w48", code=1).err
    with newsroom.relay(catcher):
        order = ("send", "w48", "--segment", "unions", "--yes")
        at = (datetime.now(UTC) + timedelta(hours=2)).isoformat()
        newsroom(*order, "--at", at)
        assert "This took the approval of w48 back" in newsroom("compile", "w48").err
        assert "w48 was compiled anew since it was ordered" in newsroom(*order).err
    assert newsroom("issues", "show", "w48", "--json").json["approved"] is True


def test_a_newer_draft_is_not_passed_by(newsroom: CommandLine, catcher: Catcher) -> None:
    newsroom("compile", "w48")
    newsroom.write("posts/2026-11-26-new.en.md", "---\ntitle: New\n---\n\nNews.\n")
    newsroom.write("issues/w49.en.md", "---\nposts: [2026-11-26-new, 2026-11-24-harbour]\n---\n")
    with newsroom.relay(catcher):
        said = newsroom("send", "--segment", "unions", "--yes", code=1).err
        assert "the issue `w49` was drafted, but not compiled" in said
        newsroom("send", "w48", "--segment", "unions", "--yes")
    said = newsroom("compile", "w49").err
    assert "the post 2026-11-24-harbour was in an issue that is sent already" in said

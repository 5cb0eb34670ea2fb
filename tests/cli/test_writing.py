"""From files to readers: editions, countries, languages, sections, as their readers get them."""

from __future__ import annotations

import email
import email.policy
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

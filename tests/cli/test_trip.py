"""The whole trip by its commands, and every way in which it can be refused."""

from __future__ import annotations

import email
import email.policy
import re
from collections import Counter

import pytest

from command_line import CommandLine, IssueCatcher
from mailout.cli.main import main
from mailout.core.delivery import DeliveryState
from mailout.smtp.catcher import Catcher

PEOPLE = """\
email,name,language,country,tags
anna@example.org,Anna,en,GB,unions
boris@example.org,Борис,ru,KZ,unions
carla@example.org,Carla,de,DE,unions; journalists
dana@example.org,,kk,KZ,journalists
"""
POST = "---\ntitle: {title}\ndate: 2026-11-24\n---\n\nSomething happened at {title}.\n"
STATES = {state.value: 0 for state in DeliveryState}


def recipients(catcher: Catcher) -> Counter[str]:
    return Counter(message.recipients[0] for message in catcher.messages)


def test_import_and_send_are_all_it_takes(shell: CommandLine, catcher: Catcher) -> None:
    report = shell.import_people(PEOPLE, "--json").json
    assert (report["rows_read"], report["added"], report["refused"]) == (4, 4, [])
    assert report["by_tag"] == {"unions": 3, "journalists": 2}
    assert report["by_language"] == {"en": 1, "ru": 1, "de": 1, "kk": 1}
    with shell.relay(catcher):
        sent = shell("send", "--segment", "unions", "--yes", "--json")
        assert sent.json["deliveries"] == STATES | {"accepted": 3}
        assert sent.json["state"] == "done"
        again = shell("send", "--segment", "unions", "--yes", "--json")
        assert again.json["issue"] is None
        assert again.json["why"] == "every ready post was sent already"
        overlap = shell("send", sent.json["issue"], "--segment", "journalists", "--yes", "--json")
        assert overlap.json["deliveries"] == STATES | {"accepted": 1}
        assert overlap.json["left_out"] == {"have it already": 1}
    assert set(recipients(catcher).values()) == {1}
    status = shell("status", "--json").json
    assert status["issue"] == sent.json["issue"]
    assert status["deliveries"] == STATES | {"accepted": 4}
    assert [d["segment"] for d in status["dispatches"]] == [
        "bulletin/unions", "bulletin/journalists",
    ]  # fmt: skip
    rows = shell("deliveries", "list", status["issue"], "--json").json
    assert {row["address"] for row in rows} == set(recipients(catcher))
    ids = {email.message_from_bytes(m.content)["Message-ID"] for m in catcher.messages}
    assert {row["message_id"] for row in rows} == ids
    assert {"address", "state", "attempts", "message_id", "last_reply"} <= rows[0].keys()


def test_each_reader_gets_their_language(shell: CommandLine, catcher: Catcher) -> None:
    shell.import_people(PEOPLE)
    with shell.relay(catcher):
        shell("send", "--segment", "unions", "--yes")
    languages = {
        message.recipients[0]: email.message_from_bytes(message.content)["Content-Language"]
        for message in catcher.messages
    }
    assert languages == {
        "anna@example.org": "en", "boris@example.org": "ru", "carla@example.org": "de",
    }  # fmt: skip
    (boris,) = (m for m in catcher.messages if m.recipients[0].startswith("boris"))
    parsed = email.message_from_bytes(boris.content, policy=email.policy.default)
    text, html = (part.get_content() for part in parsed.iter_parts())
    assert "Борис" in text and "Борис" in html
    assert "zqslot" not in boris.content.decode()


def test_the_next_issue_holds_only_what_is_new(shell: CommandLine, catcher: Catcher) -> None:
    shell.fall_back_to_english()
    shell.import_people(PEOPLE)
    with shell.relay(catcher):
        first = shell("send", "--segment", "unions", "--yes", "--json").json["issue"]
        shell.write("posts/2026-11-24-strike.en.md", POST.format(title="The harbour"))
        second = shell("send", "--segment", "unions", "--yes", "--json").json["issue"]
    assert second != first
    assert shell("issues", "show", second, "--json").json["posts"] == ["2026-11-24-strike"]
    states = {row["key"]: row["state"] for row in shell("posts", "list", "--json").json}
    assert states == {"2026-11-24-welcome": "sent", "2026-11-24-strike": "sent"}


def test_the_newest_issue_goes_to_each_segment_in_turn(
    shell: CommandLine, catcher: Catcher
) -> None:
    shell.import_people(PEOPLE)
    with shell.relay(catcher):
        one = shell("send", "--segment", "unions", "--yes", "--json").json["issue"]
        two = shell("send", "--segment", "journalists", "--yes", "--json").json["issue"]
    assert one == two
    assert set(recipients(catcher).values()) == {1}


def test_a_dry_run_writes_nothing(shell: CommandLine, catcher: Catcher) -> None:
    shell.import_people(PEOPLE)
    with shell.relay(catcher):
        said = shell("send", "--segment", "unions", "--dry-run", "--json")
    assert said.json["total"] == 3
    assert said.json["by_language"] == {"en": 1, "ru": 1, "de": 1}
    assert not catcher.messages
    assert not list((shell.root / "issues").glob("*.md"))
    assert shell("issues", "list", "--json").json == []


def test_a_count_must_be_typed_or_yes_said(shell: CommandLine, catcher: Catcher) -> None:
    shell.import_people(PEOPLE)
    with shell.relay(catcher):
        said = shell("send", "--segment", "unions", code=2)
    assert "Add --yes in scripts" in said.err
    assert not catcher.messages


def test_a_relay_that_is_down_holds_and_the_same_command_goes_on(
    shell: CommandLine, catcher: Catcher
) -> None:
    shell.import_people(PEOPLE)
    with Catcher() as gone, shell.relay(gone):
        gone.stop()
        said = shell("send", "--segment", "unions", "--yes", code=75)
    assert "no server answers there" in said.err and "The same command goes on" in said.err
    held = shell("status", "--json").json["dispatches"][0]
    assert held["state"] == "held" and "no server answers there" in held["held_why"]
    with shell.relay(catcher):
        said = shell("send", "--segment", "unions", "--yes")
    assert "Going on with" in said.err
    assert sum(recipients(catcher).values()) == 3


def test_deferred_ones_end_with_75_and_refused_ones_with_0(shell: CommandLine) -> None:
    shell.import_people(PEOPLE)
    rules = {"anna@example.org": "451 4.3.0 later", "boris@example.org": "550 5.1.1 unknown"}
    with IssueCatcher(rules=rules) as catcher, shell.relay(catcher):
        said = shell("send", "--segment", "unions", "--yes", code=75)
        assert "1 are deferred" in said.err
        shell("send", "--segment", "journalists", "--yes")
    log = shell("bounces", "list", "--json").json
    assert [(row["address"], row["reply"]) for row in log] == [
        ("boris@example.org", "550 5.1.1 unknown")
    ]
    table = shell("bounces", "list").out
    assert "boris@example.org" in table and "550 5.1.1 unknown" in table
    assert len(shell("bounces", "list", "--deferred", "--json").json) == 2


def test_compile_approve_and_what_takes_an_approval_back(
    shell: CommandLine, catcher: Catcher
) -> None:
    shell.import_people(PEOPLE)
    name = shell("issues", "new").out.splitlines()[0].removeprefix("issues/").split(".")[0]
    said = shell("send", "--segment", "unions", "--yes", code=1)
    assert "was drafted, but not compiled" in said.err
    shell("compile", name)
    assert (shell.root / "build" / name / "ru.eml").exists()
    shell("approve", name)
    assert shell("issues", "show", name, "--json").json["state"] == "approved"
    shell("compile", name)
    assert shell("issues", "show", name, "--json").json["state"] == "approved", "nothing changed"
    file = shell.root / "issues" / f"{name}.en.md"
    file.write_text(file.read_text().replace("subject: ", "subject: New "))
    shell("compile", name)
    assert shell("issues", "show", name, "--json").json["state"] == "compiled"
    with shell.relay(catcher):
        shell("send", name, "--segment", "unions", "--yes")
    assert "stays as it is" in shell("compile", name, code=1).err


def test_a_proof_goes_to_one_address(shell: CommandLine, catcher: Catcher) -> None:
    shell("issues", "new")
    shell("compile")
    name = shell("issues", "list", "--json").json[0]["issue"]
    with shell.relay(catcher):
        shell("test", name, "--to", "me@example.org", "-l", "ru", "-l", "en")
        assert "no `xx`" in shell("test", name, "--to", "me@example.org", "-l", "xx", code=2).err
        shell("test", name, "--to", "nobody", code=2)
    assert recipients(catcher) == {"me@example.org": 2}
    assert shell("status", "--json").json["deliveries"] == STATES


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("send", "--segment", "unoins", "--yes"), "no segment `unoins`. Did you mean `unions`?"),
        (("send", "x", "--segment", "unions", "--yes"), "no issue `x`"),
        (("send", "--segment", "unions", "--exclude", "nobody"), "no segment `bulletin/nobody`"),
        (("issues", "show", "x"), "no issue `x`"),
        (("approve", "x"), "no issue `x` has been compiled"),
        (("deliveries", "list", "x"), "no issue `x` has been compiled"),
        (("issues", "new", "no-such-post"), "no post `no-such-post`"),
        (("posts", "new", "X", "--kind", "raport"), "Did you mean `report`?"),
    ],
)
def test_names_that_are_not_there(shell: CommandLine, words: tuple[str, ...], says: str) -> None:
    assert says in shell(*words, code=2).err


def test_a_colleagues_half_written_file_keeps_no_issue_back(shell: CommandLine) -> None:
    shell.write("issues/x.en.md", "---\nposts: [2026-11-24-welcome]\n---\n")
    shell.write("issues/half.en.md", "---\npsots: [x]\n---\n")
    shell.write("posts/2026-11-30-half.en.md", "---\ntitle: Half\nkind: repot\ndraft: true\n---\n")
    told = "left out: posts/2026-11-30-half.en.md:3: unknown kind `repot`. Did you mean `report`?"
    for words in (("compile", "x"), ("issues", "new")):
        assert told in shell(*words).err
    assert told in shell("posts", "list").err
    built = shell("archive", "build").out
    assert "left out: posts/2026-11-30-half.en.md:3: unknown kind `repot`" in built
    assert "left out: issues/half.en.md:2: unknown key `psots`" in built


@pytest.mark.parametrize(
    ("path", "text", "says"),
    [
        ("posts/2026-11-24-welcome.en.md", "---\ntitle: a: b\n---\n", "welcome.en.md:2:9: the front matter is not YAML"),
        ("posts/2026-11-24-welcome.en.md", "---\ntilte: a\n---\n", "welcome.en.md:2: unknown key `tilte`"),
        ("issues/x.en.md", "---\nposts: [nope]\n---\n", "issues/x.en.md:2: there is no post `nope`"),
        ("issues/x.en.md", "---\nposts: [2026-11-24-welcome]\nsubject: \"a\\nBcc: b@example.org\"\n---\n",
         "issues/x.en.md: the subject holds a control character"),
        ("templates/bulletin.html.j2", "{{ posts[0].titel }}", "templates/bulletin.html.j2:1:"),
        ("templates/bulletin.html.j2", "{% if %}", "templates/bulletin.html.j2:1: Expected an expr"),
        ("templates/bulletin.html.j2", "\n\n{{ ().__class__ }}", "templates/bulletin.html.j2:3:"),
        ("templates/bulletin.html.j2", "<p>no way out", "prints no unsubscribe link"),
        ("templates/bulletin.html.j2", "<style>@import 'http://127.0.0.1/x.css';</style>", "`@import`"),
    ],
)  # fmt: skip
def test_broken_files_stop_the_compilation_and_nothing_else(
    shell: CommandLine, path: str, text: str, says: str
) -> None:
    shell.fall_back_to_english()
    shell.write("issues/x.en.md", "---\nposts: [2026-11-24-welcome]\n---\n")
    shell.write(path, text)
    assert says in shell("compile", "x", code=1).err
    assert shell("status", "--json").json["issue"] is None


@pytest.mark.parametrize(
    ("path", "old", "new", "says"),
    [
        ("config.toml", "[store]", "[store]\nulr = 1", "config.toml:20: unknown key `ulr`"),
        ("config.toml", "port = 2525", "port = true", "config.toml:"),
        ("config.toml", 'host = "127.0.0.1"\nport = 2525', 'host = "mail.example.org"', "in the clear"),
        ("config.toml", 'url = "http://127.0.0.1:8080"', 'url = "http://news.example.org"', "need https"),
        ("lists/bulletin.toml", "postal_address", "postal_adress", "Did you mean `postal_address`?"),
        ("lists/bulletin.toml", 'rule = "tag = unions"', 'rule = "tga = unions"', "`tga` is no field"),
    ],
)  # fmt: skip
def test_broken_settings_name_the_line(
    shell: CommandLine, path: str, old: str, new: str, says: str
) -> None:
    text = (shell.root / path).read_text()
    assert old in text
    shell.write(path, text.replace(old, new, 1))
    assert says in shell("status", code=1).err


def test_a_segment_of_two_lists_must_be_named_in_full(shell: CommandLine) -> None:
    text = (shell.root / "lists/bulletin.toml").read_text()
    shell.write("lists/urgent.toml", text)
    said = shell("send", "--segment", "unions", "--yes", code=2)
    assert "`bulletin/unions` or `urgent/unions`" in said.err


def test_doctor_names_what_would_keep_a_send_from_working(
    shell: CommandLine, catcher: Catcher
) -> None:
    with shell.relay(catcher):
        good = shell("doctor")
        assert "FAIL" not in good.out and "ok    store" in good.out
        catcher.stop()
        bad = shell("doctor", code=1)
    assert "FAIL  relay" in bad.out


def test_doctor_tries_the_templates_and_measures_the_links(
    shell: CommandLine, catcher: Catcher
) -> None:
    long = f"https://{'a-long-name-of-a-campaign-' * 2}.example.org"
    text = (shell.root / "config.toml").read_text()
    shell.write("config.toml", text.replace("http://127.0.0.1:8080", long))
    shell.write("templates/bulletin.html.j2", "{{ nosuch.thing }}")
    with shell.relay(catcher):
        said = shell("doctor", code=1).out
    assert "FAIL  templates, for the list bulletin: templates/bulletin.html.j2:1:" in said
    assert "note  length of the links" in said


def test_help_of_every_command_shows_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    import click

    from mailout.cli.main import mailout

    def commands(group: click.Group, path: tuple[str, ...]) -> list[tuple[str, ...]]:
        found = []
        context = click.Context(group)
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            if isinstance(command, click.Group):
                found += commands(command, (*path, name))
            else:
                found.append((*path, name))
        return found

    for words in commands(mailout, ()):
        assert main([*words, "--help"]) == 0
        assert re.search(r"Examples?:[\s\S]*mailout", capsys.readouterr().out), words

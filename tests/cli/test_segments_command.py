"""`mailout segments show` with a rule, and rules to leave people out by, as a person types them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from command_line import CommandLine
from mailout.config.site import read_site
from mailout.send import plan
from mailout.smtp.catcher import Catcher
from mailout.store import dispatches
from mailout.store.engine import open_store

PEOPLE = """email,language,country,tags,status
anna@x.org,de,DE,unions,
boris@x.org,ru,KZ,unions,
clara@x.org,de,GB,unions;sponsors,
dana@x.org,kk,KZ,journalists,
emil@x.org,,,unions,pending
"""


def test_a_rule_is_tried(shell: CommandLine) -> None:
    shell.import_people(PEOPLE)
    rule = "tag = unions and not country in (GB, KZ)"
    assert shell("segments", "show", "--rule", rule, "--count").out == "1\n"
    assert shell("segments", "show", "--rule", "segment unions", "--count").out == "3\n"
    assert shell("segments", "show", "--rule", "unions", "--count").out == "3\n"
    shown = shell("segments", "show", "--rule", rule, "--explain", "--sample", "9").out.splitlines()
    assert shown[0] == "bulletin, a rule: tag = unions and not country in (GB, KZ)"
    assert shown[1] == "2 people on the list; an issue would go to 1 of them now."
    assert "left out: not confirmed\t1" in shown
    assert (
        "People who have the tag unions, and it is not so that they have the country GB or KZ."
        in shown
    )
    assert "  not country in (GB, KZ)\t2" in shown and "    country in (GB, KZ)\t3" in shown
    assert shown[shown.index("How the database finds them:") + 1].startswith("  ")


def test_a_sample_without_a_number_and_a_rule_for_a_name(shell: CommandLine) -> None:
    shell.import_people(PEOPLE)
    shown = shell("segments", "show", "unions", "--count", "--sample", "--explain").out
    assert shown.startswith("3\naddress\t") and "\nPeople who have the tag unions.\n" in shown
    said = shell("segments", "show", "tag = unions", code=2).err
    assert "`tag = unions` is a rule, and no segment's name. Put --rule before it" in said


def test_a_rule_as_json(shell: CommandLine) -> None:
    shell.import_people(PEOPLE)
    found = shell("segments", "show", "--rule", "joined by import", "--explain", "--json").json
    assert (found["segment"], found["rule"], found["matching"]) == (None, "joined by import", 5)
    assert found["in_words"] == "People who came on the list by an import."
    assert found["explain"] == [{"depth": 0, "text": "joined by import", "count": 5}]
    assert all(isinstance(line, str) for line in found["found_by"])


def test_a_keyword_alone_is_a_rule_in_any_case(shell: CommandLine) -> None:
    shell.import_people(PEOPLE)
    assert shell("segments", "show", "--rule", "Everyone", "--count").out == "4\n"


def test_a_sample_of_a_sensitive_segment_as_json_needs_a_reason(shell: CommandLine) -> None:
    shell.import_people(PEOPLE)
    path = shell.root / "lists" / "bulletin.toml"
    hidden = '[segments.guests]\nrule = "tag = sponsors"\nsensitive = true\n'
    path.write_text(path.read_text("utf-8") + "\n" + hidden, "utf-8")
    asked = ("segments", "show", "guests", "--json")
    assert shell(*asked).json["count"] == 1  # nobody is shown by that
    rule = ("segments", "show", "--rule", "tag = sponsors", "--json", "--sample", "1")
    for words in ((*asked, "--sample", "1"), rule):
        assert "bulletin/guests" in shell(*words, code=2).err
    assert shell("exports", "--json").json == []
    shown = shell(*asked, "--sample", "9", "--reason", "the board asked").json
    assert shown["sample"] == ["clara@x.org"]
    (kept,) = shell("exports", "--json").json
    assert (kept["what"], kept["form"]) == ("segment bulletin/guests", "JSON")
    assert (kept["rows"], kept["reason"]) == (1, "the board asked")
    assert shell("segments", "show", "unions", "--json", "--sample", "1").json["sample"]


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("--rule", "tag < unions"), 1, "--rule, column 5: `tag` has no order"),
        (("--rule", ""), 1, "--rule, column 1: the rule ends here"),
        (("--rule", "language = kz"), 1, "  language = kz\n             ^\nWrite `kk`."),
        (("--rule", "received(w47)"), 1, "the issue `w47`, and there is none"),
        (("--rule", "unoins"), 2, "no segment `unoins`. Did you mean `unions`?"),
        (("--rule", "tag = a or segment unoins"), 1, "column 20: there is no segment `unoins`"),
        (("--rule", "not"), 1, "--rule, column 4: the rule ends here"),
        (("--rule", "tag = a", "--list", "bulletn"), 2, "Did you mean `bulletin`?"),
        (("unions", "--rule", "tag = a"), 2, "one of the two"),
        ((), 2, "name a segment"),
    ],
)
def test_what_is_wrong_is_told(
    shell: CommandLine, words: tuple[str, ...], code: int, says: str
) -> None:
    assert says in shell("segments", "show", *words, code=code).err


def test_with_two_lists_the_list_is_named(shell: CommandLine) -> None:
    path = shell.root / "lists" / "bulletin.toml"
    shell.write("lists/press.toml", path.read_text("utf-8"))
    shell.import_people(PEOPLE)
    assert "--list" in shell("segments", "show", "--rule", "tag = unions", code=2).err
    count = ("--list", "press", "--count")
    assert shell("segments", "show", "--rule", "tag = unions", *count).out == "0\n"
    rule = "list = press or list = bulletin"
    found = shell("segments", "show", "--rule", rule, "--list", "bulletin", "--json").json
    assert found["matching"] == 4  # who has not confirmed is on no list yet


def dry_run(shell: CommandLine, *words: str) -> dict[str, object]:
    found = shell("send", "--segment", "unions", "--dry-run", "--json", *words).json
    return {key: found[key] for key in ("total", "left_out")}


def test_people_are_left_out_by_rules(shell: CommandLine) -> None:
    shell.import_people(PEOPLE)
    shell.fall_back_to_english()
    assert dry_run(shell, "--exclude", "country = GB")["total"] == 2
    assert dry_run(shell, "--exclude", "country = GB", "--exclude", "language = ru") == {
        "total": 1, "left_out": {"excluded": 2, "not confirmed": 1},
    }  # fmt: skip
    words = ("--exclude", "journalists", "--exclude", "bulletin/unions", "--exclude", "everyone")
    assert dry_run(shell, *words)["total"] == 0
    assert dry_run(shell, "--exclude", "journalists")["total"] == 3
    send = ("send", "--segment", "unions", "--dry-run", "--exclude")
    assert "--exclude, column 1: `contry`" in shell(*send, "contry = GB", code=1).err
    assert "no segment `bulletin/unoins`" in shell(*send, "unoins", code=2).err
    assert "`w47`, and there is none" in shell(*send, "received(w47)", code=1).err


def test_a_rule_to_leave_out_by_is_evaluated_when_the_sending_begins(
    shell: CommandLine, catcher: Catcher
) -> None:
    shell.import_people(PEOPLE)
    shell.fall_back_to_english()
    at = (datetime.now(UTC) + timedelta(hours=2)).strftime("%Y-%m-%d %H:%MZ")
    words = ("send", "--segment", "unions", "--yes", "--exclude", "country = GB or tag = resting")
    ordered = shell(*words, "--exclude", "journalists", "--at", at, "--json").json
    assert ordered["exclude"] == "(country = GB or tag = resting) or segment journalists"
    shell("subscribers", "tag", "boris@x.org", "--add", "resting")
    store = open_store(read_site(shell.root).store.url, shell.root)
    with store.reading() as tx:
        dispatch = dispatches.get(tx, 1)
    plan.move(store, dispatch, datetime.now(UTC) - timedelta(minutes=1))
    store.close()
    with shell.relay(catcher):
        shell("send", "--segment", "unions", "--yes")
    assert [message.recipients for message in catcher.messages] == [("anna@x.org",)]

"""Rules and fields of a list's file: what makes no sense is told with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailout.config.site import read_site
from mailout.core.errors import MailoutError
from mailout.core.segment import Comparison, Kind, written

FIELDS = """
[fields.branch]
type = "choice"
choices = ["harbour", "rail"]
label = { en = "Branch", de = "Branche" }

[fields.skills]
type = "choices"
choices = ["print", "translate"]

[fields.delegate]
type = "yes-no"

[fields.age]
type = "number"

[fields.since]
type = "date"

[fields.workplace]
type = "text"
"""


def add(root: Path, text: str, file: str = "bulletin") -> Path:
    path = root / "lists" / f"{file}.toml"
    path.write_text(f"{path.read_text('utf-8')}\n{text}", "utf-8")
    return path


def another(root: Path, text: str = "") -> None:
    bulletin = (root / "lists" / "bulletin.toml").read_text("utf-8")
    (root / "lists" / "press.toml").write_text(f"{bulletin}\n{text}", "utf-8")


def test_fields_of_a_list(site_root: Path) -> None:
    add(site_root, FIELDS + '[segments.rail]\nrule = "branch = RAIL and age >= 18"\n')
    bulletin = read_site(site_root).lists["bulletin"]
    assert bulletin.settings.fields["branch"].label["de"] == "Branche"
    assert bulletin.vocabulary.fields["skills"].choices == ("print", "translate")
    assert {one.kind for one in bulletin.vocabulary.fields.values()} == set(list(Kind)[-6:])
    assert written(bulletin.rule("rail")) == "branch = rail and age >= 18"
    assert bulletin.people("delegate = yes", "--rule") == Comparison(
        "delegate", "=", ("yes",), Kind.YES_NO
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[fields.branch]\ntype = "chioce"', "`type` must be"),
        ('[fields.branch]\ntype = "choice"', "has no choices"),
        ('[fields.branch]\ntype = "text"\nchoices = ["a"]', 'Write `type = "choice"`'),
        ('[fields.branch]\ntype = "choice"\nchoices = ["a", "A"]', "`A` stands here twice"),
        ('[fields.branch]\ntype = "choice"\nchoices = [" a"]', "cannot be a choice"),
        ('[fields.branch]\ntype = "choice"\nchoices = [1]', "`0` must be a text in quotes"),
        ('[fields.branch]\nkind = "text"', "unknown key `kind`"),
        ('[fields.Branch]\ntype = "text"', "cannot be called `Branch`"),
        ('[fields."a b"]\ntype = "text"', "cannot be called `a b`"),
        ('[fields.joined]\ntype = "date"', "has a meaning already"),
        ('[fields.received]\ntype = "date"', "has a meaning already"),
        ('[fields.signatory]\ntype = "text"', "has a meaning already"),
        ('[fields.age]\ntype = "number"\nlabel = { xx = "Age" }', "`xx` is not among"),
    ],
)
def test_a_field_that_makes_no_sense(site_root: Path, text: str, says: str) -> None:
    path = add(site_root, text)
    line = path.read_text("utf-8").splitlines().index(text.splitlines()[0]) + 1
    with pytest.raises(MailoutError) as caught:
        read_site(site_root)
    assert says in str(caught.value)
    file, _, place = caught.value.where.partition(":")
    assert file == "lists/bulletin.toml"
    assert "label" in text or line <= int(place) <= line + 2


def test_two_lists_mean_the_same_by_a_field(site_root: Path) -> None:
    another(site_root, '[fields.age]\ntype = "text"')
    read_site(site_root)
    add(site_root, '[fields.age]\ntype = "number"')
    with pytest.raises(
        MailoutError, match=r"`age` is something else in lists/bulletin\.toml: number"
    ):
        read_site(site_root)


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ("contry = DE", "column 1: `contry` is no field\n"),
        ("brench = rail", "Did you mean `branch`?"),
        ("branch = raill", "column 10: `raill` is not among the choices"),
        ("age = rail", "column 7: `rail` is not a number"),
        ("list = pres", "there is no list `pres`"),
        ("segment unoins", "column 9: there is no segment `unoins`\n"),
        ("not segment odd", "segments go in a circle: odd -> odd"),
        ("segment even", "segments go in a circle: odd -> even -> odd"),
    ],
)
def test_a_rule_that_makes_no_sense(site_root: Path, rule: str, says: str) -> None:
    another(site_root)
    even = '[segments.even]\nrule = "tag = a or segment odd"\n' if "even" in rule else ""
    path = add(site_root, f'{FIELDS}\n[segments.odd]\nrule = "{rule}"\n{even}')
    line = path.read_text("utf-8").splitlines().index(f'rule = "{rule}"') + 1
    with pytest.raises(MailoutError) as caught:
        read_site(site_root)
    assert says in str(caught.value)
    assert str(caught.value).startswith(f"lists/bulletin.toml:{line}")


def test_days_are_those_of_the_site(site_root: Path) -> None:
    config = site_root / "config.toml"
    config.write_text(config.read_text("utf-8").replace('"UTC"', '"Asia/Almaty"', 1), "utf-8")
    assert read_site(site_root).lists["bulletin"].timezone == "Asia/Almaty"

"""SpamAssassin, the real one: what it says of mail as ours, and of mail as theirs."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailout.core.check.rule import Severity
from mailout.core.errors import MailoutError
from mailout.publish import checking
from mailout.spam import PROGRAM, Score, read, score
from places import REPOSITORY

GOLDENS = sorted((REPOSITORY / "tests" / "goldens").glob("*/*.eml"))
GTUBE = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"


@pytest.fixture
def spamassassin() -> str:
    """The program; a machine that runs the tests for us must have it."""
    if shutil.which(PROGRAM) is None:
        if os.environ.get("CI"):
            pytest.fail("SpamAssassin is not installed")
        pytest.skip("apt install spamassassin")
    return PROGRAM


@pytest.mark.parametrize("path", GOLDENS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_our_templates_are_no_spam(spamassassin: str, path: Path) -> None:
    assert score(path.read_bytes(), spamassassin).points <= 0.5


def test_what_is_spam_is_told_with_its_rules(spamassassin: str) -> None:
    message = b"From: a@example.org\r\nTo: b@example.org\r\nSubject: x\r\n\r\n" + GTUBE.encode()
    found = score(message, spamassassin)
    assert found.points > 900
    assert found.hits[0][1] == "GTUBE"
    (finding,) = checking.spam([("en", message)], lambda _: found)
    assert (finding.rule, finding.severity, finding.language) == ("S01", Severity.WARN, "en")
    assert "GTUBE 1000" in finding.what


def test_a_machine_without_it_says_so() -> None:
    with pytest.raises(MailoutError, match="not installed"):
        score(b"", "no-such-spam-filter")


def test_a_program_that_says_nothing() -> None:
    with pytest.raises(MailoutError, match="gave no score"):
        score(b"", "true")


ANSWER = """\
Content analysis details:   (-99.0 points, 5.0 required)
this the message says of itself
Content analysis details:   (0.1 points, 5.0 required)

 pts rule name              description
---- ---------------------- --------------------------------------------------
-0.0 NO_RELAYS              Informational: message was not relayed via SMTP
 1.0 MIXED_ES               Too many es are not es
-1.0 MAILING_LIST_MULTI     Multiple indicators imply a widely-seen list
                            manager
"""


def test_an_answer_is_read_from_its_end() -> None:
    assert read(ANSWER) == Score(
        0.1, 5.0, ((1.0, "MIXED_ES"), (-0.0, "NO_RELAYS"), (-1.0, "MAILING_LIST_MULTI"))
    )
    assert checking.spam([("kk", b"x")], lambda _: read(ANSWER)) == []
    (noted,) = checking.spam([("kk", b"x")], lambda _: Score(0.6, 5.0, ((0.6, "X"),)))
    assert noted.severity is Severity.NOTE


@given(st.text())
def test_any_answer_is_a_score_or_a_clear_error(answer: str) -> None:
    try:
        assert isinstance(read(answer), Score)
    except MailoutError as error:
        assert "gave no score" in str(error)

"""SpamAssassin's opinion of a message, where it is installed.

It is run on this machine, with its local rules alone: what nobody has been sent yet is shown to
nobody else.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass

from mailout.core.errors import MailoutError

PROGRAM = "spamassassin"
_LOCAL = ("-t", "-L")  # test, and say why; no network tests
_PATIENCE = 120.0  # seconds: its rules are compiled at the first call
_NUMBER = r"(-?\d+(?:\.\d+)?)"
_POINTS = re.compile(
    rf"^Content analysis details:\s+\({_NUMBER} points, {_NUMBER} required\)", re.M
)
_HIT = re.compile(rf"^\s*{_NUMBER} ([A-Z][A-Z0-9_]+) ", re.M)


@dataclass(frozen=True, slots=True)
class Score:
    """Points, how many make a message spam, and the rules that gave any, the worst first."""

    points: float
    required: float
    hits: tuple[tuple[float, str], ...]


def score(message: bytes, program: str = PROGRAM) -> Score:
    """What SpamAssassin says of a message. Raises: MailoutError if it is not there, or says
    nothing that can be read."""
    found = shutil.which(program)
    if found is None:
        raise MailoutError(
            "SpamAssassin is not installed", fix="On Debian: apt install spamassassin."
        )
    try:
        ran = subprocess.run(  # noqa: S603 - no shell; the message goes to its standard input
            [found, *_LOCAL], input=message, capture_output=True, timeout=_PATIENCE, check=False
        )
    except subprocess.TimeoutExpired:
        raise MailoutError(f"{program} does not answer within {_PATIENCE:.0f} seconds") from None
    return read(ran.stdout.decode("utf-8", "replace"), program)


def read(answer: str, program: str = PROGRAM) -> Score:
    """The score in an answer of SpamAssassin. Raises: MailoutError if there is none."""
    # What a message says of itself stands before what is said of it.
    summaries = list(_POINTS.finditer(answer))
    if not summaries:
        raise MailoutError(f"{program} gave no score", fix="Does `spamassassin --lint` complain?")
    last = summaries[-1]
    hits = [(float(hit[1]), hit[2]) for hit in _HIT.finditer(answer, last.end())]
    return Score(float(last[1]), float(last[2]), tuple(sorted(hits, reverse=True)))

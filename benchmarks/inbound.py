"""How fast and how well inbound mail is read: the corpus in tests/data/inbound.

    python benchmarks/inbound.py [FOLDER]

Prints milliseconds of processor time a mail, for one of 3 MB too, and how many mails are read as
their TOML expects: kind, recipients (recall and precision), category, and the two mistakes that
cost readers: a dead address taken for a live one, and a live one taken for dead.
"""

from __future__ import annotations

import sys
import time
import tomllib
from pathlib import Path

from mailout.config.bounce_rules import standard_rules
from mailout.core.inbound.category import Category
from mailout.core.inbound.report import read

_CORPUS = Path(__file__).parent.parent / "tests" / "data" / "inbound"
_ROUNDS = 5


def main(folder: Path) -> None:
    """Nothing comes back; prints the figures."""
    rules = standard_rules()
    paths = sorted(folder.glob("*.eml"))
    mails = [(path, path.read_bytes()) for path in paths]
    for _, raw in mails:
        read(raw, rules)  # patterns are compiled when they are first needed
    spent = []
    for _, raw in mails * _ROUNDS:
        start = time.process_time()
        read(raw, rules)
        spent.append(1000 * (time.process_time() - start))
    spent.sort()
    print(f"{len(mails)} mails, {sum(len(raw) for _, raw in mails) // len(mails)} bytes on average")
    print(f"ms a mail: {sum(spent) / len(spent):.2f}, 99 % below {spent[-len(spent) // 100]:.2f}")
    long = mails[0][1] + b"QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo=\n" * 80_000
    start = time.process_time()
    read(long, rules)
    print(f"ms for {len(long) / 1e6:.1f} MB: {1000 * (time.process_time() - start):.2f}")
    _score(mails)


def _score(mails: list[tuple[Path, bytes]]) -> None:
    rules = standard_rules()
    kinds = wanted = found = both = right = dead = dead_found = live = live_killed = 0
    for path, raw in mails:
        expected = tomllib.loads(path.with_suffix(".toml").read_text(encoding="utf-8"))
        told = read(raw, rules)
        kinds += told.kind in (expected["kind"], *expected.get("or_kind", ()))
        told_of = {one.get("recipient"): one for one in expected.get("reports", ())}
        people = {who: Category(one["category"]) for who, one in told_of.items()}
        reports = {one.recipient: one.category for one in told.reports}
        wanted += len(people)
        found += len(reports)
        for who, category in people.items():
            both += who in reports
            right += reports.get(who) in (category, *told_of[who].get("also", ()))
            judged_dead = who in reports and reports[who].is_dead
            dead += category.is_dead
            dead_found += category.is_dead and judged_dead
            live += not category.is_dead
            live_killed += not category.is_dead and judged_dead
    print(f"kind: {kinds} of {len(mails)}")
    print(f"recipients: recall {both} of {wanted}, precision {both} of {found}")
    print(f"category: {right} of {wanted}")
    print(f"dead judged dead: {dead_found} of {dead}; live judged dead: {live_killed} of {live}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else _CORPUS)

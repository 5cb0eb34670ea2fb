"""How long a bulletin takes to compile, and how little of that a single message costs.

    python benchmarks/compile.py [--quick]

The bulletin is the demo's: ten posts, four languages. Rendering and inlining it anew for each
reader is what composing from prepared bytes is held against.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import time
from datetime import UTC, datetime
from importlib.resources import as_file, files
from pathlib import Path

import measure

from mailout.config.site import read_site
from mailout.config.starter import copy_site
from mailout.config.templates import read_templates
from mailout.core.edition import Edition
from mailout.core.message import ListHeaders, Reader, list_headers
from mailout.core.variants import Variants
from mailout.publish import compile, sources

BAR, SHARE = 1.5, 1 / 300
_ISSUE = "2026-11-20-bulletin"
_MESSAGES = 20_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="3 rounds instead of 7")
    rounds = 3 if parser.parse_args().quick else 7
    with tempfile.TemporaryDirectory() as name:
        _run(Path(name) / "site", rounds)


def _run(root: Path, rounds: int) -> None:
    copy_site(root)
    shutil.rmtree(root / "posts")
    with as_file(files("mailout") / "demo_site") as demo:
        for folder in ("posts", "issues"):
            shutil.copytree(demo / folder, root / folder, dirs_exist_ok=True)
    site = read_site(root)
    bulletin = site.lists["bulletin"]
    now = datetime.now(UTC)

    def compiled(wanted: tuple[str, ...] = ()) -> tuple[float, compile.Compiled]:
        begun = time.perf_counter()
        plan = sources.read_issue(root, _ISSUE, "en")
        posts = sources.read_posts(root, "en")
        found = compile.compile_issue(
            site, bulletin, plan, posts, read_templates(root), now, wanted
        )
        return time.perf_counter() - begun, found

    first, issue = compiled()
    again = statistics.median(compiled()[0] for _ in range(rounds))
    every = statistics.median(compiled(tuple(Edition))[0] for _ in range(rounds))
    one = again / len(issue.variants)
    message = _message(issue, list_headers(site, bulletin))
    posts = len(next(iter(issue.posts.values())))
    print(f"A bulletin of {posts} posts in {len(issue.posts)} languages.\n")
    measure.head("what", "seconds", "bar")
    measure.row("compiling it, in a fresh process", f"{first:.2f}", f"< {BAR}")
    measure.row(f"compiling it again (median of {rounds})", f"{again:.2f}", f"< {BAR}")
    measure.row("with the full, low-data and text editions", f"{every:.2f}", "-")
    measure.row("rendering and inlining one variant", f"{one:.4f}", "-")
    measure.row("composing one message", f"{message:.7f}", "-")
    measure.row("the share of that", f"1/{one / message:,.0f}", f"< 1/{1 / SHARE:.0f}")


def _message(issue: compile.Compiled, headers: ListHeaders) -> float:
    """Seconds that one reader's message takes."""
    prepared = Variants(issue.variants, headers).prepared("en", issue.variants[0].edition)
    readers = [
        Reader(f"reader{number}@example.org", f"token-of-{number:013}", f"Dear Anna {number},")
        for number in range(_MESSAGES)
    ]
    begun = time.perf_counter()
    for reader in readers:
        prepared.compose(reader, "<x@example.org>", 1_764_000_000.0)
    return (time.perf_counter() - begun) / _MESSAGES


if __name__ == "__main__":
    main()

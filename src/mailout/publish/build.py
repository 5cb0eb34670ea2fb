"""`build/ISSUE/`: a compiled issue to look at: `.html`, `.txt` and `.eml` per language, a report.

The standard edition is called by its language alone (`ru.html`), others by both
(`ru.low-data.html`).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from mailout.catalogue import greeting
from mailout.core import edition, plain
from mailout.core.address import Address
from mailout.core.issue import IssuePlan, Variant, content_hash
from mailout.core.mailing_list import MailingList
from mailout.core.message import Reader, list_headers
from mailout.core.site import Site
from mailout.core.slot import Slot
from mailout.core.variants import Variants
from mailout.publish.compile import Compiled

_SAMPLE = Address.stored("reader@example.org")
_SAMPLE_TOKEN = "sample-link-of-nobody."  # noqa: S105 - 22 characters, as long as a real one
_REPORT = "report.txt"


def write(
    site: Site, mailing_list: MailingList, plan: IssuePlan, compiled: Compiled, now: datetime
) -> Path:
    """The folder just written; files of an earlier compilation that are no more are removed."""
    folder = site.root / "build" / plan.name
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        if old.suffix in (".html", ".txt", ".eml"):
            old.unlink()
    ready = Variants(compiled.variants, list_headers(site, mailing_list))
    sizes = []
    for variant in compiled.variants:
        name = file_name(variant, ready.editions)
        reader = sample_reader(variant.language)
        message = ready.prepared(variant.language, variant.edition).compose(
            reader, "<sample@example.org>", now.timestamp()
        )
        sizes.append(len(message))
        (folder / f"{name}.eml").write_bytes(message)
        shown = variant.in_country("")
        for ending, part in (("html", shown.html), ("txt", shown.text)):
            if part:
                filled = filled_for_sample(part, variant.language)
                (folder / f"{name}.{ending}").write_text(filled, encoding="utf-8")
    lines = _report(plan, mailing_list, compiled, sizes)
    (folder / _REPORT).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def file_name(variant: Variant, editions: frozenset[str]) -> str:
    """What a variant's files are called, without their endings."""
    if variant.edition == edition.standard(editions):
        return variant.language
    return f"{variant.language}.{variant.edition}"


def sample_reader(language: str, address: Address = _SAMPLE) -> Reader:
    """A reader for proofs, whose links lead to the page for links that do not work."""
    return Reader(address.wire, _SAMPLE_TOKEN, greeting("", language))


def filled_for_sample(part: str, language: str) -> str:
    """A variant's part as the sample reader sees it."""
    reader = sample_reader(language)
    return part.replace(Slot.TOKEN.mark, reader.token).replace(Slot.GREETING.mark, reader.greeting)


def _report(
    plan: IssuePlan, mailing_list: MailingList, compiled: Compiled, sizes: list[int]
) -> Iterator[str]:
    """What was made of what, for a person to read."""
    yield plain.underline(f"{plan.name}, for the list {mailing_list.id}", "=")
    yield f"\nTemplate: {plan.template}. Content: {content_hash(compiled.variants)}"
    for variant, size in zip(compiled.variants, sizes, strict=True):
        yield f"\n{variant.language}, {variant.edition}: {variant.subject}"
        yield (
            f"  HTML {len(variant.html.encode())} bytes, text {len(variant.text.encode())} bytes, "
            f"message {size} bytes"
        )
        yield f"  content {variant.hash}"
    yield "\n" + plain.underline("Posts", "-")
    for key in plan.posts:
        languages = {code: posts[key] for code, posts in compiled.posts.items() if key in posts}
        told = ", ".join(
            code if code == printed else f"{code} (printed in {printed})"
            for code, printed in languages.items()
        )
        yield f"{key}: {told}"
    yield "\n" + plain.underline("To look at", "-")
    yield from compiled.warnings or ["Nothing."]

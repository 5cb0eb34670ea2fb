"""`build/ISSUE/`: a compiled issue to look at, `.html`, `.txt` and `.eml` per language."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from mailout.catalogue import greeting
from mailout.core.address import Address
from mailout.core.issue import Variant
from mailout.core.message import Reader, list_headers, prepare_message
from mailout.core.site import MailingList, Site
from mailout.core.slot import Slot

_SAMPLE = Address.stored("reader@example.org")
_SAMPLE_TOKEN = "sample-link-of-nobody."  # noqa: S105 - 22 characters, as long as a real one


def write(
    site: Site, mailing_list: MailingList, name: str, variants: tuple[Variant, ...], now: datetime
) -> Path:
    """The folder just written; files of an earlier compilation that are no more are removed."""
    folder = site.root / "build" / name
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        if old.suffix in (".html", ".txt", ".eml"):
            old.unlink()
    headers = list_headers(site, mailing_list)
    for variant in variants:
        reader = sample_reader(variant.language)
        message = prepare_message(variant, headers).compose(
            reader, "<sample@example.org>", now.timestamp()
        )
        (folder / f"{variant.language}.eml").write_bytes(message)
        for ending, part in (("html", variant.html), ("txt", variant.text)):
            filled = filled_for_sample(part, variant.language)
            (folder / f"{variant.language}.{ending}").write_text(filled, encoding="utf-8")
    return folder


def sample_reader(language: str, address: Address = _SAMPLE) -> Reader:
    """A reader for proofs, whose links lead to the page for links that do not work."""
    return Reader(address.wire, _SAMPLE_TOKEN, greeting("", language))


def filled_for_sample(part: str, language: str) -> str:
    """A variant's part as the sample reader sees it."""
    reader = sample_reader(language)
    return part.replace(Slot.TOKEN.mark, reader.token).replace(Slot.GREETING.mark, reader.greeting)

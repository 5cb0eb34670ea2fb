"""An issue by a reader's eyes: what the preview shows, from the final bytes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from email import message_from_bytes
from pathlib import Path
from typing import NamedTuple

from mailout.catalogue import greeting
from mailout.core import edition
from mailout.core.address import Address
from mailout.core.issue import Variant
from mailout.core.mailing_list import MailingList
from mailout.core.message import Reader, list_headers
from mailout.core.site import Site
from mailout.core.subscriber import Subscriber
from mailout.core.variants import Variants, for_reader
from mailout.publish.build import sample_reader
from mailout.publish.freshness import files_of


class Letter(NamedTuple):
    """One variant as its reader gets it: both parts decoded, and the whole message."""

    variant: Variant
    html: str
    text: str
    source: str


def letters(
    site: Site,
    mailing_list: MailingList,
    variants: Sequence[Variant],
    person: Subscriber | None,
    now: datetime,
) -> list[Letter]:
    """Each variant as the person would get it, or a reader without name and country if None.

    The links are nobody's: a preview must not be able to take anyone off a list.
    """
    ready = Variants(variants, list_headers(site, mailing_list))
    found = []
    for variant in variants:
        reader, country = sample_reader(variant.language), ""
        if person is not None:
            country = person.country
            wire = Address.stored(person.address).wire
            reader = Reader(wire, reader.token, greeting(person.name, variant.language))
        prepared = ready.prepared(variant.language, variant.edition, country)
        raw = prepared.compose(reader, "<preview@example.org>", now.timestamp())
        parts = {
            part.get_content_subtype(): part.get_payload(decode=True)
            for part in message_from_bytes(raw).walk()
            if not part.is_multipart()
        }
        html, text = (_text(parts.get(kind)) for kind in ("html", "plain"))
        found.append(Letter(variant, html, text, raw.decode("utf-8", "replace")))
    return found


def variant_for(
    mailing_list: MailingList, variants: Sequence[Variant], person: Subscriber | None
) -> tuple[str, str]:
    """Language and edition of the variant that the person would get; of the first if None."""
    if person is None:
        return variants[0].language, edition.standard({one.edition for one in variants})
    settings = mailing_list.settings
    return for_reader(
        person.language,
        person.edition_on(mailing_list.id),
        person.country,
        languages=list(dict.fromkeys(variant.language for variant in variants)),
        editions=frozenset(variant.edition for variant in variants),
        fallback=settings.fallback,
        blocked_in=settings.blocked_in,
    )


def stamp(root: Path) -> str:
    """A word that is another one as soon as a file that issues are made of has changed."""
    files = files_of(root)
    changed = max((path.stat().st_mtime_ns for path in files), default=0)
    return f"{len(files)}-{changed}"


def _text(payload: object) -> str:
    return payload.decode("utf-8").replace("\r\n", "\n") if isinstance(payload, bytes) else ""

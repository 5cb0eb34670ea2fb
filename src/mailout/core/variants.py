"""The variants of an issue, ready to be filled, and which of them a reader gets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mailout.core import edition, language, places
from mailout.core.issue import Variant
from mailout.core.message import ListHeaders, Prepared, prepare_message


class Variants:
    """Prepared messages by language, edition and country, each encoded when first asked for.

    All languages have the same editions. Raises: BadHeader if a subject or a value of the list
    cannot stand in a header.
    """

    def __init__(self, variants: Sequence[Variant], headers: ListHeaders) -> None:
        self.languages = tuple(dict.fromkeys(variant.language for variant in variants))
        self.editions = frozenset(variant.edition for variant in variants)
        self._headers = headers
        self._variants = {(one.language, one.edition): one for one in variants}
        self._countries = {
            key: places.countries(one.by_country) for key, one in self._variants.items()
        }
        self._prepared: dict[tuple[str, str, str], Prepared] = {}
        for code, edition_ in self._variants:
            self.prepared(code, edition_)

    def prepared(self, language: str, edition: str, country: str = "") -> Prepared:
        """The message for readers of a variant in a country."""
        key = (language, edition, country)
        found = self._prepared.get(key)
        return found or self._prepare(*key)

    def _prepare(self, language: str, edition: str, country: str) -> Prepared:
        variant = self._variants[language, edition]
        if country and country not in self._countries[language, edition]:
            found = self.prepared(language, edition)
        else:
            found = prepare_message(variant.in_country(country), self._headers)
        self._prepared[language, edition, country] = found
        return found


def for_reader(
    wanted: str,
    chosen_edition: str,
    country: str,
    *,
    languages: Sequence[str],
    editions: frozenset[str],
    fallback: Mapping[str, Sequence[str]],
    blocked_in: Sequence[str],
) -> tuple[str, str]:
    """Language and edition of the variant for a reader; `languages` in the list's order."""
    steps = language.chain(wanted, languages, fallback)
    blocked = country in blocked_in
    return steps[0], edition.for_reader(chosen_edition, blocked=blocked, built=editions)

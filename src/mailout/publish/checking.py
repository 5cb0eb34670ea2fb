"""The check: an issue's final bytes for sample readers, and every reader rendered once.

For each variant the samples are the readers with the longest values, with none, with a name
that runs from right to left and with one in Cyrillic, as far as the list has them. All other
readers' messages are composed too, and looked at no further: what differs from reader to
reader is what the slots hold.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

from mailout.catalogue import greeting
from mailout.core import language as languages
from mailout.core.address import Address
from mailout.core.check.letter import Expected, Letter
from mailout.core.check.names import DEMANDS, KeyName, Ours
from mailout.core.check.rule import Finding, Severity, check, rules_of_messages
from mailout.core.dkim import Signer, sign
from mailout.core.issue import Variant
from mailout.core.mailing_list import MailingList
from mailout.core.message import BadHeader, Reader, list_headers
from mailout.core.site import Site
from mailout.core.token import message_ids
from mailout.core.variants import Variants, for_reader
from mailout.publish.build import sample_reader
from mailout.publish.sheet import why_you_get_this
from mailout.spam import Score
from mailout.store import readiness
from mailout.store.engine import Store, Tx
from mailout.store.readiness import Recipient

_FRESH = timedelta(days=7)
_NEW, _GROWTH = 0.05, 2  # C03: a share of newcomers, a factor to the last volume
_HARMLESS, _SUSPICIOUS = 0.5, 2.0  # S01: points
_SHOWN = 5  # readers named in one finding

SURROUNDINGS: Mapping[str, tuple[Severity, str]] = {
    "C02": (Severity.REFUSE, "every reader has agreed, and there is evidence"),
    "C03": (Severity.WARN, "the list grows slowly enough for receivers to get used to it"),
    "C04": (Severity.REFUSE, "the message of every single reader can be made"),
    "S01": (Severity.WARN, "SpamAssassin gives half a point at most"),
    "D03": (Severity.REFUSE, "the way to the relay is encrypted"),
}
"""Rules that look at no message: their severity, and what they demand."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found, the gravest first, and how many readers' messages were made for it.

    `samples` has of each variant one message that was looked at, by its language.
    """

    findings: tuple[Finding, ...]
    rendered: int
    samples: tuple[tuple[str, bytes], ...] = ()

    def and_also(self, more: Iterable[Finding]) -> Checked:
        """The same, with more findings among its own."""
        return replace(self, findings=tuple(_in_order([*self.findings, *more])))

    def of(self, severity: Severity) -> list[Finding]:
        return [one for one in self.findings if one.severity is severity]


def check_issue(
    site: Site,
    store: Store,
    mailing_list: MailingList,
    issue_id: int,
    variants: Sequence[Variant],
    signers: Sequence[Signer],
    now: datetime,
) -> Checked:
    """What is wrong with an issue as compiled, for the readers that its list has now.

    Raises: BadHeader for a subject or a list's value that no header can hold.
    """
    ready = Variants(variants, list_headers(site, mailing_list))
    identity = message_ids(
        site.keys.message_id, issue_id, site.identity.message_id_domain
    )  # fmt: skip
    samples: dict[tuple[str, str], dict[str, Recipient]] = {
        (one.language, one.edition): {} for one in variants
    }
    unmakeable: list[Recipient] = []
    rendered = 0
    variant_of = _variants_of(mailing_list, ready)
    with store.reading() as tx:
        for one in readiness.recipients(tx, mailing_list.id):
            code, edition = variant_of(one.language, one.edition, one.country)
            prepared = ready.prepared(code, edition, one.country)
            try:
                prepared.compose(_reader(one, code), "<x@example.org>", now.timestamp())
            except BadHeader:
                unmakeable.append(one)
                continue
            rendered += 1
            _keep_sample(samples[code, edition], one)
        findings = list(_surroundings(tx, site, mailing_list, unmakeable, rendered, now))
    shown: dict[tuple[str, str], bytes] = {}
    for (code, edition), chosen in samples.items():
        people = list({one.id: one for one in chosen.values()}.values())
        seen = [(_reader(one, code), one.address_key, one.country) for one in people]
        for reader, key, country in seen or [(sample_reader(code), "sample", "")]:
            prepared = ready.prepared(code, edition, country)
            message = prepared.compose(reader, identity(key), now.timestamp())
            if signers:
                message = sign(signers, message, now.timestamp()) + message
            expected = _expected(site, mailing_list, code, edition, reader, now)
            findings += check(Letter(message, expected))
            shown.setdefault((code, edition), message)
    messages = tuple((code, message) for (code, _), message in shown.items())
    return Checked(tuple(_in_order(findings)), rendered, messages)


def spam(samples: Iterable[tuple[str, bytes]], judge: Callable[[bytes], Score]) -> list[Finding]:
    """What a spam filter holds against the messages; `judge` asks it."""
    found = []
    for code, message in samples:
        score = judge(message)
        if score.points > _HARMLESS:
            why = ", ".join(f"{name} {points:g}" for points, name in score.hits if points > 0)
            what = f"SpamAssassin gives {score.points:g} points of {score.required:g}: {why}"
            severity = Severity.WARN if score.points > _SUSPICIOUS else Severity.NOTE
            found.append(Finding("S01", severity, what, language=code))
    return found


def located(findings: Iterable[Finding], root: Path, files: Mapping[str, str]) -> list[Finding]:
    """The findings, with the line of the first file that holds what they are about: of the `files`,
    each with its language, those in the finding's own come first."""
    texts = {name: (root / name).read_text("utf-8-sig", "replace") for name in files}
    return [replace(one, where=_place(one, texts, files)) for one in findings]


def _place(found: Finding, texts: Mapping[str, str], files: Mapping[str, str]) -> str:
    if found.clue:
        spoken = found.language.split()
        for name in sorted(texts, key=lambda name: files[name] not in spoken):
            if (at := texts[name].find(found.clue)) != -1:
                return f"{name}:{texts[name].count(chr(10), 0, at) + 1}"
    return ""


def names_of(site: Site, mailing_list: MailingList, records: Mapping[str, str]) -> Ours:
    """The names that a list's mail goes by; `records` has our DKIM keys' by their names."""
    settings = mailing_list.settings
    sender = list_headers(site, mailing_list).sender.address
    return Ours(
        sender_domain=sender.domain,
        return_domain=site.return_path.rpartition("@")[2],
        reply_domain=settings.reply_to.rpartition("@")[2],
        relays=tuple(relay.host for relay in site.relays),
        keys=tuple(KeyName(name, record) for name, record in records.items()),
    )


def rules() -> dict[str, tuple[Severity, str]]:
    """Every rule by id: its severity, and what it demands."""
    messages = {one.id: (one.severity, one.demand) for one in rules_of_messages()}
    return dict(sorted({**messages, **SURROUNDINGS, **DEMANDS}.items()))


def _variants_of(
    mailing_list: MailingList, ready: Variants
) -> Callable[[str, str, str], tuple[str, str]]:
    """What tells the variant of readers by their language, chosen edition and country."""
    settings = mailing_list.settings
    offered = [code for code in settings.languages if code in ready.languages]

    @cache
    def variant_of(language: str, edition: str, country: str) -> tuple[str, str]:
        return for_reader(
            language,
            edition,
            country,
            languages=offered or ready.languages,
            editions=ready.editions,
            fallback=settings.fallback,
            blocked_in=settings.blocked_in,
        )

    return variant_of


def _reader(one: Recipient, code: str) -> Reader:
    wire = one.address if one.address.isascii() else Address.stored(one.address).wire
    return Reader(wire, one.token, greeting(one.name, code))


def _keep_sample(samples: dict[str, Recipient], one: Recipient) -> None:
    """Keeps one reader of each kind that shows best what can go wrong."""
    longest = samples.get("longest")
    size = len(one.address) + len(one.name)
    if longest is None or size > len(longest.address) + len(longest.name):
        samples["longest"] = one
    if not one.name:
        samples.setdefault("emptiest", one)
    elif not one.name.isascii():
        if any(unicodedata.bidirectional(c) in ("R", "AL") for c in one.name):
            samples.setdefault("right to left", one)
        elif any("\u0400" <= c <= "\u04ff" for c in one.name):
            samples.setdefault("Cyrillic", one)


def _expected(
    site: Site, mailing_list: MailingList, code: str, edition: str, reader: Reader, now: datetime
) -> Expected:
    settings = mailing_list.settings
    return Expected(
        recipient=reader.address,
        token=reader.token,
        language=code,
        edition=edition,
        direction=languages.direction(code),
        sender_domain=site.identity.message_id_domain,
        id_domain=site.identity.message_id_domain,
        host=site.identity.host,
        leave_url=site.leave_url,
        preferences_url=f"{site.identity.url}/p/{reader.token}",
        list_id=settings.list_id,
        contact=settings.contact,
        postal_address=settings.postal_address,
        why=why_you_get_this(mailing_list, code),
        now=now,
        is_loopback=site.is_loopback,
    )


def _surroundings(
    tx: Tx,
    site: Site,
    mailing_list: MailingList,
    unmakeable: Sequence[Recipient],
    rendered: int,
    now: datetime,
) -> Iterable[Finding]:
    """What is wrong with the list and the way to it, whatever the message says."""
    if missing := readiness.without_consent(tx, mailing_list.id):
        yield _finding(
            "C02",
            f"{missing} active subscribers have no evidence that they agreed",
            "`mailout subscribers show ADDRESS` shows what there is of each.",
        )
    fresh = readiness.joined_since(tx, mailing_list.id, now - _FRESH)
    before = readiness.last_volume(tx, mailing_list.id)
    if before and fresh > _NEW * rendered and rendered >= 100:
        yield _finding("C03", f"{fresh} of {rendered} joined within a week")
    if before >= 100 and rendered > _GROWTH * before:
        yield _finding(
            "C03",
            f"{rendered} readers are more than twice as many as the last issues went to",
            "Set `warm_up` for the relay, if it is new to receivers.",
        )
    if unmakeable:
        shown = ", ".join(one.address for one in unmakeable[:_SHOWN])
        yield _finding(
            "C04",
            f"no message can be made for {len(unmakeable)}, whose address no header can hold: "
            f"{shown}",
            "Take them off, or mend the address.",
        )
    for relay in site.relays:
        if relay.tls == "none":
            eased = Severity.NOTE if relay.is_loopback else None
            yield _finding("D03", f"mail to {relay.label} is not encrypted", severity=eased)


def _finding(rule: str, what: str, fix: str = "", severity: Severity | None = None) -> Finding:
    return Finding(rule, severity or SURROUNDINGS[rule][0], what, fix)


def _in_order(findings: Iterable[Finding]) -> list[Finding]:
    """Each finding once, with all the languages it was made in, the gravest first."""
    once: dict[tuple[str, str], Finding] = {}
    for one in findings:
        known = once.setdefault((one.rule, one.what), one)
        spoken = dict.fromkeys([*known.language.split(), *one.language.split()])
        once[one.rule, one.what] = replace(known, language=" ".join(spoken))
    graveness = list(Severity)
    return sorted(once.values(), key=lambda one: (graveness.index(one.severity), one.rule))

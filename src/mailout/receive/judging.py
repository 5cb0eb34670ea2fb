"""How addresses and providers stand, after what came back about them.

| who | judged by | what follows |
|---|---|---|
| an address | `core.standing`, over its whole record | paused, stopped or lifted, with an event |
| a provider | `core.rest`, over the last hour | rests; nobody is held to account for an outage |
| an issue | complaints: a thousandth, three thousandths of those who got it | alarm; the sending is held |

A refusal in the session is judged like a report that came later. Whatever is decided is told to the
contacts of the lists concerned, at most once an hour a kind.
"""  # noqa: E501 - a table

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import reduce

from mailout.core import rest as rests_of
from mailout.core.dispatch import UNFINISHED, DispatchState
from mailout.core.event import EventKind
from mailout.core.inbound.category import Category
from mailout.core.inbound.reason import explain_refusal
from mailout.core.inbound.rules import Rules
from mailout.core.letter import Alarm
from mailout.core.plain import wrap
from mailout.core.rest import WINDOW, Why
from mailout.core.site import Site
from mailout.core.standing import Standing, Terms, standing
from mailout.core.suppression import SuppressionReason
from mailout.core.throttle import Providers, full, slowed
from mailout.receive.attribution import Mail
from mailout.store import (
    bounces,
    buckets,
    contacts,
    dispatches,
    issues,
    records,
    rests,
    suppressions,
)
from mailout.store.bounces import Asked, Told
from mailout.store.engine import Store, Tx
from mailout.store.whose import Theirs

_AT_ONCE = 500
_ALARM, _HOLD, _LEAST = 0.001, 0.003, 3
_SLOWLY = 3  # steps by which a provider is mailed slower after a rest
_DEAD = tuple(one for one in Category if one.is_dead)
_BLOCKED = tuple(one for one in Category if one.is_block)


# --- addresses --------------------------------------------------------------------------------


def judge(tx: Tx, site: Site, people: Collection[int], now: datetime) -> Counter[str]:
    """How many of these people's addresses stand otherwise than before, by how they stand now."""
    changed: Counter[str] = Counter()
    for address in records.load(tx, people):
        found = standing(address.record, terms_for(site, address.lists), now)
        if records.apply(tx, address, found, now):
            changed[found.health.value] += 1
    return changed


def terms_for(site: Site, list_ids: Iterable[str]) -> Terms:
    """The terms for who is on these lists: of each the most patient."""
    terms = [site.lists[one].settings.bounces.terms for one in list_ids if one in site.lists]
    return reduce(Terms.kinder, terms) if terms else Terms()


def judge_refusals(store: Store, site: Site, rules: Rules, now: datetime) -> Counter[str]:
    """How many addresses stand otherwise, once all refusals in sessions have been read for what
    they mean. Raises: TryLater, MailoutError if the store fails."""
    changed: Counter[str] = Counter()
    with store.reading() as tx:
        if not bounces.any_unjudged(tx):
            return changed
    while True:
        with store.writing() as tx:
            found = bounces.unjudged(tx, _AT_ONCE)
            resting = in_outage(tx, site, now)
            people, domains = set(), set()
            for one in found:
                domain = one.provider.lower()
                reason = explain_refusal(rules, one.code, one.enhanced, one.text, domain)
                category = reason.category
                excused = category.is_dead and domain in resting
                bounces.set_category(tx, one.id, category, counts=not excused)
                if category.is_dead or category.is_block:
                    domains.add(domain)
                if one.subscriber_id is not None:
                    people.add(one.subscriber_id)
            changed += judge(tx, site, people, now)
            changed += _notice(tx, site, domains, now)
        if len(found) < _AT_ONCE:
            return changed


def lift_the_quiet(store: Store, site: Site, now: datetime) -> Counter[str]:
    """How many paused addresses stand otherwise, since nothing came back from their probe."""
    changed: Counter[str] = Counter()
    quiet = min(
        (one.settings.bounces.terms.quiet for one in site.lists.values()), default=Terms().quiet
    )
    after = 0
    while True:
        with store.reading() as tx:
            found = records.paused_ones(tx, now - quiet, _AT_ONCE, after)
        if not found:
            return changed
        after = found[-1]
        with store.writing() as tx:
            changed += judge(tx, site, found, now)


def standing_of(tx: Tx, site: Site, subscriber_id: int, now: datetime) -> Standing:
    """How the address stands, judged now."""
    [address] = records.load(tx, [subscriber_id])
    return standing(address.record, terms_for(site, address.lists), now)


def stop_for_complaint(tx: Tx, theirs: Theirs, now: datetime) -> None:
    """Nothing, once nobody mails whoever complained, on any list: only their own new sign-up ends
    that."""
    complained = SuppressionReason.COMPLAINED
    suppressions.add(tx, theirs.address_key, complained, now, evidence=f"list {theirs.list_id}")


# --- providers --------------------------------------------------------------------------------


def in_outage(tx: Tx, site: Site, now: datetime) -> Mapping[str, str]:
    """The domains (of those that were reported on lately) whose provider has an outage now, each
    with the provider."""
    resting = {one.provider for one in rests.listed(tx, now) if one.why is Why.OUTAGE}
    if not resting:
        return {}
    providers = Providers(site.providers)
    known = rests.domains_reported(tx, _DEAD, now - 24 * WINDOW, now)
    found = {domain: providers.of(domain) for domain in (*known, *resting)}
    return {domain: provider for domain, provider in found.items() if provider in resting}


def notice_outages(tx: Tx, site: Site, told: Sequence[Told], now: datetime) -> Counter[str]:
    """How many addresses stand otherwise, once providers rest that have an outage, or block us."""
    domains = {one.provider for one in told if one.category.is_dead or one.category.is_block}
    return _notice(tx, site, domains, now)


def _notice(tx: Tx, site: Site, domains: Collection[str], now: datetime) -> Counter[str]:
    changed: Counter[str] = Counter()
    if not domains:
        return changed
    providers = Providers(site.providers)
    touched = {providers.of(domain) for domain in domains}
    dead = _by_provider(rests.domains_reported(tx, _DEAD, now - WINDOW, now), providers)
    blocked = _by_provider(rests.domains_reported(tx, _BLOCKED, now - WINDOW, now), providers)
    for provider in sorted(touched):
        theirs = dead.get(provider, {})
        if _is(rests_of.is_outage, tx, theirs, now):
            people = rests.excuse(tx, theirs, _DEAD, now - WINDOW, now)
            changed += judge(tx, site, people, now)
            _rest(tx, site, provider, Why.OUTAGE, sum(theirs.values()), now)
            continue
        theirs = blocked.get(provider, {})
        if _is(rests_of.is_blocking, tx, theirs, now):
            _rest(tx, site, provider, Why.BLOCKED, sum(theirs.values()), now)
    return changed


def _is(
    rule: Callable[[int, int], bool], tx: Tx, domains: Mapping[str, int], now: datetime
) -> bool:
    """Whether the rule holds for so many reports from the domains of a provider."""
    count = sum(domains.values())
    # Whom it was mailed is only counted where that can matter.
    return rule(count, 0) and rule(count, rests.mailed(tx, domains, now - WINDOW, now))


def _by_provider(domains: Mapping[str, int], providers: Providers) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for domain, number in domains.items():
        found.setdefault(providers.of(domain), {})[domain] = number
    return found


_WORDS = {
    Why.OUTAGE: (
        "{provider} seems to have an outage",
        "Within an hour {count} addresses at {provider} were said to be gone. So many do not die "
        "together: nobody was paused or stopped for it.",
    ),
    Why.BLOCKED: (
        "{provider} blocks our mail",
        "Within an hour {provider} turned away mail to {count} readers because it was from us, or "
        "because of what it said. That counts against no reader.",
    ),
}


def _rest(tx: Tx, site: Site, provider: str, why: Why, count: int, now: datetime) -> None:
    before = rests.find(tx, provider)
    said = rests.words(tx, provider, _DEAD if why is Why.OUTAGE else _BLOCKED, now - WINDOW)
    found = rests_of.rest(provider, why, said, before, now)
    if found is before:
        return
    rests.put(tx, found)
    name = f"to {provider}"
    limits = {name: Providers(site.providers).limit(provider)}
    bucket = buckets.locked(tx, limits, now).get(name) or full(name, limits[name], now)
    for _ in range(_SLOWLY):
        bucket = slowed(bucket, found.until)
    buckets.write(tx, [bucket])
    subject, what = (words.format(provider=provider, count=count) for words in _WORDS[why])
    text = _paragraphs(
        what,
        f"What was said last: {said}" if said else "",
        f"It gets nothing for {_hours(found.until - now)}, then slowly at first. Mail to it waits; "
        "nobody is skipped.",
        f"`mailout bounces list --provider {provider}` has the words, "
        f"`mailout bounces resume {provider}` lets mail go on at once.",
    )
    for list_id in _lists_under_way(tx, site):
        contacts.alert(tx, site, list_id, Alarm.RESTING, subject, text, now)


def _hours(lasts: timedelta) -> str:
    hours = round(lasts.total_seconds() / 3600)
    return "an hour" if hours == 1 else f"{hours} hours"


def _lists_under_way(tx: Tx, site: Site) -> list[str]:
    """The lists of which something is being sent; all of them, if nothing is."""
    going = {one.list_id for one in dispatches.open_ones(tx, (DispatchState.SENDING,))}
    return sorted(going & site.lists.keys()) or sorted(site.lists)


# --- issues -----------------------------------------------------------------------------------


def notice_complaints(tx: Tx, site: Site, told: Sequence[Told], now: datetime) -> None:
    """Nothing, once the contacts know of issues that too many complained of; what is still to be
    sent of them is held where it is far too many."""
    complained = {
        (one.theirs.issue_id, one.theirs.list_id)
        for one in told
        if one.kind is EventKind.COMPLAINED and one.counts and one.theirs.issue_id
    }
    for issue_id, list_id in sorted(complained):
        count = bounces.of_issue(tx, issue_id, EventKind.COMPLAINED)
        got = bounces.accepted(tx, Asked((), issue_id=issue_id))
        if count < _LEAST or count < _ALARM * got:
            continue
        name = issues.get(tx, issue_id).name
        share = f"{count} of {got:,} who got {name} call it spam ({count / max(got, 1):.2%})."
        held = count >= _HOLD * got and _hold(tx, issue_id, share)
        text = _paragraphs(
            f"{share} They are mailed no more. Providers turn against senders from 0.1 % on.",
            "The rest of it is held: from 0.3 % on going on does more harm than good. "
            f"`mailout resume {name}` sends it all the same, `mailout cancel {name}` calls it off."
            if held
            else "",
            "Did they all ask for it? `mailout consent show ADDRESS` tells how one came on the "
            "list.",
        )
        contacts.alert(tx, site, list_id, Alarm.COMPLAINTS, f"Complaints: {name}", text, now)


def _hold(tx: Tx, issue_id: int, why: str) -> bool:
    """Whether anything of the issue was still to be sent, and is held now."""
    going = [one for one in dispatches.of_issue(tx, issue_id) if one.state in UNFINISHED]
    states = (DispatchState.QUEUED, DispatchState.SENDING)
    return any(
        [dispatches.set_state(tx, one.id, DispatchState.HELD, of=states, why=why) for one in going]
    )


def note_authentication(tx: Tx, site: Site, mail: Mail, now: datetime) -> None:
    """Nothing, once the contacts know that a receiver could not tell that our mail was ours."""
    text = _paragraphs(
        "A mail server reports that mail in your name failed its checks (SPF, DKIM, DMARC). "
        "Somebody may be forging you, or your own signing is broken.",
        f"`mailout inbound show {mail.kept.id}` has the report; `mailout doctor` looks at yours.",
    )
    list_id = mail.theirs.list_id if mail.theirs else next(iter(site.lists))
    subject = "Mail in your name failed a check"
    contacts.alert(tx, site, list_id, Alarm.AUTHENTICATION, subject, text, now)


def _paragraphs(*texts: str) -> str:
    return "\n\n".join(wrap(text) for text in texts if text)

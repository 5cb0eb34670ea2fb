"""Suppressions by hand: who is never mailed, on one list or on all, and who may be again.

| reason | lifted by an organiser | lifted by a sign-up of the person's own |
|---|---|---|
| by hand, a domain | yes | no |
| dead, shared | yes | yes |
| complained, erased, merged | no | yes |
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from mailout.core.address import Address, BadAddress
from mailout.core.errors import MailoutError, UsageError
from mailout.core.site import Site
from mailout.core.suppression import SuppressionReason, why_not_lifted
from mailout.roster.evidence import addresses_in
from mailout.roster.reading import shown
from mailout.store import merged, people, records, suppressions
from mailout.store.engine import Store, Tx
from mailout.store.suppressions import Held, HeldDomain


@dataclass(frozen=True, slots=True)
class Meant:
    """What somebody typed: an address, by its key, or a domain in A-labels. One is empty."""

    typed: str
    key: str = ""
    domain: str = ""


def meant(site: Site, typed: str) -> Meant:
    """The address or the domain (`example.org`, `@example.org`) in a word. Raises: UsageError."""
    text = typed.strip()
    local, at, domain = text.rpartition("@")
    try:
        if local:
            return Meant(text, key=Address.parse(text).key(site.keys.address))
        return Meant(domain, domain=Address.parse(f"a@{domain}").domain)
    except BadAddress as error:
        what = "address" if at else "domain"
        raise UsageError(f"`{shown(text)}` is no {what}: {error}") from None


def add(
    site: Site, store: Store, typed: str, now: datetime, *, list_id: str = "", why: str = ""
) -> bool:
    """Whether the address or domain is suppressed by this; False if it was.

    Raises: UsageError.
    """
    _check_list(site, list_id)
    asked = meant(site, typed)
    if asked.key and asked.key in addresses_in(why, site.keys.address):
        raise UsageError(
            "the words name the address, and are kept even after an erasure",
            where="--why",
            fix="Say it without the address.",
        )
    with store.writing() as tx:
        if asked.domain:
            return suppressions.add_domain(tx, asked.domain, now, list_id=list_id, evidence=why)
        if suppressions.of_key(tx, asked.key, [list_id]):
            return False
        suppressions.add(
            tx, asked.key, SuppressionReason.BY_HAND, now, list_id=list_id, evidence=why
        )
    return True


def lift(site: Site, store: Store, typed: str, now: datetime, list_id: str = "") -> None:
    """Nothing, once the address or domain is not suppressed on that list ("" is all) any more.

    Raises: UsageError; MailoutError if it is not, or if that is not for an organiser to end.
    """
    _check_list(site, list_id)
    asked = meant(site, typed)
    with store.writing() as tx:
        if asked.domain:
            if not suppressions.lift_domain(tx, asked.domain, list_id):
                raise _is_not(tx, site, asked, list_id)
            return
        held = suppressions.of_key(tx, asked.key, [list_id])
        if not held:
            raise _is_not(tx, site, asked, list_id)
        for one in held:
            if why := why_not_lifted(one.reason):
                raise MailoutError(
                    f"cannot be lifted: {why}",
                    where=shown(asked.typed),
                    fix="Only they can end it, by signing up anew: the page `/join/LIST` of a list"
                    " with `join = true` mails them a link, and confirming it lifts this.",
                )
            if one.reason is SuppressionReason.DEAD and (person := people.find(tx, asked.key)):
                records.lift(tx, person.id, now)  # else the next judgement would stop it again
            suppressions.lift(tx, one.id)
        if not list_id and merged.address_now(tx, asked.key):
            # Else an import would make it a second person again, who may have left.
            suppressions.add(tx, asked.key, SuppressionReason.MERGED, held[0].at)


def _is_not(tx: Tx, site: Site, asked: Meant, list_id: str) -> MailoutError:
    """The error of who lifts what is not there; it says where there is one."""
    where = f"on the list `{list_id}`" if list_id else "on all lists"
    domain = asked.domain or Address.parse(asked.typed).domain
    if asked.key:
        elsewhere = [one.list_id for one in suppressions.of_key(tx, asked.key, ["", *site.lists])]
    else:
        elsewhere = [one.list_id for one in suppressions.of_domain(tx, domain)]
    fix = ""
    if elsewhere:
        ways = [f"`--list {one}`" if one else "no `--list`" for one in elsewhere]
        fix = f"It is elsewhere: say {' or '.join(ways)}."
    elif asked.key and suppressions.domain_is_held(tx, domain, list_id):
        fix = f"Its domain is: `mailout suppressions lift {asked.typed.rpartition('@')[2]}`."
    return MailoutError(f"is not suppressed {where}", where=shown(asked.typed), fix=fix)


def listed(
    site: Site,
    store: Store,
    *,
    list_id: str | None = None,
    reason: SuppressionReason | None = None,
    after: int = 0,
    limit: int = 0,
) -> tuple[list[HeldDomain], list[Held]]:
    """Suppressed domains (on the first page, where no other reason is asked for) and addresses;
    `list_id` "" means those of all lists alone, None any."""
    if list_id:
        _check_list(site, list_id)
    with store.reading() as tx:
        with_domains = not after and reason in (None, SuppressionReason.BY_HAND)
        domains = suppressions.domains(tx, list_id) if with_domains else []
        return domains, suppressions.listed(
            tx, list_id=list_id, reason=reason, after=after, limit=limit
        )


def _check_list(site: Site, list_id: str) -> None:
    if list_id:
        site.list_named(list_id)

"""Looking at what came in, as every command does it that may: the rules are the site's."""

from __future__ import annotations

from datetime import UTC, datetime

from mailout.cli.console import note
from mailout.config.bounce_rules import read_rules, standard_rules
from mailout.core.errors import BadFile, MailoutError
from mailout.core.site import Site
from mailout.receive import judging
from mailout.receive.processing import Done, has_work, work_off
from mailout.store.engine import Store

_HEALTH = {
    "paused": "paused for bounces",
    "stopped": "stopped for bounces",
    "well": "well again",
}


def look(site: Site, store: Store) -> Done:
    """What was done about all that came in, and about all from whom nothing came back any more.

    Raises: MailoutError; what was done stays done.
    """
    done = look_quickly(site, store)
    done.standings += judging.lift_the_quiet(store, site, datetime.now(UTC))
    return done


def look_quickly(site: Site, store: Store) -> Done:
    """As `look`, but for those from whom nothing came back: it costs nothing if nothing came in.

    A slip in the site's own rules keeps back no leave and no complaint: then the program's own
    rules are used, and the slip is told afterwards.
    """
    if not has_work(store):
        return Done()  # and no rules need be read
    now = datetime.now(UTC)
    try:
        rules = read_rules(site.root)
    except BadFile:
        work_off(store, site, standard_rules(), now)
        raise
    return work_off(store, site, rules, now)


def lift_the_quiet(site: Site, store: Store) -> Done:
    """The addresses that are well again, since nothing came back from their probe."""
    return Done(standings=judging.lift_the_quiet(store, site, datetime.now(UTC)))


def look_beside(site: Site, store: Store) -> None:
    """Nothing, once what came in was looked at; what is wrong with that is only told."""
    try:
        done = look(site, store)
    except MailoutError as error:
        note(f"What came back was not looked at: {error}")
        return
    if words := standings(done):
        note(f"After what came back: {words}.")


def kinds(done: Done) -> str:
    """What kinds of mail were looked at, for people; empty if none was."""
    return ", ".join(f"{number} {kind}" for kind, number in sorted(done.kinds.items()))


def standings(done: Done) -> str:
    """How many addresses stand otherwise now, for people; empty if none does."""
    return ", ".join(
        f"{number} {_HEALTH[health]}" for health, number in sorted(done.standings.items())
    )

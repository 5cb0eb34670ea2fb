"""What `send`, `status` and the demo print of issues and dispatches, for people and scripts.

The keys are a contract: scripts read them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from mailout.cli.console import counted, local
from mailout.core import throttle
from mailout.core.delivery import DeliveryState
from mailout.core.dispatch import Priority
from mailout.core.letter import LetterKind
from mailout.core.site import Site
from mailout.store import buckets, deliveries, dispatches, inbound, letters, records, rests
from mailout.store.dispatches import Dispatch
from mailout.store.engine import Tx
from mailout.store.issues import Issue

_RECENT = timedelta(days=1)
_A_WEEK = timedelta(days=7)


def issue_report(tx: Tx, issue: Issue) -> dict[str, Any]:
    """An issue with the count of its deliveries in every state, and its dispatches."""
    return {
        "issue": issue.name,
        "list": issue.list_id,
        "state": issue.state.value,
        "deliveries": all_states(deliveries.count(tx, issue_id=issue.id)),
        "dispatches": [_dispatch(tx, dispatch) for dispatch in dispatches.of_issue(tx, issue.id)],
    }


def dispatch_report(tx: Tx, issue: Issue, dispatch: Dispatch) -> dict[str, Any]:
    """One dispatch with the count of its deliveries in every state."""
    return {"issue": issue.name, "list": issue.list_id, **_dispatch(tx, dispatch)}


def _dispatch(tx: Tx, dispatch: Dispatch) -> dict[str, Any]:
    return {
        "segment": f"{dispatch.list_id}/{dispatch.segment}",
        "exclude": dispatch.exclude or None,
        "state": dispatch.state.value,
        "held_why": dispatch.held_why,
        "left_out": dict(dispatch.left_out),
        "urgent": dispatch.priority >= Priority.URGENT,
        "at": dispatch.at,
        "created_at": dispatch.created_at,
        "ended_at": dispatch.ended_at,
        "next_due": deliveries.next_due(tx, dispatch.id),
        "deliveries": all_states(deliveries.count(tx, dispatch_id=dispatch.id)),
    }


def slowed_report(tx: Tx, now: datetime) -> list[dict[str, Any]]:
    """The providers that are mailed slower now, since they asked for less."""
    return [asdict(one) for one in throttle.slowed_ones(buckets.slowed(tx), now)]


def slowed_words(slowed: Mapping[str, Any], site: Site) -> str:
    """One of them as words: `big.example.org: a quarter of its rate until about ..`."""
    steps = slowed["steps"]
    return (
        f"{slowed['provider']} has asked for less and gets 1/{4**steps} of its rate "
        f"({steps} {'step' if steps == 1 else 'steps'} slower), "
        f"until about {local(slowed['until'], site)}"
    )


def inbound_report(tx: Tx, now: datetime) -> dict[str, Any]:
    """What came back in the last week, what was not looked at yet, addresses that are not mailed
    for it, and providers that rest."""
    paused, stopped, complained = records.counts(tx)
    return {
        "waiting": inbound.count_new(tx),
        "last_week": inbound.counts(tx, now - _A_WEEK),
        "paused": paused,
        "stopped": stopped,
        "complained": complained,
        "resting": [
            {"provider": one.provider, "why": one.why.value, "until": one.until}
            for one in rests.listed(tx, now)
        ],
    }


def inbound_words(report: Mapping[str, Any], site: Site) -> Iterator[str]:
    """The same as lines; none where there is nothing to say."""
    if week := report["last_week"]:
        came = ", ".join(f"{number} {kind}" for kind, number in sorted(week.items()))
        yield f"came back in the last week: {came}"
    if waiting := report["waiting"]:
        yield f"{counted(waiting, 'mail')} came in and not looked at: `mailout inbound process`"
    counts = [(word, report[word]) for word in ("paused", "stopped", "complained")]
    if any(number for _, number in counts):
        told = ", ".join(f"{number} {word}" for word, number in counts)
        yield f"addresses not mailed for what came back: {told} (`mailout bounces list --all`)"
    for one in report["resting"]:
        yield f"{one['provider']} rests until {local(one['until'], site)} ({one['why']})"


def letters_report(tx: Tx) -> dict[str, Any]:
    """How many letters wait to be mailed, and since when the oldest does."""
    waiting = letters.waiting(tx)
    return {"waiting": waiting.count, "oldest_waits_since": waiting.since}


def letters_words(report: Mapping[str, Any], now: datetime) -> str:
    """The same as words: `2 letters wait to be mailed, the oldest for 4 minutes`."""
    count, age = report["waiting"], now - report["oldest_waits_since"]
    minutes = int(age.total_seconds()) // 60
    wait = "wait" if count != 1 else "waits"
    long = counted(minutes // 60, "hour") if minutes >= 120 else counted(minutes, "minute")
    return f"{counted(count, 'letter')} {wait} to be mailed, the oldest for {long}"


def alert_report(tx: Tx, now: datetime) -> list[dict[str, Any]]:
    """The alerts of the last day, the newest first."""
    return [
        {
            "list": one.list_id,
            "about": one.about,
            "subject": one.subject,
            "at": one.created_at,
            "mailed": one.state is DeliveryState.ACCEPTED,
        }
        for one in letters.notices(tx, LetterKind.ALERT, now - _RECENT)
    ]


def alert_words(alert: Mapping[str, Any], site: Site) -> str:
    """One of them as words: `2026-12-01 18:00 CET alert of the list bulletin: Held: ..`."""
    unsent = "" if alert["mailed"] else " (not mailed yet)"
    when = local(alert["at"], site)
    return f"{when} alert of the list {alert['list']}: {alert['subject']}{unsent}"


def all_states(counts: Mapping[DeliveryState, int]) -> dict[str, int]:
    """Every state with its count, zeros too, in the order of the house's table."""
    return {state.value: counts.get(state, 0) for state in DeliveryState}


def state_counts(counts: Mapping[DeliveryState, int]) -> str:
    """The counts that are not zero, as words: `120 accepted, 2 refused`."""
    return ", ".join(
        f"{counts[state]} {state.value}" for state in DeliveryState if counts.get(state)
    )


def leaving_out(reasons: Mapping[str, int]) -> str:
    """Who is left out, as words: `3 unsubscribed, 1 suppressed`."""
    return ", ".join(f"{number} {why}" for why, number in sorted(reasons.items()))

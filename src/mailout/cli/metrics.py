"""Prometheus metrics of a worker or of the pages: counts and rates, never an address.

They are served on an address of their own, since the pages are public and these are not.
"""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import Counter, Gauge, start_http_server
from prometheus_client.core import REGISTRY, GaugeMetricFamily
from prometheus_client.registry import Collector

from mailout.core.dispatch import UNFINISHED
from mailout.core.errors import MailoutError, UsageError
from mailout.send.clerk import Clerk
from mailout.store import deliveries, dispatches, issues
from mailout.store.engine import Store

_ENDED = Counter(
    "mailout_attempts", "Attempts that this worker recorded, by the state they led to", ["state"]
)
_IN_DOUBT = Gauge("mailout_in_doubt", "Deliveries marked as sending and not recorded yet")
_RELAY_UP = Gauge("mailout_relay_usable", "1 while the relay is used, 0 while it rests", ["relay"])
_last: tuple[Clerk | None, dict[str, int]] = (None, {})  # the run observed, and its counts so far


def observe(clerk: Clerk) -> None:
    """Takes over what a clerk has done since the last time."""
    global _last
    if _last[0] is not clerk:  # a run of its own, which counts from nothing
        _last = (clerk, {})
    before = _last[1]
    for state, number in clerk.done.items():
        _ENDED.labels(state.value).inc(number - before.get(state.value, 0))
        before[state.value] = number
    _IN_DOUBT.set(clerk.in_doubt)
    for lines in clerk.lines:
        _RELAY_UP.labels(lines.relay.label).set(lines.problem is None)


def serve(where: str, store: Store) -> None:
    """Nothing, once `http://HOST:PORT/metrics` answers. Raises: UsageError, MailoutError."""
    host, _, port = where.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise UsageError(
            f"`{where}` is no HOST:PORT", where="--metrics", fix="Write 127.0.0.1:9109."
        )
    try:
        start_http_server(int(port), host.strip("[]"))
    except OSError as error:
        raise MailoutError(f"{where} cannot be listened on: {error.strerror}") from None
    REGISTRY.register(_Open(store))


class _Open(Collector):
    """What the store says of the dispatches that are not finished, read when it is asked for."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def collect(self) -> Iterable[GaugeMetricFamily]:
        counts = GaugeMetricFamily(
            "mailout_deliveries",
            "Deliveries of unfinished dispatches, by state",
            labels=["issue", "segment", "state"],
        )
        states = GaugeMetricFamily(
            "mailout_dispatches", "Unfinished dispatches, by state", labels=["state"]
        )
        found = dict.fromkeys(sorted(state.value for state in UNFINISHED), 0)
        try:
            with self._store.reading() as tx:
                for dispatch in dispatches.open_ones(tx):
                    found[dispatch.state.value] += 1
                    name = issues.get(tx, dispatch.issue_id).name
                    for state, number in deliveries.count(tx, dispatch_id=dispatch.id).items():
                        counts.add_metric([name, dispatch.segment, state.value], number)
        except MailoutError:
            return  # what the worker itself knows is shown all the same
        for name, number in found.items():
            states.add_metric([name], number)
        yield counts
        yield states

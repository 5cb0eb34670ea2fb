"""What is shown before anything is sent, and the count to be typed: for `send` and `digest`."""

from __future__ import annotations

from collections.abc import Sequence

import click

from mailout.cli import console
from mailout.cli.console import note
from mailout.cli.reports import leaving_out
from mailout.core.delivery import DeliveryState
from mailout.core.dispatch import DispatchState
from mailout.core.errors import MailoutError, TryLater, UsageError
from mailout.core.issue import Variant
from mailout.store import deliveries
from mailout.store.audiences import Audience
from mailout.store.dispatches import Dispatch
from mailout.store.engine import Store
from mailout.store.issues import Issue


def show_audience(name: str, whom: str, variants: Sequence[Variant], audience: Audience) -> None:
    """What is about to happen, on standard error: standard output is for the result."""
    note(f"\n{name} to {whom}")
    for language, subject in {variant.language: variant.subject for variant in variants}.items():
        note(f"  {language}: {subject}")
    readers = ", ".join(
        f"{n} {code or '(none)'}" for code, n in sorted(audience.by_language.items())
    )
    note(f"To {audience.total} people ({readers or 'nobody'}).")
    if audience.left_out:
        note(f"Left out: {leaving_out(audience.left_out)}.")


def ask_for_count(total: int, to: str = "send", otherwise: str = "nothing was sent") -> None:
    """Nothing, once a person has typed the count. Raises: MailoutError, or UsageError if nobody is
    there."""
    if not console.at_terminal():
        raise UsageError("nobody is there to type the count", fix="Add --yes in scripts.")
    typed = click.prompt(f"Type {total} to {to}", err=True, default="", show_default=False)
    if typed.strip() != str(total):
        raise MailoutError(f"`{typed}` is not {total}: {otherwise}")


def ask_if_held(store: Store, issue: Issue, whom: str, dispatch: Dispatch, *, yes: bool) -> None:
    """Nothing, unless the dispatch was held under way for a person to decide: for complaints, say.
    Then the count is typed; no script decides that. Raises: TryLater, MailoutError."""
    is_for_a_person = dispatch.state is DispatchState.HELD and dispatch.again_at is None
    if dispatch.filled_at is None or not is_for_a_person:
        return
    if yes or not console.at_terminal():
        raise TryLater(
            f"held: {dispatch.held_why}",
            fix=f"`mailout resume {issue.name}` lets it go on, `mailout cancel {issue.name}` "
            "calls it off.",
        )
    note(f"{issue.name} to {whom} is held: {dispatch.held_why}")
    with store.reading() as tx:
        counts = deliveries.count(tx, dispatch_id=dispatch.id)
    ask_for_count(counts.get(DeliveryState.QUEUED, 0))

"""How a send ended, as words and an exit code: for `send` and `resend`."""

from __future__ import annotations

from mailout.cli import console
from mailout.cli.console import note
from mailout.core.delivery import DeliveryState
from mailout.core.dispatch import DispatchState
from mailout.core.errors import MailoutError, TryLater
from mailout.core.site import Site
from mailout.send.run import Ending


def exit_code(ending: Ending, site: Site) -> int:
    """0, if every delivery has an end. Raises: TryLater or MailoutError saying what is missing."""
    queued = ending.counts.get(DeliveryState.QUEUED, 0)
    again = "The same command goes on."
    if ending.state is DispatchState.PAUSED:
        raise TryLater(f"paused; {queued} are queued", fix="`mailout resume` lets it go on.")
    if ending.state is DispatchState.CANCELLED:
        cancelled = ending.counts.get(DeliveryState.CANCELLED, 0)
        raise MailoutError(f"called off; {cancelled} were not sent")
    if ending.for_a_person:
        fix = "`mailout resume` lets it go on, `mailout cancel` calls it off."
        raise TryLater(f"held, nobody was skipped: {ending.held}", fix=fix)
    if ending.held:
        raise TryLater(f"held, nobody was skipped: {ending.held}", fix=again)
    if ending.stopped:
        raise TryLater(f"stopped; {queued} are queued", fix=again)
    refused = ending.counts.get(DeliveryState.REFUSED, 0)
    if refused:
        note(f"{refused} were refused: `mailout bounces list`.")
    if unknown := ending.counts.get(DeliveryState.UNKNOWN, 0):
        note(
            f"Of {unknown} nobody can know whether they arrived: `mailout deliveries list ISSUE "
            "--state unknown` names them, `mailout deliveries resolve` settles one."
        )
    if queued:
        raise TryLater(
            waiting(ending, site), fix="The same command goes on then; `--wait` would have stayed."
        )
    return 0


def waiting(ending: Ending, site: Site) -> str:
    """What the queued deliveries wait for, and until when."""
    queued = ending.counts.get(DeliveryState.QUEUED, 0)
    if ending.rests_until is not None:
        when = console.local(ending.rests_until, site)
        return f"{queued} are queued: today's ceiling of the relay is reached, until {when}"
    deferred = queued - ending.untried
    parts = []
    if deferred:
        parts.append(f"{deferred} are deferred")
    if ending.untried:
        parts.append(f"{ending.untried} are waiting for their provider's limit")
    when = f"; the next is due at {console.local(ending.next_due, site)}" if ending.next_due else ""
    return ", ".join(parts) + when

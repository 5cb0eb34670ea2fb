"""Letters to a list's contact: how a send ended, and what is wrong. In English, as all that
mailout says to organisers.

| letter | about | at most |
|---|---|---|
| report | a dispatch that has ended | one a dispatch |
| alert | held: a dispatch waits for a relay, or for a person | one an hour a list |
| alert | letters: single letters do not get out | one an hour a list |

An alert that cannot be mailed, since nothing can, is shown by `mailout status` all the same. A
store that cannot be written tells nobody: there is nowhere to write the alert down.
"""

from __future__ import annotations

from datetime import datetime

from mailout.core.delivery import DeliveryState
from mailout.core.letter import Alarm, LetterKind
from mailout.core.plain import wrap
from mailout.core.site import Site
from mailout.store import contacts, deliveries, issues, letters, reports
from mailout.store.dispatches import Dispatch
from mailout.store.engine import Tx


def held(
    tx: Tx, site: Site, dispatch: Dispatch, why: str, now: datetime, *, by_itself: bool = True
) -> bool:
    """Whether the contact is told that a dispatch is held, and why; `by_itself` if it is tried
    again without a person."""
    name = issues.get(tx, dispatch.issue_id).name
    again = (
        "`mailout worker` tries again by itself, and so does the next `mailout send`."
        if by_itself
        else f"`mailout resume {name}` lets it go on, `mailout cancel {name}` calls it off."
    )
    text = _paragraphs(
        f"{name} to {dispatch.list_id}/{dispatch.segment} is held. Nobody was skipped.",
        f"Why: {why}",
        f"{again} `mailout status {name}` shows how far it is.",
    )
    return contacts.alert(tx, site, dispatch.list_id, Alarm.HELD, f"Held: {name}", text, now)


def letters_stuck(tx: Tx, site: Site, list_id: str, count: int, why: str, now: datetime) -> bool:
    """Whether the contact is told that single letters wait for more than an hour."""
    text = _paragraphs(
        f"Letters (confirmations, links to settings and the like) that wait to be mailed: {count}. "
        "The oldest has waited for more than an hour.",
        *([f"What was said of the last one: {why}"] if why else []),
        "`mailout letters list` shows them, `mailout letters send` tries them now.",
    )
    return contacts.alert(tx, site, list_id, Alarm.LETTERS, "Letters do not get out", text, now)


def letters_broken(tx: Tx, site: Site, list_id: str, why: str, now: datetime) -> bool:
    """Whether the contact is told that letters cannot be written: a template is broken, say."""
    text = _paragraphs(
        "A letter (a confirmation, a link to settings or the like) cannot be written. It waits and "
        "is tried again.",
        f"What is wrong: {why}",
        "`mailout letters send` tries it again at once when that is mended.",
    )
    return contacts.alert(tx, site, list_id, Alarm.LETTERS, "Letters cannot be written", text, now)


def report(tx: Tx, site: Site, dispatch: Dispatch, now: datetime) -> bool:
    """Whether the contact gets the report on the dispatch, which has just ended; one that is ended
    again, after `mailout resend`, was reported on already."""
    about = f"dispatch {dispatch.id}"
    known = letters.notices(tx, LetterKind.REPORT, dispatch.created_at, dispatch.list_id)
    if any(one.about == about for one in known):
        return False
    name = issues.get(tx, dispatch.issue_id).name
    text = _report_text(tx, dispatch, name, now)
    return contacts.write(
        tx, site, dispatch.list_id, LetterKind.REPORT, about, f"Sent: {name}", text, now
    )


def _report_text(tx: Tx, dispatch: Dispatch, name: str, now: datetime) -> str:
    counts = deliveries.count(tx, dispatch_id=dispatch.id)
    seconds = (now - (dispatch.filled_at or dispatch.created_at)).total_seconds()
    lines = [
        ("sent", counts.get(DeliveryState.ACCEPTED, 0)),
        ("refused", counts.get(DeliveryState.REFUSED, 0)),
        ("expired", counts.get(DeliveryState.EXPIRED, 0)),
        ("end unknown", counts.get(DeliveryState.UNKNOWN, 0)),
        ("put off at least once", reports.deferred(tx, dispatch.id)),
        *(
            (f"skipped: {why}", number)
            for why, number in sorted(reports.skipped(tx, dispatch.id).items())
        ),
        *((f"left out: {why}", number) for why, number in sorted(dispatch.left_out.items())),
    ]
    always = {"sent", "refused"}
    table = "\n".join(f"{number:>8,}  {word}" for word, number in lines if number or word in always)
    done = f"{name} to {dispatch.list_id}/{dispatch.segment} is done, after {seconds:,.0f} seconds."
    return f"{wrap(done)}\n\n{table}\n\n{_paragraphs(*_to_look_at(name, counts))}"


def _to_look_at(name: str, counts: dict[DeliveryState, int]) -> list[str]:
    look = []
    if counts.get(DeliveryState.REFUSED) or counts.get(DeliveryState.EXPIRED):
        look.append(f"`mailout bounces list --issue {name}` has what the servers said.")
    if counts.get(DeliveryState.EXPIRED):
        look.append(f"`mailout resend {name} --missing` tries the expired ones again.")
    if counts.get(DeliveryState.UNKNOWN):
        look.append(
            f"`mailout deliveries list {name} --state unknown` has those whose end nobody knows; "
            f"`mailout deliveries resolve {name} ADDRESS` settles one."
        )
    return look or ["There is nothing to look at."]


def _paragraphs(*texts: str) -> str:
    return "\n\n".join(wrap(text) for text in texts)

"""From what a provider says of one recipient to the values that a mail that came back gives.

A provider's label is one party's reading of a server's words. Where the words (or a specific code)
are plain they decide: a "hard bounce" that says `5.7.1 listed by ..` is a block. Where they are
not, the label does - but nobody is dead by a label whose words speak of something else. Of some
labels the provider is surer than anybody (`sure`): its own list, its own limits. There the words
choose only among categories of that group.

| kind | category | from |
|---|---|---|
| bounce | by words and label | what will not be tried again |
| delay | delay | what is still tried |
| auto-reply, challenge | the same | what a person's machine answered |
| feedback | complaint, unsubscribe | what a reader told their own provider |
"""

from __future__ import annotations

from collections.abc import Sequence

from mailout.core.inbound.addresses import valid
from mailout.core.inbound.category import Category, Fault, Kind
from mailout.core.inbound.reason import explain, is_plain
from mailout.core.inbound.report import Inbound, Report
from mailout.core.inbound.rules import Place, Rules, normal

_MOST_DIAGNOSTIC = 500
_MOST_RECIPIENTS = 50

NOTHING = Inbound(Kind.OTHER, (), None)
"""An event that says nothing of interest."""


def bounced(
    rules: Rules,
    recipient: str,
    diagnostic: str,
    *,
    status: str = "",
    label: Category = Category.UNKNOWN,
    sure: bool = False,
    permanent: bool = True,
) -> Report:
    """The report of a bounce: why, from the server's words, its code and the provider's label."""
    reason = explain(rules, diagnostic=diagnostic, status=status, action="failed")
    category = reason.category
    if sure:
        category = category if _group(category) == _group(label) else label
    elif label is not Category.UNKNOWN:
        if not is_plain(rules, diagnostic, status):
            speaks_against = label.is_dead and category is not Category.UNKNOWN
            category = category if speaks_against and not category.is_dead else label
    elif category.is_dead and not is_plain(rules, diagnostic, status):
        category = Category.UNKNOWN  # a bare 550 that not even the provider could make sense of
    shown = " ".join(diagnostic.split())[:_MOST_DIAGNOSTIC]
    return Report(
        valid(recipient) or None, "failed", reason.status, category, permanent, shown or None
    )


def bounce(reports: Sequence[Report], message_id: str = "") -> Inbound:
    """A bounce of these reports."""
    return Inbound(Kind.BOUNCE, tuple(reports[:_MOST_RECIPIENTS]), in_angles(message_id))


def delay(
    rules: Rules, recipient: str, diagnostic: str, *, status: str = "", message_id: str = ""
) -> Inbound:
    """A delay. How it ended the provider will say in another event."""
    reason = explain(rules, diagnostic=diagnostic, status=status, action="delayed")
    shown = " ".join(diagnostic.split())[:_MOST_DIAGNOSTIC] or None
    who = valid(recipient) or None
    report = Report(who, "delayed", reason.status, Category.DELAY, False, shown)
    return Inbound(Kind.DELAY, (report,), in_angles(message_id))


def told(
    category: Category, recipients: Sequence[str], words: str = "", message_id: str = ""
) -> Inbound:
    """A complaint, a leave, an automatic reply or a challenge of these recipients."""
    kind = _KINDS[category]
    lasting = kind is Kind.FEEDBACK
    shown = " ".join(words.split())[:_MOST_DIAGNOSTIC] or None
    people = [valid(one) or None for one in recipients[:_MOST_RECIPIENTS]] or [None]
    reports = tuple(Report(who, None, None, category, lasting, shown) for who in people)
    return Inbound(kind, reports, in_angles(message_id))


def answers_by_itself(rules: Rules, words: str) -> bool:
    """Whether these are the words of an absence note."""
    said = normal(words)
    return any(rules.shows(Kind.AUTO_REPLY, place, said) for place in Place)


def in_angles(message_id: str) -> str | None:
    """A Message-ID with its angle brackets; None if this is none."""
    bare = message_id.strip().strip("<>").strip()
    if not bare or len(bare) > 900 or not bare.isprintable() or " " in bare or "@" not in bare:
        return None
    return f"<{bare}>"


def _group(category: Category) -> str:
    if category.is_dead:
        return "dead"
    if category is Category.UNKNOWN:
        return "unknown"
    return "ours" if category.fault is Fault.US else "soft"


_KINDS = {
    Category.COMPLAINT: Kind.FEEDBACK,
    Category.UNSUBSCRIBE: Kind.FEEDBACK,
    Category.AUTO_REPLY: Kind.AUTO_REPLY,
    Category.CHALLENGE: Kind.CHALLENGE,
}

"""Why a mail came back: from what was said and from the codes, to a category.

1. The server's own words, by rules; first those that it passes on from a server behind it. Words
   override codes: `5.7.1 user unknown` is a dead address.
2. The report's words, where the code says little (`5.0.0`, `5.7.1`, none).
3. The most specific code anywhere. `x.0.0` counts as none.
4. Weak rules, then the reply code; that of a dead address only where no words stand beside it.

The class of a code (4 or 5) says whether it was tried again, not whether the address is well.

Standards: RFC 3463 3 (codes), RFC 5248 (their registry), RFC 7372, RFC 7504, RFC 7505, RFC 8616;
RFC 5321 4.2.3 (replies).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from mailout.core.inbound.category import Category, Fault
from mailout.core.inbound.rules import Rules, normal

_STATUS = re.compile(r"(?<![\d.])([45])[.]([0-7])[.](\d{1,3})(?![\d-])(?!\.\d)")
_CODE = re.compile(
    r"(?m)(?:^[\s>*|]{0,12}|<<< ?|>>> ?|[:;(\"'#=,] ?|said:?\s{1,9}|code:? ?|error:? ?|was:? ?)"
    r"([45][0257]\d)(?=[ \-:,;#(]|$)"
)
_END_OF_REPLY = re.compile(r"\n[ \t]*\n|\nGiving up on |\n[^\n]{0,40}>>> |\n-{3}")
_PASSED_ON = re.compile(
    r"(?i)(?:->|\bsaid:?|\breturned:?|\breplied:?)\s{0,9}['\"]?(?=[45][0257]\d[ -])"
)
_MOST_REPLY = 700
_WORD = re.compile(r"[^\W\d_]{1,40}")
_NO_WORDS = frozenset(
    ("error", "failed", "failure", "rejected", "refused", "not", "accepted", "denied", "permanent")
)

C = Category
_BY_STATUS: dict[tuple[int, int], Category] = {
    (1, 1): C.NO_MAILBOX,
    (1, 2): C.NO_DOMAIN,
    (1, 3): C.NO_MAILBOX,
    (1, 4): C.NO_MAILBOX,
    (1, 6): C.MOVED,
    (1, 7): C.BLOCKED_POLICY,
    (1, 8): C.BLOCKED_POLICY,
    (1, 9): C.RECEIVER_ERROR,
    (1, 10): C.NO_DOMAIN,
    (2, 1): C.DISABLED,
    (2, 2): C.MAILBOX_FULL,
    (2, 3): C.TOO_BIG,
    (2, 4): C.RECEIVER_ERROR,
    (2, 121): C.RATE_LIMITED,
    (2, 122): C.RATE_LIMITED,
    (3, 1): C.RECEIVER_ERROR,
    (3, 2): C.RECEIVER_ERROR,
    (3, 3): C.RECEIVER_ERROR,
    (3, 4): C.TOO_BIG,
    (3, 5): C.RECEIVER_ERROR,
    (4, 1): C.UNREACHABLE,
    (4, 2): C.UNREACHABLE,
    (4, 3): C.UNREACHABLE,
    (4, 4): C.NO_DOMAIN,
    (4, 5): C.RECEIVER_ERROR,
    (4, 6): C.RECEIVER_ERROR,
    (4, 7): C.UNREACHABLE,
    (5, 1): C.RECEIVER_ERROR,
    (5, 2): C.RECEIVER_ERROR,
    (5, 3): C.RATE_LIMITED,
    (5, 4): C.RECEIVER_ERROR,
    (5, 5): C.RECEIVER_ERROR,
    (7, 17): C.NO_MAILBOX,
    (7, 18): C.NO_DOMAIN,
    (7, 28): C.RATE_LIMITED,
    (6, 7): C.RECEIVER_ERROR,
    (6, 8): C.RECEIVER_ERROR,
}
_SURE_SUBJECT = {3: C.RECEIVER_ERROR, 4: C.UNREACHABLE}
_VAGUE_SUBJECT = {6: C.BLOCKED_CONTENT, 7: C.BLOCKED_POLICY}
_BY_CODE = {
    "421": C.UNREACHABLE,
    "450": C.RECEIVER_ERROR,
    "451": C.RECEIVER_ERROR,
    "452": C.MAILBOX_FULL,
    "511": C.NO_MAILBOX,
    "521": C.UNREACHABLE,
    "550": C.NO_MAILBOX,
    "551": C.NO_MAILBOX,
    "552": C.MAILBOX_FULL,
    "553": C.NO_MAILBOX,
    "556": C.NO_DOMAIN,
    "571": C.BLOCKED_POLICY,
}
# A bare code of a status that says little: the words of a report are asked before it.
_SAYS_LITTLE = frozenset({(7, 0), (7, 1), (1, 0), (2, 0), (3, 0), (4, 0), (5, 0), (6, 0), (4, 7)})


@dataclass(frozen=True, slots=True)
class Reason:
    """Why, and whether it was for good.

    `permanent` says that this mail will not be tried again, and nothing about the address.
    `status` is the most specific enhanced code, None if there is none.
    """

    category: Category
    permanent: bool
    status: str | None

    @property
    def fault(self) -> Fault:
        return self.category.fault


def explain(
    rules: Rules,
    *,
    diagnostic: str = "",
    words: Sequence[str] = (),
    status: str = "",
    action: str = "",
    domain: str = "",
) -> Reason:
    """Why a mail to one recipient came back.

    `diagnostic` is the other server's reply, `words` what the report says of this recipient, the
    nearest first; `status` and `action` are fields of a notification, `domain` is the recipient's.
    Each may be empty.
    """
    reply = normal(diagnostic)
    said = [normal(text) for text in words]
    best = _most_specific(diagnostic, status, *words)
    code = reply_code(diagnostic) or next(filter(None, map(reply_code, words)), "")
    subject, detail = _numbers(best)
    certain = best is not None and detail > 0 and (subject, detail) not in _SAYS_LITTLE
    category = _first(rules, (normal(_inner(diagnostic)), reply), domain)
    if category is None and not (reply and certain):
        category = _first(rules, said, domain)
    is_temporary = _is_temporary(best, code)
    if category is None and best is not None:
        category = _by_status(subject, detail, is_temporary)
    if category is None and reply and certain:
        category = _first(rules, said, domain)
    category = (
        category
        or _SURE_SUBJECT.get(subject)
        or rules.category(reply, weak=True, domain=domain)
        or _guessed(_first(rules, said, domain, weak=True), reply)
        or (Category.RATE_LIMITED if subject == 7 and is_temporary else _VAGUE_SUBJECT.get(subject))
        or _by_code(code, reply)
    )
    if category is Category.NO_DOMAIN and (is_temporary or (best or "").startswith("4")):
        category = Category.UNREACHABLE  # the DNS did not answer; it did not deny
    # RFC 3464 2.3.3: Action, not Status, tells.
    told = action in ("failed", "delayed")
    return Reason(category, action == "failed" if told else not is_temporary, best)


def _inner(diagnostic: str) -> str:
    """The reply that a reply passes on from a server behind it; empty if it passes on none."""
    passed_on = list(_PASSED_ON.finditer(diagnostic[:6000]))
    return diagnostic[passed_on[-1].end() :] if passed_on else ""


def _first(
    rules: Rules, texts: Sequence[str], domain: str, *, weak: bool = False
) -> Category | None:
    found = (rules.category(text, weak=weak, domain=domain) for text in texts if text)
    return next((category for category in found if category is not None), None)


def is_plain(rules: Rules, diagnostic: str, status: str = "") -> bool:
    """Whether a server's words or its code say why by themselves, so that nobody's label of them
    is needed."""
    if diagnostic and rules.category(normal(diagnostic)) is not None:
        return True
    numbers = _numbers(_most_specific(diagnostic, status))
    return numbers[1] > 0 and numbers not in _SAYS_LITTLE


def explain_refusal(rules: Rules, code: int, enhanced: str, text: str, domain: str = "") -> Reason:
    """Why a server refused or put off a mail in the session; the same rules as for a bounce.

    `code` is the reply's (550), `enhanced` its enhanced code (`5.1.1`) or empty, `text` the
    server's words, `domain` the recipient's (lower case) or empty: it opens the rules that are for
    one domain alone. `permanent` is true where the reply is a 5xx.
    """
    diagnostic = " ".join(part for part in (str(code), enhanced, text) if part)
    found = explain(rules, diagnostic=diagnostic, status=enhanced, domain=domain)
    return Reason(found.category, 500 <= code <= 599, found.status)


def _by_status(subject: int, detail: int, is_temporary: bool) -> Category | None:
    found = _BY_STATUS.get((subject, detail))
    if found is not None and found.is_dead and is_temporary:
        return Category.UNREACHABLE if subject == 4 else Category.RECEIVER_ERROR
    if found is None and subject == 7 and detail > 1:
        return Category.BLOCKED_POLICY
    if found is None and subject == 6 and detail:
        return Category.BLOCKED_CONTENT
    return found


def _by_code(code: str, reply: str) -> Category:
    """What the bare code means. That of a dead address counts only where nothing is said beside
    it: 550 is said of blocks as often, and in words that we may not know."""
    found = _BY_CODE.get(code, Category.UNKNOWN)
    return Category.UNKNOWN if found.is_dead and _says_more(reply) else found


def _guessed(found: Category | None, reply: str) -> Category | None:
    """What the report's weak words mean. qmail says of every refusal that the other server "does
    not like recipient": that is no dead address where the server said why, in words of its own."""
    return None if found is not None and found.is_dead and _says_more(reply) else found


def _says_more(reply: str) -> bool:
    """Whether a reply has other words than that it is one."""
    return any(word not in _NO_WORDS for word in _WORD.findall(reply))


def _most_specific(*texts: str) -> str | None:
    """The enhanced code that says the most, the first of them where two say as much."""
    best: str | None = None
    rank = 0
    for text in texts:
        for found in _STATUS.finditer(text[:6000]):
            subject, detail = int(found[2]), int(found[3])
            worth = 0 if not subject else 2 if detail else 1
            if worth and (subject, detail) in _SAYS_LITTLE:
                worth = 1
            if worth > rank:
                best, rank = found[0], worth
    return best


def _numbers(status: str | None) -> tuple[int, int]:
    if status is None:
        return 0, 0
    _, subject, detail = status.split(".")
    return int(subject), int(detail)


def _is_temporary(status: str | None, code: str) -> bool:
    if code:
        return code.startswith("4")
    return status is not None and status.startswith("4")


def reply_code(text: str) -> str:
    """The first SMTP reply code in a text, such as `550`; empty if there is none."""
    found = _CODE.search(text[:6000])
    return found[1] if found else ""


def reply_in(text: str) -> str:
    """The first SMTP reply in a report's words, up to the next empty line; empty if none."""
    found = _CODE.search(text[:12000])
    if not found:
        return ""
    rest = text[found.start(1) : found.start(1) + _MOST_REPLY]
    reply = _END_OF_REPLY.split(rest, maxsplit=1)[0]
    another = re.search(rf"\n[ \t]*(?!{found[1]})[45]\d\d[ -]", reply)
    return " ".join(reply[: another.start() if another else None].split())

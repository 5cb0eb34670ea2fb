"""Rules about header fields: H01-H17.

Standards: RFC 5322 3.6 (which may occur, and how often), RFC 2047, RFC 2369, RFC 2919,
RFC 3834 5 (Precedence), RFC 8058 (one-click), RFC 6376 5.4 (which a signature covers).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from email.errors import HeaderParseError
from email.header import decode_header
from email.utils import getaddresses, parseaddr, parsedate_to_datetime
from urllib.parse import urlsplit

from mailout.core.check.letter import Letter
from mailout.core.check.links import registrable
from mailout.core.check.rule import Fault, Severity, rule

_ONCE = (
    "From", "To", "Subject", "Date", "Message-ID", "List-Id", "List-Unsubscribe",
    "List-Unsubscribe-Post", "MIME-Version", "Content-Type",
)  # fmt: skip
_OF_ONE_PART = "Content-Transfer-Encoding"  # of the text edition; else each part has its own
_MAY = (
    "Reply-To", "Precedence", "X-Auto-Response-Suppress", "Content-Language", "Feedback-ID",
    "DKIM-Signature",
)  # fmt: skip
_SIGNED = (
    "from", "to", "subject", "date", "message-id", "list-unsubscribe", "list-unsubscribe-post",
    "list-id", "mime-version", "content-type",
)  # fmt: skip
# Providers of mailboxes for anybody: their DMARC policies refuse mail in their name from us.
_MAILBOXES_TEXT = """
    gmail.com googlemail.com yahoo.com yahoo.de yahoo.co.uk aol.com outlook.com hotmail.com
    live.com msn.com icloud.com me.com mac.com mail.ru bk.ru inbox.ru list.ru yandex.ru yandex.com
    ya.ru rambler.ru gmx.de gmx.net gmx.com web.de t-online.de proton.me protonmail.com qq.com
    163.com"""
_MAILBOXES = frozenset(_MAILBOXES_TEXT.split())
_CONTROL = re.compile(
    "[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
_EMOJI = re.compile("[\u2600-\u27bf\U0001f000-\U0001faff]")
_REPLY = re.compile(r"^\s*(re|fwd?|aw|wg|отв|на)\s*:", re.I)
_MOST_LATE = timedelta(minutes=15)
_LINE = 998  # RFC 5322 2.1.1


@rule("H01", Severity.REFUSE, "the headers are those we mean, each once")
def only_ours(letter: Letter) -> Iterator[Fault]:
    counts = Counter(name.lower() for name, _ in letter.headers)
    once = [*_ONCE] if letter.expected.has_html else [*_ONCE, _OF_ONE_PART]
    known = {name.lower() for name in (*once, *_MAY)}
    for name in sorted(counts.keys() - known):
        yield Fault(f"a header that is none of ours: `{name}`", "Look for a line break in a value.")
    for name in once:
        if counts[name.lower()] != 1:
            yield Fault(f"`{name}` stands there {counts[name.lower()]} times, not once")
    for name in _MAY[:-1]:
        if counts[name.lower()] > 1:
            yield Fault(f"`{name}` stands there {counts[name.lower()]} times")


@rule("H02", Severity.REFUSE, "From is one address at our own domain")
def sender(letter: Letter) -> Iterator[Fault]:
    found = getaddresses([letter.header("from")])
    if len(found) != 1 or "@" not in found[0][1]:
        yield Fault("From is not one address", "Mend `from` in the list's file.")
        return
    domain = found[0][1].rpartition("@")[2].lower()
    if domain in _MAILBOXES:
        yield Fault(
            f"From is at {domain}, which lets nobody else send in its name (DMARC)",
            "Take an address at your own domain, and that one as `reply_to`.",
        )
    elif registrable(domain) != registrable(letter.expected.sender_domain):
        yield Fault(
            f"From is at {domain}, the site at {letter.expected.sender_domain}",
            "Set `mail_domain` in [site], or mend `from` in the list's file.",
        )


@rule("H03", Severity.REFUSE, "To is the one reader and nobody else")
def recipient(letter: Letter) -> Iterator[Fault]:
    found = getaddresses([letter.header("to")])
    if [address for _, address in found] != [letter.expected.recipient]:
        yield Fault("To is not exactly the reader's address")
    for name in ("cc", "bcc"):
        if letter.header(name):
            yield Fault(f"there is a `{name}`: readers would see each other")


@rule("H04", Severity.REFUSE, "Message-ID is at our domain and tells nothing")
def identity(letter: Letter) -> Iterator[Fault]:
    value = letter.header("message-id")
    match = re.fullmatch(r"<([^<>@\s]+)@([^<>@\s]+)>", value)
    if match is None or match[2].lower() != letter.expected.id_domain.lower():
        yield Fault(f"Message-ID is not at {letter.expected.id_domain}: `{value}`")
        return
    local = letter.expected.recipient.partition("@")[0].lower()
    if len(local) > 3 and local in match[1].lower():
        yield Fault("Message-ID holds the reader's name")


@rule("H05", Severity.REFUSE, "Date is now, in UTC")
def date(letter: Letter) -> Iterator[Fault]:
    value = letter.header("date")
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        yield Fault(f"Date cannot be read: `{value}`")
        return
    if not value.endswith("+0000") or moment.tzinfo is None:
        yield Fault("Date is not in UTC: it tells where you are")
    elif abs(moment - letter.expected.now) > _MOST_LATE:
        yield Fault(f"Date is {value}: is this machine's clock right?")


@rule("H06", Severity.REFUSE, "no header hides a control character or a second header")
def controls(letter: Letter) -> Iterator[Fault]:
    for name, value in letter.headers:
        if _CONTROL.search(value) or _CONTROL.search(_decoded(value)):
            yield Fault(
                f"`{name}` holds a control character or one that turns the direction of reading",
                "Write the value anew by hand.",
            )


@rule("H07", Severity.REFUSE, "List-Unsubscribe is one https link, not encoded", eased=True)
def way_out(letter: Letter) -> Iterator[Fault]:
    value = letter.header("list-unsubscribe")
    links = re.findall(r"<([^<>]*)>", value)
    if "=?" in value:
        yield Fault("List-Unsubscribe is encoded: no program finds the link", "Shorten `url`.")
    if len("List-Unsubscribe: ") + len(value) > _LINE:
        yield Fault("List-Unsubscribe is too long for a line")
    web = [link for link in links if link.startswith("http")]
    if not links or len(web) != 1 or links[0] != web[0]:
        yield Fault("List-Unsubscribe does not begin with one link to the web")
    elif not web[0].startswith("https://"):
        yield Fault("List-Unsubscribe is no https link", "Set `url` in [site] to https.")
    elif urlsplit(web[0]).hostname != letter.expected.host:
        yield Fault(f"List-Unsubscribe does not lead to {letter.expected.host}")


@rule("H08", Severity.REFUSE, "List-Unsubscribe-Post asks for one click")
def one_click(letter: Letter) -> Iterator[Fault]:
    if letter.header("list-unsubscribe-post") != "List-Unsubscribe=One-Click":
        yield Fault("List-Unsubscribe-Post is not exactly `List-Unsubscribe=One-Click`")


@rule("H09", Severity.REFUSE, "the leave link is this reader's and this list's")
def own_token(letter: Letter) -> Iterator[Fault]:
    expected = letter.expected
    if f"<{expected.leave_url}{expected.token}>" not in letter.header("list-unsubscribe"):
        yield Fault("List-Unsubscribe holds another link than the reader's own")


@rule("H10", Severity.REFUSE, "a DKIM signature covers what RFC 8058 wants, twice")
def signature(letter: Letter) -> Iterator[Fault]:
    for name, value in letter.headers:
        if name.lower() != "dkim-signature":
            continue
        tags = dict(re.findall(r"(\w+)\s*=\s*([^;]*)", value))
        covered = Counter(re.sub(r"\s", "", tags.get("h", "")).lower().split(":"))
        thin = [one for one in _SIGNED if covered[one] < 2]
        if thin:
            yield Fault(f"the DKIM signature does not cover and over-sign {', '.join(thin)}")
        if "l" in tags:
            yield Fault("the DKIM signature covers a part of the body only (l=)")
        domain = tags.get("d", "").strip().lower()
        _, address = parseaddr(letter.header("from"))
        if registrable(address.rpartition("@")[2]) != registrable(domain):
            yield Fault(
                f"the DKIM signature is {domain}'s, and From is {address}: receivers want one "
                "domain for both (DMARC)",
                "Sign with a key of From's domain: `mailout dkim new`.",
            )


@rule("H11", Severity.WARN, "List-Id names the list, the same in every issue")
def list_id(letter: Letter) -> Iterator[Fault]:
    match = re.search(r"<([^<>]+)>$", letter.header("list-id"))
    if match is None or match[1] != letter.expected.list_id or "." not in match[1]:
        yield Fault(
            f"List-Id is not of the form `Phrase <{letter.expected.list_id}>`",
            "Write `list_id` as `news.example.org` in the list's file.",
        )


@rule("H12", Severity.WARN, "Precedence: bulk keeps auto-repliers quiet")
def precedence(letter: Letter) -> Iterator[Fault]:
    if letter.header("precedence").lower() != "bulk":
        yield Fault("`Precedence: bulk` is missing")


@rule("H13", Severity.WARN, "Feedback-ID has four fields at most, none of one reader")
def feedback_id(letter: Letter) -> Iterator[Fault]:
    value = letter.header("feedback-id")
    fields = value.split(":")
    if value and (len(fields) > 4 or not 5 <= len(fields[-1]) <= 15):
        yield Fault("Feedback-ID has more than four fields, or no name of 5 to 15 letters last")
    if value and letter.expected.token in value:
        yield Fault("Feedback-ID tells the reader")


@rule("H14", Severity.WARN, "the sender's name is a name")
def display_name(letter: Letter) -> Iterator[Fault]:
    name = _decoded(letter.header("from")).rpartition("<")[0].strip(' "')
    wrong = []
    if _EMOJI.search(name):
        wrong.append("holds an emoji")
    if _REPLY.search(name):
        wrong.append("begins like a reply")
    if "@" in name or "://" in name or "www." in name:
        wrong.append("holds an address")
    if name and name == _decoded(letter.header("subject")):
        wrong.append("is the subject")
    for what in wrong:
        yield Fault(f"the sender's name {what}: `{name}`", "Mend `from` in the list's file.")


@rule("H15", Severity.WARN, "the subject is short, calm and no reply")
def subject(letter: Letter) -> Iterator[Fault]:
    value = _decoded(letter.header("subject"))
    fix = "Mend `subject` in the issue's file."
    if not 1 <= len(value) <= 150:
        yield Fault(f"the subject has {len(value)} characters, not 1 to 150", fix)
    letters = [c for c in value if c.isalpha() and c.upper() != c.lower()]
    if len(letters) > 8 and sum(c.isupper() for c in letters) > 0.7 * len(letters):
        yield Fault("the subject is nearly all capitals", fix)
    if _REPLY.search(value):
        yield Fault("the subject pretends to be a reply", fix)
    if len(re.findall(r"[!?]{2,}|[!?](?=.*[!?])", value)) > 1 or re.search(r"[!?]{2}", value):
        yield Fault("the subject has more than one `!` or `?`", fix)


@rule("H17", Severity.REFUSE, "no header names software or a machine")
def telling(letter: Letter) -> Iterator[Fault]:
    for name, _ in letter.headers:
        if name.lower() in ("x-mailer", "user-agent", "x-originating-ip", "received"):
            yield Fault(f"`{name}` tells about the sender's machine")


def _decoded(value: str) -> str:
    try:
        pieces = decode_header(value)
    except HeaderParseError:
        return value
    found = []
    for piece, charset in pieces:
        if isinstance(piece, bytes):
            try:
                piece = piece.decode(charset or "ascii", "replace")
            except LookupError:
                piece = piece.decode("ascii", "replace")
        found.append(piece)
    return "".join(found)

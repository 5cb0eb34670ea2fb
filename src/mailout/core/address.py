"""Mail addresses: parsed once, then trusted; compared by a key that tells nothing.

An address stays as its owner typed it. It is *identified* by its canonical form: NFC,
the domain as A-labels, both parts case-folded (RFC 5321 2.4 lets the local part be
case-sensitive; no mail system in use is, and two mails to one person are worse).
Outside the subscriber's own row only the keyed hash of that form is kept.

Standards: RFC 5321 4.5.3.1 (lengths), RFC 5322 3.4.1, RFC 6531 (SMTPUTF8), RFC 5891 (IDNA).
"""

from __future__ import annotations

import hmac
import re
import unicodedata
from typing import NamedTuple

MAX_LENGTH = 254  # RFC 5321 4.5.3.1.3 less the angle brackets

# Plain ASCII addresses take this way; email-validator, forty times slower, decides all
# others. The two must agree (tests/core/test_address.py), so this one is the narrower.
_PLAIN = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}"
)
_LOCAL = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,64}(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,64})*"
).fullmatch
_SPECIAL_ENDINGS = (".test", ".invalid", ".local", ".localhost", ".example", ".arpa", ".onion")


_MOST_DOMAINS = 50_000  # that a parser remembers: a few megabytes


class BadAddress(ValueError):
    """The text is no mail address; the message says why, for the person who typed it."""


class Address(NamedTuple):
    """One mail address. `text` is as typed; `local` and `domain` are what SMTP needs.

    `domain` is in A-label form and lower case.
    """

    text: str
    local: str
    domain: str

    @classmethod
    def parse(cls, text: str) -> Address:
        """The address in `text`, outer white space trimmed; nothing else is repaired.

        Raises: BadAddress.
        """
        typed = text.strip()
        if not typed:
            raise BadAddress("no address")
        if _is_plain(typed):
            local, _, domain = typed.rpartition("@")
            return cls(typed, local, domain.lower())
        return _parse_by_library(typed)

    @classmethod
    def stored(cls, text: str) -> Address:
        """An address that `parse` accepted before it was stored; only split, not checked again."""
        local, _, domain = text.rpartition("@")
        if domain.isascii():
            return cls(text, local, domain.lower())
        return _parse_by_library(text)

    @property
    def canonical(self) -> str:
        """The form that identifies the mailbox; never shown, never stored in the clear."""
        return unicodedata.normalize("NFC", self.local).casefold() + "@" + self.domain

    @property
    def wire(self) -> str:
        """What stands in RCPT TO and in `To:`; pure ASCII unless `needs_smtputf8`."""
        return f"{self.local}@{self.domain}"

    @property
    def needs_smtputf8(self) -> bool:
        """Whether the next hop must offer SMTPUTF8 (RFC 6531): the local part is not ASCII."""
        return not self.local.isascii()

    def key(self, secret: bytes) -> str:
        """The address key: 32 hex digits of HMAC-SHA256 over the canonical form."""
        return hmac.digest(secret, self.canonical.encode(), "sha256").hex()[:32]

    def abuse_key(self, secret: bytes) -> str:
        """A keyed hash (32 hex digits) by which letters to a mailbox are counted.

        `+tag` and dots of the local part do not matter to it, as they do not to many
        providers. It is never used for identity: to others they do matter.
        """
        local, _, domain = self.canonical.rpartition("@")
        folded = local.partition("+")[0].replace(".", "") or local
        return hmac.digest(secret, f"abuse:{folded}@{domain}".encode(), "sha256").hex()[:32]

    def __str__(self) -> str:
        return self.text


class Parser:
    """Parses many addresses of few domains: what it saw of a domain it does not look at again."""

    def __init__(self, secret: bytes) -> None:
        self.secret = secret
        self.plain: dict[str, str] = {}  # domains as typed, and as stored; none that is not plain

    def parse(self, text: str) -> tuple[Address, str]:
        """What `Address.parse` gives, and its key. Raises: BadAddress."""
        typed = text.strip()
        local, _, domain = typed.rpartition("@")
        lower = self.plain.get(domain)
        if lower is None:
            lower = self._domain(domain)
        if lower and len(local) <= 64 and len(typed) <= MAX_LENGTH and _LOCAL(local):
            # ASCII in NFC is itself, and its lower case is what case folding gives.
            key = hmac.digest(self.secret, typed.lower().encode(), "sha256")[:16].hex()
            return Address(typed, local, lower), key
        address = Address.parse(typed)
        return address, address.key(self.secret)

    def _domain(self, domain: str) -> str:
        """The domain as stored, remembered, if it is a plain one; else empty."""
        if not _is_plain(f"a@{domain}"):
            return ""
        if len(self.plain) >= _MOST_DOMAINS:
            self.plain.clear()
        return self.plain.setdefault(domain, domain.lower())


def stored_domain(typed: str) -> str:
    """A domain as `Address.domain` has it: A-labels, lower case; only that if it is none."""
    if typed.isascii():
        return typed.lower()
    try:
        return Address.parse(f"a@{typed}").domain
    except BadAddress:
        return typed.lower()


def _is_plain(text: str) -> bool:
    if len(text) > MAX_LENGTH or not _PLAIN.fullmatch(text):
        return False
    local, _, domain = text.rpartition("@")
    # `--` in third place is left to the library: it knows which A-labels are valid.
    return len(local) <= 64 and "--" not in domain and not _is_special(domain.lower())


def _is_special(domain: str) -> bool:
    return domain.endswith(_SPECIAL_ENDINGS)


def _parse_by_library(text: str) -> Address:
    from email_validator import EmailNotValidError, validate_email  # slow to import

    try:
        found = validate_email(
            text, check_deliverability=False, allow_smtputf8=True, test_environment=True
        )
    except EmailNotValidError as error:
        raise BadAddress(str(error).rstrip(".")) from None
    except (UnicodeError, ValueError) as error:
        raise BadAddress(f"not a mail address ({error})") from None
    return Address(text, found.local_part, found.ascii_domain.lower())

"""Rules about what the domain name system says of us: D01, D02, H16. Asked only when wanted.

Standards: RFC 7208 (SPF; 4.6.4: ten lookups), RFC 6376 3.6 (DKIM keys), RFC 7489 and its
successor (DMARC), RFC 5321 5.1 (MX).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import NamedTuple

from mailout.core.check.rule import Finding, Severity

Ask = Callable[[str, str], Sequence[str]]
"""The records of a name and a type (`TXT`, `MX`, `A`, ..) as text; none if there are none."""

DEMANDS = {
    "D01": (Severity.WARN, "SPF, DKIM and DMARC say that this mail is ours"),
    "D02": (Severity.WARN, "our server has a name, and our domain takes mail"),
    "H16": (Severity.NOTE, "whom readers answer can be answered"),
}
"""The rules of this module: severity, and what each demands."""

_MOST_LOOKUPS = 10
_LEAST_BITS, _ADVISED_BITS = 1024, 2048
_OLD_TAGS = ("pct", "rf", "ri")  # DMARC's successor has them no more
_RSA_OVERHEAD = 38  # bytes of a public key's wrapping (RFC 5280 4.1)


class KeyName(NamedTuple):
    """Where a DKIM key is published, and what should stand there."""

    name: str
    record: str


@dataclass(frozen=True, slots=True)
class Ours:
    """The names that our mail goes by."""

    sender_domain: str
    return_domain: str
    reply_domain: str = ""
    relays: tuple[str, ...] = ()
    keys: tuple[KeyName, ...] = field(default=())


def check_names(ours: Ours, ask: Ask) -> list[Finding]:
    """What is wrong with our names, as the answers of `ask` have it."""
    return [*_spf(ours, ask), *_dkim(ours, ask), *_dmarc(ours, ask), *_servers(ours, ask)]


def _spf(ours: Ours, ask: Ask) -> Iterator[Finding]:
    domain = ours.return_domain
    found = _spf_records(domain, ask)
    if len(found) != 1:
        what = "no SPF record" if not found else f"{len(found)} SPF records, which counts as none"
        fix = f"One TXT record at {domain}: `v=spf1 include:(your relay's) -all`."
        yield _finding("D01", f"{domain} has {what}", fix)
        return
    walk = _Walk(ask)
    walk.follow(domain)
    if walk.lookups > _MOST_LOOKUPS:
        yield _finding(
            "D01",
            f"the SPF record of {domain} asks for {walk.lookups} lookups; above {_MOST_LOOKUPS} "
            "receivers take it for broken",
            "Put addresses (ip4:) in place of includes.",
        )
    if re.search(r"(^| )\+?all( |$)", found[0]):
        yield _finding("D01", f"the SPF record of {domain} lets anybody send (`+all`)")
    addresses = [text for host in ours.relays for text in _addresses(host, ask)]
    if addresses and not any(walk.covers(text) for text in addresses):
        yield _finding(
            "D01",
            f"the SPF record of {domain} does not name the relay's own address "
            f"({', '.join(addresses[:2])}); it may send from others",
            "Ask your relay's provider what to include.",
            Severity.NOTE,
        )


@dataclass(slots=True)
class _Walk:
    """An SPF record followed through its includes."""

    ask: Ask
    lookups: int = 0
    networks: list[str] = field(default_factory=list)
    _seen: set[str] = field(default_factory=set)

    def follow(self, domain: str) -> None:
        if domain in self._seen or self.lookups > 2 * _MOST_LOOKUPS:
            return
        self._seen.add(domain)
        for term in next(iter(_spf_records(domain, self.ask)), "").split()[1:]:
            name, _, value = term.lstrip("+-~?").partition(":")
            name, _, target = (name, "", value) if value else name.partition("=")
            name = name.partition("/")[0].lower()
            if name in ("ip4", "ip6"):
                self.networks.append(target)
            elif name in ("include", "redirect"):
                self.lookups += 1
                self.follow(target)
            elif name in ("a", "mx"):
                self.lookups += 1
                host = target.partition("/")[0] or domain
                hosts = _mail_hosts(host, self.ask) if name == "mx" else [host]
                for one in hosts:
                    self.networks += _addresses(one, self.ask)
            elif name in ("exists", "ptr"):
                self.lookups += 1

    def covers(self, address: str) -> bool:
        for network in self.networks:
            try:
                if ip_address(address) in ip_network(network, strict=False):
                    return True
            except ValueError:
                continue
        return False


def _dkim(ours: Ours, ask: Ask) -> Iterator[Finding]:
    if not ours.keys:
        yield _finding(
            "D01",
            "this site signs nothing itself (no [[dkim]]): the relay has to",
            "`mailout dkim new` makes a key.",
            Severity.NOTE,
        )
    for key in ours.keys:
        found = [_tags(text) for text in ask(key.name, "TXT")]
        wanted = _tags(key.record)
        if not found:
            fix = "`mailout dkim show` prints the record."
            yield _finding("D01", f"there is no DKIM key at {key.name}", fix)
        elif all(tags.get("p") != wanted.get("p") for tags in found):
            fix = "`mailout dkim show` prints the record."
            yield _finding("D01", f"the DKIM key at {key.name} is another than ours", fix)
        bits = _bits(wanted)
        if bits and bits < _ADVISED_BITS:
            graver = Severity.REFUSE if bits < _LEAST_BITS else None
            yield _finding("D01", f"the DKIM key at {key.name} has {bits} bits", "", graver)


def _dmarc(ours: Ours, ask: Ask) -> Iterator[Finding]:
    labels = ours.sender_domain.split(".")
    for at in range(len(labels) - 1):
        name = "_dmarc." + ".".join(labels[at:])
        found = [text for text in ask(name, "TXT") if text.lower().startswith("v=dmarc1")]
        if found:
            break
    else:
        yield _finding(
            "D01",
            f"{ours.sender_domain} has no DMARC record: big receivers refuse bulk mail without",
            f"TXT at _dmarc.{ours.sender_domain}: `v=DMARC1; p=none; rua=mailto:(an address)`.",
        )
        return
    tags = _tags(found[0])
    if len(found) > 1:
        yield _finding("D01", f"{name} has {len(found)} DMARC records, which counts as none")
    if tags.get("p") not in ("none", "quarantine", "reject"):
        yield _finding("D01", f"the DMARC record at {name} has no policy (`p=`)")
    if "rua" not in tags:
        yield _finding("D01", f"the DMARC record at {name} names nobody for reports (`rua=`)")
    for tag in _OLD_TAGS:
        if tag in tags:
            yield _finding("D01", f"the DMARC record at {name} has `{tag}=`, which is no more")


def _servers(ours: Ours, ask: Ask) -> Iterator[Finding]:
    if not _mail_hosts(ours.sender_domain, ask):
        yield _finding(
            "D02", f"{ours.sender_domain} takes no mail: it has no MX", "Bounces would be lost."
        )
    for host in ours.relays:
        addresses = _addresses(host, ask)
        if not addresses:
            yield _finding("D02", f"the relay {host} has no address")
        for address in addresses:
            reverse = ip_address(address).reverse_pointer
            names = [name.rstrip(".") for name in ask(reverse, "PTR")]
            if not any(address in _addresses(name, ask) for name in names):
                yield _finding(
                    "D02",
                    f"{address} ({host}) has no name that leads back to it",
                    "If your mail leaves from there: ask its provider for a PTR record.",
                )
    if ours.reply_domain and not _mail_hosts(ours.reply_domain, ask):
        yield _finding("H16", f"{ours.reply_domain} (Reply-To) takes no mail: it has no MX")


def _spf_records(domain: str, ask: Ask) -> list[str]:
    return [text for text in ask(domain, "TXT") if re.match(r"v=spf1( |$)", text, re.I)]


def _mail_hosts(domain: str, ask: Ask) -> list[str]:
    hosts = (text.rpartition(" ")[2].rstrip(".") for text in ask(domain, "MX"))
    return [host for host in hosts if host]  # `.` alone: takes none (RFC 7505)


def _addresses(host: str, ask: Ask) -> list[str]:
    return [*ask(host, "A"), *ask(host, "AAAA")]


def _tags(record: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in record.split(";"))
    return {name.strip().lower(): re.sub(r"\s", "", value) for name, _, value in pairs if value}


def _bits(tags: dict[str, str]) -> int:
    """The size of an RSA key by the length of its record; 0 for other kinds."""
    if tags.get("k", "rsa") != "rsa":
        return 0
    size = len(tags.get("p", "")) * 3 // 4 - _RSA_OVERHEAD
    return max((bits for bits in (512, 768, 1024, 2048, 3072, 4096) if bits <= size * 8), default=0)


def _finding(rule: str, what: str, fix: str = "", severity: Severity | None = None) -> Finding:
    return Finding(rule, severity or DEMANDS[rule][0], what, fix)

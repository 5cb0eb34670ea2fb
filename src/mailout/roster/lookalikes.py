"""Look-alikes: mail domains that were probably meant to be another. They are told, never mended.

What many addresses of a file have is taken as right. A domain of few that differs from such a
one by one letter, or looks the same in other letters, is a slip or a trick.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache

# Domains that are slips of a known one, whatever the file is like.
_SLIPS = {
    "gmial.com": "gmail.com", "gmai.com": "gmail.com", "gmail.co": "gmail.com",
    "gmail.cm": "gmail.com", "gmail.con": "gmail.com", "gmaill.com": "gmail.com",
    "gamil.com": "gmail.com", "gnail.com": "gmail.com", "gmal.com": "gmail.com",
    "gmail.ru": "gmail.com", "gmail.om": "gmail.com", "gmil.com": "gmail.com",
    "hotmial.com": "hotmail.com", "hotmal.com": "hotmail.com", "hotmail.co": "hotmail.com",
    "hotmail.con": "hotmail.com", "hormail.com": "hotmail.com", "hotmai.com": "hotmail.com",
    "yaho.com": "yahoo.com", "yahooo.com": "yahoo.com", "yahoo.con": "yahoo.com",
    "yahoo.co": "yahoo.com", "outlok.com": "outlook.com", "outllook.com": "outlook.com",
    "outlook.con": "outlook.com", "iclod.com": "icloud.com", "icloud.con": "icloud.com",
    "yandex.r": "yandex.ru", "yandx.ru": "yandex.ru", "yanex.ru": "yandex.ru",
    "mail.r": "mail.ru", "maill.ru": "mail.ru", "mail.ry": "mail.ru", "mai.ru": "mail.ru",
    "protonmail.con": "protonmail.com", "gmx.d": "gmx.de", "gxm.de": "gmx.de", "web.d": "web.de",
}  # fmt: skip
_KNOWN = frozenset(_SLIPS.values())
_COMMON = 20  # addresses from which on a domain is one that many have ..
_RARE = 20  # .. if it has so many times those of the other
_MOST_COMMON = 200
_MOST_LOOKED_AT = 20_000
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789-."
# Letters of other scripts that look like Latin ones.
_LIKE = str.maketrans("аеорсухіјѕԁһӏνοαρτкмвнтԛԝüöäéèıɡ", "aeopcyxijsdhlvoaptkmbhtqwuoaeeig")


def found(counts: Mapping[str, int]) -> Iterator[tuple[str, str, int]]:
    """Domains (A-labels) of a file that are probably slips, what was meant, and how many
    addresses have them; `counts` are the addresses of each domain."""
    common = {
        domain: count
        for domain, count in sorted(counts.items(), key=lambda item: -item[1])[:_MOST_COMMON]
        if count >= _COMMON
    }
    looked_at = 0
    for domain, count in counts.items():
        if meant := _SLIPS.get(domain):
            yield domain, meant, count
            continue
        if domain in _KNOWN or looked_at >= _MOST_LOOKED_AT:
            continue
        looked_at += 1
        if "xn--" in domain:
            plain = _plain(domain)
            if plain != domain and (plain in _KNOWN or plain in common):
                yield domain, plain, count
            continue
        near = [one for one in _near(domain) if common.get(one, 0) >= _RARE * count]
        if near:
            yield domain, max(near, key=common.__getitem__), count


@cache
def _plain(domain: str) -> str:
    """The domain in the Latin letters that it looks like."""
    try:
        shown = ".".join(
            label.encode().decode("idna") if label.startswith("xn--") else label
            for label in domain.split(".")
        )
    except UnicodeError:
        return domain
    return shown.translate(_LIKE)


def _near(domain: str) -> set[str]:
    """Every text that is one letter away: left out, put in, another one, or two changed round."""
    parts = [(domain[:at], domain[at:]) for at in range(len(domain) + 1)]
    left_out = {a + b[1:] for a, b in parts if b}
    changed_round = {a + b[1] + b[0] + b[2:] for a, b in parts if len(b) > 1}
    another = {a + c + b[1:] for a, b in parts if b for c in _LETTERS}
    put_in = {a + c + b for a, b in parts for c in _LETTERS}
    return (left_out | changed_round | another | put_in) - {domain}

"""Checking: what is wrong with a message, told from its final bytes.

| module | rules | looks at |
|---|---|---|
| `headers` | H01-H17 | header fields, one-click, Message-ID |
| `structure` | M01-M05 | MIME, sizes, characters |
| `words` | T01-T04, C01 | the text part beside the HTML part, and what both must say |
| `document` | B01-B06, B14, B17, B18, B20, B21 | the HTML as a document |
| `links` | B07-B12 | where links and pictures lead, and what they are called |
| `looks` | B13, B15, B16, B19 | colours, sizes, hidden words, CSS |

A rule is a function from a `letter.Letter` to faults, registered under its id by `rule.rule`.
What each demands and why is in docs/checks.md; receivers' demands are theirs as of mid 2026.
"""

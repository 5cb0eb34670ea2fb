"""Inbound mail: what came back, about whom, and why. Bytes in, a value out, never an error.

| module | |
|---|---|
| `category` | the words for a reason, whose fault it is, what kinds of mail there are |
| `charset` | bytes as text, whatever they call themselves |
| `mail` | a mail's header fields and parts, read from at most so many bytes |
| `dsn` | the fields of a delivery status notification |
| `original` | where the returned mail begins, and what its head says |
| `addresses` | addresses in a text, unwrapped; which of them a report is about |
| `rules` | phrases and what they mean, checked before they are used |
| `reason` | why: from what was said and from the codes, to a category |
| `seen` | what a mail's fields say of who wrote it |
| `kind` | a bounce, a delay, a feedback report, an automatic reply, a person .. |
| `traces` | our tokens and Message-IDs wherever they stand in a mail |
| `report` | the walk over all of these |

The rules themselves are data: `rules/*.toml`, read by `config.bounce_rules`, which also reads those
of a site. docs/inbound.md tells what is decided, and why.
"""

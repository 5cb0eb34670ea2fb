"""Notices of mail providers (webhooks): whether one is authentic, and what it tells.

One module a provider, each with the same two functions:

| function | says |
|---|---|
| `arrivals(body, headers, settings, now)` | what of a request is kept, or that it is refused |
| `read(event, rules)` | what one kept event tells, as a mail that came back would |

`provider` knows all of them by name. Opens and clicks are never kept, nor are deliveries.
"""

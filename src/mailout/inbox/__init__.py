"""The ways in: where mail that comes back is picked up, or handed to us.

| way | read by | what happens there to what was kept |
|---|---|---|
| `maildir` | `fetch`, `watch` | moved to `cur`, with the flag for seen |
| `mbox` | `fetch`, `watch` | nothing; with `empty_mbox` the file is emptied |
| `imap` | `fetch`, `watch` | marked as seen, and moved if told to |
| `lmtp` | listens while `watch` runs | 250 for each recipient |
| `pipe` | `mailout receive`, a mail a call | exit 0 |

Each hands on `Arrival`s to a `Keep`, a batch at a time. What `Keep` has not returned for is left as
it is at its source: it comes again, and `Keep` knows what it has. Nothing here looks into a mail.
"""

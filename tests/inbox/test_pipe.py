"""What a mail server hands over on standard input, and the envelope it tells."""

from __future__ import annotations

import io

import pytest

from mailout.inbox.pipe import arrival, read, recipient_of


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"ORIGINAL_RECIPIENT": "bounces+t@news.example.org", "RECIPIENT": "x@host"}, "bounces+t@news.example.org"),
        ({"ORIGINAL_RECIPIENT": "", "RECIPIENT": "bounces-t@news.example.org"}, "bounces-t@news.example.org"),
        ({"LOCAL_PART": "bounces", "LOCAL_PART_SUFFIX": "+t", "DOMAIN": "news.example.org"}, "bounces+t@news.example.org"),
        ({"LOCAL_PART": "bounces", "DOMAIN": ""}, ""),
        ({"RECIPIENT": "anna"}, ""),
        ({}, ""),
    ],
)  # fmt: skip
def test_the_recipient_that_each_server_tells(environ: dict[str, str], expected: str) -> None:
    assert recipient_of(environ) == expected


def test_what_is_told_goes_before_the_environment() -> None:
    environ = {"RECIPIENT": "a@example.org", "SENDER": "b@example.org"}
    told = arrival(b"x", environ, "c@example.org", "d@example.org")
    assert (told.source, told.recipient, told.sender) == ("pipe", "c@example.org", "d@example.org")
    assert arrival(b"x", environ).sender == "b@example.org"


def test_what_is_too_long_is_read_to_its_end_and_cut() -> None:
    stream = io.BytesIO(b"x" * 300_000)
    assert read(stream, 100_000) == b"x" * 100_000
    assert stream.read() == b""

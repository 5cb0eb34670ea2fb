"""Tokens: what signs verifies, and nothing else does."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from mailout.core.token import (
    LEAVE_LENGTH,
    Key,
    Ring,
    Signed,
    form_token,
    is_trial,
    leave_paths,
    leave_token,
    link_token,
    message_id,
    read_return_path,
    read_undo,
    reason_token,
    return_path_token,
    session_token,
    trial_token,
    undo_token,
)

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
TOMORROW = NOW + timedelta(hours=24)
OLD, NEW = Key(1, b"old secret of 32 bytes.........."), Key(2, b"new secret of 32 bytes..........")
RING = Ring((OLD,))
BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
HEX = "0123456789abcdef"

ids = st.integers(min_value=0, max_value=2**63 - 1)
lists = st.from_regex(r"[a-z0-9][a-z0-9-]{0,20}", fullmatch=True)


def flipped(token: str, alphabet: str) -> list[str]:
    """Every token that differs in one bit of one character."""
    found = []
    for at, letter in enumerate(token):
        value = alphabet.index(letter)
        for bit in range(len(alphabet).bit_length() - 1):
            found.append(token[:at] + alphabet[value ^ (1 << bit)] + token[at + 1 :])
    return found


# -- leave ---------------------------------------------------------------------------------


@given(st.binary(min_size=16, max_size=16))
def test_leave_tokens_are_short_and_safe_in_urls(random: bytes) -> None:
    token = leave_token(random)
    assert len(token) == LEAVE_LENGTH
    assert re.fullmatch(r"[A-Za-z0-9_-]+", token)


@given(st.binary(min_size=16, max_size=16), st.binary(min_size=16, max_size=16))
def test_leave_tokens_differ_as_their_bytes_do(one: bytes, other: bytes) -> None:
    assert (leave_token(one) == leave_token(other)) is (one == other)


@given(st.binary(min_size=16, max_size=16), ids, lists)
def test_no_token_is_long_and_all_are_safe_in_urls(random: bytes, number: int, name: str) -> None:
    for token in (
        leave_token(random),
        link_token(random),
        undo_token(RING, number, TOMORROW),
        session_token(RING, number, TOMORROW),
        form_token(RING, random[:8], TOMORROW),
        reason_token(RING, name, random[:8], TOMORROW),
        return_path_token(RING, number, name),
        leave_paths(RING, name)(number),
        trial_token(RING, random[:8]),
    ):
        assert re.fullmatch(r"[A-Za-z0-9_-]{16,32}", token)


# -- undo ----------------------------------------------------------------------------------


@given(ids)
def test_undo_round_trip(subscription: int) -> None:
    token = undo_token(RING, subscription, TOMORROW)
    assert len(token) == 32
    assert re.fullmatch(r"[A-Za-z0-9_-]+", token)
    assert read_undo(RING, token, NOW) == Signed(subscription, TOMORROW)


@given(ids, st.integers(min_value=-(10**6), max_value=10**6))
def test_undo_ends_with_its_second(subscription: int, seconds: int) -> None:
    token = undo_token(RING, subscription, TOMORROW)
    said = read_undo(RING, token, TOMORROW + timedelta(seconds=seconds))
    assert (said is not None) is (seconds <= 0)


@given(ids)
def test_no_flipped_bit_of_an_undo_passes(subscription: int) -> None:
    token = undo_token(RING, subscription, TOMORROW)
    assert not [t for t in flipped(token, BASE64) if read_undo(RING, t, NOW) is not None]


@given(ids, st.integers(min_value=0, max_value=31))
def test_no_piece_of_an_undo_passes(subscription: int, length: int) -> None:
    token = undo_token(RING, subscription, TOMORROW)
    for piece in (token[:length], token[length + 1 :], token + token[:length] + "A"):
        assert read_undo(RING, piece, NOW) is None


@given(st.text(max_size=80) | st.text(BASE64, min_size=32, max_size=32))
def test_garbage_is_no_undo(text: str) -> None:
    assert read_undo(RING, text, NOW) is None


def test_long_garbage_and_other_spellings_are_no_undo() -> None:
    token = undo_token(RING, 7, TOMORROW)
    for text in ("x" * 10_000, token + "=", token + "\n", " " + token, token + "\0", token.lower()):
        assert read_undo(RING, text, NOW) is None


@given(ids)
def test_old_keys_verify_until_they_are_removed(subscription: int) -> None:
    token = undo_token(Ring((OLD,)), subscription, TOMORROW)
    assert read_undo(Ring((NEW, OLD)), token, NOW) is not None
    assert read_undo(Ring((NEW,)), token, NOW) is None
    fresh = undo_token(Ring((NEW, OLD)), subscription, TOMORROW)
    assert read_undo(Ring((NEW,)), fresh, NOW) is not None
    assert read_undo(Ring((Key(1, NEW.secret),)), token, NOW) is None


# -- return path -----------------------------------------------------------------------------


@given(ids, lists)
def test_return_path_round_trip_whatever_the_case(delivery: int, list_name: str) -> None:
    token = return_path_token(RING, delivery, list_name)
    assert re.fullmatch(r"[0-9a-f]{32}", token)
    for spelled in (token, token.upper(), token.title(), token.swapcase()):
        assert read_return_path(RING, spelled, list_name) == delivery


@given(ids, lists, lists)
def test_a_return_path_belongs_to_its_list(delivery: int, one: str, other: str) -> None:
    said = read_return_path(RING, return_path_token(RING, delivery, one), other)
    assert said == (delivery if one == other else None)


@given(ids, lists)
def test_no_flipped_bit_of_a_return_path_passes(delivery: int, list_name: str) -> None:
    token = return_path_token(RING, delivery, list_name)
    assert not [t for t in flipped(token, HEX) if read_return_path(RING, t, list_name) is not None]


@given(ids, lists, st.integers(min_value=0, max_value=31))
def test_no_piece_of_a_return_path_passes(delivery: int, list_name: str, length: int) -> None:
    token = return_path_token(RING, delivery, list_name)
    for piece in (token[:length], token[length + 1 :], token + "a" * (length + 1)):
        assert read_return_path(RING, piece, list_name) is None


@given(st.text(max_size=80) | st.text(HEX, min_size=32, max_size=32))
def test_garbage_is_no_return_path(text: str) -> None:
    assert read_return_path(RING, text, "bulletin") is None


# -- purposes --------------------------------------------------------------------------------


@given(ids, lists, st.binary(min_size=16, max_size=16))
def test_purposes_are_not_confused(number: int, list_name: str, random: bytes) -> None:
    undo = undo_token(RING, number, TOMORROW)
    path = return_path_token(RING, number, list_name)
    leave = leave_token(random)
    for token in (path, leave, message_id(OLD.secret, number, "key", "example.org")):
        assert read_undo(RING, token, NOW) is None
    for token in (undo, leave):
        assert read_return_path(RING, token, list_name) is None


@given(ids, st.text(HEX, min_size=32, max_size=32))
def test_message_ids_are_the_same_on_a_resend_and_tell_nothing(issue: int, key: str) -> None:
    first = message_id(OLD.secret, issue, key, "news.example.org")
    assert first == message_id(OLD.secret, issue, key, "news.example.org")
    assert re.fullmatch(r"<[a-z0-9]{32,40}@news\.example\.org>", first)
    assert first != message_id(OLD.secret, issue + 1, key, "news.example.org")
    assert first != message_id(OLD.secret, issue, key + "x", "news.example.org")
    assert first != message_id(NEW.secret, issue, key, "news.example.org")
    assert key not in first


# -- trial ---------------------------------------------------------------------------------


@given(st.binary(min_size=8, max_size=8), lists)
def test_a_trial_looks_like_a_return_path_and_names_no_delivery(random: bytes, name: str) -> None:
    token = trial_token(RING, random)
    assert len(token) == len(return_path_token(RING, 1, name))
    assert is_trial(RING, token) and is_trial(RING, token.upper())
    assert is_trial(Ring((NEW, OLD)), token) and not is_trial(Ring((NEW,)), token)
    assert read_return_path(RING, token, name) is None
    assert not any(is_trial(RING, other) for other in flipped(token, HEX))


@given(ids, lists)
def test_a_return_path_is_no_trial(number: int, name: str) -> None:
    assert not is_trial(RING, return_path_token(RING, number, name))

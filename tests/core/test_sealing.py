"""Sealed streams: whatever is done to one is found, and nothing is read of it after that."""

from __future__ import annotations

import io
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailout.core import sealing
from mailout.core.errors import BadFile, MailoutError
from mailout.core.sealing import BLOCK, HEAD, Seal, Sealer, new_seal, open_seal, unsealed

_SALT = bytes(range(16))
_SEAL = new_seal("six random words for a test", _SALT, cost=10)
_TAGGED = BLOCK + 16
# Long enough for several blocks, short enough for many examples; ends of blocks above all.
_LENGTHS = st.one_of(
    st.integers(0, 200),
    st.sampled_from([BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 2 * BLOCK + 1, 3 * BLOCK]),
)


def _sealed(plain: bytes, cuts: Sequence[int] = ()) -> bytes:
    sealer = Sealer(_SEAL)
    places = [0, *sorted(cut % (len(plain) + 1) for cut in cuts), len(plain)]
    pieces = [plain[start:end] for start, end in pairwise(places)]
    return b"".join(map(sealer.update, pieces)) + sealer.finish()


def _read(sealed: bytes, seal: Seal = _SEAL) -> bytes:
    return b"".join(unsealed(seal, io.BytesIO(sealed).read))


def _plain(length: int) -> bytes:
    return bytes(number % 251 for number in range(length))


@given(_LENGTHS, st.lists(st.integers(0, 4 * BLOCK), max_size=4))
def test_what_was_sealed_is_read_however_it_was_cut(length: int, cuts: list[int]) -> None:
    plain = _plain(length)
    sealed = _sealed(plain, cuts)
    assert _read(sealed) == plain
    assert sealed == _sealed(plain)


@given(_LENGTHS, st.data())
def test_a_bit_that_was_turned_is_found(length: int, data: st.DataObject) -> None:
    sealed = bytearray(_sealed(_plain(length)))
    sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(BadFile, match="damaged"):
        _read(bytes(sealed))


@given(_LENGTHS, st.data())
def test_an_end_that_was_cut_off_is_found(length: int, data: st.DataObject) -> None:
    sealed = _sealed(_plain(length))
    ends = st.one_of(
        st.integers(0, len(sealed) - 1),
        st.sampled_from([end for end in (_TAGGED, 2 * _TAGGED, 0) if end < len(sealed)]),
    )
    with pytest.raises(BadFile, match="damaged or cut off"):
        _read(sealed[: data.draw(ends)])


@given(_LENGTHS, st.binary(min_size=1, max_size=40))
def test_an_end_that_was_added_is_found(length: int, more: bytes) -> None:
    with pytest.raises(BadFile, match="damaged"):
        _read(_sealed(_plain(length)) + more)


def test_blocks_that_changed_places_were_doubled_or_left_out_are_found() -> None:
    sealed = _sealed(_plain(3 * BLOCK))
    first, second, third = (
        sealed[start : start + _TAGGED] for start in range(0, 3 * _TAGGED, _TAGGED)
    )
    assert _read(first + second + third) == _plain(3 * BLOCK)
    for forged in (
        (second, first, third), (first, third), (second, third), (first, first, second, third),
        (first, second, third, third), (third,), (first, second),
    ):  # fmt: skip
        with pytest.raises(BadFile):
            _read(b"".join(forged))


def test_blocks_of_two_streams_cannot_be_mixed() -> None:
    other = new_seal("six random words for a test", b"another salt....", cost=10)
    sealer = Sealer(other)
    theirs = sealer.update(_plain(BLOCK + 1)) + sealer.finish()
    ours = _sealed(_plain(BLOCK + 1))
    with pytest.raises(BadFile):
        _read(ours[:_TAGGED] + theirs[_TAGGED:])


def test_another_passphrase_is_told_from_damage() -> None:
    assert open_seal(_SEAL.head, "six random words for a test").key == _SEAL.key
    with pytest.raises(MailoutError, match="the passphrase does not open this backup"):
        open_seal(_SEAL.head, "six other words for a test")


def test_an_accent_typed_apart_is_the_same() -> None:
    seal = new_seal("geschlossene Tür am Morgen", _SALT, cost=10)
    assert open_seal(seal.head, "geschlossene Tür am Morgen").key == seal.key


@pytest.mark.parametrize(
    "head",
    [
        b"",
        _SEAL.head[:-1],
        b"x" * HEAD,
        _SEAL.head[: len(sealing.MAGIC)] + b"\xff" + _SEAL.head[25:],
    ],
)
def test_a_head_that_is_none_asks_for_no_memory(head: bytes) -> None:
    with pytest.raises(BadFile, match="damaged"):
        open_seal(head, "six random words for a test")


@given(st.binary(min_size=HEAD, max_size=HEAD + 100))
def test_anything_at_all_is_refused(raw: bytes) -> None:
    with pytest.raises(MailoutError):
        open_seal(raw[:HEAD], "six random words for a test")


def test_a_short_passphrase_is_refused() -> None:
    sealing.refuse_weak("twelve chars")
    with pytest.raises(MailoutError, match="six words"):
        sealing.refuse_weak("hunter2")


def test_no_key_is_ever_printed() -> None:
    assert repr(_SEAL.key) not in repr(_SEAL)

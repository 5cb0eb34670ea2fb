"""A round trip that is heard at once comes to the same as its replies one by one."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scripted import Scripted

from mailout.core.site import Relay
from mailout.smtp.envelope import Envelope
from mailout.smtp.replies import ROUND, Nonsense, Reply, ReplyReader
from mailout.smtp.session import submit_all

WORDS = st.one_of(
    st.binary(max_size=12),
    st.builds(
        lambda code, gap, words: code + gap + words,
        st.sampled_from([b"2.0.0", b"2.10.123", b"5.7.1", b"2.0", b"3.0.0", b""]),
        st.sampled_from([b"", b" ", b"  ", b"\t"]),
        st.sampled_from(
            [b"", b"Ok", b"Ok: queued as 4F2", b" Ok ", b"\xd0\xbd", b"x" * 480, b"x" * 600]
        ),
    ),
)


@given(st.lists(WORDS, min_size=4, max_size=4))
@example([b"2.0.0 Ok: queued as 4F2", b"2.1.0 Ok", b"2.1.5 Ok", b"End data"])
@example([b"2.0.0", b"", b"", b""])
@example([b"2.0.0  !", b"", b"", b""])
@example([b"", b"Ok", b"Ok", b"go"])
def test_a_round_is_what_its_replies_are(words: list[bytes]) -> None:
    codes = (250, 250, 250, 354)
    data = b"".join(b"%d %b\r\n" % (code, said) for code, said in zip(codes, words, strict=True))
    found = ROUND.fullmatch(data)
    if found is None:
        return  # it is heard reply by reply then
    replies = list(ReplyReader().feed(data))
    assert tuple(code for code, _ in replies) == codes
    enhanced, text = Reply(*replies[0]).split()
    assert ((found[1] or b"").decode(), found[2].decode()) == (enhanced, text)


def test_what_most_servers_say_is_a_round() -> None:
    for end in (b"2.0.0 Ok: queued as 4F2Cz", b"2.0.0 Ok", b"Ok", b"OK id=1tKx-0001", b""):
        assert ROUND.fullmatch(b"250 " + end + b"\r\n250 2.1.0 Ok\r\n250 Ok\r\n354 go ahead\r\n")


@pytest.mark.parametrize("code", [b"251", b"450", b"550", b"421", b"354"])
def test_a_round_with_another_reply_in_it_is_none(code: bytes) -> None:
    usual = [b"250", b"250", b"250", b"354"]
    for at, replaced in enumerate(usual):
        if code != replaced:
            codes = [*usual[:at], code, *usual[at + 1 :]]
            assert not ROUND.fullmatch(b"".join(one + b" Ok\r\n" for one in codes))


def test_the_reader_knows_whether_a_reply_is_half_there() -> None:
    reader = ReplyReader()
    assert reader.is_empty
    for data, is_empty in ((b"250-one\r\n", False), (b"250 two\r\n", True), (b"25", False)):
        list(reader.feed(data))
        assert reader.is_empty is is_empty
    with pytest.raises(Nonsense):
        list(reader.feed(b"x\r\n"))


@pytest.mark.parametrize("together", [True, False])
async def test_each_reply_of_a_long_session_goes_to_its_own_message(together: bool) -> None:
    """The server's words differ for each: in whole rounds, and in any pieces."""
    sent = [
        Envelope("b@news.example.org", f"p{n}@example.org", b"To: x\r\n\r\nText %d\r\n" % n)
        for n in range(40)
    ]

    def answer(step: str, number: int) -> str | None:
        if step == "RCPT" and number % 7 == 3:
            return "550 5.1.1 nobody here"
        return f"250 2.0.0 queued as {number}" if step == "END" else None

    async with Scripted(("PIPELINING",), answer, together) as server:
        relay = Relay(host="127.0.0.1", port=server.port, tls="none")
        outcomes = await submit_all(relay, "news.example.org", 1.0, sent)
    for number, outcome in enumerate(outcomes):
        if number % 7 == 3:
            assert (outcome.code, outcome.enhanced) == (550, "5.1.1")
        else:
            assert (outcome.enhanced, outcome.text) == ("2.0.0", f"queued as {number}")
    taken = [number for number in range(40) if number % 7 != 3]
    assert [body for _, body in server.accepted] == [sent[number].message for number in taken]
    # 220, EHLO, the first envelope; then one round a message, and one more after each refusal.
    assert server.reads <= 3 + 40 + 6 + 1

"""Every command with every fault, in each way of talking: each envelope has a truthful end."""

from __future__ import annotations

import pytest
from scripted import Answer, Scripted, usual

from mailout.core.delivery import Outcome, Verdict
from mailout.core.site import Relay
from mailout.smtp.envelope import Envelope
from mailout.smtp.replies import Nonsense, Reply, ReplyReader
from mailout.smtp.session import RelayProblem, submit_all

WAYS = {
    "step by step": (),
    "pipelining": ("PIPELINING",),
    "chunking": ("PIPELINING", "CHUNKING"),
}
COUNT = 6
BAD = 2  # the number of the message that something happens to


def envelopes(count: int = COUNT) -> list[Envelope]:
    return [
        Envelope("b@news.example.org", f"p{n}@example.org", b"To: x\r\n\r\nText %d\r\n" % n)
        for n in range(count)
    ]


async def send(server: Scripted, patience: float = 1.0, depth: int = 4) -> list[Outcome]:
    relay = Relay(host="127.0.0.1", port=server.port, tls="none", depth=depth)
    return await submit_all(relay, "news.example.org", patience, envelopes())


def at(step: str, reply: str, number: int = BAD) -> Answer:
    return lambda asked, n: reply if (asked, n) == (step, number) else None


@pytest.mark.parametrize("way", WAYS)
async def test_all_is_taken(way: str) -> None:
    async with Scripted(WAYS[way]) as server:
        outcomes = await send(server)
        assert [o.verdict for o in outcomes] == [Verdict.ACCEPTED] * COUNT
        assert {(o.code, o.enhanced, o.text) for o in outcomes} == {(250, "2.0.0", "taken")}
        assert server.accepted == [(e.recipient, e.message) for e in envelopes()]
        assert server.commands[-1] == "QUIT"


async def test_round_trips() -> None:
    """One a message with PIPELINING, several messages one with CHUNKING, four without both."""
    reads = {}
    for way, offers in WAYS.items():
        async with Scripted(offers) as server:
            await send(server, depth=6)
            reads[way] = server.reads - 2  # EHLO and QUIT
    assert reads["step by step"] >= 3 * COUNT
    assert reads["pipelining"] <= COUNT + 2
    assert reads["chunking"] <= 3


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("step", "reply"),
    [(step, "450 4.2.1 later") for step in ("MAIL", "RCPT", "DATA", "END")]
    # A refused sender is not one envelope's affair: the next test.
    + [(step, "550 5.1.1 never") for step in ("RCPT", "DATA", "END")],
)
async def test_a_refusal_concerns_its_own_envelope_only(way: str, step: str, reply: str) -> None:
    if step == "DATA" and way == "chunking":
        step = "END"  # there is no DATA
    async with Scripted(WAYS[way], at(step, reply)) as server:
        outcomes = await send(server)
        wanted = Verdict.REFUSED if reply[0] == "5" else Verdict.DEFERRED
        assert [o.verdict for o in outcomes] == [
            wanted if n == BAD else Verdict.ACCEPTED for n in range(COUNT)
        ]
        assert outcomes[BAD].reply == reply
        assert [r for r, _ in server.accepted] == [
            e.recipient for n, e in enumerate(envelopes()) if n != BAD
        ]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("reply", ["530 5.7.0 log in first", "550 5.7.1 sender rejected"])
async def test_a_refused_sender_is_the_relays_affair(way: str, reply: str) -> None:
    async with Scripted(WAYS[way], at("MAIL", reply, 0)) as server:
        with pytest.raises(RelayProblem) as problem:
            await send(server)
    assert reply in str(problem.value)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA", "END"])
@pytest.mark.parametrize("fault", ["CLOSE", "HANG", "421 4.3.2 closing", "hello there", "9"])
async def test_a_broken_connection_blames_nobody_wrongly(way: str, step: str, fault: str) -> None:
    if step == "DATA" and way == "chunking":
        step = "END"
    async with Scripted(WAYS[way], at(step, fault)) as server:
        outcomes = await send(server)
        assert all(o.verdict is Verdict.ACCEPTED for o in outcomes[:BAD])
        bad = outcomes[BAD]
        assert bad.verdict in (Verdict.DEFERRED, Verdict.UNKNOWN)
        # Unknown only if the whole message was written and no answer to it came.
        written = step == "END" or way == "chunking"
        if fault.startswith("421") or not written:
            assert bad.verdict is Verdict.DEFERRED
        else:
            assert bad.verdict is Verdict.UNKNOWN
        for outcome in outcomes[BAD + 1 :]:
            assert outcome.verdict is not Verdict.ACCEPTED
            assert outcome.verdict is not Verdict.REFUSED
        # Whatever the server took, nobody is told that it did not.
        taken = {recipient for recipient, _ in server.accepted}
        for envelope, outcome in zip(envelopes(), outcomes, strict=True):
            if envelope.recipient in taken:
                assert outcome.verdict in (Verdict.ACCEPTED, Verdict.UNKNOWN)


async def test_a_reply_without_end_ends_the_connection() -> None:
    endless = "\r\n".join(["250-" + "x" * 100] * 2000) + "\r\n250 x"
    async with Scripted(("PIPELINING",), at("END", endless)) as server:
        outcomes = await send(server)
    assert outcomes[BAD].verdict is Verdict.UNKNOWN
    assert "nonsense" in outcomes[BAD].text and len(outcomes[BAD].text) < 600


async def test_a_reply_of_many_lines_reads_as_one() -> None:
    reply = "550-5.1.1 no such\r\n550-5.1.1 person\r\n550 5.1.1 here"
    async with Scripted(("PIPELINING",), at("RCPT", reply)) as server:
        outcomes = await send(server)
    assert outcomes[BAD].enhanced == "5.1.1"
    assert "no such" in outcomes[BAD].text and "here" in outcomes[BAD].text


async def test_what_the_server_cannot_take_is_not_sent() -> None:
    async with Scripted(("PIPELINING", "SIZE 100"), usual) as server:
        relay = Relay(host="127.0.0.1", port=server.port, tls="none")
        big = Envelope("b@example.org", "a@example.org", b"x" * 200 + b"\r\n")
        script = Envelope("b@example.org", "инфо@example.org", b"To: x\r\n\r\nx\r\n")
        outcomes = await submit_all(relay, "x.example.org", 1.0, [big, script, *envelopes(1)])
    assert [(o.verdict, o.enhanced) for o in outcomes] == [
        (Verdict.REFUSED, "5.3.4"), (Verdict.REFUSED, "5.6.7"), (Verdict.ACCEPTED, "2.0.0"),
    ]  # fmt: skip


def test_replies_come_in_any_pieces() -> None:
    raw = b"250-one\r\n250 two\r\n354 go\r\n"
    whole = list(ReplyReader().feed(raw))
    reader = ReplyReader()
    pieces = [r for n in range(len(raw)) for r in reader.feed(raw[n : n + 1])]
    assert whole == pieces
    assert [(code, Reply(code, words).text) for code, words in whole] == [
        (250, "one two"), (354, "go"),
    ]  # fmt: skip


@pytest.mark.parametrize("raw", [b"hello\r\n", b"25\r\n", b"\r\n", b"2500 x\r\n", b"x" * 70_000])
def test_what_is_no_reply(raw: bytes) -> None:
    with pytest.raises(Nonsense):
        list(ReplyReader().feed(raw))


def test_a_servers_words_cannot_drive_a_terminal() -> None:
    ((code, words),) = ReplyReader().feed(b"550 \x1b[2J\x07 \xd0\xbd\xd0\xb5\xd1\x82 \xff\r\n")
    reply = Reply(code, words)
    assert reply.text.isprintable() and "нет" in reply.text


@pytest.mark.parametrize("way", WAYS)
async def test_reports_are_asked_for_where_the_server_knows_them(way: str) -> None:
    named = Envelope(
        "b@news.example.org", "p+1=x@example.org", b"To: x\r\n\r\nx\r\n", envelope_id="00aa"
    )
    async with Scripted((*WAYS[way], "DSN")) as server:
        relay = Relay(host="127.0.0.1", port=server.port, tls="none")
        (outcome,) = await submit_all(relay, "news.example.org", 1.0, [named])
        assert outcome.verdict is Verdict.ACCEPTED
        assert "MAIL FROM:<b@news.example.org> RET=HDRS ENVID=00aa" in server.lines
        assert (
            "RCPT TO:<p+1=x@example.org> NOTIFY=FAILURE,DELAY ORCPT=rfc822;p+2B1+3Dx@example.org"
            in server.lines
        )


async def test_a_message_that_is_not_7_bit_says_so() -> None:
    script = Envelope("b@example.org", "инфо@example.org", "To: инфо@x\r\n\r\nx\r\n".encode())
    async with Scripted(("PIPELINING", "SMTPUTF8", "8BITMIME", "DSN")) as server:
        relay = Relay(host="127.0.0.1", port=server.port, tls="none")
        (outcome,) = await submit_all(relay, "news.example.org", 1.0, [script])
        assert outcome.verdict is Verdict.ACCEPTED
        assert "MAIL FROM:<b@example.org> BODY=8BITMIME SMTPUTF8" in server.lines


@pytest.mark.parametrize("way", WAYS)
async def test_a_session_ends_after_its_messages(way: str) -> None:
    async with Scripted(WAYS[way]) as server:
        relay = Relay(host="127.0.0.1", port=server.port, tls="none", per_connection=2)
        outcomes = await submit_all(relay, "news.example.org", 1.0, envelopes())
        assert [o.verdict for o in outcomes[:2]] == [Verdict.ACCEPTED] * 2
        assert server.commands[-1] == "QUIT"
        assert len(server.accepted) == 2

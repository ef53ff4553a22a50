import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2p.errors import NegotiationError, ProtocolsRefusedError
from p2p.wire.multistream import (
    MESSAGE_SIZE_BYTES_MAX,
    UNKNOWN_IDS_MAX,
    Proposer,
    Responder,
    encode_message,
)
from tests.p2p.cutting import CUTS, pieces
from tests.p2p.published import published

PEER = "/ip4/10.0.0.1/tcp/1"
HEADER = encode_message("/multistream/1.0.0")
REFUSAL = encode_message("na")
PROTOCOLS = ("/mesh/3", "/mesh/2", "/mesh/1")

IDS = st.lists(st.sampled_from([*PROTOCOLS, "/flood/1", "ls"]), min_size=1, max_size=6, unique=True)


def feed(
    side: Proposer | Responder, raw: bytes, cuts: list[int]
) -> tuple[bytes, str | None, bytes]:
    """Return what a side sends, agrees on and hands over for bytes that come in pieces."""
    sent = rest = b""
    for piece in pieces(raw, cuts):
        if side.agreed is None:
            sent += side.receive(piece)
        else:
            rest += piece
    return sent, side.agreed, side.leftover + rest


def converse(proposer: Proposer, responder: Responder) -> None:
    """Pass bytes to and fro until both agree; raise what either of them raises."""
    to_responder = proposer.start()
    while proposer.agreed is None:
        to_proposer = responder.receive(to_responder)
        assert to_proposer
        to_responder = proposer.receive(to_proposer)


@pytest.mark.parametrize(("text", "encoded"), published("multistream").items())
def test_messages_are_those_of_js(text: str, encoded: str) -> None:
    assert encode_message(text).hex() == encoded


def test_header_and_first_proposal_go_out_together() -> None:
    assert Proposer(PROTOCOLS, peer=PEER).start() == HEADER + encode_message("/mesh/3")


def test_proposals_follow_refusals_without_a_second_header() -> None:
    proposer = Proposer(PROTOCOLS, peer=PEER)
    assert proposer.receive(HEADER) == b""
    assert proposer.receive(REFUSAL) == encode_message("/mesh/2")
    assert proposer.receive(REFUSAL) == encode_message("/mesh/1")
    assert proposer.receive(encode_message("/mesh/1") + b"more") == b""
    assert (proposer.agreed, proposer.leftover) == ("/mesh/1", b"more")


def test_every_proposal_refused_means_nothing_in_common_and_no_blame() -> None:
    proposer = Proposer(PROTOCOLS, peer=PEER)
    proposer.receive(HEADER + REFUSAL * 2)
    with pytest.raises(ProtocolsRefusedError, match="/mesh/3, /mesh/2, /mesh/1") as caught:
        proposer.receive(REFUSAL)
    assert caught.value.peer == PEER
    assert not isinstance(caught.value, NegotiationError)


@settings(max_examples=50)
@given(IDS, IDS)
def test_both_sides_take_the_first_proposal_that_both_speak(
    proposed: list[str], supported: list[str]
) -> None:
    proposer = Proposer(proposed, peer=PEER)
    responder = Responder(supported.__contains__, peer=PEER)
    shared = [protocol for protocol in proposed if protocol in supported]
    if not shared:
        with pytest.raises(ProtocolsRefusedError):
            converse(proposer, responder)
        return
    converse(proposer, responder)
    assert proposer.agreed == responder.agreed == shared[0]


@settings(max_examples=50)
@given(IDS, st.binary(max_size=30), CUTS)
def test_pieces_of_the_proposers_bytes_do_not_matter(
    ids: list[str], payload: bytes, cuts: list[int]
) -> None:
    raw = HEADER + b"".join(map(encode_message, [*ids, PROTOCOLS[0]])) + payload
    at_once = feed(Responder(PROTOCOLS.__contains__, peer=PEER), raw, [])
    assert feed(Responder(PROTOCOLS.__contains__, peer=PEER), raw, cuts) == at_once
    assert at_once[1] in PROTOCOLS
    assert at_once[2].endswith(payload)


@given(st.integers(min_value=0, max_value=2), st.binary(max_size=30), CUTS)
def test_pieces_of_the_responders_bytes_do_not_matter(
    refusals: int, payload: bytes, cuts: list[int]
) -> None:
    raw = HEADER + REFUSAL * refusals + encode_message(PROTOCOLS[refusals]) + payload
    sent, agreed, leftover = feed(Proposer(PROTOCOLS, peer=PEER), raw, cuts)
    assert sent == b"".join(map(encode_message, PROTOCOLS[1 : refusals + 1]))
    assert (agreed, leftover) == (PROTOCOLS[refusals], payload)


def test_bytes_behind_an_unanswered_proposal_are_the_protocols() -> None:
    responder = Responder(PROTOCOLS.__contains__, peer=PEER)
    answer = responder.receive(HEADER + encode_message("/mesh/2") + HEADER)
    assert answer == HEADER + encode_message("/mesh/2")
    assert (responder.agreed, responder.leftover) == ("/mesh/2", HEADER)


def test_a_responder_answers_what_it_does_not_know_with_na() -> None:
    responder = Responder(PROTOCOLS.__contains__, peer=PEER)
    assert responder.receive(HEADER) == HEADER
    assert responder.receive(encode_message("ls")) == REFUSAL
    assert responder.receive(encode_message("/mesh/3 ")) == REFUSAL
    assert responder.receive(encode_message("")) == REFUSAL
    assert responder.agreed is None


def test_too_many_unknown_ids_end_the_negotiation() -> None:
    responder = Responder(PROTOCOLS.__contains__, peer=PEER)
    unknown = encode_message("/unknown/1")
    responder.receive(HEADER + unknown * (UNKNOWN_IDS_MAX - 1))
    with pytest.raises(NegotiationError, match="16 unknown ids"):
        responder.receive(unknown)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (encode_message("/multistream/2.0.0"), "header"),
        (encode_message("/mesh/1"), "header"),
        (REFUSAL, "header"),
        (b"\x00", "0 bytes"),
        (HEADER + b"\x00", "0 bytes"),
        (b"\x81\x08", "1025 bytes"),
        (b"\xff\x7f", "16383 bytes"),
        (b"\xff\xff\x03", "more than 2 bytes"),
        (b"\xff\xff", "more than 2 bytes"),
        (b"\x83\x00na\n", "shortest form"),
        (b"\x02na", "newline"),
        (HEADER + b"\x03\xff\xfe\n", "utf-8"),
        (b"GET / HTTP/1.1\r\n" + bytes(80), "newline"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(40), "newline"),
    ],
)
def test_bytes_that_break_the_rules_are_refused_by_both_sides(raw: bytes, reason: str) -> None:
    sides = Proposer(PROTOCOLS, peer=PEER), Responder(PROTOCOLS.__contains__, peer=PEER)
    for side in sides:
        with pytest.raises(NegotiationError, match=reason) as caught:
            side.receive(raw)
        assert caught.value.peer == PEER
        assert side.agreed is None


@pytest.mark.parametrize("answer", ["/mesh/2", "/mesh/1", "NA", "", "/multistream/1.0.0"])
def test_an_answer_to_another_question_is_refused(answer: str) -> None:
    proposer = Proposer(PROTOCOLS, peer=PEER)
    with pytest.raises(NegotiationError, match="not to what was proposed"):
        proposer.receive(HEADER + encode_message(answer))


def test_the_longest_message_is_read_and_no_longer_one() -> None:
    longest = "/" + "x" * (MESSAGE_SIZE_BYTES_MAX - 2)
    responder = Responder(lambda text: text == longest, peer=PEER)
    assert responder.receive(HEADER + encode_message(longest)) == HEADER + encode_message(longest)
    with pytest.raises(NegotiationError, match="1025 bytes"):
        Responder(PROTOCOLS.__contains__, peer=PEER).receive(encode_message(longest + "x"))


@given(st.binary(max_size=40), CUTS)
def test_any_bytes_are_read_or_refused_the_same_in_pieces(raw: bytes, cuts: list[int]) -> None:
    def outcome(cuts: list[int]) -> object:
        try:
            return feed(Responder(PROTOCOLS.__contains__, peer=PEER), HEADER + raw, cuts)
        except NegotiationError as error:
            return str(error)

    assert outcome(cuts) == outcome([])

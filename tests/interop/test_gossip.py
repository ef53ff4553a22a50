import pytest

from p2p.probe.events import Identified, MessageReceived, Published, Stats, Subscribed
from tests.interop.kinds import JS, OURS, PY, Kind
from tests.interop.pairs import LINGER, LOOPBACK, TOPIC, Pair, connected, each_js_pair, each_pair
from tests.interop.peers import Peer, running

pytestmark = [pytest.mark.interop, pytest.mark.slow]

ON_TOPIC = ("--topic", TOPIC)
UNSIGNED = ("--policy", "StrictNoSign", "--msgid", "topic20")
# 1 MiB is the most that others take as one RPC.
LARGE_BYTES = 900_000

THREES = [(JS, OURS, JS), (OURS, JS, OURS), (JS, JS, JS)]


def _publish(count: int, *more: str) -> tuple[str, ...]:
    return ("--publish", str(count), *ON_TOPIC, *more)


def _expect(count: int, *more: str) -> tuple[str, ...]:
    return ("--expect", str(count), *ON_TOPIC, *more, *LINGER)


def _received(peer: Peer) -> list[MessageReceived]:
    """Wait until the goals are met, then list what came, in the order of its numbers."""
    peer.wait_for(Stats)
    messages = peer.all(MessageReceived)
    assert all(message.intact for message in messages)
    return sorted(messages, key=lambda message: message.index or 0)


@each_pair
def test_messages_pass_both_ways(pair: Pair) -> None:
    flags = (*_publish(5), *_expect(5))
    with connected(pair, dialler=flags, listener=flags) as (client, server):
        for here, there in ((client, server), (server, client)):
            received = _received(here)
            assert [message.index for message in received] == [0, 1, 2, 3, 4]
            assert {message.author for message in received} == {there.peer_id}
            assert {message.via for message in received} == {there.peer_id}
            assert all(message.signed for message in received)
            assert len({message.id for message in received}) == 5
            assert here.all(Subscribed) == [Subscribed(there.peer_id, TOPIC, subscribed=True)]
        assert client.stop().ok
        assert server.stop().ok


@each_pair
def test_id_of_a_signed_message_is_author_and_number(pair: Pair) -> None:
    flags = (*_publish(1), *LINGER)
    with connected(pair, dialler=flags, listener=_expect(1)) as (_, server):
        (message,) = _received(server)
        assert message.seqno is not None
        # An Ed25519 peer id has 38 bytes; the number follows as 8.
        assert len(message.id) == 2 * (38 + 8)
        assert message.id.endswith(f"{int(message.seqno):016x}")


@each_pair
def test_large_messages_pass_both_ways(pair: Pair) -> None:
    size = ("--size", str(LARGE_BYTES))
    flags = (*_publish(3, *size), *_expect(3))
    with connected(pair, dialler=flags, listener=flags) as (client, server):
        for peer in (client, server):
            assert [message.size for message in _received(peer)] == [LARGE_BYTES] * 3


@each_js_pair
def test_author_need_not_subscribe(pair: Pair) -> None:
    flags = (*_publish(5), "--no-subscribe", *LINGER)
    with connected(pair, dialler=flags, listener=_expect(5)) as (client, server):
        assert [message.index for message in _received(server)] == [0, 1, 2, 3, 4]
        assert not server.all(Subscribed)
        # The last message may arrive before its author's event loop goes on.
        client.wait_for(Published)
        assert client.stop().ok


@each_pair
@pytest.mark.parametrize("version", ["1.1", "1.0"])
def test_older_mesh_protocol_is_spoken_where_one_side_knows_no_newer(
    pair: Pair, version: str
) -> None:
    old = ("--versions", version)
    flags = (*_publish(5), *_expect(5))
    with connected(pair, dialler=flags, listener=(*flags, *old)) as (client, server):
        known = {name for name in client.wait_for(Identified).protocols if "meshsub" in name}
        assert known == {f"/meshsub/{version}.0"}
        for peer in (client, server):
            assert len(_received(peer)) == 5


@each_js_pair
def test_unsigned_messages_are_known_by_their_content(pair: Pair) -> None:
    flags = (*_publish(5), *_expect(5), *UNSIGNED)
    with connected(pair, dialler=flags, listener=flags) as (client, server):
        for peer in (client, server):
            received = _received(peer)
            assert [message.index for message in received] == [0, 1, 2, 3, 4]
            assert all(len(message.id) == 40 for message in received)
            assert not any(message.signed or message.author for message in received)


@each_pair
def test_unsigned_messages_are_refused_where_signing_is_required(pair: Pair) -> None:
    # Its own message shows that the listener's topic works while it refuses those of the dialler.
    unsigned = (*_publish(3, "--policy", "StrictNoSign", "--msgid", "sha256"), *LINGER)
    with connected(pair, dialler=unsigned, listener=(*ON_TOPIC, *LINGER)) as (client, server):
        client.wait_for(Published)
        dialler, _ = pair
        flags = (*_publish(1), *LINGER)
        with running(dialler, "--no-listen", "--dial", server.address, *flags) as honest:
            message = server.wait_for(MessageReceived)
            assert message.author == honest.peer_id
        server.stop()
        assert len(server.all(MessageReceived)) == 1


@pytest.mark.parametrize("kinds", THREES, ids=["-".join(kind.name for kind in t) for t in THREES])
def test_messages_pass_through_a_third_peer(kinds: tuple[Kind, Kind, Kind]) -> None:
    author, middle, reader = kinds
    with (
        running(middle, "--listen", LOOPBACK, "--serve-only", *ON_TOPIC) as hub,
        running(reader, "--no-listen", "--dial", hub.address, *_expect(5)) as end,
    ):
        hub.wait_for(Subscribed)
        flags = _publish(5, "--settle", "2")
        with running(author, "--no-listen", "--dial", hub.address, *flags) as start:
            start.succeed()
            received = _received(end)
            assert [message.index for message in received] == [0, 1, 2, 3, 4]
            assert {message.author for message in received} == {start.peer_id}
            assert {message.via for message in received} == {hub.peer_id}
            assert end.stop().ok


def test_py_libp2p_reads_our_unsigned_messages() -> None:
    # It cannot write such messages itself: its own always name their author.
    ours = (*_publish(5), *UNSIGNED, *LINGER)
    with connected((OURS, PY), dialler=ours, listener=(*_expect(5), *UNSIGNED)) as (_, server):
        received = _received(server)
        assert [message.index for message in received] == [0, 1, 2, 3, 4]
        assert not any(message.signed or message.author for message in received)

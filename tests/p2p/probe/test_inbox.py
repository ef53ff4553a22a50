import asyncio
import hashlib

import pytest

from p2p.gossip.events import Deliver, Message
from p2p.probe.events import AnyEvent, MessageReceived
from p2p.probe.inbox import Inbox
from p2p.probe.payload import payload_of
from p2p.wire.peer_id import PeerId, parse_peer_id
from primitives.errors import MalformedBytesError

AUTHOR = "12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp"


def _delivery(payload: bytes, *, author: PeerId | None = None) -> Deliver:
    message = Message(
        id=b"\x01\x02",
        topic="t",
        payload=payload,
        author=author,
        seqno=None if author is None else 9,
        publish_field=b"",
    )
    return Deliver(message, parse_peer_id(AUTHOR))


def test_message_is_printed_with_what_its_payload_says() -> None:
    printed: list[AnyEvent] = []
    inbox = Inbox(printed.append, expected_count=1, is_quiet=False)
    payload = payload_of(AUTHOR, 5, size_bytes=64)
    inbox.take(_delivery(payload, author=parse_peer_id(AUTHOR)))
    assert printed == [
        MessageReceived(
            topic="t",
            id="0102",
            author=AUTHOR,
            via=AUTHOR,
            seqno="9",
            signed=True,
            size=64,
            sha256=hashlib.sha256(payload).hexdigest(),
            index=5,
            intact=True,
        )
    ]


def test_quiet_inbox_counts_and_does_not_print() -> None:
    printed: list[AnyEvent] = []
    inbox = Inbox(printed.append, expected_count=2, is_quiet=True)
    inbox.take(_delivery(payload_of(AUTHOR, 0, size_bytes=64)))
    inbox.take(_delivery(b"something else"))
    assert not printed
    assert (inbox.stats.received, inbox.stats.bytes, inbox.stats.corrupt) == (2, 64 + 14, 1)


@pytest.mark.asyncio
async def test_inbox_is_filled_by_the_last_message_that_is_expected() -> None:
    inbox = Inbox(lambda _: None, expected_count=2, is_quiet=True)
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(inbox.filled())
        for index in range(2):
            assert not waiting.done()
            inbox.take(_delivery(payload_of(AUTHOR, index, size_bytes=16)))
            await asyncio.sleep(0)


@pytest.mark.asyncio
async def test_inbox_that_expects_nothing_is_filled_at_once() -> None:
    inbox = Inbox(lambda _: None, expected_count=0, is_quiet=True)
    await inbox.filled()
    assert inbox.stats.received == 0


@pytest.mark.asyncio
async def test_inbox_with_a_changed_payload_misses_its_goal() -> None:
    inbox = Inbox(lambda _: None, expected_count=1, is_quiet=True)
    inbox.take(_delivery(b"something else"))
    with pytest.raises(MalformedBytesError, match="1 payloads are not what was published"):
        await inbox.filled()

import asyncio

import pytest

from p2p.gossip.events import Message, Verdict
from p2p.validation import VALIDATION_TIMEOUT_S, VALIDATIONS_PER_TOPIC_MAX, Validators
from p2p.wire.peer_id import PeerId
from primitives.errors import ConfigurationError
from tests.dsl.virtual_time import in_virtual_time
from tests.p2p.town import peer_of

PEER = peer_of(1)


def message(topic: str = "blocks") -> Message:
    return Message(id=b"1", topic=topic, payload=b"", author=None, seqno=None, publish_field=b"")


async def accept(message: Message, sender: PeerId) -> Verdict:
    del message, sender
    return Verdict.ACCEPT


@in_virtual_time
async def test_verdict_is_that_of_the_validator_of_the_topic() -> None:
    validators = Validators()
    validators.add("blocks", accept)
    assert await validators.judge(message(), PEER) is Verdict.ACCEPT
    assert await validators.judge(message("others"), PEER) is Verdict.IGNORE
    with pytest.raises(ConfigurationError):
        validators.add("blocks", accept)


@in_virtual_time
async def test_validator_that_is_slow_or_crashes_has_said_nothing() -> None:
    async def ponder(message: Message, sender: PeerId) -> Verdict:
        await asyncio.sleep(VALIDATION_TIMEOUT_S + 1)
        return await accept(message, sender)

    async def crash(message: Message, sender: PeerId) -> Verdict:
        raise ZeroDivisionError(message.id, sender)

    validators = Validators()
    validators.add("blocks", ponder)
    validators.add("others", crash)
    assert await validators.judge(message(), PEER) is Verdict.IGNORE
    assert await validators.judge(message("others"), PEER) is Verdict.IGNORE


@in_virtual_time
async def test_few_messages_of_a_topic_are_judged_at_a_time() -> None:
    running = most = 0

    async def count(message: Message, sender: PeerId) -> Verdict:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(1)
        running -= 1
        return await accept(message, sender)

    validators = Validators()
    validators.add("blocks", count)
    async with asyncio.TaskGroup() as judges:
        for _ in range(3 * VALIDATIONS_PER_TOPIC_MAX):
            judges.create_task(validators.judge(message(), PEER))
    assert most == VALIDATIONS_PER_TOPIC_MAX

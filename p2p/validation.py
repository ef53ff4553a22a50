"""Run the validators of topics: a few at a time for each, none for long.

A validator that takes too long, or that a message makes crash, has said nothing against the message
or its sender: that is IGNORE.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

import structlog

from p2p.gossip.events import Message, Verdict
from p2p.wire.peer_id import PeerId
from primitives.errors import ConfigurationError

VALIDATION_TIMEOUT_S: Final = 5.0
VALIDATIONS_PER_TOPIC_MAX: Final = 32

_log = structlog.get_logger("p2p.validation")

Validator: TypeAlias = Callable[[Message, PeerId], Awaitable[Verdict]]
"""Judges a message that a peer sent."""


class Validators:
    """The validators of one node, by topic."""

    def __init__(self) -> None:
        self._validators: dict[str, tuple[Validator, asyncio.Semaphore]] = {}

    def add(self, topic: str, validator: Validator) -> None:
        """Name the validator of a topic.

        Raises:
            ConfigurationError: it has one.
        """
        if topic in self._validators:
            raise ConfigurationError(f"{topic} has a validator already")
        self._validators[topic] = (validator, asyncio.Semaphore(VALIDATIONS_PER_TOPIC_MAX))

    async def judge(self, message: Message, sender: PeerId) -> Verdict:
        """Return the verdict on a message; IGNORE for a topic without a validator."""
        known = self._validators.get(message.topic)
        if known is None:
            return Verdict.IGNORE
        validator, slots = known
        try:
            async with asyncio.timeout(VALIDATION_TIMEOUT_S), slots:
                return await validator(message, sender)
        except TimeoutError:
            _log.warning("validator too slow", topic=message.topic)
        except Exception:  # noqa: BLE001 - this is the supervisor of one validation
            # A message that finds a bug in a validator must not end gossip for all.
            _log.exception("validator crashed", topic=message.topic)
        return Verdict.IGNORE

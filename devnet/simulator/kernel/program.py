"""What the kernel asks of a protocol: boot, handle an input, carry out an effect.

And what a machine reports in return: why it crashed, and how much it did.
"""

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from primitives.clock import Instant

InputT_contra = TypeVar("InputT_contra", contravariant=True)
EffectT = TypeVar("EffectT")


class Program(Protocol[InputT_contra, EffectT]):
    """What runs on a machine: the adapter of one protocol."""

    def boot(self, now: Instant) -> Sequence[EffectT]:
        """Build a fresh protocol instance from the disk and return its first effects."""
        ...

    def handle(self, event: InputT_contra, now: Instant) -> Sequence[EffectT]:
        """Give one input to the protocol and return its effects."""
        ...

    def execute(self, effect: EffectT) -> int:
        """Carry out one effect; return for how many us it blocks the machine, mostly 0."""
        ...


class CrashCause(enum.Enum):
    """Why a machine went down."""

    KILLED = "killed"
    AT_EFFECT = "at_effect"
    DISK_FAILURE = "disk_failure"


@dataclass(slots=True)
class MachineCounters:
    """What a machine did since the start, over all its lives."""

    boots: int = 0
    crashes: int = 0
    inputs: int = 0
    effects: int = 0
    timers: int = 0
    overflowed: int = 0

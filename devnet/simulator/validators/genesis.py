"""Keys, committees and epochs of a simulated chain; everything follows from the seed."""

import hashlib

from consensus.commit import Commit
from consensus.committee import Authority, Committee, EpochContext, EpochSpan
from consensus.parameters import Parameters
from devnet.simulator.kernel.clocks import WALL_ORIGIN_MS
from primitives.ids import ChainId, Digest, Epoch, Power, TimestampMs
from primitives.keys import PrivateKey

POWER_STEP_MAX = 3


class Genesis:
    """The chain that all validators of one simulation share.

    Args:
        powers: voting power of every validator in the first epoch.
        epoch_ms: length of an epoch in commit time; None for one endless epoch.
    """

    def __init__(
        self, seed: int, *, powers: tuple[int, ...], parameters: Parameters, epoch_ms: int | None
    ) -> None:
        self.seed = seed
        self.powers = powers
        self.parameters = parameters
        self.epoch_ms = epoch_ms
        self.keys = tuple(
            PrivateKey.from_seed(hashlib.sha256(f"{seed}/{node}".encode()).digest())
            for node in range(len(powers))
        )
        self.chain_id = ChainId(hashlib.sha256(f"chain/{seed}".encode()).digest())
        self._contexts: dict[Digest, EpochContext] = {}

    def first(self) -> EpochContext:
        """Return the context of epoch 0."""
        return self._context(Epoch(0), self.powers, TimestampMs(WALL_ORIGIN_MS), Digest(bytes(32)))

    def after(self, context: EpochContext, closing: Commit, digest: Digest) -> EpochContext:
        """Return the context of the epoch that follows a closing commit.

        Powers shift from epoch to epoch, by the closing digest: never by a third at once.
        """
        powers = tuple(
            base + (byte % POWER_STEP_MAX if base > POWER_STEP_MAX else 0)
            for base, byte in zip(self.powers, digest, strict=False)
        )
        start = TimestampMs(closing.timestamp_ms)
        return self._context(Epoch(context.epoch + 1), powers, start, digest)

    def _context(
        self, epoch: Epoch, powers: tuple[int, ...], start: TimestampMs, previous: Digest
    ) -> EpochContext:
        key = Digest(previous + epoch.to_bytes(8, "big"))
        cached = self._contexts.get(key)
        if cached is None:
            closes = None if self.epoch_ms is None else TimestampMs(start + self.epoch_ms)
            cached = self._contexts[key] = EpochContext(
                chain_id=self.chain_id,
                epoch=epoch,
                committee=Committee(
                    [
                        Authority(Power(power), private.public.raw)
                        for power, private in zip(powers, self.keys, strict=True)
                    ]
                ),
                parameters=self.parameters,
                span=EpochSpan(start, closes),
                previous=previous,
            )
        return cached


def draw_powers(kind: str, size: int) -> tuple[int, ...]:
    """Return equal or uneven powers; in uneven ones no validator exceeds a third."""
    if kind == "equal":
        return (1,) * size
    return tuple(10 + 7 * (node % 3) for node in range(size))

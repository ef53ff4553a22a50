"""Attackers that sign blocks no honest validator would: impossible, malformed, far ahead."""

from collections.abc import Callable
from random import Random

import msgspec
from typing_extensions import override

from consensus.block import Block, BlockRef, Header, SignedBlock, sign_block
from consensus.events import Broadcast
from consensus.messages import BlockMessage
from devnet.simulator.kernel.dice import pick, uniform
from devnet.simulator.validators.validator import EpochInstance, Validator
from primitives.ids import AuthorityIndex, Digest, Round

FLOOD_BLOCKS = 6
AHEAD_ROUNDS_MAX = 400


class FutureFlood(Validator):
    """With every block, sends blocks of future rounds whose ancestors do not exist."""

    @override
    def broadcast(self, instance: EpochInstance, effect: Broadcast) -> None:
        super().broadcast(instance, effect)
        rng = self.world.scheduler.rng(f"attack.{self.own}")
        for _ in range(FLOOD_BLOCKS):
            raw = self.block_message(instance, self._forge(instance, effect.block, rng))
            for peer in self.world.nodes:
                if peer != self.own:
                    self.transmit(peer, raw)

    def _forge(self, instance: EpochInstance, block: Block, rng: Random) -> Block:
        number = block.round + uniform(rng, 2, AHEAD_ROUNDS_MAX)
        others = [a for a in instance.context.committee.indices if a != self.own]
        ancestors = tuple(
            BlockRef(Round(number - 1), AuthorityIndex(author), Digest(rng.randbytes(32)))
            for author in (self.own, *others)
        )
        header = msgspec.structs.replace(
            block.header,
            round=number,
            ancestors=ancestors,
            commit_votes=(),
            reports=(),
            payload_root=block.header.payload_root,
        )
        return sign_block(header, block.signed.payload, self.world.genesis.keys[self.own])


class InvalidBlocks(Validator):
    """With every block, sends one that breaks a rule, or bytes that are no message at all."""

    @override
    def broadcast(self, instance: EpochInstance, effect: Broadcast) -> None:
        super().broadcast(instance, effect)
        rng = self.world.scheduler.rng(f"attack.{self.own}")
        key = self.world.genesis.keys[self.own]
        spoiled = sign_block(
            pick(rng, SPOILERS)(effect.block.header), effect.block.signed.payload, key
        )
        good = effect.block.signed
        mauled = SignedBlock(good.header, bytes(64), good.payload)
        genesis = instance.context.genesis_digest
        for raw in (
            self.block_message(instance, spoiled),
            self.world.wire.encode(BlockMessage(genesis, mauled)),
            rng.randbytes(uniform(rng, 0, 300)),
        ):
            for peer in self.world.nodes:
                if peer != self.own:
                    self.transmit(peer, raw)


def _replace(**changes: object) -> Callable[[Header], Header]:
    return lambda header: msgspec.structs.replace(header, **changes)


SPOILERS: tuple[Callable[[Header], Header], ...] = (
    _replace(version=2),
    _replace(epoch=999),
    _replace(round=0),
    _replace(author=99),
    _replace(ancestors=()),
    _replace(payload_count=3),
    lambda header: msgspec.structs.replace(header, ancestors=header.ancestors[:1]),
    lambda header: msgspec.structs.replace(header, ancestors=header.ancestors[1:]),
    lambda header: msgspec.structs.replace(
        header, ancestors=(*header.ancestors, header.ancestors[-1])
    ),
)
"""Each breaks one rule of validity in an otherwise honest header."""

"""Chains on disk, with funded accounts and validators whose keys the tests hold."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from node.chain.chain import Chain
from node.chain.limits import DEFAULT_LIMITS, ChainLimits
from node.execution.local_chain import ACCOUNT_NAMES, GENESIS_TIME_MS, key_named
from node.execution.transactions import SignatureCheck, check_now
from node.ledger.genesis import (
    GENESIS_CODEC,
    Genesis,
    GenesisAccount,
    GenesisContract,
    GenesisValidator,
)
from node.ledger.parameters import LedgerParameters
from node.ledger.staking.parameters import StakingParameters
from primitives.ids import Address, Grain

BALANCE: Final = Grain(1_000_000 * 10**9)
NODE_ID: Final = b"this node"
SMALL_STAKES: Final = LedgerParameters(
    staking=StakingParameters(
        stake_join_min=Grain(1),
        stake_leave_min=Grain(1),
        stake_drop_min=Grain(1),
        stake_pool_min=Grain(1),
        delegation_min=Grain(1),
    )
)


@dataclass
class StillClock:
    """A clock that stands still."""

    now_ms: int = GENESIS_TIME_MS

    def monotonic_ms(self) -> int:
        return self.now_ms

    def wall_ms(self) -> int:
        return self.now_ms


def address_of(name: str) -> Address:
    """Return the address of a test account; those of `ACCOUNT_NAMES` have money."""
    return Address(key_named(name).public.raw)


def genesis_file(
    *,
    validators: int = 4,
    parameters: LedgerParameters = SMALL_STAKES,
    contracts: Sequence[GenesisContract] = (),
    names: Sequence[str] = ACCOUNT_NAMES,
) -> bytes:
    """Return a genesis file whose accounts and validators are those of a local chain."""
    operators = [f"validator-{number}" for number in range(validators)]
    addresses = sorted(map(address_of, (*names, *operators)))
    genesis = Genesis(
        name="tests",
        time_ms=GENESIS_TIME_MS,
        parameters=parameters,
        accounts=tuple(GenesisAccount(address, BALANCE) for address in addresses),
        validators=tuple(
            GenesisValidator(
                operator=address_of(name),
                consensus_key=key_named(f"{name} consensus").public.raw,
                node_key=key_named(f"{name} node").public.raw,
                commission_bp=1_000,
                stake=BALANCE,
            )
            for name in operators
        ),
        contracts=tuple(contracts),
    )
    return GENESIS_CODEC.encode(genesis)


@contextmanager
def chain_at(
    folder: Path,
    *,
    genesis: bytes | None = None,
    node_id: bytes = NODE_ID,
    limits: ChainLimits = DEFAULT_LIMITS,
    check: SignatureCheck = check_now,
) -> Iterator[Chain]:
    """Open the chain in a folder, for a while."""
    with Chain.open(
        folder,
        genesis=genesis_file() if genesis is None else genesis,
        node_id=node_id,
        clock=StillClock(),
        limits=limits,
        check=check,
    ) as chain:
        yield chain

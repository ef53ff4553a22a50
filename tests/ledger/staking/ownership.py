"""Find the owner of every share: a reading of the whole state that shares no code with the rules.

The audit of money says that no grain is missing; this says that none is without an owner.
"""

from collections import Counter
from collections.abc import Mapping

from node.ledger.staking.records import (
    DELEGATION_CODEC,
    DEPOSITS_CODEC,
    EXITS_CODEC,
    MOVES_CODEC,
    VALIDATOR_CODEC,
)
from node.ledger.staking.tables import Table
from primitives.ids import Epoch

Place = tuple[bytes, ...]


def check_ownership(entries: Mapping[bytes, bytes], *, epoch: Epoch) -> None:
    """Check that the claims on every pool and record add up to what it promises."""
    promised, claimed = _promised(entries), _claimed(entries, epoch=epoch)
    assert promised == claimed, (promised - claimed, claimed - promised)


def _claimed(entries: Mapping[bytes, bytes], *, epoch: Epoch) -> Counter[Place]:
    """Return what delegations and records claim: shares of pools and of other records."""
    claims: Counter[Place] = Counter()
    closed = _closed_epochs(entries)
    now = epoch.to_bytes(8, "big")

    def add_shares(validator: bytes, shares: int) -> None:
        if validator in closed:
            claims[b"exits", validator, closed[validator]] += shares
        else:
            claims[b"pool", validator] += shares

    for key, value in entries.items():
        table, rest = key[:2], key[2:]
        if table == Table.DELEGATION:
            validator = rest[:32]
            delegation = DELEGATION_CODEC.decode(value)
            add_shares(validator, delegation.shares)
            deposit_epoch = delegation.deposit_epoch.to_bytes(8, "big")
            place = (
                (b"incoming", validator)
                if deposit_epoch == now
                else (b"deposits", validator, deposit_epoch)
            )
            claims[place] += delegation.deposited
            for claim in delegation.exits:
                left = claim.epoch.to_bytes(8, "big")
                outgoing = left == now and closed.get(validator) != left
                claims[(b"outgoing", validator) if outgoing else (b"exits", validator, left)] += (
                    claim.shares
                )
            for move in delegation.moves:
                left = move.epoch.to_bytes(8, "big")
                claims[
                    (b"departure", move.source, validator)
                    if left == now
                    else (b"moves", move.source, left, validator)
                ] += move.shares
        elif table == Table.DEPOSITS:
            add_shares(rest[:32], DEPOSITS_CODEC.decode(value).shares)
        elif table == Table.MOVES:
            add_shares(rest[40:], MOVES_CODEC.decode(value).shares)
        elif table == Table.VALIDATOR:
            pool = VALIDATOR_CODEC.decode(value)
            claims[b"pool", rest] += pool.outgoing
            claims[b"pool", rest] += sum(departure.shares for departure in pool.departures)
    return +claims


def _promised(entries: Mapping[bytes, bytes]) -> Counter[Place]:
    """Return what pools and records say that others claim."""
    promises: Counter[Place] = Counter()
    for key, value in entries.items():
        table, rest = key[:2], key[2:]
        if table == Table.VALIDATOR:
            pool = VALIDATOR_CODEC.decode(value)
            promises[b"pool", rest] += pool.shares
            promises[b"incoming", rest] += pool.incoming
            promises[b"outgoing", rest] += pool.outgoing
            for departure in pool.departures:
                promises[b"departure", rest, departure.destination] += departure.shares
        elif table == Table.DEPOSITS:
            promises[b"deposits", rest[:32], rest[32:]] += DEPOSITS_CODEC.decode(value).claims
        elif table == Table.EXITS:
            promises[b"exits", rest[:32], rest[32:]] += EXITS_CODEC.decode(value).claims
        elif table == Table.MOVES:
            promises[b"moves", rest[:32], rest[32:40], rest[40:]] += MOVES_CODEC.decode(
                value
            ).claims
    return +promises


def _closed_epochs(entries: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    closed = {}
    for key, value in entries.items():
        if key[:2] == Table.VALIDATOR:
            closed_epoch = VALIDATOR_CODEC.decode(value).closed_epoch
            if closed_epoch is not None:
                closed[key[2:]] = closed_epoch.to_bytes(8, "big")
    return closed

"""A chain with nothing but stake, for tests that read as stories.

People have names. `Town` runs their actions as the executor would, each undone if it fails, and
checks after every step that no grain was made, lost or counted twice.
"""

import functools
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Final, TypeVar

import msgspec

from node.ledger.account import SystemAccount, balance_of, credit
from node.ledger.chain import ChainRecord, Supply, read_chain, write_chain
from node.ledger.overlay import Overlay
from node.ledger.staking.attendance import record_commit
from node.ledger.staking.audit import check_stakes
from node.ledger.staking.boundary import EpochOutcome, end_epoch
from node.ledger.staking.delegations import delegate, redelegate, undelegate, withdraw
from node.ledger.staking.evidence import Charge, Sentence, punish
from node.ledger.staking.founding import Founder, found
from node.ledger.staking.parameters import StakingParameters
from node.ledger.staking.queries import Holding, holding_of
from node.ledger.staking.records import Keys, Member, Offence, Validator
from node.ledger.staking.tables import read_committee, read_validator
from node.ledger.staking.term import Term
from node.ledger.staking.validators import bond, rotate_keys, unjail
from node.ledger.supply import check_supply
from primitives.ids import Address, AuthorityIndex, ChainId, Epoch, Grain, TimestampMs
from primitives.keys import PrivateKey
from tests.ledger.builders import Dictionary
from tests.ledger.staking.ownership import check_ownership

T = TypeVar("T")

SMALL: Final = StakingParameters(
    committee_size_max=5,
    validators_max=8,
    stake_join_min=Grain(100),
    stake_leave_min=Grain(80),
    stake_drop_min=Grain(50),
    stake_pool_min=Grain(20),
    delegation_min=Grain(10),
    grace_epochs=2,
    unbonding_epochs=4,
    evidence_window_epochs=3,
    commission_max_bp=5_000,
    jail_epochs=2,
    absences_max=1,
    rounds_judged_min=10,
    emission_per_epoch=Grain(0),
    unbonding_entries_max=3,
    redelegation_targets_max=2,
)
"""Round numbers that fit on a hand."""

PURSE: Final = Grain(1_000_000)
"""What everybody owns before the first epoch."""


@functools.cache
def person(name: str) -> Address:
    """Return the address of somebody."""
    return Address(PrivateKey.from_seed(sha256(name.encode()).digest()).public.raw)


def keys_of(name: str) -> Keys:
    """Return the consensus key and the node key that somebody's validator has first."""
    return Keys(person(f"{name}'s consensus"), person(f"{name}'s node"))


class Town:
    """A chain in one epoch after the other.

    Args:
        founders: name and stake of the first validators; None for an empty chain.
        people: others that have a purse.
    """

    def __init__(
        self,
        founders: Mapping[str, int],
        *,
        people: str = "",
        parameters: StakingParameters = SMALL,
        commission_bp: int = 0,
    ) -> None:
        self.parameters = parameters
        self.epoch = Epoch(0)
        self.state = Dictionary()
        self.overlay = Overlay(self.state)
        self.people: list[str] = [*founders, *people]
        supply = Supply(Grain(PURSE * len(self.people)))
        record = ChainRecord(
            chain_id=ChainId(bytes(32)),
            time_ms=TimestampMs(0),
            epoch_started_ms=TimestampMs(0),
            base_fee=Grain(1),
            supply=supply,
        )
        write_chain(self.overlay, record)
        for name in self.people:
            credit(self.overlay, person(name), PURSE)
        found(
            self.overlay,
            parameters=parameters,
            founders=[
                Founder(person(name), keys_of(name), commission_bp, Grain(stake))
                for name, stake in founders.items()
            ],
        )
        self.audit()

    @property
    def term(self) -> Term:
        """The running epoch."""
        return Term(self.epoch, self.parameters)

    @property
    def supply(self) -> Supply:
        """What was ever minted and burned."""
        return read_chain(self.overlay).supply

    @property
    def members(self) -> tuple[Member, ...]:
        """The ruling committee."""
        return read_committee(self.overlay, self.epoch)

    @property
    def powers(self) -> dict[str, int]:
        """The power of each seat, by name, in the order of the seats."""
        return {self.name_of(member.operator): member.power for member in self.members}

    def name_of(self, address: Address) -> str:
        """Return who has the address."""
        return next(name for name in self.people if person(name) == address)

    def seat_of(self, name: str, *, epoch: int | None = None) -> AuthorityIndex:
        """Return the index of somebody's seat."""
        members = read_committee(self.overlay, Epoch(self.epoch if epoch is None else epoch))
        operators = [member.operator for member in members]
        return AuthorityIndex(operators.index(person(name)))

    def purse(self, name: str) -> int:
        """Return somebody's balance."""
        return balance_of(self.overlay, person(name))

    def pool(self, name: str) -> Validator:
        """Return somebody's validator."""
        return read_validator(self.overlay, person(name))

    def holding(self, delegator: str, validator: str) -> Holding:
        """Return what somebody has at a validator."""
        return holding_of(
            self.overlay, term=self.term, validator=person(validator), delegator=person(delegator)
        )

    def bond(self, name: str, amount: int, *, commission_bp: int = 0) -> None:
        """Register somebody as a validator."""
        self._attempt(
            lambda: bond(
                self.overlay,
                term=self.term,
                operator=person(name),
                keys=keys_of(name),
                commission_bp=commission_bp,
                amount=Grain(amount),
            )
        )

    def delegate(self, delegator: str, validator: str, amount: int) -> None:
        """Put money into a pool."""
        self._attempt(
            lambda: delegate(
                self.overlay,
                term=self.term,
                delegator=person(delegator),
                validator=person(validator),
                amount=Grain(amount),
            )
        )

    def undelegate(self, delegator: str, validator: str, amount: int) -> Grain:
        """Take money out of a pool."""
        return self._attempt(
            lambda: undelegate(
                self.overlay,
                term=self.term,
                delegator=person(delegator),
                validator=person(validator),
                amount=Grain(amount),
            )
        )

    def redelegate(self, delegator: str, source: str, destination: str, amount: int) -> Grain:
        """Move money from one pool to another."""
        return self._attempt(
            lambda: redelegate(
                self.overlay,
                term=self.term,
                delegator=person(delegator),
                source=person(source),
                destination=person(destination),
                amount=Grain(amount),
            )
        )

    def withdraw(self, delegator: str, validator: str) -> int:
        """Claim what is due; return how much richer that made the delegator."""
        before = self.purse(delegator)
        self._attempt(
            lambda: withdraw(
                self.overlay,
                term=self.term,
                delegator=person(delegator),
                validator=person(validator),
            )
        )
        return self.purse(delegator) - before

    def unjail(self, name: str) -> None:
        """Ask to be a candidate again."""
        self._attempt(lambda: unjail(self.overlay, term=self.term, operator=person(name)))

    def rotate(self, name: str, keys: Keys) -> None:
        """Change a validator's keys."""
        self._attempt(lambda: rotate_keys(self.overlay, operator=person(name), keys=keys))

    def punish(
        self,
        name: str,
        offence: Offence = Offence.EQUIVOCATION,
        *,
        epoch: int | None = None,
        reporter: str | None = None,
    ) -> Sentence:
        """Bring proof of what a validator did in an epoch, by default in this one."""
        offended = Epoch(self.epoch if epoch is None else epoch)
        charge = Charge(offended, self.seat_of(name, epoch=offended), offence)
        return self.charge(charge, reporter=reporter)

    def charge(self, charge: Charge, *, reporter: str | None = None) -> Sentence:
        """Bring proof of an offence."""
        address = None if reporter is None else person(reporter)
        return self._attempt(
            lambda: punish(self.overlay, term=self.term, charge=charge, reporter=address)
        )

    def tip(self, amount: int) -> None:
        """Let fees come into the pot, from nobody: they count as given by genesis."""
        record = read_chain(self.overlay)
        supply = msgspec.structs.replace(
            record.supply, genesis=Grain(record.supply.genesis + amount)
        )
        write_chain(self.overlay, msgspec.structs.replace(record, supply=supply))
        credit(self.overlay, SystemAccount.EPOCH_POT.address, Grain(amount))

    def attend(self, rounds: int = 10, *, missing: str = "", present: str | None = None) -> None:
        """Commit rounds in which all have blocks but `missing`, or only `present` have."""
        here = [
            AuthorityIndex(index)
            for index, member in enumerate(self.members)
            if (name := self.name_of(member.operator)) not in missing
            and (present is None or name in present)
        ]
        for _ in range(rounds):
            record_commit(self.overlay, here)

    def end_epoch(self, count: int = 1) -> EpochOutcome:
        """End the epoch, and perhaps more after it; return the last outcome."""
        assert count >= 1
        outcome = None
        for _ in range(count):
            outcome = end_epoch(self.overlay, term=self.term)
            self.epoch = Epoch(self.epoch + 1)
            self.state.apply(self.overlay)
            self.overlay = Overlay(self.state)
            self.audit()
        assert outcome is not None
        return outcome

    def entries(self) -> dict[bytes, bytes]:
        """Return everything in the state, the writes of the running commit included."""
        entries = dict(self.state.entries)
        for key, value in self.overlay.changes().items():
            if value is None:
                del entries[key]
            else:
                entries[key] = value
        return entries

    def audit(self) -> None:
        """Check that money was neither made nor lost nor counted twice, and all has an owner."""
        entries = self.entries()
        check_supply(entries.items())
        check_stakes(entries.items())
        check_ownership(entries, epoch=self.epoch)

    def _attempt(self, action: Callable[[], T]) -> T:
        """Run an action; one that fails leaves no trace."""
        mark = self.overlay.mark()
        try:
            outcome = action()
        except Exception:
            self.overlay.rollback(mark)
            raise
        self.audit()
        return outcome

"""The contract `rounds` on a real chain, behind the protocol that its reference is tested with.

Every call is a signed transaction in a commit of its own; identities register with the identity
contract, and the committee is that of the chain. After each commit the money that really moved is
held against what the events say.
"""

import functools
from collections.abc import Mapping, Sequence
from typing import Final

from typing_extensions import override

from fl.rules.calls import Chain, Moment
from fl.rules.effects import Burn, Effect, Pay
from fl.rules.errors import Rule
from fl.rules.phase import Phase
from fl.rules.state import Identity
from node.contracts.standard import standard_contracts
from node.execution.local_chain import ACCOUNT_NAMES, LocalChain, TransactionFailedError
from node.execution.schedule import ScheduledCall
from node.ledger.account import SystemAccount
from node.ledger.chain import read_chain
from node.ledger.genesis import GenesisContract
from node.ledger.keyspace import Room
from node.ledger.parameters import FeeParameters, LedgerParameters, LimitParameters
from node.ledger.receipt import Receipt, ReceiptStatus
from node.ledger.staking.parameters import StakingParameters
from node.ledger.staking.tables import read_committee
from node.ledger.transaction import Transfer
from node.vm.abi import PythonValue
from node.vm.engine import Engine
from primitives.codec import Codec
from primitives.ids import Address, DurationMs, Gas, Grain, Height, Power
from tests.contracts.rounds_effects import effect_of
from tests.contracts.rounds_views import (
    RoundRecord,
    StandingRecord,
    TaskRecord,
    UpdateRecord,
    VestingRecord,
    Viewer,
)
from tests.fl import cast
from tests.fl.system import Answer, Refused, RoundsSystem, RoundView, StandingView, TaskView

BURNED: Final = SystemAccount.BURNED.address
POCKET_MONEY: Final = Grain(10**14)
# Gas costs next to nothing and the committee stays, however long a test runs.
PARAMETERS: Final = LedgerParameters(
    fees=FeeParameters(fee_initial=Grain(1), fee_min=Grain(1), gas_target=Gas(5_000_000_000)),
    limits=LimitParameters(commit_gas_max=Gas(10_000_000_000)),
    staking=StakingParameters(
        stake_join_min=Grain(1),
        stake_leave_min=Grain(1),
        stake_drop_min=Grain(1),
        stake_pool_min=Grain(1),
        delegation_min=Grain(1),
    ),
    epoch_duration_ms=DurationMs(10**12),
    trusting_period_ms=DurationMs(10**12),
)
_PHASES: Final = tuple(Phase)
_CALL_CODEC: Final = Codec(ScheduledCall, size_bytes_max=8_192)
_CALL_KEYS: Final = Room.SCHEDULE + b"c"


@functools.cache
def founded() -> tuple[GenesisContract, ...]:
    return standard_contracts()


class ContractSystem(RoundsSystem):
    """A chain with the standard contracts and people with pocket money."""

    def __init__(
        self, names: Sequence[str], *, validators: int = 4, engine: Engine | None = None
    ) -> None:
        self.chain = LocalChain(
            validators=validators, parameters=PARAMETERS, contracts=founded(), engine=engine
        )
        self.rounds = self.chain.contract("rounds")
        self.viewer = Viewer(self.chain, name="rounds")
        self._identities = Viewer(self.chain, name="identity")
        self._accounts = {cast.address(name): cast.account(name) for name in names}
        self._registrations = 0
        self._fund(list(self._accounts.values()))

    @property
    def height(self) -> Height:
        """Return the height of the next commit."""
        return read_chain(self.chain.state).height

    @property
    def committee(self) -> tuple[tuple[Address, Power], ...]:
        """Return the validators with their power."""
        members = read_committee(self.chain.state, read_chain(self.chain.state).epoch)
        return tuple((member.operator, member.power) for member in members)

    def register(self, names: Sequence[str]) -> dict[Address, Height]:
        """Register people, anew if they are registered, all at one height."""
        self._registrations += 1
        leaving = {
            address: (address,)
            for address in map(cast.address, names)
            if self.registered_at(address)
        }
        joining = {
            cast.address(name): (f"{name}.{self._registrations}", "client", "") for name in names
        }
        self._together(self._identities, "revoke", leaving)
        done = self._together(self._identities, "register", joining)
        assert all(receipt.status is ReceiptStatus.DONE for receipt in done)
        return {address: self.registered_at(address) for address in joining}

    def registered_at(self, who: Address) -> Height:
        """Return what the identity contract says."""
        return self._identities.view("registered_at", who, kind=Height)

    @override
    def set_chain(self, chain: Chain) -> None:
        """Check that the chain is what the caller believes; what happens on it cannot be set."""
        assert chain.committee == self.committee
        for who, height in chain.registered.items():
            assert self.registered_at(who) == height

    @override
    def call(
        self,
        method: str,
        args: tuple[object, ...],
        *,
        sender: Address,
        value: int,
        moment: Moment,
    ) -> Answer:
        self._begin(moment)
        before = self._balances()
        try:
            getattr(self.rounds, method)(*args, sender=self._accounts[sender], value=value)
        except TransactionFailedError as error:
            return _refusal(error.receipt)
        receipt = self.rounds.receipt
        assert receipt is not None
        done = self._effects(receipt)
        before[sender] -= receipt.fee + value
        self._check_money(before, done)
        return done

    def call_together(
        self,
        method: str,
        args: Mapping[Address, tuple[PythonValue, ...]],
        *,
        value: int,
        moment: Moment,
    ) -> list[Answer]:
        """Make one call of each sender, all in one commit."""
        self._begin(moment)
        return [
            self._effects(receipt) if receipt.status is ReceiptStatus.DONE else _refusal(receipt)
            for receipt in self._together(self.viewer, method, args, value=value)
        ]

    @override
    def wake(self, moment: Moment) -> tuple[Effect, ...]:
        self._begin(moment)
        before = self._balances()
        done: list[Effect] = []
        for receipt in self.chain.commit(()).receipts:
            assert receipt.status is ReceiptStatus.DONE, receipt.trap
            done.extend(self._effects(receipt))
        self._check_money(before, done)
        return tuple(done)

    @override
    def next_wake_ms(self) -> int | None:
        return min((at_ms for at_ms, _, _ in self.waiting()), default=None)

    def waiting(self) -> set[tuple[int, int, int]]:
        """Return the wake-ups that are waiting: time, task, serial."""
        found = set()
        for key, raw in self.chain.state.values.items():
            if key.startswith(_CALL_KEYS):
                call = _CALL_CODEC.decode(raw)
                task, serial = self.viewer.arguments(call.function, call.arguments)
                assert isinstance(task, int)
                assert isinstance(serial, int)
                found.add((int(call.at_ms), task, serial))
        return found

    def is_current(self, task: int, serial: int) -> bool:
        """Tell whether a wake-up is for the present phase of a running round."""
        one = self.viewer.view("task_of", task, kind=TaskRecord)
        return one.is_running and one.serial == serial

    @override
    def balance(self) -> int:
        return self.chain.balance(self.rounds.address)

    @override
    def view_task(self, task: int) -> TaskView:
        one = self.viewer.view("task_of", task, kind=TaskRecord)
        running = self.viewer.find("round_of", task, kind=RoundRecord)
        return TaskView(
            model=one.model,
            version=one.version,
            clip=one.clip,
            escrow=one.escrow,
            rounds=one.rounds,
            scored=one.scored,
            peak=one.peak,
            is_closing=one.is_closing,
            is_closed=one.is_closed,
            running=None if running is None else self._view_round(task, running),
        )

    @override
    def view_standing(self, task: int, identity: Identity) -> StandingView:
        standing = self.viewer.view("standing_of", task, *identity, kind=StandingRecord)
        vesting = self.viewer.view("vesting_of", task, *identity, kind=VestingRecord)
        return StandingView(
            reputation=standing.reputation,
            gain_average=standing.gain_average,
            quarantined_until=standing.quarantined_until,
            unpaid=vesting.vested + sum(vesting.amounts),
        )

    def _view_round(self, task: int, running: RoundRecord) -> RoundView:
        updates = self.viewer.view("updates_of", task, kind=list[UpdateRecord])
        return RoundView(
            number=running.number,
            phase=_PHASES[running.phase].value,
            deadline_ms=running.deadline_ms,
            pot=running.pot,
            bonds=tuple(update.bond for update in updates),
            trainers=tuple(update.trainer for update in updates),
            weights=tuple(update.weight for update in updates),
            cursor=running.cursor,
            rung=running.rung,
            level=running.level,
            threshold=running.threshold,
        )

    def _fund(self, accounts: list[str]) -> None:
        for start in range(0, len(accounts), len(ACCOUNT_NAMES)):
            gifts = zip(ACCOUNT_NAMES, accounts[start:], strict=False)
            payload = [
                self.chain.sign(Transfer(self.chain.account(name), POCKET_MONEY), sender=giver)
                for giver, name in gifts
            ]
            outcome = self.chain.commit(payload)
            assert all(receipt.status is ReceiptStatus.DONE for receipt in outcome.receipts)

    def _together(
        self,
        contract: Viewer,
        method: str,
        args: Mapping[Address, tuple[PythonValue, ...]],
        *,
        value: int = 0,
    ) -> tuple[Receipt, ...]:
        payload = [
            self.chain.sign(
                contract.action(method, given, value=value), sender=self._accounts[sender]
            )
            for sender, given in args.items()
        ]
        if not payload:
            return ()
        return self.chain.commit(payload).receipts[-len(payload) :]

    def _begin(self, moment: Moment) -> None:
        assert moment.height == self.height
        self.chain.now_ms = moment.now_ms

    def _effects(self, receipt: Receipt) -> tuple[Effect, ...]:
        self.rounds.receipt = receipt
        return tuple(effect_of(name, fields) for name, fields in self.rounds.events())

    def _balances(self) -> dict[Address, int]:
        # Tips are zero here, so every fee was burned, and all else that was came from `rounds`.
        fees = sum(receipt.fee for receipt in self.chain.receipts)
        burned = read_chain(self.chain.state).supply.burned - fees
        return {BURNED: burned, **{who: self.chain.balance(who) for who in self._accounts}}

    def _check_money(self, expected: dict[Address, int], done: Sequence[Effect]) -> None:
        for effect in done:
            match effect:
                case Pay(to=to, amount=amount):
                    expected[to] += amount
                case Burn(amount=amount):
                    expected[BURNED] += amount
                case _:
                    pass
        assert self._balances() == expected


def _refusal(receipt: Receipt) -> Refused:
    """Return the rule that a call broke; that a method takes no money is the machine's to say."""
    if receipt.code == "vm-trap-not-payable":
        return Refused(Rule.NO_MONEY_WANTED.value)
    assert receipt.code == "vm-trap-reverted", receipt.trap
    return Refused(receipt.trap.removeprefix("reverted: "))

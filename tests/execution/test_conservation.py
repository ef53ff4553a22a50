"""No sequence of commits makes or loses a grain, and both engines agree on every one of them.

`Arena` executes each commit on both engines, compares changes, receipts and roots, and adds all
money up afterwards; what is sent here is of every kind, honest and hostile, alone and together.
"""

import msgspec
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from node.execution.epochs import has_epoch
from node.execution.local_chain import GAS_LIMIT, key_named
from node.execution.schedule import waiting_count
from node.ledger.chain import read_chain
from node.ledger.contract import contract_address
from node.ledger.keyspace import Room
from node.ledger.parameters import FeeParameters, LedgerParameters, LimitParameters
from node.ledger.possession import prove_possession
from node.ledger.receipt import ReceiptStatus
from node.ledger.staking.parameters import StakingParameters
from node.ledger.transaction import (
    SIGNED_TRANSACTION_CODEC,
    Action,
    Bond,
    Call,
    Delegate,
    Deploy,
    Redelegate,
    RotateKeys,
    Transfer,
    Unbond,
    Undelegate,
    Unjail,
    Withdraw,
    sign_transaction,
)
from node.vm.lang.compiler import compile_contract
from node.vm.module import encode_module
from node.vm.types import ADDRESS, INT
from node.vm.values import ValueCodec
from primitives.ids import Address, DurationMs, Epoch, Gas, Grain, TimestampMs
from tests.execution.accusations import committee_of, equivocation, signed_block, two_faced
from tests.execution.arena import Arena, read_hostile

HOUR_MS = 3_600_000
PARAMETERS = LedgerParameters(
    fees=FeeParameters(fee_initial=Grain(10), fee_min=Grain(3), gas_target=Gas(500_000)),
    limits=LimitParameters(transaction_gas_max=GAS_LIMIT, commit_gas_max=GAS_LIMIT),
    staking=StakingParameters(
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
        jail_epochs=1,
        rounds_judged_min=2,
        emission_per_epoch=Grain(37),
        unbonding_entries_max=3,
        redelegation_targets_max=2,
    ),
    trusting_period_ms=DurationMs(HOUR_MS),
)
PEOPLE = st.sampled_from(("alice", "bob", "mallory"))
FOUNDERS = ("validator-0", "validator-1", "validator-2", "validator-3")
VALIDATORS = st.sampled_from((*FOUNDERS, "validator-4", "validator-5"))
ANYBODY = PEOPLE | VALIDATORS
SMALL = st.integers(0, 2_000)
AMOUNTS = SMALL | SMALL | SMALL | st.sampled_from((10**12, 10**15, 10**15 + 1, (1 << 63) - 1))
ONE_INT = ValueCodec.of_fields((), (INT,))
PAYMENT = ValueCodec.of_fields((), (ADDRESS, INT))
PURSE = encode_module(compile_contract(read_hostile("purse"), filename="purse"))


class Market(RuleBasedStateMachine):
    """Everybody does anything; what is sent waits until the next commit takes all of it."""

    @initialize()
    def open(self) -> None:
        self.arena = Arena(parameters=PARAMETERS)
        self.payload: list[bytes] = []
        self.sent: dict[str, int] = {}
        self.rotations = 0
        self.contracts = {
            "purse": self.arena.deploy(read_hostile("purse"), 0, value=10_000),
            "sleeper": self.arena.deploy(read_hostile("sleeper")),
            "relay": self.arena.deploy(read_hostile("relay")),
            "glutton": self.arena.deploy(read_hostile("glutton")),
        }
        for name in ("validator-4", "validator-5"):
            self.arena.send(Transfer(self.address(name), Grain(10**12)))

    def address(self, name: str) -> Address:
        if name in self.contracts:
            return self.contracts[name].address
        return self.arena.account(name)

    def send(self, action: Action, *, sender: str, tip: int = 0, gas: int = 900_000) -> None:
        signed = SIGNED_TRANSACTION_CODEC.decode(self.arena.sign(action, sender=sender))
        ahead = self.sent.get(sender, 0)
        transaction = msgspec.structs.replace(
            signed.transaction,
            nonce=signed.transaction.nonce + ahead,
            gas_limit=Gas(gas),
            fee_per_gas_max=Grain(signed.transaction.fee_per_gas_max + tip),
            tip_per_gas=Grain(tip),
            valid_until=TimestampMs(self.arena.now_ms + HOUR_MS),
        )
        self.sent[sender] = ahead + 1
        own = sign_transaction(transaction, key_named(sender))
        self.payload.append(SIGNED_TRANSACTION_CODEC.encode(own))

    @rule(sender=ANYBODY, recipient=ANYBODY, amount=AMOUNTS, tip=st.integers(0, 5))
    def transfer(self, sender: str, recipient: str, amount: int, tip: int) -> None:
        self.send(Transfer(self.address(recipient), Grain(amount)), sender=sender, tip=tip)

    @rule(
        sender=PEOPLE,
        to=PEOPLE | st.sampled_from(("purse", "relay")),
        method=st.sampled_from(("pay", "drain", "shop", "shop_and_regret", "pay_many")),
        amount=st.integers(-1, 500) | st.sampled_from((1 << 63, (1 << 255) - 1)),
        value=st.sampled_from((0, 0, 0, 5)),
    )
    def spend(self, sender: str, to: str, method: str, amount: int, value: int) -> None:
        arguments = PAYMENT.encode((self.address(to), amount))
        self.call("purse", method, arguments, sender=sender, value=value)

    @rule(sender=PEOPLE, value=AMOUNTS)
    def fill(self, sender: str, value: int) -> None:
        self.call("purse", "fill", b"\x90", sender=sender, value=value)

    @rule(
        sender=PEOPLE,
        method=st.sampled_from(("set_forever", "set_trap", "set_and_fail")),
        number=st.integers(-1, 4) | st.integers(20_000, 300_000),
    )
    def sleep(self, sender: str, method: str, number: int) -> None:
        arguments = b"\x90" if method == "set_and_fail" else ONE_INT.encode((number,))
        self.call("sleeper", method, arguments, sender=sender)

    @rule(sender=PEOPLE, to=ANYBODY, amount=st.integers(0, 60), value=st.integers(0, 50))
    def sleep_on_money(self, sender: str, to: str, amount: int, value: int) -> None:
        arguments = PAYMENT.encode((self.address(to), amount))
        self.call("sleeper", "set_payment", arguments, sender=sender, value=value)

    @rule(
        sender=PEOPLE,
        method=st.sampled_from(("double_bytes", "many_events", "return_crumbs", "many_slots")),
        count=st.integers(0, 300),
    )
    def eat(self, sender: str, method: str, count: int) -> None:
        self.call("glutton", method, ONE_INT.encode((count,)), sender=sender, gas=150_000)

    @rule(sender=PEOPLE, least=st.integers(0, 200), value=st.integers(0, 200))
    def deploy(self, sender: str, least: int, value: int) -> None:
        action = Deploy(PURSE, ONE_INT.encode((least,)), Grain(value))
        self.send(action, sender=sender, gas=2_000_000)

    @rule(sender=PEOPLE, code=st.binary(max_size=40), value=st.integers(0, 9))
    def deploy_garbage(self, sender: str, code: bytes, value: int) -> None:
        self.send(Deploy(code, b"", Grain(value)), sender=sender)

    @rule(sender=PEOPLE, value=st.integers(1, 9))
    def pay_for_what_is_not_there_yet(self, sender: str, value: int) -> None:
        nonce = read_nonce(self.arena, sender) + self.sent.get(sender, 0) + 1
        to = contract_address(self.arena.account(sender), nonce=nonce)
        self.send(Transfer(to, Grain(value)), sender=sender)

    def call(
        self,
        name: str,
        method: str,
        arguments: bytes,
        *,
        sender: str,
        value: int = 0,
        gas: int = 400_000,
    ) -> None:
        action = Call(
            contract=self.address(name), method=method, arguments=arguments, value=Grain(value)
        )
        self.send(action, sender=sender, gas=gas)

    @rule(raw=st.binary(max_size=80))
    def garbage(self, raw: bytes) -> None:
        self.payload.append(raw)

    @rule(place=st.integers(0, 300), bit=st.integers(0, 7), copies=st.integers(0, 2))
    def spoil_the_last(self, place: int, bit: int, copies: int) -> None:
        if self.payload and self.payload[-1]:
            raw = bytearray(self.payload[-1])
            self.payload += [bytes(raw)] * copies
            raw[place % len(raw)] ^= 1 << bit
            self.payload.append(bytes(raw))

    @rule(sender=ANYBODY, validator=VALIDATORS, amount=AMOUNTS)
    def delegate(self, sender: str, validator: str, amount: int) -> None:
        self.send(Delegate(self.address(validator), Grain(amount)), sender=sender)

    @rule(sender=ANYBODY, validator=VALIDATORS, amount=AMOUNTS)
    def undelegate(self, sender: str, validator: str, amount: int) -> None:
        self.send(Undelegate(self.address(validator), Grain(amount)), sender=sender)

    @rule(sender=ANYBODY, source=VALIDATORS, destination=VALIDATORS, amount=AMOUNTS)
    def redelegate(self, sender: str, source: str, destination: str, amount: int) -> None:
        action = Redelegate(
            source=self.address(source),
            destination=self.address(destination),
            amount=Grain(amount),
        )
        self.send(action, sender=sender)

    @rule(sender=ANYBODY, validator=VALIDATORS)
    def withdraw(self, sender: str, validator: str) -> None:
        self.send(Withdraw(self.address(validator)), sender=sender)

    @rule(name=VALIDATORS, amount=AMOUNTS)
    def unbond(self, name: str, amount: int) -> None:
        self.send(Unbond(Grain(amount)), sender=name)

    @rule(name=VALIDATORS)
    def unjail(self, name: str) -> None:
        self.send(Unjail(), sender=name)

    @rule(name=VALIDATORS | PEOPLE, commission_bp=st.integers(0, 6_000), amount=AMOUNTS)
    def bond(self, name: str, commission_bp: int, amount: int) -> None:
        key = key_named(f"{name} consensus")
        action = Bond(
            consensus_key=key.public.raw,
            node_key=key_named(f"{name} node").public.raw,
            possession=prove_possession(
                key, chain_id=self.arena.chain_id, validator=self.address(name)
            ),
            commission_bp=commission_bp,
            amount=Grain(amount),
        )
        self.send(action, sender=name)

    @rule(name=VALIDATORS, claims=st.booleans())
    def rotate(self, name: str, claims: bool) -> None:
        self.rotations += 1
        key = key_named(f"{name} consensus {self.rotations}")
        holder = key if claims else key_named("mallory")
        action = RotateKeys(
            consensus_key=key.public.raw,
            node_key=key_named(f"{name} node {self.rotations}").public.raw,
            possession=prove_possession(
                holder, chain_id=self.arena.chain_id, validator=self.address(name)
            ),
        )
        self.send(action, sender=name)

    @rule(sender=ANYBODY, author=st.integers(0, 4), age=st.integers(0, 3), whole=st.booleans())
    def accuse(self, sender: str, author: int, age: int, whole: bool) -> None:
        epoch = read_chain(self.arena.state).epoch - age
        if epoch < 0 or not has_epoch(self.arena.state, Epoch(epoch)):
            return
        author %= len(committee_of(self.arena, epoch=epoch))
        if not self.is_named(author, epoch=epoch):
            return
        if whole:
            action = two_faced(self.arena, author=author) if age == 0 else None
        else:
            action = equivocation(self.arena, author=author, epoch=epoch)
        if action is not None:
            self.send(action, sender=sender, gas=1_000_000)

    @rule(author=st.integers(0, 4))
    def find_twins(self, author: int) -> None:
        self.commit(0)
        self.commit(0)
        epoch = read_chain(self.arena.state).epoch
        author %= len(committee_of(self.arena, epoch=epoch))
        if self.is_named(author, epoch=epoch):
            one, other = (
                signed_block(self.arena, author=author, label=label, epoch=epoch)
                for label in (1, 2)
            )
            self.arena.commit_twins(one, other)

    def is_named(self, author: int, *, epoch: int) -> bool:
        """Tell whether the seat belongs to an account that the accusations know by name."""
        operator = committee_of(self.arena, epoch=epoch)[author].operator
        return operator in {self.address(f"validator-{number}") for number in range(6)}

    @rule(milliseconds=st.sampled_from((0, 1, 1, 50_000, HOUR_MS, 3 * HOUR_MS)))
    def commit(self, milliseconds: int) -> None:
        payload, self.payload, self.sent = self.payload, [], {}
        self.arena.now_ms = TimestampMs(self.arena.now_ms + milliseconds)
        before = read_chain(self.arena.state)
        outcome = self.arena.commit(payload)
        after = read_chain(self.arena.state)
        gas_used = 0
        for receipt in outcome.receipts:
            gas_used += receipt.gas_used
            if receipt.status is ReceiptStatus.REFUSED:
                assert (receipt.fee, receipt.gas_used, receipt.events) == (0, 0, ())
            elif receipt.fee:
                assert receipt.fee >= receipt.gas_used * before.base_fee
        assert gas_used <= PARAMETERS.limits.commit_gas_max
        assert len(outcome.receipts) >= len(payload)
        assert after.supply.burned >= before.supply.burned

    @invariant()
    def schedule_counts_its_calls(self) -> None:
        prefix = Room.SCHEDULE + b"c"
        stored = sum(key.startswith(prefix) for key in self.arena.state.values)
        assert stored == waiting_count(self.arena.state)


def read_nonce(arena: Arena, name: str) -> int:
    """Return the nonce that the next transaction of the account must have."""
    return SIGNED_TRANSACTION_CODEC.decode(arena.sign(Unjail(), sender=name)).transaction.nonce


def play(*, examples: int, steps: int) -> None:
    """Run the market so often and so long."""
    run_state_machine_as_test(
        Market,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_a_few_commits_of_everything_keep_every_grain() -> None:
    play(examples=2, steps=12)


@pytest.mark.slow
def test_no_sequence_of_commits_makes_or_loses_a_grain() -> None:
    play(examples=60, steps=60)

"""Whole contracts, written as people write them, run on both engines."""

import hashlib
from decimal import Decimal
from pathlib import Path

import pytest

from node.vm.lang.compiler import compile_contract
from node.vm.module import encode_module
from node.vm.traps import Trap
from tests.vm.engines.memory_host import SELF, VALIDATORS
from tests.vm.lang.stage import ALICE, BOB, CAROL, SAMPLES, Stage, sample

DAY_MS = 24 * 60 * 60 * 1000


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*.contract")), ids=lambda path: path.stem)
def test_same_source_gives_the_same_bytes(path: Path) -> None:
    text = sample(path.stem)
    first, second = (encode_module(compile_contract(text, filename=name)) for name in "ab")
    assert first == second


def test_counter_counts_and_shares() -> None:
    stage = Stage(sample("counter"))
    stage.deploy()
    assert stage.call("add", 3) == 3
    assert stage.call("add", 1, sender=BOB) == 4
    assert stage.call("share", BOB) == Decimal("0.25")
    assert stage.events == [
        ("Added", {"who": ALICE, "amount": 3}),
        ("Added", {"who": BOB, "amount": 1}),
    ]


@pytest.mark.parametrize("amount", [0, -1, 1_001])
def test_counter_refuses_what_is_out_of_range(amount: int) -> None:
    stage = Stage(sample("counter"))
    stage.deploy()
    reason = "the amount must be positive and at most the limit"
    assert stage.refusal("add", amount) == reason


def test_counter_forgets_only_for_its_owner() -> None:
    stage = Stage(sample("counter"))
    stage.deploy()
    stage.call("add", 5, sender=BOB)
    assert stage.refusal("reset", BOB, sender=BOB) == "only the owner may reset"
    stage.call("reset", BOB)
    stage.call("reset", CAROL)
    assert stage.call("share", BOB) == 0
    assert stage.call("add", 2) == 2


def test_token_moves_what_its_owner_has() -> None:
    stage = Stage(sample("token"))
    stage.deploy("Grain", 100)
    stage.call("transfer", BOB, 30)
    assert [stage.call("balance_of", who) for who in (ALICE, BOB, CAROL)] == [70, 30, 0]
    assert stage.refusal("transfer", CAROL, 31, sender=BOB) == "the balance is too low"
    assert stage.refusal("transfer", CAROL, 0, sender=BOB) == "the amount must be positive"
    assert stage.refusal("transfer", CAROL, 1, value=5) is Trap.NOT_PAYABLE


def test_token_lets_others_spend_what_was_approved() -> None:
    stage = Stage(sample("token"))
    stage.deploy("Grain", 100)
    stage.call("approve", BOB, 40)
    assert stage.call("allowance", ALICE, BOB) == 40
    stage.call("transfer_from", ALICE, CAROL, 25, sender=BOB)
    assert stage.call("allowance", ALICE, BOB) == 15
    assert stage.call("balance_of", CAROL) == 25
    assert stage.refusal("transfer_from", ALICE, CAROL, 16, sender=BOB) == "only 15 may be spent"
    stage.call("approve", BOB, 0)
    assert stage.call("allowance", ALICE, BOB) == 0


def test_token_that_is_moved_to_its_owner_stays_the_same() -> None:
    stage = Stage(sample("token"))
    stage.deploy("Grain", 100)
    stage.call("transfer", ALICE, 100)
    assert stage.call("balance_of", ALICE) == 100


def _escrow() -> Stage:
    stage = Stage(sample("escrow"))
    stage.deploy(SELF)
    for host in stage.hosts:
        host.invocation = lambda _target, method, arguments, _value, _meter: (
            arguments[0] == BOB if method.name == "is_known" else 1
        )
    return stage


def test_escrow_pays_the_seller_less_the_fee() -> None:
    stage = _escrow()
    assert stage.call("pay", BOB, "a model", value=500) == 0
    assert stage.refusal("release", 0, sender=BOB) == "only the buyer may release"
    stage.call("release", 0)
    assert stage.host.balance_of(BOB) == 495
    assert stage.host.invoked[-1] == (SELF, "collect", (0,), 5)
    assert stage.call("settled", 0) == stage.now_ms
    assert stage.refusal("release", 0) == "the deal is settled"


def test_escrow_gives_the_money_back_after_the_deadline() -> None:
    stage = _escrow()
    stage.call("pay", BOB, "a model", value=500)
    stage.call("pay", BOB, "another", value=70)
    stage.call("release", 1)
    stage.now_ms += 7 * DAY_MS
    stage.run_scheduled()
    assert stage.host.balance_of(ALICE) == 500
    assert stage.call("settled", 0) == stage.now_ms
    assert [name for name, _ in stage.events] == ["Paid", "Paid", "Settled", "Settled"]


def test_escrow_refuses_strangers_and_unknown_deals() -> None:
    stage = _escrow()
    assert stage.refusal("pay", CAROL, "a model", value=500) == "the seller is not known"
    assert stage.refusal("pay", BOB, "a model") == "send some money"
    assert stage.refusal("release", 3) == "there is no deal 3"
    assert stage.host.balance_of(SELF) == 0


def _commitment(scores: list[int], salt: bytes) -> bytes:
    packed = salt + b"".join((score + (1 << 31)).to_bytes(4, "big") for score in scores)
    return hashlib.sha256(packed).digest()


def _voted(rows: list[list[int]]) -> Stage:
    stage = Stage(sample("voting"))
    stage.deploy()
    assert stage.call("open", len(rows[0]), 1_000, 1_000) == 1
    for validator, scores in zip(VALIDATORS, rows, strict=False):
        stage.call("commit", 1, _commitment(scores, b"salt"), sender=validator)
    stage.now_ms += 1_000
    for validator, scores in zip(VALIDATORS, rows, strict=False):
        stage.call("reveal", 1, scores, b"salt", sender=validator)
    stage.now_ms += 1_000
    stage.run_scheduled()
    return stage


def test_voting_decides_by_medians_and_weights_sum_up_to_one() -> None:
    stage = _voted([[100, -50, 7], [110, -40, 8], [90, -60, 9], [100_000, 900, -900]])
    outcome = stage.call("outcome", 1)
    assert isinstance(outcome, dict)
    assert outcome["medians"] == [100, -50, 7]
    assert outcome["accepted"] == [True, False, True]
    tilts = [65_536 + 100, 0, 65_536 + 7]
    shares = [tilt * 65_536 // sum(tilts) for tilt in tilts]
    assert outcome["weights"] == [shares[0] + 1, 0, shares[2]]
    assert sum(outcome["weights"]) == 65_536


def test_voting_trusts_those_who_agree() -> None:
    stage = _voted([[100, -50], [110, -40], [90, -60], [100_000, 900]])
    trust = [stage.call("trust_of", validator) for validator in VALIDATORS]
    assert trust == [65_536, 43_690, 43_690, 0]
    assert stage.call("trust_of", CAROL) == 65_536


def test_voting_without_a_quorum_decides_nothing() -> None:
    stage = _voted([[100, -50], [110, -40]])
    assert stage.call("outcome", 1) is None
    assert stage.events[-1] == ("Failed", {"round": 1, "power": 5_000})


def test_voting_refuses_scores_that_were_not_committed() -> None:
    stage = Stage(sample("voting"))
    stage.deploy()
    stage.call("open", 2, 1_000, 1_000)
    assert stage.refusal("open", 2, 1, 1) == "a round is open"
    assert stage.refusal("commit", 1, b"x" * 32) == "only validators vote"
    validator = VALIDATORS[0]
    assert stage.refusal("reveal", 1, [1, 2], b"", sender=validator) == "no scores are taken now"
    stage.call("commit", 1, _commitment([1, 2], b"salt"), sender=validator)
    stage.now_ms += 1_000
    reason = "this is not what was committed"
    assert stage.refusal("reveal", 1, [1, 3], b"salt", sender=validator) == reason
    stage.call("reveal", 1, [1, 2], b"salt", sender=validator)
    assert stage.refusal("reveal", 1, [1, 2], b"salt", sender=validator) == reason

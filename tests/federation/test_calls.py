"""Calls carry what the contracts take, and the contracts take them."""

import pytest

from node.execution.local_chain import LocalChain, TransactionFailedError
from node.federation import calls
from node.federation.calls import SIGNATURES, Ballot, Offer
from node.federation.views import FederationReader
from node.ledger.contract import genesis_contract_address
from node.ledger.transaction import Call
from node.vm.linked import LinkedModule
from node.vm.module import METHOD_KINDS, FunctionKind, decode_module
from node.vm.type_table import TypeTable
from node.vm.types import COMPOSITE_FIRST
from node.vm.verifier import verify
from primitives.hashing import sha256
from primitives.ids import Grain, Height
from tests.federation.local_caller import LocalCaller, founded
from tests.fl import cast

ADDRESSES = {
    genesis_contract_address(contract.name): verify(decode_module(contract.code))
    for contract in founded()
}
WHO = cast.address("trainer0")
HASH = sha256(b"hash")

ALL: tuple[Call, ...] = (
    calls.register("ann", role="agent", organisation="acme"),
    calls.admit("acme", who=WHO),
    calls.hand_over("acme", to=WHO),
    calls.revoke(WHO),
    calls.add_key(HASH, signature=bytes(64)),
    calls.rotate_key(HASH, new=HASH, signature=bytes(64)),
    calls.revoke_key(HASH),
    calls.publish(0, title="t"),
    calls.describe(0, title="t", description="d"),
    calls.unlist(0),
    calls.list_again(0),
    calls.top_up(0, amount=Grain(5)),
    calls.close_task(0),
    calls.open_round(0),
    calls.commit(0, commitment=HASH, bond=Grain(7)),
    calls.reveal(0, root=HASH, salt=HASH),
    calls.claim(0, who=WHO, registered_at=Height(1)),
    calls.attest(0, held=(1 << 100) - 1),
    calls.commit_scores(0, commitment=HASH),
    calls.reveal_scores(0, card=bytes(19), salt=HASH),
    calls.vote(0, aggregate=HASH),
    calls.report(0, changes=(-10, 0)),
    calls.advance(0, steps=1),
    calls.appeal(0, statement=HASH, deposit=Grain(10)),
    calls.execute(0),
    calls.judge_dispute(0, ballot=Ballot.LIFT),
)


def offer(**changes: object) -> Offer:
    terms = cast.Offer()
    fields = {name: getattr(terms, name) for name in terms.__slots__}
    return Offer(**{"document": HASH, "model": HASH, **fields, **changes})


@pytest.mark.parametrize("method", SIGNATURES)
def test_a_signature_is_that_of_the_contract(method: str) -> None:
    address, types = SIGNATURES[method]
    module = ADDRESSES[address]
    index = module.function_named(method)
    assert index is not None
    ours = TypeTable(calls.TYPES)
    theirs = [module.types.name(param) for param in module.functions[index].params]
    assert [ours.name(one) for one in types] == theirs
    assert max(types, default=0) <= COMPOSITE_FIRST


@pytest.mark.parametrize("call", ALL, ids=lambda call: f"{call.method}")
def test_a_call_decodes_as_the_contract_decodes_it(call: Call) -> None:
    module = ADDRESSES[call.contract]
    index = module.function_named(call.method)
    assert index is not None
    assert module.functions[index].kind in METHOD_KINDS
    assert (module.functions[index].kind is FunctionKind.PAYABLE) == (call.value > 0)
    decoded = LinkedModule(module).arguments_codec(index).decode(call.arguments)
    assert isinstance(decoded, tuple)
    assert len(decoded) == len(module.functions[index].params)


def test_every_method_has_a_call() -> None:
    assert {call.method for call in ALL} | {"create_task"} == set(SIGNATURES)


def test_an_offer_becomes_a_task_with_these_terms() -> None:
    chain = LocalChain(contracts=founded())
    made = offer(reward=5, windows=(2_000,) * 7)
    chain.send(calls.create_task(made, escrow=Grain(100)), sender="bob")
    reader = FederationReader(LocalCaller(chain))
    assert reader.task(0).sponsor == chain.account("bob")
    assert reader.task(0).escrow == 100
    terms = reader.terms(0)
    assert (terms.document, terms.reward, terms.windows) == (HASH, 5, (2_000,) * 7)
    assert terms.guard_bounds == made.guard_bounds


def test_what_makes_no_sense_is_for_the_contract_to_refuse() -> None:
    chain = LocalChain(contracts=founded())
    with pytest.raises(TransactionFailedError, match="the terms are out of bounds"):
        chain.send(calls.create_task(offer(slots=101), escrow=Grain(0)))

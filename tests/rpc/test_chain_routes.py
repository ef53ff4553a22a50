"""What the API says of the chain is what the chain says."""

from collections.abc import AsyncIterator, Awaitable

import pytest
import pytest_asyncio

from node.ledger.checkpoint import read_certificate
from node.ledger.contract import genesis_contract_address
from node.ledger.light_client import LightClient
from node.ledger.receipt import ReceiptStatus
from node.ledger.transaction import Transfer
from node.rpc.errors import NodeAnswerError
from node.rpc.texts import account_text, parse_base64
from primitives.ids import Digest, Grain
from tests.chain.founded import BALANCE, address_of
from tests.rpc.stage import Stage, open_stage

pytestmark = pytest.mark.asyncio(loop_scope="module")

BOB = account_text(address_of("bob"))


@pytest_asyncio.fixture(name="stage", scope="module", loop_scope="module")
async def _stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    async with open_stage(tmp_path_factory.mktemp("node")) as stage:
        await stage.send(Transfer(address_of("bob"), Grain(7)))
        yield stage


async def refusal(awaited: Awaitable[object]) -> NodeAnswerError:
    with pytest.raises(NodeAnswerError) as caught:
        await awaited
    return caught.value


async def test_head_names_the_chain_and_what_is_final(stage: Stage) -> None:
    head = await stage.client.head()
    assert head.chain_id == stage.chain.chain_id.hex()
    assert (head.height, head.certified_height) == (1, 1)
    assert head.state_root == stage.chain.head.state_root.hex()


async def test_commit_shows_its_receipts_and_that_it_is_final(stage: Stage) -> None:
    commit = await stage.client.commit(1)
    (receipt,) = commit.receipts
    assert commit.is_final
    assert receipt.status == "done"
    assert receipt.height == 1
    assert commit.checkpoint is not None
    assert commit.checkpoint.height == 1


async def test_commit_that_is_not_there_is_not_found(stage: Stage) -> None:
    assert (await refusal(stage.client.commit(99))).status == 404


async def test_certificate_is_the_one_that_light_clients_read(stage: Stage) -> None:
    shown = await stage.client.newest_certificate()
    assert shown == await stage.client.certificate(shown.checkpoint.number)
    assert read_certificate(parse_base64(shown.raw)) == stage.chain.certified
    assert len(shown.signers) == 3


async def test_certificate_of_a_later_checkpoint_is_not_found(stage: Stage) -> None:
    assert (await refusal(stage.client.certificate(99))).status == 404


async def test_validators_have_seats_and_stake_as_text(stage: Stage) -> None:
    found = await stage.client.validators()
    assert len(found.validators) == 4
    assert {one.seat for one in found.validators} == {0, 1, 2, 3}
    assert found.power_total == sum(one.power for one in found.validators)
    assert found.validators[0].stake == str(BALANCE)
    assert found.validators[0].standing == "good"


async def test_account_is_found_by_did_and_by_hex(stage: Stage) -> None:
    by_did = await stage.client.account(BOB)
    assert by_did == await stage.client.account(address_of("bob").hex())
    assert by_did.address == BOB
    assert by_did.balance == str(BALANCE + 7)
    assert by_did.nonce == "0"


async def test_account_at_an_earlier_height_has_what_it_had(stage: Stage) -> None:
    before = await stage.client.account(BOB, height=0)
    assert (before.balance, before.height) == (str(BALANCE), 0)


async def test_account_at_a_height_to_come_has_gone(stage: Stage) -> None:
    error = await refusal(stage.client.account(BOB, height=1_000))
    assert (error.status, error.answer_code) == (410, "state_pruned")


async def test_account_that_nobody_used_is_empty(stage: Stage) -> None:
    nobody = await stage.client.account("ab" * 32)
    assert (nobody.balance, nobody.nonce, nobody.is_contract) == ("0", "0", False)


@pytest.mark.parametrize(
    "address", ["", "bob", "AB" * 32, "ab" * 31, "did:key:z6Mk", f"{BOB}1", f"{BOB[:-1]}0"]
)
async def test_address_of_another_form_is_refused(stage: Stage, address: str) -> None:
    assert (await refusal(stage.client.account(address))).status in (400, 404)


async def test_submitted_transaction_is_executed_and_found(stage: Stage) -> None:
    signed = stage.sign(Transfer(address_of("carol"), Grain(5)), sender="dave")
    name = await stage.client.submit(signed)
    account = await stage.client.account(account_text(address_of("dave")))
    assert (account.pending, account.next_nonce) == (1, "1")
    executed = await stage.commit_proposed(1)
    receipt = await stage.client.wait_receipt(name, timeout_s=5)
    assert executed.receipts[0].status is ReceiptStatus.DONE
    assert receipt.transaction_id == name.hex()
    assert (await stage.client.transaction(name)).is_final


async def test_transaction_that_no_commit_has_is_not_found(stage: Stage) -> None:
    assert (await refusal(stage.client.transaction(Digest(bytes(32))))).status == 404


async def test_refused_transaction_has_the_code_of_the_ledger(stage: Stage) -> None:
    signed = stage.sign(Transfer(address_of("carol"), Grain(2 * BALANCE)), sender="erin")
    error = await refusal(stage.client.submit(signed))
    assert (error.status, error.answer_code) == (422, "transaction-unaffordable")


async def test_each_transaction_of_a_batch_is_judged_by_itself(stage: Stage) -> None:
    good = stage.sign(Transfer(address_of("carol"), Grain(1)), sender="frank")
    bad = stage.sign(Transfer(address_of("carol"), Grain(2 * BALANCE)), sender="grace")
    first, second = await stage.client.submit_many([good, bad])
    assert first.transaction_id is not None
    assert first.refusal is None
    assert second.transaction_id is None
    assert second.refusal is not None
    assert second.refusal.code == "transaction-unaffordable"
    await stage.commit_proposed(1)


async def test_proofs_and_files_lead_a_light_client_to_the_balance(stage: Stage) -> None:
    proof = await stage.client.prove_account(BOB)
    client = LightClient.from_genesis(await stage.client.genesis_file())
    client = client.follow(parse_base64(proof.chain_file))
    held = client.account(parse_base64(proof.proof), address=address_of("bob"))
    assert held.balance == BALANCE + 7


async def test_receipt_is_proven_from_the_same_files(stage: Stage) -> None:
    receipt = (await stage.client.commit(1)).receipts[0]
    proof = await stage.client.prove_receipt(Digest(bytes.fromhex(receipt.transaction_id)))
    client = LightClient.from_genesis(await stage.client.genesis_file())
    proven = client.follow(parse_base64(proof.chain_file)).receipt(parse_base64(proof.proof))
    assert proven.transaction_id.hex() == receipt.transaction_id


async def test_chain_file_leads_to_the_newest_certificate(stage: Stage) -> None:
    client = LightClient.from_genesis(await stage.client.genesis_file())
    head = client.follow(await stage.client.chain_file()).head
    assert stage.chain.certified is not None
    assert head == stage.chain.certified.checkpoint


async def test_proof_of_an_unknown_transaction_is_not_found(stage: Stage) -> None:
    assert (await refusal(stage.client.prove_receipt(Digest(bytes(32))))).status == 404


async def test_slot_of_a_contract_is_proven_empty_or_not(stage: Stage) -> None:
    proof = await stage.client.prove_slot(genesis_contract_address("rounds").hex(), b"nothing")
    client = LightClient.from_genesis(await stage.client.genesis_file())
    client = client.follow(parse_base64(proof.chain_file))
    found = client.slot(
        parse_base64(proof.proof), contract=genesis_contract_address("rounds"), slot=b"nothing"
    )
    assert found is None

"""What the chain proves, `hanse light verify` believes: from files, with no node."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.light import app
from node.chain.chain import Chain
from node.chain.errors import NotCertifiedError
from node.chain.limits import ChainLimits
from node.chain.proofs import Proof
from node.execution.founding import compiled_contract
from node.ledger.contract import genesis_contract_address
from node.ledger.light_client import LightClient
from node.ledger.transaction import Call, Transfer
from node.storage.state_errors import StatePrunedError
from node.vm.lang.compiler import compile_contract
from node.vm.stored import StoredField
from node.vm.verifier import verify
from primitives.ids import Grain, Height
from tests.chain.founded import address_of, chain_at, genesis_file
from tests.chain.proposer import Proposer
from tests.storage.ledger_places import COUNTER
from tests.storage.ledger_workload import ADDED

PAY_BOB = Transfer(address_of("bob"), Grain(5))
CALL = Call(
    contract=genesis_contract_address("counter"),
    method="add",
    arguments=ADDED.encode((7,)),
    value=Grain(0),
)
HOUR_MS = 3_600_000


def believed(chain: Chain, proof: Proof, folder: Path, *options: str) -> dict[str, object]:
    """Return what the light client says of a proof that it reads from files."""
    files = {
        "genesis": chain.genesis_file,
        "certificates": proof.chain_file,
        "proof": proof.proof,
    }
    words: list[str] = []
    for name, content in files.items():
        (folder / name).write_bytes(content)
        words += [f"--{name}", str(folder / name)]
    result = CliRunner().invoke(app, ["verify", *words, *options, "--json"])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert isinstance(found, dict)
    return found


async def certify_last(proposer: Proposer, *payload: bytes, pause_ms: int = 100) -> Height:
    """Execute a commit and store its certificate; return its height."""
    executed = await proposer.commit(*payload, pause_ms=pause_ms)
    await proposer.chain.add_certificate(proposer.certify(executed.checkpoint))
    return executed.height


@pytest.mark.asyncio
async def test_account_and_receipt_are_proven_to_a_light_client(tmp_path: Path) -> None:
    with chain_at(tmp_path) as chain:
        proposer = Proposer(chain)
        await certify_last(proposer, pause_ms=HOUR_MS)
        height = await certify_last(
            proposer, *(proposer.sign(PAY_BOB, sender=name) for name in ("alice", "carol"))
        )
        await proposer.send(PAY_BOB)
        bob = address_of("bob")
        proof = chain.prove_account(bob)
        assert proof.height == height
        found = believed(chain, proof, tmp_path, "--account", bob.hex())
        assert found["balance"] == 1_000_000 * 10**9 + 10
        assert found["epoch"] == 1
        proof = chain.prove_receipt(height, 1)
        receipt = chain.receipt(height, 1)
        assert receipt is not None
        found = believed(chain, proof, tmp_path, "--receipt")
        assert found["transaction"] == receipt.transaction_id.hex()


@pytest.mark.asyncio
async def test_stored_value_is_proven_to_a_light_client(tmp_path: Path) -> None:
    genesis = genesis_file(contracts=[compiled_contract("counter", COUNTER)])
    module = verify(compile_contract(COUNTER, filename="counter"))
    field = StoredField(module, "total")
    with chain_at(tmp_path, genesis=genesis) as chain:
        proposer = Proposer(chain)
        height = await certify_last(proposer, proposer.sign(CALL, sender="alice"))
        contract = genesis_contract_address("counter")
        proof = chain.prove_slot(contract, field.slot(()))
        client = LightClient.from_genesis(genesis).follow(proof.chain_file)
        stored = client.slot(proof.proof, contract=contract, slot=field.slot(()))
        assert stored is not None
        assert field.read(stored) == 7
        assert proof.height == height


@pytest.mark.asyncio
async def test_old_receipt_is_proven_with_the_certificate_of_its_own_commit(tmp_path: Path) -> None:
    with chain_at(tmp_path) as chain:
        proposer = Proposer(chain)
        height = await certify_last(proposer, proposer.sign(PAY_BOB, sender="alice"))
        await certify_last(proposer, proposer.sign(PAY_BOB, sender="alice"))
        client = LightClient.from_genesis(chain.genesis_file)
        proof = chain.prove_receipt(height, 0)
        followed = client.follow(proof.chain_file)
        assert followed.head is not None
        assert followed.head.height == height
        assert followed.receipt(proof.proof) == chain.receipt(height, 0)


@pytest.mark.asyncio
async def test_nothing_is_proven_without_a_certificate(tmp_path: Path) -> None:
    with chain_at(tmp_path) as chain:
        proposer = Proposer(chain)
        executed = await proposer.send(PAY_BOB)
        with pytest.raises(NotCertifiedError, match="nothing that was executed here"):
            chain.prove_account(address_of("bob"))
        with pytest.raises(NotCertifiedError, match="no certificate of its own"):
            chain.prove_receipt(executed.height, 0)
        for height, index in ((1, 1), (1, -1), (2, 0), (-1, 0)):
            with pytest.raises(NotCertifiedError, match=f"commit {height} has no receipt {index}"):
                chain.prove_receipt(Height(height), index)


@pytest.mark.asyncio
async def test_certified_state_that_was_pruned_is_said(tmp_path: Path) -> None:
    with chain_at(tmp_path, limits=ChainLimits(kept_versions=2)) as chain:
        proposer = Proposer(chain)
        await certify_last(proposer, proposer.sign(PAY_BOB, sender="alice"))
        for _ in range(4):
            await proposer.commit()
        with pytest.raises(StatePrunedError):
            chain.prove_account(address_of("bob"))

"""The state before the first commit: accounts, stake, the first committee, and contracts."""

from node.execution.actions import deploy
from node.execution.contract_calls import ContractCalls
from node.execution.deployed import init_arguments
from node.execution.facts import CommitFacts
from node.execution.library import Library
from node.execution.warm_code import keep_warm
from node.ledger.contract import code_digest, genesis_contract_address
from node.ledger.errors import GenesisError
from node.ledger.genesis import Genesis, GenesisContract, write_genesis
from node.ledger.overlay import EmptyState, Overlay
from node.ledger.staking.tables import read_committee
from node.ledger.transaction import Deploy
from node.vm.abi import PythonValue
from node.vm.engine import Engine
from node.vm.lang.compiler import compile_contract
from node.vm.linked import LinkedModule
from node.vm.meter import Meter
from node.vm.module import encode_module
from node.vm.verifier import verify
from primitives.errors import HanseError
from primitives.hashing import Domain, tagged_hash
from primitives.ids import ChainId, Epoch, Grain, Height


def found_chain(
    genesis: Genesis, *, chain_id: ChainId, engine: Engine, library: Library
) -> dict[bytes, bytes | None]:
    """Return the state that the genesis file describes, as changes of an empty one.

    Raises:
        GenesisError: a founder or a contract does not do what genesis asks of it.
    """
    overlay = Overlay(EmptyState())
    write_genesis(overlay, genesis, chain_id=chain_id)
    facts = CommitFacts(
        chain_id=chain_id,
        epoch=Epoch(0),
        height=Height(0),
        time_ms=genesis.time_ms,
        beacon=tagged_hash(Domain.BEACON, chain_id),
        base_fee=genesis.parameters.fees.fee_initial,
        parameters=genesis.parameters,
        members=read_committee(overlay, Epoch(0)),
    )
    for contract in genesis.contracts:
        address = genesis_contract_address(contract.name)
        calls = ContractCalls(overlay, facts=facts, engine=engine, library=library)
        action = Deploy(contract.code, contract.arguments, Grain(0))
        meter = Meter(genesis.parameters.limits.transaction_gas_max)
        try:
            deploy(calls, action, address=address, deployer=address, meter=meter)
        except HanseError as error:
            raise GenesisError(f"contracts: {contract.name}: {error}") from error
        keep_warm(overlay, code_digest(contract.code), size_bytes=len(contract.code))
    return dict(overlay.changes())


def compiled_contract(name: str, source: str, *arguments: PythonValue) -> GenesisContract:
    """Return a contract to found under this name, from its source and what its `init` takes.

    Raises:
        VmError: it does not compile, or the arguments are none that it takes.
    """
    module = compile_contract(source, filename=f"{name}.contract")
    linked = LinkedModule(verify(module))
    return GenesisContract(name, encode_module(module), init_arguments(linked, arguments))

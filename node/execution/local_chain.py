"""A whole chain in one object, for tests of contracts: real transactions, one commit for each.

Nothing in it is pretended: genesis, signatures, fees, receipts, the staking rules and the executor
are those of a node; only consensus is missing, since there is one proposer. It is deterministic:
the same calls give the same state. After every commit the supply is checked.
"""

import functools
from collections.abc import Callable, Sequence
from typing import ClassVar, Final

from typing_extensions import override

from consensus.block import BLOCK_VERSION, Header, payload_root, sign_block
from consensus.commit import Commit, CommittedSubDag, commit_digest
from node.execution.commit import CommitInput, CommitOutcome, Machine, apply_commit
from node.execution.deployed import DeployedContract
from node.execution.founding import found_chain
from node.execution.library import Library
from node.ledger.account import balance_of, read_account
from node.ledger.chain import read_chain
from node.ledger.checkpoint import NO_CHECKPOINT, checkpoint_digest
from node.ledger.contract import genesis_contract_address
from node.ledger.genesis import (
    GENESIS_CODEC,
    Genesis,
    GenesisAccount,
    GenesisContract,
    GenesisValidator,
    chain_id_of,
    read_genesis,
)
from node.ledger.overlay import StateReader
from node.ledger.parameters import LedgerParameters
from node.ledger.receipt import Receipt, ReceiptStatus
from node.ledger.staking.audit import check_stakes
from node.ledger.staking.parameters import StakingParameters
from node.ledger.staking.tables import read_committee
from node.ledger.supply import check_supply
from node.ledger.transaction import (
    SIGNED_TRANSACTION_CODEC,
    Action,
    Deploy,
    Transaction,
    sign_transaction,
)
from node.vm.abi import PythonValue
from node.vm.engine import Engine, FastTier, Translation
from node.vm.lang.compiler import compile_contract
from node.vm.module import decode_module, encode_module
from primitives.errors import VmError
from primitives.hashing import sha256
from primitives.ids import (
    Address,
    AuthorityIndex,
    CommitIndex,
    Digest,
    Gas,
    Grain,
    Round,
    TimestampMs,
)
from primitives.keys import PrivateKey

GENESIS_TIME_MS: Final = TimestampMs(1_000_000_000_000)
ACCOUNT_BALANCE: Final = Grain(1_000_000 * 10**9)
ACCOUNT_NAMES: Final = (
    *("alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy"),
    *("mallory", "niaj", "olivia", "peggy", "rupert", "sybil", "trent", "victor", "walter", "zoe"),
)
GAS_LIMIT: Final = Gas(20_000_000)


class TransactionFailedError(VmError):
    """Report that a transaction of a test did not succeed.

    Args:
        receipt: why; its `code` is stable.
    """

    code: ClassVar[str] = "transaction-failed"

    def __init__(self, receipt: Receipt) -> None:
        super().__init__(f"{receipt.code}: {receipt.trap}")
        self.receipt = receipt


@functools.cache
def key_named(name: str) -> PrivateKey:
    """Return the key of the test account of this name, the same in every chain."""
    return PrivateKey.from_seed(sha256(b"hanse local chain " + name.encode()))


class _State(StateReader):
    """A state in a dictionary."""

    def __init__(self, values: dict[bytes, bytes]) -> None:
        self.values = values

    @override
    def get(self, key: bytes) -> bytes | None:
        return self.values.get(key)

    def write(self, changes: dict[bytes, bytes | None]) -> None:
        for key, value in changes.items():
            if value is None:
                del self.values[key]
            else:
                self.values[key] = value


class LocalChain:
    """A chain with funded accounts and validators of equal power.

    Args:
        validators: how many; their operators are the accounts "validator-0" and so on.
        engine: the fast tier by default.
        read_source: returns the text of a contract file by its name; what `deploy` is given is the
            text itself by default.
        parameters: of the chain.
        contracts: to found at genesis.
    """

    def __init__(
        self,
        *,
        validators: int = 4,
        engine: Engine | None = None,
        read_source: Callable[[str], str] | None = None,
        parameters: LedgerParameters | None = None,
        contracts: Sequence[GenesisContract] = (),
    ) -> None:
        fast = FastTier(translation=Translation.ON_CALL)
        self.machine = Machine(engine=engine or fast, library=Library())
        self._read_source = read_source
        agreed = parameters or LedgerParameters(
            staking=StakingParameters(
                stake_join_min=Grain(1),
                stake_leave_min=Grain(1),
                stake_drop_min=Grain(1),
                stake_pool_min=Grain(1),
                delegation_min=Grain(1),
            )
        )
        self.genesis_file: Final = GENESIS_CODEC.encode(
            _genesis(agreed, validators, tuple(contracts))
        )
        genesis = read_genesis(self.genesis_file)
        self._founded = {contract.name: contract.code for contract in contracts}
        self.chain_id: Final = chain_id_of(self.genesis_file)
        changes = found_chain(
            genesis,
            chain_id=self.chain_id,
            engine=self.machine.engine,
            library=self.machine.library,
        )
        self.state: Final = _State({})
        self.state.write(changes)
        self._last_checkpoint = NO_CHECKPOINT
        self._previous = Digest(bytes(32))
        self.now_ms = GENESIS_TIME_MS
        self.receipts: list[Receipt] = []

    def account(self, name: str) -> Address:
        """Return the address of a test account; those of `ACCOUNT_NAMES` have money."""
        return Address(key_named(name).public.raw)

    def balance(self, address: Address) -> int:
        """Return the money of an account or contract, in grains."""
        return balance_of(self.state, address)

    def contract(self, name: str) -> DeployedContract:
        """Return a handle to a contract that genesis founded."""
        handle = DeployedContract(self, module=decode_module(self._founded[name]))
        handle.address = genesis_contract_address(name)
        return handle

    def deploy(
        self, source: str, *arguments: PythonValue, sender: str = "alice", value: int = 0
    ) -> DeployedContract:
        """Compile a contract, put it on the chain, and return a handle to call it.

        Raises:
            VmError: it does not compile.
            TransactionFailedError: its `init` failed.
        """
        filename = source if self._read_source else "<source>"
        text = self._read_source(source) if self._read_source else source
        module = compile_contract(text, filename=filename)
        handle = DeployedContract(self, module=module)
        action = Deploy(encode_module(module), handle.init_arguments(arguments), Grain(value))
        receipt = self.send(action, sender=sender)
        assert receipt.created is not None
        handle.address = receipt.created
        return handle

    def send(self, action: Action, *, sender: str = "alice") -> Receipt:
        """Commit one transaction of a named account.

        Raises:
            TransactionFailedError: it was refused, or failed.
        """
        receipt = self.commit([self.sign(action, sender=sender)]).receipts[-1]
        if receipt.status is not ReceiptStatus.DONE:
            raise TransactionFailedError(receipt)
        return receipt

    def sign(self, action: Action, *, sender: str) -> bytes:
        """Return a transaction that may enter the next commit."""
        key = key_named(sender)
        address = Address(key.public.raw)
        chain = read_chain(self.state)
        transaction = Transaction(
            chain_id=self.chain_id,
            sender=address,
            nonce=read_account(self.state, address).nonce,
            gas_limit=GAS_LIMIT,
            fee_per_gas_max=chain.base_fee,
            tip_per_gas=Grain(0),
            valid_until=TimestampMs(self.now_ms + 60_000),
            action=action,
        )
        return SIGNED_TRANSACTION_CODEC.encode(sign_transaction(transaction, key))

    def advance(self, milliseconds: int) -> tuple[Receipt, ...]:
        """Let time pass and commit nothing; return the receipts of what was scheduled for then."""
        self.now_ms = TimestampMs(self.now_ms + milliseconds)
        return self.commit(()).receipts

    def commit(self, payload: Sequence[bytes]) -> CommitOutcome:
        """Commit payload items in one block."""
        sub_dag = self._order(tuple(payload))
        commit = CommitInput(sub_dag=sub_dag, last_checkpoint=self._last_checkpoint)
        outcome = apply_commit(self.state, commit, machine=self.machine)
        self.state.write(outcome.changes)
        checkpoint = outcome.checkpoint(Digest(bytes(32)))
        if checkpoint is not None:
            self._last_checkpoint = checkpoint_digest(checkpoint)
        self.receipts.extend(outcome.receipts)
        check_supply(self.state.values.items())
        check_stakes(self.state.values.items())
        return outcome

    def _order(self, payload: tuple[bytes, ...]) -> CommittedSubDag:
        """Return what consensus would hand over if the validators proposed in turn."""
        chain = read_chain(self.state)
        index = CommitIndex(chain.commit_index + 1)
        header = Header(
            version=BLOCK_VERSION,
            genesis=self.chain_id,
            epoch=chain.epoch,
            round=Round(index),
            author=AuthorityIndex(index % len(read_committee(self.state, chain.epoch))),
            timestamp_ms=self.now_ms,
            ancestors=(),
            payload_root=payload_root(payload),
            payload_bytes=sum(map(len, payload)),
            payload_count=len(payload),
            commit_votes=(),
            reports=(),
        )
        block = sign_block(header, payload, key_named("validator-0"))
        commit = Commit(
            genesis=self.chain_id,
            index=index,
            previous=self._previous,
            timestamp_ms=self.now_ms,
            leader=block.ref,
            blocks=(block.ref,),
            void=(),
        )
        digest = commit_digest(commit)
        self._previous = digest
        return CommittedSubDag(commit, digest=digest, blocks=(block,))


def _genesis(
    parameters: LedgerParameters, validators: int, contracts: tuple[GenesisContract, ...]
) -> Genesis:
    operators = [f"validator-{number}" for number in range(validators)]
    addresses = sorted(Address(key_named(name).public.raw) for name in (*ACCOUNT_NAMES, *operators))
    return Genesis(
        name="local",
        time_ms=GENESIS_TIME_MS,
        parameters=parameters,
        accounts=tuple(GenesisAccount(address, ACCOUNT_BALANCE) for address in addresses),
        validators=tuple(
            GenesisValidator(
                operator=Address(key_named(name).public.raw),
                consensus_key=key_named(f"{name} consensus").public.raw,
                node_key=key_named(f"{name} node").public.raw,
                commission_bp=1_000,
                stake=ACCOUNT_BALANCE,
            )
            for name in operators
        ),
        contracts=contracts,
    )

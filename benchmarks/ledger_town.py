"""A ledger on a disk with many accounts, and commits of a thousand transactions for it.

Everything is real: the genesis state, the signed transactions, the executor, the tree, LMDB with
sync. Consensus alone is missing: one block carries the payload of a commit.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Final

from consensus.block import BLOCK_VERSION, Header, payload_root, sign_block
from consensus.commit import Commit, CommittedSubDag, commit_digest
from node.execution.founding import compiled_contract, found_chain
from node.execution.library import Library
from node.ledger.account import Account, account_key, write_account
from node.ledger.chain import ChainRecord, read_chain
from node.ledger.contract import genesis_contract_address
from node.ledger.genesis import (
    GENESIS_CODEC,
    Genesis,
    GenesisAccount,
    GenesisValidator,
    chain_id_of,
)
from node.ledger.overlay import EmptyState, Overlay
from node.ledger.parameters import LedgerParameters, LimitParameters
from node.ledger.transaction import (
    SIGNED_TRANSACTION_CODEC,
    Action,
    Call,
    Transaction,
    Transfer,
    sign_transaction,
)
from node.ledger.tree.digests import place_of
from node.storage.environment import Environment, MapLimits
from node.storage.ledger_schema import LEDGER_SCHEMA
from node.storage.stamp import Identity
from node.storage.state_restore import StateRestorer
from node.storage.state_store import StateLimits, StateStore
from node.storage.writer import Writer
from node.vm.engine import FastTier
from node.vm.shapes import encode_narrow
from primitives.hashing import sha256
from primitives.ids import (
    Address,
    AuthorityIndex,
    CommitIndex,
    Digest,
    Gas,
    Grain,
    Height,
    Round,
    TimestampMs,
)
from primitives.keys import PrivateKey

BATCH: Final = 1_000
RICH: Final = Grain(10**15)
TIME_MS: Final = TimestampMs(1_000_000)
CONTRACT: Final = "token"
GAS_LIMIT: Final = Gas(40_000)
LOAD_BATCH: Final = 20_000
MAP_LIMITS: Final = MapLimits(bytes_first=1 << 33, bytes_max=1 << 36)
STATE_LIMITS: Final = StateLimits(kept_versions=16)
PARAMETERS: Final = LedgerParameters(
    limits=LimitParameters(commit_gas_max=Gas(100_000_000)),
)


class Town:
    """Senders with keys among many accounts; `founded` makes one on a disk."""

    def __init__(self, account_count: int, *, token_source: str) -> None:
        self._dice = Random(account_count)
        self._keys = [_key(f"sender {number}") for number in range(BATCH)]
        self._nonces = [0] * BATCH
        self._senders = [Address(key.public.raw) for key in self._keys]
        crowd = [Address(self._dice.randbytes(32)) for _ in range(account_count - BATCH)]
        self.accounts: Final = [*self._senders, *crowd]
        genesis = self._genesis(token_source)
        raw = GENESIS_CODEC.encode(genesis)
        self.chain_id: Final = chain_id_of(raw)
        self.founding: Final = found_chain(
            genesis, chain_id=self.chain_id, engine=FastTier(), library=Library()
        )

    def transfers(self, chain: ChainRecord) -> tuple[bytes, ...]:
        """Return one transfer of every sender, each to anybody."""
        return self._payload(
            chain,
            [Transfer(account, Grain(1)) for account in self._dice.sample(self.accounts, BATCH)],
        )

    def calls(self, chain: ChainRecord) -> tuple[bytes, ...]:
        """Return one token transfer of every sender, each to anybody."""
        contract = genesis_contract_address(CONTRACT)
        return self._payload(
            chain,
            [
                Call(
                    contract=contract,
                    method="transfer",
                    arguments=encode_narrow([account, 1]),
                    value=Grain(0),
                )
                for account in self._dice.sample(self.accounts, BATCH)
            ],
        )

    def endowments(self, chain: ChainRecord) -> tuple[bytes, ...]:
        """Return a call of every sender that gives it tokens."""
        contract = genesis_contract_address(CONTRACT)
        endow = Call(contract=contract, method="endow", arguments=encode_narrow([]), value=Grain(0))
        return self._payload(chain, [endow] * BATCH)

    def _payload(self, chain: ChainRecord, actions: Sequence[Action]) -> tuple[bytes, ...]:
        return tuple(self._signed(place, chain, action) for place, action in enumerate(actions))

    def _signed(self, place: int, chain: ChainRecord, action: Action) -> bytes:
        transaction = Transaction(
            chain_id=self.chain_id,
            sender=self._senders[place],
            nonce=self._nonces[place],
            gas_limit=GAS_LIMIT,
            fee_per_gas_max=Grain(chain.base_fee * 2),
            tip_per_gas=Grain(0),
            valid_until=TimestampMs(TIME_MS + 60_000),
            action=action,
        )
        self._nonces[place] += 1
        signed = sign_transaction(transaction, self._keys[place])
        return SIGNED_TRANSACTION_CODEC.encode(signed)

    def _genesis(self, token_source: str) -> Genesis:
        validators = [_key(f"validator {number}") for number in range(4)]
        return Genesis(
            name="benchmark",
            time_ms=TIME_MS,
            parameters=PARAMETERS,
            accounts=tuple(GenesisAccount(who, RICH) for who in sorted(self._senders)),
            validators=tuple(
                GenesisValidator(
                    operator=Address(key.public.raw),
                    consensus_key=_key(f"consensus {number}").public.raw,
                    node_key=_key(f"node {number}").public.raw,
                    commission_bp=0,
                    stake=RICH,
                )
                for number, key in enumerate(validators)
            ),
            contracts=(compiled_contract(CONTRACT, token_source),),
        )


@contextmanager
def founded(town: Town, folder: Path) -> Iterator[tuple[StateStore, Writer]]:
    """Put the town on a disk; all accounts without a key hold one grain."""
    with (
        Environment.open(
            folder,
            schema=LEDGER_SCHEMA,
            identity=Identity(chain_id=town.chain_id, node_id=b"benchmark"),
            now_ms=TIME_MS,
            limits=MAP_LIMITS,
        ) as environment,
        Writer.start(environment) as writer,
    ):
        _load(environment, writer, town)
        yield StateStore.open(environment, writer, limits=STATE_LIMITS), writer


def sub_dag_of(chain: ChainRecord, payload: tuple[bytes, ...]) -> CommittedSubDag:
    """Return what consensus would hand over if one block carried the payload."""
    index = CommitIndex(chain.commit_index + 1)
    header = Header(
        version=BLOCK_VERSION,
        genesis=chain.chain_id,
        epoch=chain.epoch,
        round=Round(index),
        author=AuthorityIndex(index % 4),
        timestamp_ms=TIME_MS,
        ancestors=(),
        payload_root=payload_root(payload),
        payload_bytes=sum(map(len, payload)),
        payload_count=len(payload),
        commit_votes=(),
        reports=(),
    )
    block = sign_block(header, payload, _key("proposer"))
    commit = Commit(
        genesis=chain.chain_id,
        index=index,
        previous=Digest(bytes(32)),
        timestamp_ms=TIME_MS,
        leader=block.ref,
        blocks=(block.ref,),
        void=(),
    )
    return CommittedSubDag(commit, digest=commit_digest(commit), blocks=(block,))


def chain_of(store: StateStore) -> ChainRecord:
    """Return the chain record of the newest state."""
    with store.view() as view:
        return read_chain(view)


def _load(environment: Environment, writer: Writer, town: Town) -> None:
    contents = {key: value for key, value in town.founding.items() if value is not None}
    one_grain = _encoded_account()
    for account in town.accounts:
        contents.setdefault(account_key(account), one_grain)
    # Neighbours in the tree together: several times faster than in any other order.
    keys = sorted(contents, key=place_of)
    restorer = StateRestorer.open(environment, writer)
    for start in range(0, len(keys), LOAD_BATCH):
        restorer.load({key: contents[key] for key in keys[start : start + LOAD_BATCH]})
    restorer.finish(Height(0), record=b"")


def _encoded_account() -> bytes:
    overlay = Overlay(EmptyState())
    write_account(overlay, Address(bytes(32)), Account(balance=Grain(1)))
    (value,) = overlay.changes().values()
    assert value is not None
    return value


def _key(name: str) -> PrivateKey:
    return PrivateKey.from_seed(sha256(b"benchmark " + name.encode()))

"""The process that is killed while it runs a chain: real transactions, executed on what is stored.

Step 1 is genesis, and step n + 1 the commit at height n; each is the same in every process.
"""

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Final

from node.execution.local_chain import LocalChain
from node.ledger.chain import read_chain
from node.ledger.contract import genesis_contract_address
from node.ledger.receipt import RECEIPT_CODEC, Receipt
from node.ledger.staking.audit import check_stakes
from node.ledger.supply import check_supply
from node.ledger.transaction import Action, Call, Delegate, Transfer, Undelegate
from node.storage.state_store import StateLimits
from node.storage.state_view import NO_HEIGHT
from node.vm.types import INT
from node.vm.values import ValueCodec
from primitives.ids import Grain, TimestampMs
from tests.ledger.tree.memory import naive_root
from tests.storage.ledger_places import DiskChain, RootedChain, ledger_at, stored_entries

SENDERS: Final = ("alice", "bob", "carol", "dave", "erin", "frank")
TIGHT: Final = StateLimits(kept_versions=4, slack_chunks=8, cleaned_chunks_min=16)
ADDED: Final = ValueCodec.of_fields((), (INT,))
PAUSES_MS: Final = (0, 250, 250, 250, 600_000)
"""Epochs of an hour end often enough."""


class LedgerCommits:
    """Commits blocks of transactions to a ledger; a workload to be killed."""

    def __init__(self) -> None:
        self._expected = RootedChain()
        self._steps = 1

    def run(self, folder: Path, acknowledge: Callable[[int], None]) -> None:
        with ledger_at(folder, limits=TIGHT) as ledger:
            chain = DiskChain(ledger)
            acknowledge(chain.height + 1)
            while True:
                take_step(chain, chain.height + 1)
                acknowledge(chain.height + 1)

    def check(self, folder: Path) -> int:
        """Compare what a killed process left with a chain that nobody killed."""
        with ledger_at(folder, limits=TIGHT) as ledger:
            store = ledger.store
            if store.height == NO_HEIGHT:
                return 0
            receipts: tuple[bytes, ...] = ()
            while self._steps < store.height + 1:
                outcome = take_step(self._expected, self._steps)
                receipts = tuple(map(RECEIPT_CODEC.encode, outcome))
                self._steps += 1
            found = stored_entries(ledger)
            assert found == self._expected.state.values
            assert store.root == naive_root(found)
            assert read_chain(self._expected.state).height == store.height
            check_supply(found.items())
            check_stakes(found.items())
            with store.view() as view:
                assert not receipts or view.receipts() == receipts
            return store.height + 1


def take_step(chain: LocalChain, number: int) -> tuple[Receipt, ...]:
    """Commit the block of a step; return its receipts."""
    dice = Random(number)
    chain.now_ms = TimestampMs(chain.now_ms + dice.choice(PAUSES_MS))
    senders = dice.sample(SENDERS, dice.randint(0, 4))
    payload = [chain.sign(_action(chain, dice), sender=sender) for sender in senders]
    if dice.random() < 0.2:
        payload.append(b"garbage %d" % number)
    return chain.commit(payload).receipts


def _action(chain: LocalChain, dice: Random) -> Action:
    amount = Grain(dice.randint(1, 10**9))
    validator = chain.account(f"validator-{dice.randrange(4)}")
    match dice.randrange(4):
        case 0:
            return Transfer(chain.account(dice.choice(SENDERS)), amount)
        case 1:
            return Delegate(validator, amount)
        case 2:
            return Undelegate(validator, Grain(amount // 2 + 1))
        case _:
            return Call(
                contract=genesis_contract_address("counter"),
                method="add",
                arguments=ADDED.encode((dice.randrange(100),)),
                value=Grain(0),
            )

"""A ledger of accounts that tests change by hand, with the feed of a real chain."""

from dataclasses import dataclass, field

from node.chain.feed import CommitExecuted, Feed
from node.ledger.account import EMPTY_ACCOUNT, Account
from node.ledger.admission import EntryContext, NonceRule
from node.ledger.parameters import LedgerParameters
from node.ledger.receipt import Receipt, ReceiptStatus
from primitives.ids import (
    Address,
    ChainId,
    CommitIndex,
    Digest,
    Epoch,
    Grain,
    Height,
    TimestampMs,
)
from tests.mempool.purse import BASE_FEE, CHAIN_ID, NOW_MS, Purse

RICH = Grain(10**15)


def executed(name: Digest) -> Receipt:
    """Return the receipt of a transaction that was executed."""
    return Receipt(transaction_id=name, status=ReceiptStatus.DONE)


def refused(name: Digest) -> Receipt:
    """Return the receipt of an item that was refused."""
    return Receipt(transaction_id=name, status=ReceiptStatus.REFUSED, code="transaction-nonce-gap")


@dataclass
class Town:
    """A `LedgerView` whose accounts everybody has been given."""

    accounts: dict[Address, Account] = field(default_factory=dict)
    parameters: LedgerParameters = field(default_factory=LedgerParameters)
    feed: Feed = field(default_factory=Feed)
    now_ms: TimestampMs = NOW_MS
    base_fee: Grain = BASE_FEE
    height: int = 0

    @property
    def chain_id(self) -> ChainId:
        return CHAIN_ID

    def entry_context(self) -> EntryContext:
        return EntryContext(
            chain_id=CHAIN_ID,
            now_ms=self.now_ms,
            base_fee=self.base_fee,
            limits=self.parameters.limits,
            nonce_rule=NonceRule.WINDOW,
        )

    def account(self, address: Address) -> Account:
        return self.accounts.get(address, EMPTY_ACCOUNT)

    def endow(self, *purses: Purse, balance: int = RICH, nonce: int = 0) -> None:
        for purse in purses:
            self.accounts[purse.address] = Account(nonce=nonce, balance=Grain(balance))

    def count(self, purse: Purse) -> None:
        """Let the account be one transaction further."""
        account = self.accounts[purse.address]
        self.accounts[purse.address] = Account(nonce=account.nonce + 1, balance=account.balance)

    def commit(self, *receipts: Receipt, span_ms: int = 100) -> CommitExecuted:
        """Let the chain go on by a commit and tell the feed."""
        self.height += 1
        self.now_ms = TimestampMs(self.now_ms + span_ms)
        event = CommitExecuted(
            epoch=Epoch(0),
            commit_index=CommitIndex(self.height),
            height=Height(self.height),
            time_ms=self.now_ms,
            digest=Digest(self.height.to_bytes(32, "big")),
            state_root=Digest(bytes(32)),
            receipts=receipts,
            checkpoint=None,
            next_members=None,
        )
        self.feed.publish(event)
        return event

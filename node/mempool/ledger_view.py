"""What the mempool asks of the chain, and the answers of a real one."""

from typing import Final, Protocol, Self

from node.chain.feed import Feed
from node.chain.head import Head
from node.ledger.account import Account, read_account
from node.ledger.admission import EntryContext, NonceRule
from node.ledger.chain import read_chain
from node.ledger.parameters import LedgerParameters, read_parameters
from node.storage.state_view import StateView
from primitives.ids import Address, ChainId, Height

ACCOUNTS_KEPT_MAX: Final = 8_192


class LedgerView(Protocol):
    """The newest state, as far as transactions that wait depend on it."""

    @property
    def chain_id(self) -> ChainId:
        """The chain."""
        ...

    @property
    def feed(self) -> Feed:
        """Tells of commits."""
        ...

    @property
    def parameters(self) -> LedgerParameters:
        """Those of genesis."""
        ...

    def entry_context(self) -> EntryContext:
        """Return what a transaction that is to wait is compared with, now."""
        ...

    def account(self, address: Address) -> Account:
        """Return an account, now."""
        ...


class ViewSource(Protocol):
    """The part of a chain that this needs."""

    @property
    def chain_id(self) -> ChainId:
        """The chain."""
        ...

    @property
    def feed(self) -> Feed:
        """Tells of commits."""
        ...

    @property
    def head(self) -> Head:
        """Where the chain is."""
        ...

    def view(self, height: Height | None = None) -> StateView:
        """Return the state at a height, the newest by default."""
        ...


class ChainLedger:
    """A `LedgerView` of a chain, for the event loop; close it by leaving it.

    One view is open at a time; it is exchanged when the head has moved, at the latest by the one
    who follows the feed, so that it keeps no old pages from being used again.
    """

    def __init__(self, chain: ViewSource) -> None:
        self._chain = chain
        self._accounts: dict[Address, Account] = {}
        self._view = chain.view()
        self._parameters = read_parameters(self._view)
        self._context = self._read_context()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._view.close()

    @property
    def chain_id(self) -> ChainId:
        """The chain."""
        return self._chain.chain_id

    @property
    def feed(self) -> Feed:
        """Tells of commits."""
        return self._chain.feed

    @property
    def parameters(self) -> LedgerParameters:
        """Those of genesis, which never change."""
        return self._parameters

    def entry_context(self) -> EntryContext:
        """Return what a transaction that is to wait is compared with, now."""
        self._follow()
        return self._context

    def account(self, address: Address) -> Account:
        """Return an account, now.

        Raises:
            StorageError: what is stored is not what was written.
        """
        self._follow()
        account = self._accounts.get(address)
        if account is None:
            account = read_account(self._view, address)
            if len(self._accounts) < ACCOUNTS_KEPT_MAX:
                self._accounts[address] = account
        return account

    def _follow(self) -> None:
        if self._view.height != self._chain.head.height:
            self._view.close()
            self._accounts.clear()
            self._view = self._chain.view()
            self._context = self._read_context()

    def _read_context(self) -> EntryContext:
        record = read_chain(self._view)
        return EntryContext(
            chain_id=record.chain_id,
            now_ms=record.time_ms,
            base_fee=record.base_fee,
            limits=self._parameters.limits,
            nonce_rule=NonceRule.WINDOW,
        )

"""One transaction that waits, where it came from, and how it left."""

import enum
from dataclasses import dataclass
from typing import Final, NamedTuple

from node.ledger.admission import greatest_cost
from node.ledger.transaction import SignedTransaction
from node.mempool.limits import ENTRY_EXTRA_BYTES
from primitives.hashing import Domain, tagged_hash
from primitives.ids import Address, Digest

LOCAL: Final = b""
"""The origin of what was handed in at this node."""


class Claim(enum.IntEnum):
    """Whose turn it is to propose a transaction first; numbers are on the wire."""

    OPEN = 0
    """The validator that the sender's address points to."""

    TAKEN = 1
    """The validator that passed it on first, which proposes what is handed in there."""

    OWN = 2
    """This node; never on the wire."""


class Departure(enum.Enum):
    """How a transaction left the pool."""

    EXECUTED = "executed"
    """A commit executed it; the receipt says how that went."""

    OVERTAKEN = "overtaken"
    """Another transaction of the sender with its nonce was executed."""

    REPLACED = "replaced"
    """The sender offered more for another one with its nonce."""

    EXPIRED = "expired"
    """The time of the chain passed its last moment."""

    EVICTED = "evicted"
    """The pool was full and it paid least."""

    UNAFFORDABLE = "unaffordable"
    """Its sender no longer holds what it may cost."""

    REFUSED = "refused"
    """The executor refused it too often."""


class Admission(enum.Enum):
    """What became of an offer."""

    ADDED = "added"
    REPLACED = "replaced"
    KNOWN = "known"


class Price(NamedTuple):
    """What a transaction offers; the greater tuple goes first."""

    tip: int
    fee_max: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A transaction that passed every entry rule, its signature included.

    Args:
        raw: its one encoding.
        name: its id.
        origin: the peer that brought it, `LOCAL` for none.
    """

    raw: bytes
    name: Digest
    signed: SignedTransaction
    origin: bytes
    claim: Claim


class Entry:
    """A transaction in the pool.

    Attributes:
        order: how many came before it.
        ticket: changes whenever it leaves a place in the agenda, so that what points to it from
            there is void.
        offered_tip: the tip for which it has its place in the agenda.
        is_backup: whether somebody else should have proposed it.
        fed_at: the count of commits when it was proposed here.
    """

    __slots__ = (
        "_refused_name",
        "arrived_ms",
        "claim",
        "cost",
        "fed_at",
        "is_backup",
        "is_gone",
        "is_in_flight",
        "name",
        "nonce",
        "offered_tip",
        "order",
        "origin",
        "price",
        "raw",
        "refusals",
        "sender",
        "size_bytes",
        "ticket",
        "valid_until",
    )

    def __init__(self, offer: Offer, *, order: int, arrived_ms: int) -> None:
        transaction = offer.signed.transaction
        self.raw = offer.raw
        self.name = offer.name
        self.origin = offer.origin
        self.claim = offer.claim
        self.sender: Address = transaction.sender
        self.nonce = transaction.nonce
        self.price = Price(transaction.tip_per_gas, transaction.fee_per_gas_max)
        self.cost = greatest_cost(transaction)
        self.valid_until = transaction.valid_until
        self.size_bytes = len(offer.raw) + ENTRY_EXTRA_BYTES
        self.order = order
        self.arrived_ms = arrived_ms
        self.ticket = 0
        self.offered_tip = 0
        self.is_backup = False
        self.fed_at = 0
        self.refusals = 0
        self.is_in_flight = False
        self.is_gone = False
        self._refused_name: Digest | None = None

    @property
    def refused_name(self) -> Digest:
        """The name that a receipt has for it if the executor refuses it."""
        if self._refused_name is None:
            self._refused_name = tagged_hash(Domain.REFUSED_ITEM, self.raw)
        return self._refused_name

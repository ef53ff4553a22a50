"""Remember which signatures are good, so that a node checks each of them once.

Guards: what is remembered is the transaction together with its signature. The sender may make many
signatures of one transaction and anybody may put a bad one beside it; the executor must refuse that
one on every node, whatever a node has seen before.
"""

import threading
from collections import OrderedDict
from typing import Final

from node.ledger.account import Account
from node.ledger.admission import check_signature
from node.ledger.transaction import SignedTransaction, transaction_id
from primitives.ids import Digest

VERIFIED_MAX: Final = 32_768
"""Signatures that are remembered, about 10 MB: more than a full mempool holds."""


class VerifiedSignatures:
    """The newest good signatures; any thread may use it."""

    def __init__(self, *, count_max: int = VERIFIED_MAX) -> None:
        self._count_max = count_max
        # A plain dict would look for its first entry among all those that left.
        self._signatures: OrderedDict[Digest, bytes] = OrderedDict()
        self._guard = threading.Lock()
        self.hits = 0
        self.misses = 0

    def __len__(self) -> int:
        return len(self._signatures)

    def remember(self, name: Digest, signature: bytes) -> None:
        """Note that the signature of the transaction with this id was checked and is good."""
        with self._guard:
            self._signatures[name] = signature
            self._signatures.move_to_end(name)
            if len(self._signatures) > self._count_max:
                self._signatures.popitem(last=False)

    def knows(self, name: Digest, signature: bytes) -> bool:
        """Tell whether this very signature of the transaction was found good."""
        return self._signatures.get(name) == signature

    def check(self, signed: SignedTransaction, account: Account) -> None:
        """Check a signature from memory, or else here and now: a `SignatureCheck`.

        Raises:
            EntryError: it is not the sender's.
        """
        name = transaction_id(signed.transaction)
        if self.knows(name, signed.signature):
            self.hits += 1
            return
        self.misses += 1
        check_signature(signed, account=account)
        self.remember(name, signed.signature)

"""Who plays in a Twins scenario: a chain, its keys, and one core per instance.

The last f validators run twice. Both instances of a pair hold the same key and believe what they
see; the one thing taken from them is the check that finds a second process with their key.
"""

import hashlib

from typing_extensions import override

from consensus.block import Block
from consensus.committee import Authority, Committee, EpochContext
from consensus.core import Core
from consensus.pacemaker import Pacemaker
from consensus.parameters import Parameters, Tuning
from consensus.signer import Signer, StoredJournal
from primitives.hashing import Domain
from primitives.ids import AuthorityIndex, ChainId, Epoch, Power, Round
from primitives.keys import PrivateKey, PublicKey

STEP_MS = 100
TUNING = Tuning(
    min_round_delay_ms=0,
    # The leader timeout, twice this, is one step: less than a late block needs.
    delta_initial_ms=STEP_MS // 2,
    delta_min_ms=STEP_MS // 2,
    delta_max_ms=STEP_MS // 2,
    tick_ms=4 * STEP_MS,
    fetch_timeout_ms=4 * STEP_MS,
)


class Cast:
    """The committee of all scenarios of one size.

    Args:
        committee: how power is counted; a test gives a wrong one to see it caught.
    """

    def __init__(self, nodes: int, *, committee: type[Committee] = Committee) -> None:
        self._keys = tuple(_UncheckedKey(node) for node in range(nodes))
        self._committee = committee([Authority(Power(1), key.public.raw) for key in self._keys])
        self.nodes = nodes
        self.honest_count = nodes - (nodes - 1) // 3
        doubled = range(self.honest_count, nodes)
        self.authors = tuple(AuthorityIndex(node) for node in (*range(nodes), *doubled))
        """The author that each instance plays; second twins come last."""
        self.names = (*map(str, range(nodes)), *(f"{node}'" for node in doubled))

    def is_honest(self, author: AuthorityIndex) -> bool:
        """Tell whether a validator runs once."""
        return author < self.honest_count

    def context(self, chain: int) -> EpochContext:
        """Return the epoch of a chain; its seed settles the leaders."""
        return EpochContext(
            chain_id=ChainId(hashlib.sha256(f"twins/{chain}".encode()).digest()),
            epoch=Epoch(0),
            committee=self._committee,
            parameters=Parameters(),
        )

    def core(self, context: EpochContext, place: int) -> Core:
        """Return a fresh core for the instance at a place."""
        author = self.authors[place]
        kind = Signer if self.is_honest(author) else _TwinSigner
        signer = kind(
            self._keys[author],
            own=author,
            context=context,
            journal=StoredJournal.INTACT,
            watermark=Round(0),
        )
        for peer in self._committee.indices:
            # Every scenario would open with the same questions, and hear that there is no block.
            signer.note_answer(peer)
        pacemaker = Pacemaker(self._committee, TUNING)
        return Core(context, tuning=TUNING, signer=signer, pacemaker=pacemaker)


class _TwinSigner(Signer):
    """Goes on signing when it meets a block of its key that it did not sign."""

    @override
    def is_foreign(self, block: Block) -> bool:
        return False


class _UncheckedKey(PrivateKey):
    """Signs with bytes that nobody checks: a real signature would be a third of a scenario."""

    __slots__ = ()

    def __init__(self, node: int) -> None:
        seed = hashlib.sha256(f"twins/{node}".encode()).digest()
        real = PrivateKey.from_seed(seed)
        super().__init__(secret=seed, public=PublicKey(real.public.raw))

    @override
    def sign(self, domain: Domain, message: bytes) -> bytes:
        return message + message

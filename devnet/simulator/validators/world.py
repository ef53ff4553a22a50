"""What all nodes of one simulation share: time, wires, the chain's genesis, the oracles."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from consensus.commit import commit_digest
from consensus.committee import EpochContext
from consensus.pacemaker import Pacemaker
from consensus.parameters import Tuning
from devnet.simulator.kernel.scheduler import Scheduler
from devnet.simulator.validators.genesis import Genesis
from devnet.simulator.validators.ledger import Ledger
from devnet.simulator.validators.store import SimulatedBlockStore
from devnet.simulator.validators.wire import Wire
from primitives.ids import AuthorityIndex, Epoch

if TYPE_CHECKING:
    from devnet.simulator.kernel.network import Network

MakePacemaker = Callable[[AuthorityIndex, EpochContext, Tuning], Pacemaker]


class World:
    """The surroundings of the nodes; holds no state of any one of them.

    Attributes:
        make_pacemaker: builds the pacemaker of a node; None for the standard one.
    """

    def __init__(
        self, scheduler: Scheduler, *, genesis: Genesis, tuning: Tuning, ledger: Ledger, wire: Wire
    ) -> None:
        self.scheduler = scheduler
        self.genesis = genesis
        self.tuning = tuning
        self.ledger = ledger
        self.wire = wire
        self.nodes = tuple(range(len(genesis.powers)))
        self.network: Network[bytes]
        self.make_pacemaker: MakePacemaker | None = None
        self._fences: dict[AuthorityIndex, Epoch] = {}

    def pacemaker(self, own: AuthorityIndex, context: EpochContext) -> Pacemaker | None:
        """Return the pacemaker for a node's core."""
        return (
            None if self.make_pacemaker is None else self.make_pacemaker(own, context, self.tuning)
        )

    def next_context(self, context: EpochContext, store: SimulatedBlockStore) -> EpochContext:
        """Return the epoch that follows the last commit of a closed one."""
        (closing,) = store.read_commits(store.last_index, store.last_index)
        return self.genesis.after(context, closing, commit_digest(closing))

    def fence(self, own: AuthorityIndex) -> None:
        """Forbid a node that lost its journal to sign in any epoch that has begun by now.

        A real operator learns the running epoch from a quorum of peers before making a new
        journal; here the world knows it.
        """
        self._fences[own] = self.ledger.newest_epoch

    def is_fenced(self, own: AuthorityIndex, epoch: Epoch) -> bool:
        """Tell whether a node must not sign in an epoch."""
        return own in self._fences and epoch <= self._fences[own]

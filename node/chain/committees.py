"""The committees that the chain had, and the epochs as consensus takes them.

Guards: the facts of an epoch that consensus starts with are those that its first commit stores in
the state, so they are the same on every node, before and after a restart, and evidence about the
epoch is judged by them.
"""

from typing import Final

from consensus.committee import EpochContext
from node.chain.errors import CommitteeUnknownError
from node.execution.epochs import context_of, has_epoch, opening_record, read_context
from node.ledger.chain import read_chain
from node.ledger.overlay import StateReader
from node.ledger.parameters import read_parameters
from node.ledger.staking.records import Members
from node.ledger.staking.tables import find_committee
from primitives.ids import Digest, Epoch

CONTEXTS_MAX: Final = 4
"""Of the last epochs, which are asked for again and again."""


class Committees:
    """Contexts and members of the last epochs; filled by the thread that commits, read by all."""

    def __init__(self) -> None:
        self._contexts: dict[Epoch, EpochContext] = {}
        self._members: dict[Epoch, Members] = {}

    def begin(self, state: StateReader, *, last_checkpoint: Digest) -> EpochContext:
        """Return the running epoch of the newest state, and keep it.

        Args:
            state: the newest.
            last_checkpoint: digest of the last one, which the state cannot hold.
        """
        chain = read_chain(state)
        parameters = read_parameters(state)
        members = members_in(state, chain.epoch)
        if has_epoch(state, chain.epoch):
            return self._keep(self._stored(state, chain.epoch), members)
        record = opening_record(chain, parameters=parameters, last_checkpoint=last_checkpoint)
        context = context_of(
            record,
            chain_id=chain.chain_id,
            epoch=chain.epoch,
            parameters=parameters,
            members=members,
        )
        return self._keep(context, members)

    def known(self, epoch: Epoch) -> EpochContext | None:
        """Return the context of an epoch that is kept, None if it is not."""
        return self._contexts.get(epoch)

    def known_members(self, epoch: Epoch) -> Members | None:
        """Return the members of an epoch that is kept, None if it is not."""
        return self._members.get(epoch)

    def past(self, state: StateReader, epoch: Epoch) -> EpochContext:
        """Return an epoch that had a commit.

        Raises:
            CommitteeUnknownError: it had none yet, or is too long ago.
        """
        context = self._contexts.get(epoch)
        if context is not None:
            return context
        if epoch < 0 or not has_epoch(state, epoch):
            raise CommitteeUnknownError(epoch=epoch)
        return self._keep(self._stored(state, epoch), members_in(state, epoch))

    def _stored(self, state: StateReader, epoch: Epoch) -> EpochContext:
        return read_context(
            state,
            chain_id=read_chain(state).chain_id,
            epoch=epoch,
            parameters=read_parameters(state),
            members=members_in(state, epoch),
        )

    def _keep(self, context: EpochContext, members: Members) -> EpochContext:
        self._members[context.epoch] = members
        self._contexts[context.epoch] = context
        for epoch in sorted(self._contexts)[:-CONTEXTS_MAX]:
            self._contexts.pop(epoch, None)
            self._members.pop(epoch, None)
        return context


def members_in(state: StateReader, epoch: Epoch) -> Members:
    """Return the committee of an epoch.

    Raises:
        CommitteeUnknownError: it has not begun, or is too long ago.
    """
    members = find_committee(state, epoch) if epoch >= 0 else None
    if members is None:
        raise CommitteeUnknownError(epoch=epoch)
    return members

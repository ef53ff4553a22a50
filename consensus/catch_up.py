"""What to ask peers for: wanted parents, certified commits and their blocks.

Every tick asks for whatever is missing. Between ticks an answer makes room for the next question at
once, so that a node far behind is bound by the network and not by the tick. That holds as long as
blocks are accepted; without, only refs that not every peer was asked for are worth a question.
Else what nobody has, or what does not fit here, would be asked for as fast as the network answers.
"""

import enum
from collections.abc import Iterable

from consensus.block import BlockRef
from consensus.commit_sync import CommitSync
from consensus.events import Effect, Send
from consensus.exchange import Exchange
from consensus.intake import Intake
from consensus.parameters import Tuning
from primitives.ids import CommitIndex


class Answer(enum.Enum):
    """Whether blocks were accepted since the answer before."""

    NEWS = enum.auto()
    NOTHING_NEW = enum.auto()


class CatchUp:
    """Plan requests from what the intake and the commit sync still miss."""

    def __init__(
        self, *, intake: Intake, sync: CommitSync, exchange: Exchange, tuning: Tuning
    ) -> None:
        self._intake = intake
        self._sync = sync
        self._exchange = exchange
        self._tuning = tuning

    def on_tick(self, commit_index: CommitIndex, *, now_ms: int) -> list[Effect]:
        """Ask for everything that is missing, as far as bounds allow."""
        suspension, fetcher = self._intake.suspension, self._intake.fetcher
        effects: list[Effect] = [
            Send(peer, message) for peer, message in self._sync.tick(commit_index, now_ms=now_ms)
        ]
        effects += self._fetch_certified(self._require(commit_index), now_ms=now_ms)
        fetcher.keep_only(suspension.wanted | self._intake.required)
        effects += self._exchange.fetch(fetcher.retry(suspension.wanted, now_ms=now_ms))
        return effects

    def on_answer(self, answer: Answer, commit_index: CommitIndex, *, now_ms: int) -> list[Effect]:
        """Ask for what comes next, since an answer came."""
        suspension, fetcher = self._intake.suspension, self._intake.fetcher
        effects: list[Effect] = []
        # A flood of made-up refs waits for the tick, or every answer would cost a sort.
        if len(suspension.wanted) <= self._tuning.fetch_refs_max:
            wanted = self._worth_asking(suspension.wanted, answer)
            effects += self._exchange.fetch(fetcher.retry(wanted, now_ms=now_ms))
        effects += [
            Send(peer, message) for peer, message in self._sync.plan(commit_index, now_ms=now_ms)
        ]
        required = self._worth_asking(self._require(commit_index), answer)
        return effects + self._fetch_certified(required, now_ms=now_ms)

    def on_certified(self, commit_index: CommitIndex, *, now_ms: int) -> list[Effect]:
        """Ask for the blocks of commits whose certificates have just come."""
        return self._fetch_certified(self._require(commit_index), now_ms=now_ms)

    def _worth_asking(self, refs: dict[BlockRef, None], answer: Answer) -> Iterable[BlockRef]:
        return refs if answer is Answer.NEWS else self._intake.fetcher.untired(refs)

    def _require(self, commit_index: CommitIndex) -> dict[BlockRef, None]:
        """Note and return the blocks of certified commits that are not here yet.

        As many at a time as fit into the suspension whatever their authors: the others would be
        evicted there, and asked for again.
        """
        tuning = self._tuning
        count_max = min(4 * tuning.fetch_refs_max, tuning.suspended_per_author_max)
        refs = self._sync.needed_refs(commit_index, count_max=count_max)
        self._intake.required = {ref: None for ref in refs if not self._intake.knows(ref)}
        return self._intake.required

    def _fetch_certified(self, refs: Iterable[BlockRef], *, now_ms: int) -> list[Effect]:
        """Ask whoever sent the certificates, then others."""
        fetcher = self._intake.fetcher
        asked = self._exchange.fetch(fetcher.ask(refs, self._sync.source, now_ms=now_ms))
        return asked + self._exchange.fetch(fetcher.retry(refs, now_ms=now_ms))

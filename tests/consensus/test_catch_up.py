"""Questions that answers set off: as fast as the network while blocks come, never in circles."""

import msgspec

from consensus.core import Core
from consensus.events import (
    BlocksReceived,
    CommitsReceived,
    Effect,
    Origin,
    Send,
    Timer,
    TimerFired,
)
from consensus.messages import FetchMessage
from consensus.parameters import Tuning
from primitives.ids import AuthorityIndex
from tests.consensus.builders import Forge, at, boot, core_of, phantom
from tests.consensus.test_core_commits import (
    CONTEXT,
    FIRST,
    asked,
    commit_led_by,
    led_by,
    voters_for,
)
from tests.dsl.committee import context_of

QUESTIONS_MAX = 200


def questions(effects: list[Effect]) -> list[tuple[AuthorityIndex, FetchMessage]]:
    """Return who is asked for which blocks; a bare frontier is no question for one."""
    return [
        (effect.peer, effect.message)
        for effect in effects
        if isinstance(effect, Send)
        and isinstance(effect.message, FetchMessage)
        and effect.message.refs
    ]


def questions_until_quiet(core: Core, effects: list[Effect]) -> int:
    """Answer every question at once with nothing; count them until no more follow."""
    open_questions = questions(effects)
    count = len(open_questions)
    while open_questions and count < QUESTIONS_MAX:
        peer, _ = open_questions.pop()
        more = questions(core.handle(BlocksReceived(peer, (), Origin.RELAYED), now=at(0)))
        open_questions += more
        count += len(more)
    return count


def test_block_that_nobody_has_is_asked_for_once_a_peer_until_the_tick() -> None:
    context = context_of((1,) * 7)
    core = core_of(context)
    boot(core, context)
    forge = Forge(context)
    (first,) = forge.layers(1, authors=(1, 2, 3, 4, 5))
    parents = [phantom(1, 6), *(block.ref for block in first)]
    child = forge.block(2, 1, parents)
    event = BlocksReceived(AuthorityIndex(1), (*first, child), Origin.STREAM)
    assert 1 <= questions_until_quiet(core, core.handle(event, now=at(0))) <= 7
    assert questions(core.handle(TimerFired(Timer.TICK), now=at(0)))


def test_no_more_certified_blocks_are_asked_for_than_fit_into_the_suspension() -> None:
    commit = commit_led_by(led_by(is_leader=True))
    unknown = tuple(phantom(1, author, label) for author in (1, 2, 3) for label in range(9))
    commit = msgspec.structs.replace(commit, blocks=unknown)
    tuning = Tuning(commit_batch=1, fetch_timeout_ms=100, suspended_per_author_max=5)
    core = core_of(CONTEXT, tuning=tuning)
    blocks = (*FIRST, *voters_for(commit))
    core.handle(BlocksReceived(AuthorityIndex(1), blocks, Origin.RELAYED), now=at(0))
    peer = asked(core, now_ms=0)
    event = CommitsReceived(peer, (commit,), voters_for(commit))
    refs = {
        ref for _, question in questions(core.handle(event, now=at(1))) for ref in question.refs
    }
    assert refs == set(unknown[:5])

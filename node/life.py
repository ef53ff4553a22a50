"""The life of a node's process: it joins, runs until told to stop, and joins again if it must."""

import asyncio
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Final

import structlog

from node.app import Foundation, chain_limits, open_node
from node.config.sections import Join
from node.ledger.genesis import chain_id_of
from node.running.peering import open_peering
from node.sync.errors import NoSnapshotError, TooFarBehindError
from node.sync.limits import DEFAULT_LIMITS, SyncLimits
from node.sync.snapshot import Joined, Place, Stage, join_by_snapshot, set_aside, stage_of
from primitives.errors import HanseError

SWITCH_INTERVAL_S: Final = 0.000_5
"""Ten times shorter than Python's own: while a commit executes in its thread the event loop turned
200 times a second with delays up to 28 ms, with this 400 times and up to 14 ms, at no cost."""

_log: Final = structlog.get_logger("node")


async def run_node(
    foundation: Foundation,
    *,
    announce: Callable[[str], None] = lambda _: None,
    join_limits: SyncLimits = DEFAULT_LIMITS,
) -> None:
    """Run a node until SIGINT or SIGTERM, or until its operator asks for its end.

    Args:
        foundation: read before, so that what is wrong with it is told at once.
        announce: told the URL of the API once all parts run; empty if there is none.
        join_limits: of one attempt to join by a snapshot; there are attempts until one succeeds.

    Raises:
        HanseError: a part failed; what was acknowledged is durable.
    """
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    stop = asyncio.Event()
    _listen_to_signals(stop)
    if needs_snapshot(foundation):
        await _unless(stop, _join(foundation, join_limits))
    while not stop.is_set():
        try:
            await _run_parts(foundation, stop=stop, announce=announce)
        except BaseExceptionGroup as group:
            error = _said(group)
            if not isinstance(error, TooFarBehindError):
                raise error from group
            _log.warning("too far behind", reason=str(error))
            set_aside(foundation.config.folder, height=error.height)
            await _unless(stop, _join(foundation, join_limits))
    _log.info("stopped")


def _listen_to_signals(stop: asyncio.Event) -> None:
    """Stop in order at the first signal; whoever sends a second one does not want to wait."""
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGINT, signal.SIGTERM)

    def told() -> None:
        stop.set()
        for number in numbers:
            loop.remove_signal_handler(number)

    for number in numbers:
        loop.add_signal_handler(number, told)


async def _unless(stop: asyncio.Event, work: Coroutine[None, None, None]) -> None:
    """Do something that may take hours, or give it up when the node is to stop.

    Raises:
        HanseError: it failed.
    """
    try:
        async with asyncio.TaskGroup() as tasks:
            either = (tasks.create_task(work), tasks.create_task(stop.wait()))
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            for task in either:
                task.cancel()
    except BaseExceptionGroup as group:
        raise _said(group) from group


async def _run_parts(
    foundation: Foundation, *, stop: asyncio.Event, announce: Callable[[str], None]
) -> None:
    async with open_node(foundation, stop=stop) as node, asyncio.TaskGroup() as tasks:
        running: list[asyncio.Task[None]] = [
            tasks.create_task(_for_ever(name, part), name=name) for name, part in node.parts.items()
        ]
        announce(node.url)
        await stop.wait()
        _log.info("stopping")
        for task in running:
            task.cancel()


async def _for_ever(name: str, part: Callable[[], Coroutine[None, None, None]]) -> None:
    await part()
    raise AssertionError(f"{name} ended, and nobody asked it to")


def needs_snapshot(foundation: Foundation) -> bool:
    """Tell whether the operator wants a snapshot and there is no state, or one is under way.

    A join that was begun goes on whatever the operator says by now: who is too far behind begins
    one too, and no peer would have the commits.

    Raises:
        StorageError: the ledger cannot be opened.
    """
    match stage_of(_place(foundation), clock=foundation.clock):
        case Stage.WHOLE:
            return False
        case Stage.UNFINISHED:
            return True
        case Stage.EMPTY:
            return foundation.config.network.join is Join.SNAPSHOT


async def _join(foundation: Foundation, limits: SyncLimits) -> None:
    """Fetch a certified state from peers in place of the ledger that is not there.

    A chain may be too young to have one. To execute all commits instead would be the very thing
    that the operator did not want, so the node waits, and says so.
    """
    config, identity = foundation.config, foundation.keys.peer
    async with (
        open_peering(
            config.network,
            identity=identity,
            chain_id=chain_id_of(foundation.genesis),
            version=foundation.version,
            folder=config.folder,
            clock=foundation.clock,
        ) as peering,
        asyncio.TaskGroup() as tasks,
    ):
        searching = tasks.create_task(peering.discovery.run(), name="discovery")
        _log.info("joining by snapshot")
        joined: Joined | None = None
        while joined is None:
            try:
                joined = await join_by_snapshot(
                    _place(foundation), peering.host, clock=foundation.clock, limits=limits
                )
            except NoSnapshotError as error:
                _log.warning("waiting for a snapshot", reason=str(error))
        searching.cancel()
    _log.info("joined by snapshot", height=joined.checkpoint.height, chunks=joined.chunks)


def _place(foundation: Foundation) -> Place:
    return Place(
        folder=foundation.config.folder,
        genesis=foundation.genesis,
        node_id=foundation.keys.peer.public_key,
        limits=chain_limits(foundation.config.storage),
    )


def _said(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the one failure that the operator should see; a bug keeps its group."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        expected = error.subgroup(HanseError)
        if expected is None:
            return group
        error = expected.exceptions[0]
    return error

"""Run one probe: be a peer, reach the goals of a plan, print what happens, and say how it went."""

import asyncio
import random
import signal
from collections.abc import Coroutine
from importlib import metadata
from typing import Final

from p2p.host import Host, HostSettings
from p2p.peer_list import view_peers
from p2p.probe.events import DialFailed, Done, Emit, Listening, Peers
from p2p.probe.exercises import Exercises
from p2p.probe.guests import Guests
from p2p.probe.inbox import Inbox
from p2p.probe.meter import MachineClock
from p2p.probe.plan import ProbePlan
from p2p.probe.topics import Topics
from p2p.transport import TcpTransport
from p2p.wire.identity import Identity
from p2p.wire.multiaddr import Multiaddr
from p2p.wire.peer_id import PeerId, peer_id_text
from primitives.errors import HanseError
from primitives.keys import SEED_SIZE_BYTES

PROTOCOL_VERSION: Final = "hanse/probe/1"
NOT_IN_TIME: Final = "not in time"


async def run_probe(plan: ProbePlan, *, emit: Emit) -> bool:
    """Carry a plan out and tell whether every goal was met; SIGINT and SIGTERM end it early.

    Raises:
        ConfigurationError: the plan contradicts itself, or we cannot listen where it says.
    """
    plan.check()
    dice = random.SystemRandom()
    settings = HostSettings(
        agent_version=f"hanse/{metadata.version('hanse')}", protocol_version=PROTOCOL_VERSION
    )
    host = Host(
        Identity.from_seed(plan.seed or dice.randbytes(SEED_SIZE_BYTES)),
        transports=(TcpTransport(),),
        clock=MachineClock(),
        dice=dice,
        settings=settings,
    )
    inbox = Inbox(emit, expected_count=plan.gossip.expected_count, is_quiet=plan.is_quiet)
    exercises = Exercises(host, plan.exercise, dice=dice, emit=emit)
    topics = Topics(host, plan.gossip, inbox=inbox, emit=emit)
    probe = Probe(host, plan, inbox=inbox, exercises=exercises, topics=topics, emit=emit)
    async with host, topics.pubsub:
        fails = await probe.run()
    emit(Done(not fails, fails))
    return not fails


class Probe:
    """A host with a plan."""

    def __init__(
        self,
        host: Host,
        plan: ProbePlan,
        *,
        inbox: Inbox,
        exercises: Exercises,
        topics: Topics,
        emit: Emit,
    ) -> None:
        self._host = host
        self._plan = plan
        self._exercises = exercises
        self._emit = emit
        self._dials = [(peer_id, address) for address in plan.dials if (peer_id := address.peer_id)]
        self._guests = Guests(emit, expected=tuple(peer_id for peer_id, _ in self._dials))
        self._inbox = inbox
        self._topics = topics
        self._fails: dict[str, str] = {}
        self._limit: asyncio.Timeout | None = None
        self._is_stopped = False

    async def run(self) -> tuple[str, ...]:
        """Listen, reach the goals, linger; return each goal that was missed and why."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stop)
        self._exercises.serve()
        self._host.watch(self._guests)
        await self._listen()
        self._topics.subscribe()
        goals = asyncio.Event().wait() if self._plan.is_server else self._reach()
        await self._within(self._plan.timeout_s, goals)
        self._emit(self._inbox.stats)
        self._emit(Peers(tuple(view_peers(self._host, self._topics.pubsub))))
        if self._plan.linger_s and not self._fails:
            await self._within(self._plan.linger_s, asyncio.Event().wait())
            self._emit(self._inbox.stats)
        return tuple(f"{goal}: {reason}" for goal, reason in self._fails.items())

    def _stop(self) -> None:
        self._is_stopped = True
        if self._limit is not None:
            self._limit.reschedule(asyncio.get_running_loop().time())

    async def _within(self, seconds: float | None, work: Coroutine[None, None, object]) -> None:
        """Do the work until it is done, time is up, or we are told to stop."""
        try:
            async with asyncio.timeout(0 if self._is_stopped else seconds) as limit:
                self._limit = limit
                await work
        except TimeoutError:
            pass
        finally:
            self._limit = None

    async def _listen(self) -> None:
        for address in self._plan.listen:
            await self._host.listen(address)
        own = self._host.peer_id
        addresses = tuple(str(address.with_peer(own)) for address in self._host.addresses)
        self._emit(Listening(peer_id_text(own), addresses))

    async def _reach(self) -> None:
        async with asyncio.TaskGroup() as goals:
            for name, work in self._goals():
                self._fails[name] = NOT_IN_TIME
                goals.create_task(self._attempt(name, work), name=name)

    def _goals(self) -> list[tuple[str, Coroutine[None, None, None]]]:
        goals = [
            (f"dial {address}", self._meet(peer_id, address)) for peer_id, address in self._dials
        ]
        if not self._dials and not self._plan.exercise.is_empty:
            goals.append(("exercise", self._exercise_first()))
        return [*goals, ("publish", self._topics.publish()), ("expect", self._inbox.filled())]

    async def _attempt(self, goal: str, work: Coroutine[None, None, None]) -> None:
        try:
            await work
        except HanseError as error:
            self._fails[goal] = str(error)
        else:
            del self._fails[goal]

    async def _meet(self, peer_id: PeerId, address: Multiaddr) -> None:
        try:
            await self._host.connect(peer_id, (address,))
        except HanseError as error:
            self._emit(DialFailed(str(address), str(error)))
            raise
        await self._guests.identified(peer_id)
        await self._exercises.run(peer_id)
        await self._exercises.redial(peer_id, address)

    async def _exercise_first(self) -> None:
        await self._exercises.run(await self._guests.first())

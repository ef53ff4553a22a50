"""A network that was founded, as one object: its nodes run, are asked, hurt, parted and healed."""

import asyncio
import shutil
import signal
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from devnet.local.errors import (
    DevnetRunsError,
    NodeDiedError,
    NoDevnetError,
    NotReadyError,
    PlanError,
)
from devnet.local.founding import account_key, add_late, found
from devnet.local.ground import cleared
from devnet.local.links import LINKS, links_command
from devnet.local.plan import Part, Plan
from devnet.local.record import NetworkRecord, NodeRecord, read_record
from devnet.local.supervision import Supervisor, node_command
from node.config.sections import Join
from node.rpc.client import NodeClient
from node.rpc.errors import NodeAnswerError, NodeUnreachableError
from node.rpc.jwt import LIFE_S, write_token
from primitives.clock import Clock
from primitives.ids import ChainId
from primitives.keys import PrivateKey

READY_S: Final = 60.0
CAUGHT_UP_S: Final = 600.0
LOOK_S: Final = 0.1
BAN_MS: Final = 3_600_000
_MS_PER_S: Final = 1_000


@dataclass(slots=True)
class LocalNetwork:
    """The nodes of one folder. `opened` gives one that can be asked.

    Attributes:
        record: who is there.
        clients: by name of the node; with the token of its operator.
    """

    folder: Path
    record: NetworkRecord
    clock: Clock
    supervisor: Supervisor
    clients: dict[str, NodeClient] = field(default_factory=dict)
    _keys: dict[str, PrivateKey] = field(default_factory=dict)
    _tokens: dict[str, tuple[str, int]] = field(default_factory=dict)
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    @classmethod
    def read(cls, folder: Path, *, clock: Clock) -> "LocalNetwork":
        """Return the network of a folder, running or not.

        Raises:
            NoDevnetError: there is none.
        """
        folder = folder.absolute()
        return cls(folder, read_record(folder), clock, Supervisor(folder))

    @classmethod
    async def create(cls, folder: Path, plan: Plan, *, clock: Clock) -> "LocalNetwork":
        """Found a network; one that was in the folder before and runs no more is removed.

        Raises:
            DevnetRunsError: it runs still, or the folder holds something else.
        """
        place = await asyncio.to_thread(cleared, folder)
        record = await found(place, plan, clock=clock)
        return cls(place, record, clock, Supervisor(place))

    @asynccontextmanager
    async def opened(self) -> AsyncIterator["LocalNetwork"]:
        """Be ready to ask the nodes."""
        async with self._stack:
            for node in self.record.nodes:
                await self._meet(node)
            yield self
        self.clients.clear()

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of all nodes."""
        return tuple(node.name for node in self.record.nodes)

    def names_of(self, part: Part) -> tuple[str, ...]:
        """Return the names of those who take part as that."""
        return tuple(node.name for node in self.record.nodes if node.plan.is_a(part))

    def client(self, name: str) -> NodeClient:
        """Return how to ask a node, as its operator."""
        return self.clients[self.record.node(name).name]

    def alive(self) -> tuple[str, ...]:
        """Return the names of the nodes whose processes run."""
        return tuple(name for name in self.names if self.supervisor.is_alive(name))

    # Life and death.

    def start(self, *names: str) -> None:
        """Start nodes, all without a name, and the links between them if they take time."""
        if self.record.plan.latency.is_felt and not self.supervisor.is_alive(LINKS):
            self.supervisor.start(LINKS, links_command(self.folder))
        for name in names or self.names:
            node = self.record.node(name)
            self.supervisor.start(node.name, node_command(self.folder / node.name))

    async def wait_ready(self, *names: str, limit_s: float = READY_S) -> None:
        """Return once nodes answer and have caught up, as far as the chain goes.

        Raises:
            NodeDiedError: one ended instead.
            NotReadyError: one was not in time.
        """
        waiting = list(names or self.names)
        try:
            async with asyncio.timeout(limit_s):
                while waiting:
                    waiting = [name for name in waiting if not await self._is_ready(name)]
                    self._check_alive(waiting)
                    self._check_links()
                    await asyncio.sleep(LOOK_S if waiting else 0)
        except TimeoutError as error:
            log = self.supervisor.log_path(waiting[0])
            raise NotReadyError(
                f"{', '.join(waiting)} not ready after {limit_s:g} s, see {log}"
            ) from error

    async def final_height(self) -> int:
        """Return the greatest certified height that a running node tells."""
        heights = [await self._final_height(name) for name in self.alive()]
        return max(heights, default=0)

    async def wait_final(self, name: str, height: int, *, limit_s: float = CAUGHT_UP_S) -> None:
        """Return once a node holds what is certified up to a height.

        Raises:
            NodeDiedError: it ended instead.
            NotReadyError: it was not in time.
        """
        try:
            async with asyncio.timeout(limit_s):
                while await self._final_height(name) < height:
                    self._check_alive([name])
                    await asyncio.sleep(LOOK_S)
        except TimeoutError as error:
            raise NotReadyError(
                f"{name} has not reached height {height} after {limit_s:g} s, "
                f"see {self.supervisor.log_path(name)}"
            ) from error

    async def _final_height(self, name: str) -> int:
        try:
            return (await self.client(name).status()).certified_height or 0
        except (NodeUnreachableError, NodeAnswerError):
            return 0

    async def stop(self, *names: str) -> None:
        """Ask nodes to end, all without a name, and see to it; without a name links end as well.

        All are those of the folder: another program may have added some. Nothing happens where
        another network has been founded in the folder since: its processes have the same names.
        """
        if self._is_replaced():
            return
        if names:
            await self.supervisor.stop(*names)
            return
        await self.supervisor.stop(*({*self.names, *self.supervisor.known()} - {LINKS}))
        # Not before the nodes have said goodbye to each other.
        await self.supervisor.stop(LINKS)

    def _is_replaced(self) -> bool:
        try:
            return read_record(self.folder).chain_id != self.record.chain_id
        except (OSError, NoDevnetError):
            return False

    async def kill(self, name: str) -> None:
        """End a node at once."""
        await self.supervisor.kill(self.record.node(name).name)

    async def restart(self, name: str, *, limit_s: float = CAUGHT_UP_S) -> None:
        """Start a node again, after stopping it if it runs; return once it is ready."""
        name = self.record.node(name).name
        await self.supervisor.stop(name)
        self.start(name)
        await self.wait_ready(name, limit_s=limit_s)

    def pause(self, name: str) -> bool:
        """Stop a process where it is; False if it does not run."""
        return self.supervisor.signal(self.record.node(name).name, signal.SIGSTOP)

    def resume(self, name: str) -> bool:
        """Let a paused process go on; False if it does not run."""
        return self.supervisor.signal(self.record.node(name).name, signal.SIGCONT)

    def forget(self, name: str) -> None:
        """Remove the databases of a node that does not run; its keys and examples stay.

        Raises:
            DevnetRunsError: it runs.
        """
        node = self.record.node(name)
        if self.supervisor.is_alive(node.name):
            raise DevnetRunsError(f"{node.name} runs; stop it first")
        for path in (self.folder / node.name).iterdir():
            if path.is_dir() and path.name not in ("keys", "examples"):
                shutil.rmtree(path)

    async def join_late(self) -> str:
        """Add a full node that is no founder, start it, and return its name.

        It joins by a snapshot, unless nothing is certified yet: then nobody has one.
        """
        join = Join.SNAPSHOT if await self.final_height() else Join.COMMITS
        self.record = await asyncio.to_thread(add_late, self.folder, join=join)
        for one in self.record.nodes:
            if one.name not in self.clients:
                await self._meet(one)
        node = self.record.nodes[-1]
        self.start(node.name)
        return node.name

    # Partitions.

    async def part(self, *groups: Collection[str]) -> None:
        """Have the nodes of each group refuse those of all others.

        Raises:
            PlanError: a node is named twice.
            NoDevnetError: one does not run, so that nobody can tell it; nothing was done then.
        """
        names = [self.record.node(name).name for group in groups for name in group]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise PlanError(f"{twice} is named twice; a node is on one side")
        for name in names:
            if not self.supervisor.is_alive(name):
                raise NoDevnetError(f"{name} does not run, and only nodes that run can be parted")
        for mine in groups:
            strangers = [name for group in groups if group is not mine for name in group]
            for name in mine:
                for stranger in strangers:
                    peer_id = self.record.node(stranger).peer_id
                    await self.client(name).ban(peer_id, duration_ms=BAN_MS)

    async def heal(self) -> None:
        """Have all nodes that run let all others in again, those as well that do not run now.

        Raises:
            NotReadyError: some do not answer, as paused ones; all others were healed.
        """
        silent = []
        for name in self.alive():
            try:
                for stranger in self.record.nodes:
                    if stranger.name != name:
                        await self.client(name).unban(stranger.peer_id)
            except (NodeUnreachableError, NodeAnswerError):
                silent.append(name)
        if silent:
            raise NotReadyError(
                f"{', '.join(silent)} did not answer, and may refuse others until healed once more"
            )

    # Questions.

    async def _meet(self, node: NodeRecord) -> None:
        key = await asyncio.to_thread(account_key, self.folder, node)
        self._keys[node.name] = key
        client = NodeClient(node.url, token=lambda: self._token(node.name))
        self.clients[node.name] = await self._stack.enter_async_context(client)

    def _token(self, name: str) -> str:
        now_ms = self.clock.wall_ms()
        token, until_ms = self._tokens.get(name, ("", 0))
        if until_ms <= now_ms:
            chain_id = ChainId(bytes.fromhex(self.record.chain_id))
            token = write_token(self._keys[name], chain_id=chain_id, now_ms=now_ms)
            self._tokens[name] = token, now_ms + LIFE_S * _MS_PER_S // 2
        return token

    def _check_alive(self, names: Sequence[str]) -> None:
        for name in names:
            if not self.supervisor.is_alive(name):
                words = self.supervisor.last_words(name)
                raise NodeDiedError(f"{name} ended by itself; its last words:\n{words}")

    def _check_links(self) -> None:
        if self.record.plan.latency.is_felt:
            self._check_alive([LINKS])

    async def _is_ready(self, name: str) -> bool:
        client = self.client(name)
        try:
            await client.ready()
        except NodeUnreachableError:
            return False
        except NodeAnswerError:
            # Where the chain stands, or has not begun, nobody gets nearer to the present.
            return await self._is_level(client)
        return True

    async def _is_level(self, client: NodeClient) -> bool:
        """Tell whether a node has all that any running one knows to be final."""
        try:
            height = (await client.status()).height
        except (NodeUnreachableError, NodeAnswerError):
            return False
        return height >= await self.final_height()

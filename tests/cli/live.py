"""Commands against a node behind its API: a real chain that commits whatever is proposed."""

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from typer.testing import CliRunner, Result

from cli.main import app
from node.execution.local_chain import key_named
from node.keystore.folder import key_path
from node.keystore.key_file import Cost, KeyKind, write_key
from node.keystore.secret import Secret
from primitives.hashing import sha256
from tests.rpc.stage import Stage, open_stage

PASSWORD: Final = "correct horse"
CHEAP: Final = Cost(1, 8)
PAUSE_S: Final = 0.002


def write_named_key(folder: Path, name: str, *, kind: KeyKind = KeyKind.ACCOUNT) -> Path:
    """Write the key file of a test account; return its path."""
    file = name.replace(" ", "-")
    path = key_path(folder / "keys", file)
    public = write_key(
        path,
        Secret(sha256(b"hanse local chain " + name.encode())),
        kind=kind,
        password=Secret(PASSWORD.encode()),
        cost=CHEAP,
        random_bytes=lambda size: bytes(range(size)),
    )
    assert public == key_named(name).public
    return path


@dataclass
class Live:
    """A node that runs in a thread, and the command line of somebody who asks it.

    Attributes:
        folder: with the keys of the test accounts.
    """

    folder: Path
    genesis: bytes | None = None
    stage: Stage | None = None
    ready: threading.Event = field(default_factory=threading.Event)
    stopped: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        assert self.stage is not None, "the node runs"
        return self.stage.server.url

    def run(self, *words: str, key: str | None = None, text: str | None = None) -> Result:
        """Run a command; with a key it signs."""
        options = ["--node", self.url, "--folder", str(self.folder)]
        if key is not None:
            options += ["--key", key]
        environ = {"HANSE_PASSWORD": PASSWORD, "HANSE_NODE": None, "HANSE_FOLDER": None}
        return CliRunner(env=environ).invoke(app, [*words, *options], input=text)

    def json(self, *words: str, key: str | None = None) -> Any:  # noqa: ANN401 - any JSON
        """Run a command that does what it should, and return what it prints as JSON."""
        result = self.run(*words, "--json", key=key)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    def serve(self, folder: Path) -> None:
        asyncio.run(self._serve(folder))

    async def _serve(self, folder: Path) -> None:
        async with open_stage(folder, genesis=self.genesis) as stage:
            self.stage = stage
            await self._commit(stage)
            self.ready.set()
            while not self.stopped.is_set():
                # Commands read the clock of the machine, and their tokens say when they were made.
                stage.clock.now_ms = time.time_ns() // 1_000_000
                if stage.proposed:
                    await self._commit(stage)
                await asyncio.sleep(PAUSE_S)

    async def _commit(self, stage: Stage) -> None:
        payload, stage.proposed = stage.proposed, []
        executed = await stage.proposer.commit(*payload)
        if executed.checkpoint is not None:
            await stage.chain.add_certificate(stage.proposer.certify(executed.checkpoint))


@contextmanager
def live_node(folder: Path, *, genesis: bytes | None = None) -> Iterator[Live]:
    """Run a node for a while, of the chain of the standard contracts or another one."""
    live = Live(folder / "home", genesis)
    for name in ("alice", "bob", "validator-0"):
        write_named_key(live.folder, name)
    (folder / "node").mkdir()
    thread = threading.Thread(target=live.serve, args=[folder / "node"], name="node", daemon=True)
    thread.start()
    assert live.ready.wait(20), "the node did not start"
    try:
        yield live
    finally:
        live.stopped.set()
        thread.join(20)
        assert not thread.is_alive()

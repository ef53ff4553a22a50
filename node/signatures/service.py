"""Check signatures in a child, in batches: a thread beside the event loop would starve it.

Measured: 15,000 checks a second in a child, and half a microsecond of the node's time for each; in
a thread beside a busy loop 3,500, at times 250, since both fight for one interpreter lock.

A batch leaves as soon as the child has room for it, so a lone question waits for nobody, and under
load batches fill up by themselves. While no child runs the event loop checks, slice by slice: a
node whose child dies, hangs or cannot be started is slower, and nothing else.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Final, Self

import structlog

from node.signatures.batches import BatchQueue, Portion
from node.signatures.child import VERIFIER_MODULE, VerifierChild
from node.signatures.claims import (
    GREETING_NUMBER,
    Answer,
    SignatureClaim,
    check_sizes,
)
from node.signatures.verifier import InlineVerifier
from primitives.clock import Clock

BATCH_MAX: Final = 256
CLAIMS_WAITING_MAX: Final = 16_384
"""A second of work."""

_log: Final = structlog.get_logger("node.signatures")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicePatience:
    """How long a child may take.

    Args:
        start_ms: without a greeting for so long, it is killed.
        answer_ms: without an answer to a batch for so long, it is killed.
        look_ms: how often that is looked at.
        rest_ms: before another one is started; doubles with each death in a row.
        rest_ms_max: the longest rest.
    """

    start_ms: int = 20_000
    answer_ms: int = 2_000
    look_ms: int = 500
    rest_ms: int = 100
    rest_ms_max: int = 10_000


class SignatureService:
    """Checks signatures in a child that it starts and replaces; an async context manager.

    Args:
        module: what `python -m` runs.
        batch_max: claims of one batch.
        waiting_max: claims without a verdict, above which those who ask wait.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        batch_max: int = BATCH_MAX,
        waiting_max: int = CLAIMS_WAITING_MAX,
        patience: ServicePatience | None = None,
        module: str = VERIFIER_MODULE,
    ) -> None:
        self._clock = clock
        self._batch_max = batch_max
        self._waiting_max = waiting_max
        self._patience = ServicePatience() if patience is None else patience
        self._module = module
        self._queue = BatchQueue(batch_max=batch_max)
        self._inline = InlineVerifier()
        self._child: VerifierChild | None = None
        self._heard_ms = 0
        self._deaths = 0
        self._is_flush_due = False
        self._has_room = asyncio.Event()
        self._must_check = asyncio.Event()
        self._greeted = asyncio.Event()
        self._tasks = asyncio.TaskGroup()
        self._parts: list[asyncio.Task[None]] = []

    @property
    def pid(self) -> int | None:
        """The child, None while the event loop does the work."""
        return None if self._child is None else self._child.pid

    @property
    def claims_waiting(self) -> int:
        """Claims that have no verdict yet."""
        return self._queue.claims_waiting

    async def __aenter__(self) -> Self:
        """Start the child; until it is there the event loop checks."""
        await self._tasks.__aenter__()
        for part, name in ((self._keep_child, "verifier"), (self._check_here, "verifier stand-in")):
            self._parts.append(self._tasks.create_task(part(), name=name))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Let the child go."""
        del kind, error, trace
        for part in self._parts:
            part.cancel()
        # A child is being buried, which the task group would break off, were it told of an error.
        await asyncio.wait(self._parts)
        await self._tasks.__aexit__(None, None, None)

    async def verify(self, claims: Sequence[SignatureClaim]) -> list[bool]:
        """Return whether each claim holds, in order; waits while too many others do.

        Raises:
            LocalProtocolError: a part of a claim has another size.
        """
        check_sizes(claims)
        loop = asyncio.get_running_loop()
        answers: list[asyncio.Future[list[bool]]] = []
        for start in range(0, len(claims), self._batch_max):
            while self._queue.claims_waiting >= self._waiting_max:
                self._has_room.clear()
                await self._has_room.wait()
            answer = loop.create_future()
            answers.append(answer)
            portion = claims[start : start + self._batch_max]
            self._queue.add(Portion(portion, partial(_settle, answer)))
            self._flush_soon()
        return [verdict for answer in answers for verdict in await answer]

    def _flush_soon(self) -> None:
        """Send once for all that is asked in this turn of the loop."""
        if not self._is_flush_due:
            self._is_flush_due = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._is_flush_due = False
        if self._child is None:
            self._must_check.set()
            return
        if not self._queue.is_out:
            self._heard_ms = self._clock.monotonic_ms()
        while (frame := self._queue.next_request()) is not None:
            self._child.line.send(frame)

    def _on_answer(self, answer: Answer) -> None:
        if answer.number == GREETING_NUMBER:
            self._greeted.set()
            return
        self._heard_ms = self._clock.monotonic_ms()
        self._deaths = 0
        self._queue.settle(answer)
        self._has_room.set()
        self._flush()

    async def _keep_child(self) -> None:
        """Keep a child running, with rests between those that die."""
        patience = self._patience
        while True:
            starting = self._tasks.create_task(self._start(), name="verifier start")
            try:
                child = await asyncio.shield(starting)
            except asyncio.CancelledError:
                # Half started it would be nobody's.
                child = await starting
                if child is not None:
                    await self._bury(child)
                raise
            if child is not None:
                await self._follow(child)
            rest_ms = min(patience.rest_ms << min(self._deaths, 16), patience.rest_ms_max)
            self._deaths += 1
            await asyncio.sleep(rest_ms / 1_000)

    async def _start(self) -> VerifierChild | None:
        try:
            return await VerifierChild.start(self._on_answer, module=self._module)
        except OSError as error:
            _log.warning("verifier not started", reason=str(error))
            return None

    async def _follow(self, child: VerifierChild) -> None:
        """Use a child until it is gone, or hangs; what it still owes is asked again."""
        reason = "closed"
        try:
            if await self._is_greeted(child):
                self._child = child
                _log.info("verifier started", pid=child.pid)
                self._flush()
                reason = await self._outlive(child)
            else:
                reason = "never ready"
        finally:
            self._child = None
            self._greeted.clear()
            self._queue.recall()
            self._must_check.set()
            status = await self._bury(child)
            _log.info("verifier ended", pid=child.pid, reason=reason, status=status)

    async def _bury(self, child: VerifierChild) -> int:
        """Wait for the end of a child; if we must go meanwhile, the task group waits for it."""
        burial = self._tasks.create_task(child.bury(), name="verifier's end")
        return await asyncio.shield(burial)

    async def _is_greeted(self, child: VerifierChild) -> bool:
        """Wait until the child listens; tell whether it does."""
        async with asyncio.TaskGroup() as waits:
            heard = {
                waits.create_task(event.wait(), name="verifier's first word")
                for event in (self._greeted, child.line.lost)
            }
            await asyncio.wait(
                heard,
                timeout=self._patience.start_ms / 1_000,
                return_when=asyncio.FIRST_COMPLETED,
            )
            for wait in heard:
                wait.cancel()
        return self._greeted.is_set()

    async def _outlive(self, child: VerifierChild) -> str:
        while not child.line.lost.is_set():
            try:
                async with asyncio.timeout(self._patience.look_ms / 1_000):
                    await child.line.lost.wait()
            except TimeoutError:
                silent_ms = self._clock.monotonic_ms() - self._heard_ms
                if self._queue.is_out and silent_ms > self._patience.answer_ms:
                    return "hung"
        return "lost"

    async def _check_here(self) -> None:
        """Check what waits while there is no child."""
        while True:
            await self._must_check.wait()
            self._must_check.clear()
            while self._child is None and (portion := self._queue.take()) is not None:
                self._queue.settle_portion(portion, await self._inline.verify(portion.claims))
                self._has_room.set()
                await asyncio.sleep(0)


def _settle(answer: asyncio.Future[list[bool]], verdicts: list[bool]) -> None:
    """Answer an asker, which may have gone."""
    if not answer.done():
        answer.set_result(verdicts)

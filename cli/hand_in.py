"""Hand in one update, step by step, each as the chain asks for it: what breaks off can go on.

Guards: a bond is lost only where the whole reveal phase goes by. Nothing is kept on this disk. The
salt follows from the key, as that of a node does, and what was done stands on the chain: so the
same command, run again, finds its commitment and opens it.
"""

import asyncio
import enum
import os
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

import typer

from cli.exit_codes import WaitOverError
from cli.identity import write_own_token
from cli.online import Signing
from cli.sending import send
from primitives.errors import ConfigurationError, HanseError

if TYPE_CHECKING:
    from collections.abc import Callable

    from node.duties.salts import Salts
    from node.rpc.client import NodeClient
    from node.rpc.round_schemas import Round, Update
    from primitives.ids import Address, Digest, Grain

_PAUSE_S: Final = 0.25
_ATTEMPTS_MAX: Final = 16
_PASSING: Final = frozenset({429, 500, 502, 503, 504})
"""Answers of a node that may be another a moment later."""


class Due(enum.Enum):
    """What a round asks of somebody."""

    COMMIT = "commit"
    REVEAL = "reveal"

    NOTHING = "nothing"
    """The update is revealed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HandIn:
    """One update of one account.

    Args:
        line: with its key opened, so that no password is asked for between two phases.
        content: the UPDATE blob; `root` names it.
        timeout_s: how long each phase is waited for.
    """

    line: Signing
    task: int
    content: bytes
    root: "Digest"
    who: "Address"
    salts: "Salts"
    bond: "Grain"
    timeout_s: float

    def run(self) -> int:
        """Commit, wait for the reveal and reveal; return the number of the round.

        Raises:
            WaitOverError: no round came in time, or the round went by.
            ConfigurationError: the account committed to another update.
            HanseError: the node or the chain refuses.
        """
        number: int | None = None
        for _ in range(_ATTEMPTS_MAX):
            running, due = self.line.ask(partial(self._wait, number))
            number = running.number
            if due is Due.NOTHING:
                return number
            self._attempt(running, self._commit if due is Due.COMMIT else self._reveal)
        raise WaitOverError(f"gave up after {_ATTEMPTS_MAX} attempts: run the same command again")

    def now_due(self) -> Due | None:
        """Return what the round that runs asks for, None if there is nothing to do yet."""
        return self._due(self.line.ask(lambda client: client.running_round(self.task)), None)

    def _due(self, running: "Round | None", number: int | None) -> Due | None:
        """Return what a round asks for, None to wait; with a number, it must be that round."""
        if number is not None and (running is None or running.number != number):
            raise WaitOverError(f"round {number} of task {self.task} is over")
        if running is None:
            return None
        entry = self._entry(running)
        if entry is None and running.phase == "commit":
            return Due.COMMIT
        if entry is not None and entry.root is not None and self._is_this(entry, running):
            return Due.NOTHING
        if entry is None or entry.root is not None or running.phase not in ("commit", "reveal"):
            if number is not None:
                raise WaitOverError(f"round {number} of task {self.task} goes on without you")
            # All that can be done is to hand the update in with the next round.
            return None
        if not self._is_this(entry, running):
            raise ConfigurationError(
                f"you committed to another update in round {running.number}: hand that file in"
            )
        return Due.REVEAL if running.phase == "reveal" else None

    def _entry(self, running: "Round") -> "Update | None":
        """Return what the account committed to in a round."""
        from node.rpc.texts import account_text

        own = account_text(self.who)
        return next((one for one in running.updates if one.trainer == own), None)

    def _is_this(self, entry: "Update", running: "Round") -> bool:
        return entry.commitment == self._commitment(running.number).hex()

    async def _wait(self, number: int | None, client: "NodeClient") -> "tuple[Round, Due]":
        """Wait until a round asks for something; a node that is away a while is waited for too."""
        trouble: HanseError | None = None
        try:
            async with asyncio.timeout(self.timeout_s):
                while True:
                    try:
                        running, trouble = await client.running_round(self.task), None
                    except HanseError as error:
                        if not _is_passing(error):
                            raise
                        trouble = error
                    else:
                        due = self._due(running, number)
                        if running is not None and due is not None:
                            return running, due
                    await asyncio.sleep(_PAUSE_S)
        except TimeoutError as error:
            if trouble is not None:
                raise trouble from error
            phase = "commit" if number is None else "reveal"
            raise WaitOverError(
                f"no round of task {self.task} came to {phase} in {self.timeout_s:g} s"
            ) from error

    def _attempt(self, running: "Round", step: "Callable[[Round], None]") -> None:
        """Take a step; where it is not sure whether it was taken, the next look will tell."""
        try:
            step(running)
        except HanseError as error:
            if _is_passing(error) or isinstance(error, WaitOverError):
                typer.echo(f"warning: {error}; trying again", err=True)
                time.sleep(_PAUSE_S)
                return
            # An attempt of which no answer came may have been the one that was taken.
            if not self._is_taken(running, step):
                raise

    def _is_taken(self, before: "Round", step: "Callable[[Round], None]") -> bool:
        now = self.line.ask(lambda client: client.running_round(self.task))
        if now is None or now.number != before.number:
            return False
        entry = self._entry(now)
        if entry is None or not self._is_this(entry, now):
            return False
        return step == self._commit or entry.root is not None

    def _commitment(self, number: int) -> "Digest":
        from node.federation.commitments import update_commitment

        salt = self._salt(number)
        return update_commitment(self.task, number, trainer=self.who, root=self.root, salt=salt)

    def _salt(self, number: int) -> bytes:
        from node.duties.salts import Purpose

        return self.salts.salt(self.task, number, Purpose.UPDATE)

    def _commit(self, running: "Round") -> None:
        from node.federation.calls import commit

        call = commit(self.task, commitment=self._commitment(running.number), bond=self.bond)
        send(self.line, lambda _: call)
        typer.echo(
            f"committed in round {running.number}; waiting for the reveal. If this ends before, "
            "run the same command again",
            err=True,
        )

    def _reveal(self, running: "Round") -> None:
        from node.federation.calls import reveal

        self._offer(running)
        call = reveal(self.task, root=self.root, salt=self._salt(running.number))
        send(self.line, lambda _: call)

    def _offer(self, running: "Round") -> None:
        """Seal the update for the seats of a round, and have the node give it to them."""

        async def main(client: "NodeClient") -> None:
            from node.blobs.sealing import seal
            from node.rpc.texts import parse_address
            from primitives.keys import PublicKey

            seats = {seat.validator for seat in running.seats}
            found = (await client.validators()).validators
            keys = {one.operator: PublicKey(bytes.fromhex(one.consensus_key)) for one in found}
            recipients = [(parse_address(one), keys[one]) for one in sorted(seats & keys.keys())]
            envelope = await asyncio.to_thread(
                seal, self.content, recipients=recipients, rng=os.urandom
            )
            await client.offer_update(self.task, running.number, root=self.root, envelope=envelope)

        self.line.ask(main, token=write_own_token(self.line))


def _is_passing(error: HanseError) -> bool:
    """Tell whether a question may find an answer a moment later: the node is away, or too busy."""
    from node.rpc.errors import NodeAnswerError, NodeUnreachableError

    if isinstance(error, NodeAnswerError):
        return error.status in _PASSING
    return isinstance(error, NodeUnreachableError)

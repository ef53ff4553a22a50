"""Peers as processes: started with flags, read line by line with time limits, ended by their id."""

import subprocess
import threading
import unittest
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, TypeVar

import msgspec

from p2p.probe.events import DECODER, AnyEvent, Done, Listening
from tests.interop.kinds import Kind
from tests.tidy.sources import ROOT

EVENT_LIMIT_S = 20.0
END_LIMIT_S = 60.0
GRACE_S = 10.0
EVENTS_MAX = 100_000
STORY_EVENTS = 40
MALFORMED_MAX = 5
COMPLAINTS_SIZE_MAX = 20_000

E = TypeVar("E", bound=AnyEvent)


class Peer:
    """One running process and all it has said so far."""

    __slots__ = (
        "_arrival",
        "_complaints",
        "_events",
        "_is_open",
        "_malformed",
        "_process",
        "_readers",
        "name",
    )

    def __init__(self, name: str, process: "subprocess.Popen[str]") -> None:
        self.name = name
        self._process = process
        self._events: list[AnyEvent] = []
        self._complaints = ""
        self._malformed: list[str] = []
        self._is_open = True
        self._arrival = threading.Condition()
        assert process.stdout is not None
        assert process.stderr is not None
        self._readers = (
            threading.Thread(target=self._read_events, args=(process.stdout,)),
            threading.Thread(target=self._read_complaints, args=(process.stderr,)),
        )
        for reader in self._readers:
            reader.start()

    @property
    def peer_id(self) -> str:
        """The id under which the peer can be dialled."""
        return self.wait_for(Listening).peer

    @property
    def address(self) -> str:
        """Where the peer listens, with its id."""
        return self.wait_for(Listening).addrs[0]

    def all(self, kind: type[E]) -> list[E]:
        """Take what has arrived of one kind."""
        with self._arrival:
            return [event for event in self._events if isinstance(event, kind)]

    def wait_for(
        self,
        kind: type[E],
        where: Callable[[E], bool] = lambda _: True,
        *,
        count: int = 1,
        limit_s: float = EVENT_LIMIT_S,
    ) -> E:
        """Wait until `count` events fit, those of the past included, and give the last of them."""

        def fitting() -> list[E]:
            found = [event for event in self._events if isinstance(event, kind)]
            return [event for event in found if where(event)]

        with self._arrival:
            self._arrival.wait_for(
                lambda: len(fitting()) >= count or not self._is_open, timeout=limit_s
            )
            found = fitting()
        if len(found) < count:
            raise self._missed(f"{len(found)} of {count} {kind.__name__} came")
        return found[count - 1]

    def finish(self, *, limit_s: float = END_LIMIT_S) -> Done:
        """Wait until the peer ends by itself."""
        try:
            status = self._process.wait(limit_s)
        except subprocess.TimeoutExpired as error:
            raise self._missed(f"no end within {limit_s} s") from error
        self._join()
        done = self.all(Done)
        if self._malformed or len(done) != 1 or (status == 0) != done[0].ok:
            raise self._missed(f"exit code {status}, malformed lines {self._malformed}")
        return done[0]

    def succeed(self, *, limit_s: float = END_LIMIT_S) -> None:
        """Wait until the peer ends by itself, with every goal met."""
        if not self.finish(limit_s=limit_s).ok:
            raise self._missed("goals were missed")

    def stop(self) -> Done:
        """Ask the peer to end now."""
        self._process.terminate()
        return self.finish(limit_s=GRACE_S)

    def end(self) -> None:
        """Make sure that the process is gone."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(GRACE_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._join()

    def _missed(self, what: str) -> AssertionError:
        """Word a failure with the last of what the peer has said."""
        with self._arrival:
            lines = "\n".join(str(event) for event in self._events[-STORY_EVENTS:])
            return AssertionError(f"{what}; {self.name} said:\n{lines}\n{self._complaints}")

    def _join(self) -> None:
        for reader in self._readers:
            reader.join(GRACE_S)

    def _read_events(self, lines: IO[str]) -> None:
        with lines:
            for line in lines:
                self._take(line)
        with self._arrival:
            self._is_open = False
            self._arrival.notify_all()

    def _take(self, line: str) -> None:
        try:
            event = DECODER.decode(line)
        except msgspec.MsgspecError as error:
            self._malformed = [*self._malformed[:MALFORMED_MAX], f"{error}: {line}"]
            return
        with self._arrival:
            if len(self._events) < EVENTS_MAX:
                self._events.append(event)
            self._arrival.notify_all()

    def _read_complaints(self, lines: IO[str]) -> None:
        with lines:
            for line in lines:
                self._complain(line)

    def _complain(self, text: str) -> None:
        with self._arrival:
            self._complaints = (self._complaints + text)[-COMPLAINTS_SIZE_MAX:]


@contextmanager
def running(kind: Kind, *flags: str) -> Iterator[Peer]:
    """Start a peer, and end it whatever happens; skip the test where it cannot be started."""
    if kind.missing is not None:
        # Which is how pytest too learns that a test cannot run here.
        raise unittest.SkipTest(kind.missing)
    with subprocess.Popen(
        [*kind.command, *flags],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        peer = Peer(kind.name, process)
        try:
            yield peer
        finally:
            peer.end()

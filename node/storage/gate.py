"""The gate between snapshots, of which many may be open, and growth, which needs that none is.

Guards: a thread that is inside may come in again, even while others are kept out. It could not go
out before, if it had to wait: who wants to be alone would wait for it in vain.
"""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NewType

Ticket = NewType("Ticket", int)
"""Which thread came in; it goes back on the way out, which another thread may take."""


class Gate:
    """Counts what is open, and lets somebody in alone."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside: Counter[Ticket] = Counter()
        self._is_shut = False

    @property
    def open_count(self) -> int:
        """Return how many are inside."""
        return self._inside.total()

    @property
    def is_shut(self) -> bool:
        """Tell whether somebody is in alone, or waits for it."""
        return self._is_shut

    def enter(self) -> Ticket:
        """Go in; a thread that is not inside yet waits while somebody is in alone."""
        ticket = Ticket(threading.get_ident())
        with self._changed:
            self._changed.wait_for(lambda: not self._is_shut or ticket in self._inside)
            self._inside[ticket] += 1
        return ticket

    def leave(self, ticket: Ticket) -> None:
        """Go out."""
        with self._changed:
            self._inside[ticket] -= 1
            if not self._inside[ticket]:
                del self._inside[ticket]
            self._changed.notify_all()

    @contextmanager
    def alone(self, *, timeout_seconds: float) -> Iterator[bool]:
        """Keep others out while the block runs; yield False if they did not leave in time."""
        with self._changed:
            self._is_shut = True
            is_alone = self._changed.wait_for(lambda: not self._inside, timeout_seconds)
        try:
            yield is_alone
        finally:
            with self._changed:
                self._is_shut = False
                self._changed.notify_all()

"""The inputs that wait for a busy machine.

Invariant: at most `INPUTS_QUEUED_MAX` network inputs wait. Local inputs (timers, finished jobs) are
bounded by the program that asked for them, so they are never dropped.
"""

from collections import deque
from typing import Generic, TypeVar

INPUTS_QUEUED_MAX = 4_096

InputT = TypeVar("InputT")


class InputQueue(Generic[InputT]):
    """First in, first out; a full queue loses its oldest network input."""

    def __init__(self) -> None:
        self._inputs: deque[tuple[InputT, bool]] = deque()
        self._network_count = 0

    def __len__(self) -> int:
        return len(self._inputs)

    def put_network(self, event: InputT) -> int:
        """Queue an input from the network; return how many had to be dropped for it."""
        self._inputs.append((event, True))
        self._network_count += 1
        if self._network_count <= INPUTS_QUEUED_MAX:
            return 0
        oldest = next(index for index, (_, is_network) in enumerate(self._inputs) if is_network)
        del self._inputs[oldest]
        self._network_count -= 1
        return 1

    def put_local(self, event: InputT) -> None:
        """Queue an input of the machine itself."""
        self._inputs.append((event, False))

    def put_back(self, event: InputT) -> None:
        """Return an input that was taken too early to the front, from now on as a local one."""
        self._inputs.appendleft((event, False))

    def take(self) -> InputT:
        """Remove and return the oldest input of a queue that is not empty."""
        event, is_network = self._inputs.popleft()
        self._network_count -= is_network
        return event

    def clear(self) -> None:
        """Lose everything."""
        self._inputs.clear()
        self._network_count = 0

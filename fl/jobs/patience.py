"""How long a client waits for its worker, and what it allows it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """The times of a client; all may be shortened for a test.

    Args:
        start_ms: from the start of the process to its first message.
        silence_ms: between two messages; the worker sends one a second, whatever it does.
        cancel_ms: from asking a job to stop to killing the worker.
        stop_ms: from asking an idle worker to leave, or from the end of its stream, to killing it.
        look_ms: between two looks at the memory and the silence of the worker.
        rest_ms_first: before a worker is started again after a death without a finished job.
        rest_ms_max: the rest doubles with each such death up to here.
    """

    start_ms: int = 60_000
    silence_ms: int = 60_000
    cancel_ms: int = 10_000
    stop_ms: int = 5_000
    look_ms: int = 500
    rest_ms_first: int = 250
    rest_ms_max: int = 30_000

    def rest_ms(self, deaths: int) -> int:
        """Return how long to wait after so many deaths in a row; 0 after none."""
        if deaths == 0:
            return 0
        # Beyond 2**32 the greatest rest is reached with any first one, and shifts stay small.
        return min(self.rest_ms_max, self.rest_ms_first << min(deaths - 1, 32))

"""What is fuzzed: a way in for bytes, examples that get through, and what may be raised."""

from collections.abc import Callable
from dataclasses import dataclass

from primitives.errors import HanseError


@dataclass(frozen=True, slots=True)
class Target:
    """A way in for bytes.

    Args:
        run: takes the bytes; raises what it declares, or something that is a bug.
        declared: errors that the bytes may cause.
        seeds: bytes that get all the way through.
    """

    name: str
    run: Callable[[bytes], None]
    declared: tuple[type[HanseError], ...]
    seeds: tuple[bytes, ...]

    def feed(self, raw: bytes) -> bool:
        """Run once; tell whether the bytes got through.

        Raises:
            Exception: anything but a declared error, which is a bug.
        """
        try:
            self.run(raw)
        except self.declared:
            return False
        return True

"""What an attacker can read of others: the updates that came to its own node.

A node with a seat holds, open, what was sealed for it, and every node holds what became public. The
round that runs cannot be copied so: when its updates come, its commitments are in.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fl.rules.update.blob import decode
from fl.rules.update.header import Expectation
from fl.training.fixed_point import FRACTION_BITS
from fl.worker.blobs import BLOB_SIZE_BYTES_MAX
from primitives.errors import MalformedBytesError

SPOILS_MAX: Final = 16


class Spoils:
    """The blobs in the store of the attacker's node.

    Args:
        folder: of the store; None: the attacker looks at nobody's.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._own: set[bytes] = set()

    def sent(self, content: bytes) -> None:
        """Leave out what the attacker itself has sent."""
        self._own.add(content)

    def updates(self, expected: Expectation) -> list[NDArray[np.float64]]:
        """Return updates of others in the layout of this round, the newest first.

        Each is (coordinate,), in the model's own unit.
        """
        found = []
        for content in self._contents():
            try:
                vector = decode(content, expected=expected).vector
            except MalformedBytesError:
                # A model, a document, or an update of another layout.
                continue
            found.append(np.ldexp(vector.astype(np.float64), -FRACTION_BITS))
            if len(found) == SPOILS_MAX:
                break
        return found

    def _contents(self) -> Iterator[bytes]:
        if self._folder is None or not self._folder.is_dir():
            return
        paths = [path for path in self._folder.iterdir() if not path.name.startswith(".")]
        for path in sorted(paths, key=lambda path: path.stat().st_mtime_ns, reverse=True):
            if path.stat().st_size <= BLOB_SIZE_BYTES_MAX:
                content = path.read_bytes()
                if content not in self._own:
                    yield content

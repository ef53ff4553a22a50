"""Orders that are the same on every machine, with every version of every library."""

import hashlib


def permutation(count: int, *, seed: int, epoch: int = 0, stream: str = "") -> list[int]:
    """Return 0..count-1 in an order that depends on the arguments only.

    The order is that of SHA-256(seed, epoch, stream, index): Python promises nothing about what
    `random.shuffle` draws, and NumPy says that its own draws may change.
    """
    start = hashlib.sha256(f"hanse/examples/1/{seed}/{epoch}/{stream}/".encode())

    def rank(index: int) -> bytes:
        state = start.copy()
        state.update(b"%d" % index)
        return state.digest()

    return sorted(range(count), key=rank)

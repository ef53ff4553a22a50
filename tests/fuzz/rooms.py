"""Whose coverage guides which target; known before any of the rooms is imported.

Seeing all rooms would take each target ten seconds to start.
"""

from typing import Final

NODE_TARGETS: Final = frozenset(
    {
        *("transaction", "genesis", "certificate", "conflict", "light-client", "anchor"),
        *("key-proof", "receipt-proof", "state-chunk", "vm", "contract-source"),
    }
)


def rooms_of(target: str) -> tuple[str, ...]:
    """Return the packages whose coverage is seen while the target runs."""
    return ("node", "primitives") if target in NODE_TARGETS else ("consensus", "p2p", "primitives")

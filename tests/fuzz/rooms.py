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
RULES_TARGETS: Final = frozenset({"update", "model", "update-header"})
JOB_TARGETS: Final = frozenset({"job-frame", "to-worker", "from-worker"})


def rooms_of(target: str) -> tuple[str, ...]:
    """Return the packages whose coverage is seen while the target runs."""
    if target in RULES_TARGETS:
        # All of `fl` would bring torch.
        return ("fl.rules", "primitives")
    if target in JOB_TARGETS:
        return ("fl.jobs", "primitives")
    return ("node", "primitives") if target in NODE_TARGETS else ("consensus", "p2p", "primitives")

"""How much memory processes hold, as /proc tells it; of a system without one nothing is known.

A peak is what the kernel counted since the process began, so to look seldom misses none of it but
that of a process which came and went between two looks.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from devnet.local.network import LocalNetwork
from devnet.local.story import Memory

SIGNATURES: Final = b"node.signatures"
_KB_OF_MB: Final = 1_024


class Resident(msgspec.Struct, frozen=True, kw_only=True):
    """The resident memory of one process in MB of 2**20 bytes: as it is, and at most so far."""

    now_mb: float
    peak_mb: float


def resident(pid: int) -> Resident | None:
    """Return what a process holds; None if it is gone, or nobody can tell."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    found = dict(line.split(":", 1) for line in lines.splitlines() if ":" in line)
    if "VmRSS" not in found or "VmHWM" not in found:
        # It has ended, and its parent has not noticed yet.
        return None
    now, peak = (int(found[name].split()[0]) / _KB_OF_MB for name in ("VmRSS", "VmHWM"))
    return Resident(now_mb=now, peak_mb=peak)


def node_pids(network: LocalNetwork) -> tuple[int, ...]:
    """Return the numbers of the processes of the nodes that run."""
    running = map(network.supervisor.running, network.names)
    return tuple(one.pid for one in running if one is not None)


def largest(pids: Iterable[int]) -> Resident | None:
    """Return the most that one of some processes holds, and the most that one of them ever held."""
    found = [one for one in map(resident, pids) if one is not None]
    if not found:
        return None
    return Resident(
        now_mb=max(one.now_mb for one in found), peak_mb=max(one.peak_mb for one in found)
    )


@dataclass(slots=True)
class MemoryWatch:
    """The peaks of nodes and of their children, over all looks."""

    seen: Memory = field(default_factory=Memory)

    def look(self, pids: Iterable[int]) -> None:
        """Look at nodes, at their processes for signatures and at their workers."""
        nodes = tuple(pids)
        children = [(child, _words(child)) for pid in nodes for child in _children(pid)]
        # Before it runs a program of its own, a child is a copy of the node, words and all.
        others = [(pid, words) for pid, words in children if b"--folder" not in words]
        signatures = [pid for pid, words in others if SIGNATURES in words]
        workers = [pid for pid, words in others if words and SIGNATURES not in words]
        self.seen = Memory(
            node_mb=_most(self.seen.node_mb, largest(nodes)),
            signatures_mb=_most(self.seen.signatures_mb, largest(signatures)),
            worker_mb=_most(self.seen.worker_mb, largest(workers)),
        )


def _most(before_mb: float | None, found: Resident | None) -> float | None:
    if found is None:
        return before_mb
    return max(found.peak_mb, before_mb or 0.0)


def _children(pid: int) -> list[int]:
    """Return the children of a process; each of its threads has a list of its own."""
    found: list[int] = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += map(int, path.read_text(encoding="ascii").split())
        except OSError:
            continue
    return found


def _words(pid: int) -> tuple[bytes, ...]:
    """Return the command line of a process; empty if it has ended."""
    try:
        return tuple(Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[:-1])
    except OSError:
        return ()

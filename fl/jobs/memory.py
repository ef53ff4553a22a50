"""Measure the resident memory of a process."""

import resource
import sys
from pathlib import Path
from typing import Final

_PAGE_SIZE_BYTES: Final = resource.getpagesize()


def private_bytes_of(pid: int) -> int | None:
    """Return the resident memory of a process that is its own.

    Pages of files, such as torch's 200 MiB of libraries, do not count: the system can take them
    back. None if the process has ended or the system does not tell.
    """
    try:
        columns = Path(f"/proc/{pid}/statm").read_bytes().split()
    except OSError:
        return None
    resident, of_files = int(columns[1]), int(columns[2])
    return (resident - of_files) * _PAGE_SIZE_BYTES


def resident_bytes() -> int:
    """Return the most resident memory this process ever had.

    The peak is what systems without /proc can tell, and it is the number that a limit is about.
    """
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Kibibytes everywhere but on macOS, where it is bytes.
    return peak if sys.platform == "darwin" else peak * 1024

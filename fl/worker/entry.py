"""Turn this process into a worker: read the command line, bound the memory, answer the client.

Another program of this project that is to be started in place of `fl.worker`, such as an attacker
in a test network, calls `serve` with a workshop of its own, and leaves by `leave`.
"""

import argparse
import os
import resource
import socket
import stat
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NoReturn

from fl.worker.channel import Channel
from fl.worker.loop import EXIT_REFUSED, Craft, WorkerLoop
from fl.worker.machine import Machine, MachineClock

# Asking torch whether there is a GPU would load it, before the limit and for every job.
_NVIDIA_DRIVER: Final = Path("/dev/nvidiactl")


def serve(make_craft: Callable[[Machine], Craft], arguments: Sequence[str]) -> int:
    """Do jobs until the client says stop; return the exit status, for `leave`.

    The status is 0 after a stop; EXIT_DEVICE_LOST after an error that spoils CUDA for the process;
    EXIT_REFUSED, with a line on stderr, if the command line is wrong or the client is not
    understood. The process ends at once when the client is gone.
    """
    options = _parser().parse_args(arguments)
    try:
        connected = _connected(options.fd)
    except (OSError, ValueError) as error:
        sys.stderr.write(
            f"--fd {options.fd}: {error}: a worker is started by a node, with a socket of its own\n"
        )
        return EXIT_REFUSED
    machine = Machine(device=options.device, threads=options.threads)
    if not _is_for_gpu(machine):
        _bound_memory(options.memory_bytes_max)
    with connected:
        loop = WorkerLoop(
            Channel(connected), make_craft(machine), clock=MachineClock(), abandon=os._exit
        )
        return loop.run()


def leave(status: int) -> NoReturn:
    """End the process as it stands; what was answered lies on the disk already.

    Now and then a thread of torch outlives the orderly end of Python, and its C++ runtime then
    aborts the process: "terminate called without an active exception".
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m fl.worker", description=__doc__)
    parser.add_argument("--fd", type=int, required=True, help="the inherited socket")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    parser.add_argument("--threads", type=int, default=1, help="at most so many cores")
    parser.add_argument("--memory-bytes-max", type=int, default=None, help="memory of its own")
    return parser


def _connected(descriptor: int) -> socket.socket:
    # A socket object on anything else fails late, or closes what it does not own.
    if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
        raise ValueError("no socket")
    return socket.socket(fileno=descriptor)


def _is_for_gpu(machine: Machine) -> bool:
    if machine.device == "auto":
        return _NVIDIA_DRIVER.exists()
    return machine.device.startswith("cuda")


def _bound_memory(memory_bytes_max: int | None) -> None:
    """Refuse this process more private memory than that; what asks for more gets a MemoryError.

    Of the limits that Linux enforces this is the one nearest to resident memory: address space that
    is only reserved, and files that are mapped, do not count. A worker for a GPU goes without,
    because CUDA maps the memory of the host as its own; the client watches it all the same.
    """
    if memory_bytes_max is None:
        return
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard != resource.RLIM_INFINITY:
        memory_bytes_max = min(memory_bytes_max, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes_max, hard))

"""A worker entry of its own, as an attacker's would be: the path of the first update is an order.

echo        the facts hold the number of this process
chatter     writes to stdout and stderr in the middle of the job, then as echo
steps:N     N reports, then as echo
pause       a report, a fifth of a second, then as echo
sleep       until it is cancelled
stubborn    sleeps and does not listen to cancellation
hang        stops the whole process
eat         memory until there is no more
abort       ends as an assertion of a C++ library does
bug, fault, crash:N   an error of Python, an error of this project, an exit with a status
"""

import os
import signal
import sys
import time
from collections.abc import Callable

from fl.jobs.progress import Stage
from fl.jobs.results import InspectResult
from fl.jobs.work import AnyJob, InspectJob
from fl.worker.desk import Desk
from fl.worker.entry import leave, serve
from fl.worker.machine import Machine
from primitives.errors import MalformedBytesError
from tests.jobs.orders import facts_of


class Toy:
    """Does what the order says."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine

    def perform(self, job: AnyJob, desk: Desk) -> InspectResult:
        assert isinstance(job, InspectJob)
        order, _, amount = job.updates[0].path.partition(":")
        ORDERS[order](desk, int(amount or 0))
        return InspectResult(facts=(facts_of(os.getpid()),))


def echo(_desk: Desk, _amount: int) -> None:
    """Leave it at the result."""


def chatter(_desk: Desk, _amount: int) -> None:
    sys.stdout.write("\xc6\xff\xff\xff\xff" * 100_000)
    sys.stderr.write("chatter\n")
    os.write(1, bytes(range(256)))


def steps(desk: Desk, amount: int) -> None:
    for step in range(amount):
        desk.report(Stage.TRAINING, done=step + 1, total=amount, note=f"{step}")


def pause(desk: Desk, _amount: int) -> None:
    desk.report(Stage.TRAINING)
    time.sleep(0.2)


def sleep(desk: Desk, _amount: int) -> None:
    while True:
        desk.report(Stage.TRAINING)
        time.sleep(0.005)


def stubborn(desk: Desk, _amount: int) -> None:
    desk.report(Stage.TRAINING)
    time.sleep(60)


def hang(_desk: Desk, _amount: int) -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def eat(_desk: Desk, _amount: int) -> None:
    eaten = []
    while True:
        eaten.append(bytearray(16 << 20))


def bug(_desk: Desk, _amount: int) -> None:
    raise LookupError("no such leaf")


def fault(_desk: Desk, _amount: int) -> None:
    raise MalformedBytesError("blob.bin: truncated")


def abort(_desk: Desk, _amount: int) -> None:
    os.write(2, b"terminate called without an active exception\n")
    os.abort()


def crash(_desk: Desk, amount: int) -> None:
    sys.stderr.write("I am done for\n")
    os._exit(amount)


ORDERS: dict[str, Callable[[Desk, int], None]] = {
    order.__name__: order
    for order in (
        *(echo, chatter, steps, pause, sleep, stubborn, hang),
        *(eat, bug, fault, abort, crash),
    )
}


if __name__ == "__main__":
    leave(serve(Toy, sys.argv[1:]))

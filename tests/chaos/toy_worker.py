"""`python -m tests.chaos.toy_worker`: a worker without torch that may attack and lie.

Its model is a place and its examples are where it should be, see `tests/duties/toy.py`; blobs,
facts, aggregates, attacks and lies are those of the real workers.
"""

import argparse
import asyncio
import sys
from collections.abc import Sequence

from devnet.attacks.worker.__main__ import main as attack
from fl.jobs.client import JobTerms
from fl.jobs.results import AnyResult
from fl.jobs.work import AnyJob, TrainJob
from fl.worker.desk import Desk
from fl.worker.machine import Machine
from tests.duties.toy import ToyWorker, target_of


class ToyCraft:
    """Does jobs as a toy does them."""

    def __init__(self, number: int, *, first_step: float = 1.0, first_rise: int = 0) -> None:
        self._toy = ToyWorker(target_of(number))
        self._first_step = first_step
        self._first_rise = first_rise

    def perform(self, job: AnyJob, desk: Desk) -> AnyResult:
        desk.check()
        if isinstance(job, TrainJob):
            self._toy.twist = self._first_step if job.round == 0 else 1.0
            self._toy.dread = self._first_rise if job.round == 0 else 0
        result = asyncio.run(self._toy.run(job, terms=JobTerms(deadline_ms=60_000)))
        assert isinstance(result, AnyResult)
        return result


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--node", type=int, default=0, help="decides where the model should be")
    parser.add_argument("--first-step", type=float, default=1.0, help="length of the first update")
    parser.add_argument(
        "--first-rise", type=int, default=0, help="told of the first round's models"
    )
    options, rest = parser.parse_known_args(arguments)

    def make(_: Machine) -> ToyCraft:
        return ToyCraft(options.node, first_step=options.first_step, first_rise=options.first_rise)

    return attack(rest, make_honest=make)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

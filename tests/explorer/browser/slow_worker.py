"""The toy worker, started as a module, but it trains so slowly that one can watch."""

import argparse
import sys
import time
from typing import Final

from typing_extensions import override

from devnet.attacks.worker.__main__ import main as attack
from fl.jobs.results import AnyResult
from fl.jobs.work import AnyJob, TrainJob
from fl.worker.desk import Desk
from tests.chaos.toy_worker import ToyCraft

TRAIN_S: Final = 4.0


class SlowCraft(ToyCraft):
    """Does jobs as the toy does them, and takes its time for training."""

    @override
    def perform(self, job: AnyJob, desk: Desk) -> AnyResult:
        if isinstance(job, TrainJob):
            time.sleep(TRAIN_S)
        return super().perform(job, desk)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--node", type=int, default=0)
    options, rest = parser.parse_known_args()
    sys.exit(attack(rest, make_honest=lambda _: SlowCraft(options.node, first_step=1.0)))

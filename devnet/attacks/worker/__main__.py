"""`python -m devnet.attacks.worker --attack NAME`: started by `fl.jobs.client`, never by hand.

The options come from `fl.jobs.launch.WorkerCommand.options`; all others are those of `fl.worker`.
"""

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from devnet.attacks.poisoning.catalogue import attack_named
from devnet.attacks.worker.ring import Ring
from devnet.attacks.worker.workshop import AttackingWorkshop
from fl.worker.entry import serve
from fl.worker.loop import EXIT_REFUSED
from primitives.errors import ConfigurationError


def main(arguments: Sequence[str]) -> int:
    """Do jobs until the client says stop; return the exit status."""
    options, rest = _parser().parse_known_args(arguments)
    try:
        attack = attack_named(options.attack)
    except ConfigurationError as error:
        sys.stderr.write(f"--attack: {error}\n")
        return EXIT_REFUSED
    ring = Ring(options.ring, trainers=options.trainers)
    return serve(partial(AttackingWorkshop, attack=attack, ring=ring), rest)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m devnet.attacks.worker", add_help=False, allow_abbrev=False
    )
    parser.add_argument("--attack", default="none", help="an attack of the catalogue")
    parser.add_argument("--ring", type=Path, default=None, help="the folder of the attackers")
    parser.add_argument("--trainers", type=int, default=20, help="honest ones included")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

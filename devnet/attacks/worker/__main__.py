"""`python -m devnet.attacks.worker --attack NAME`: started by `fl.jobs.client`, never by hand.

A node starts its worker with a command line of its own, so every option may come as a variable of
the environment instead: HANSE_ATTACK, HANSE_ATTACK_RING, HANSE_ATTACK_TRAINERS.
"""

import argparse
import os
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
    known = os.environ.get
    ring = known("HANSE_ATTACK_RING")
    parser = argparse.ArgumentParser(prog="python -m devnet.attacks.worker", add_help=False)
    parser.add_argument("--attack", default=known("HANSE_ATTACK", "none"))
    parser.add_argument("--ring", type=Path, default=Path(ring) if ring else None)
    parser.add_argument("--trainers", type=int, default=int(known("HANSE_ATTACK_TRAINERS", "20")))
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""`python -m devnet.attacks.worker --attack NAME --lie NAME`: started by `fl.jobs.client`.

The options come from `fl.jobs.launch.WorkerCommand.options`; all others are those of `fl.worker`,
and of the turns of `devnet.local`.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from devnet.attacks.poisoning.catalogue import attack_named
from devnet.attacks.poisoning.validators import Kind
from devnet.attacks.worker.lying import LyingWorkshop
from devnet.attacks.worker.ring import Ring
from devnet.attacks.worker.spoils import Spoils
from devnet.attacks.worker.workshop import AttackingWorkshop
from devnet.local.turns import patient
from devnet.simulator.kernel.choices import UnknownChoiceError
from fl.worker.entry import leave, serve
from fl.worker.loop import EXIT_REFUSED, Craft
from fl.worker.machine import Machine
from fl.worker.workshop import Workshop
from primitives.errors import ConfigurationError

HONEST = "none"


def main(arguments: Sequence[str], *, make_honest: Callable[[Machine], Craft] = Workshop) -> int:
    """Do jobs until the client says stop; return the exit status.

    Args:
        arguments: of the command line.
        make_honest: what does the jobs before they are falsified.
    """
    options, rest = _parser().parse_known_args(arguments)
    try:
        attack = attack_named(options.attack)
    except ConfigurationError as error:
        sys.stderr.write(f"--attack: {error}\n")
        return EXIT_REFUSED
    try:
        lie = _lie_named(options.lie)
    except ConfigurationError as error:
        sys.stderr.write(f"--lie: {error}\n")
        return EXIT_REFUSED
    ring = Ring(
        options.ring,
        trainers=options.trainers,
        attackers=options.attackers,
        number=options.number,
    )

    def make(machine: Machine) -> Craft:
        workshop = AttackingWorkshop(
            machine,
            attack=attack,
            ring=ring,
            spoils=Spoils(options.spoils),
            honest=make_honest(machine),
        )
        return workshop if lie is None else LyingWorkshop(workshop, kind=lie, ring=ring)

    make_patient, rest = patient(make, rest)
    return serve(make_patient, rest)


def _lie_named(name: str) -> Kind | None:
    if name == HONEST:
        return None
    known = {kind.value: kind for kind in Kind}
    if name not in known:
        raise UnknownChoiceError("lie", name, (HONEST, *known))
    return known[name]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m devnet.attacks.worker", add_help=False, allow_abbrev=False
    )
    parser.add_argument("--attack", default=HONEST, help="an attack of the catalogue")
    parser.add_argument("--lie", default=HONEST, help="how it lies about scores")
    parser.add_argument("--ring", type=Path, default=None, help="the folder of the attackers")
    parser.add_argument("--spoils", type=Path, default=None, help="the blobs of the own node")
    parser.add_argument("--trainers", type=int, default=20, help="honest ones included")
    parser.add_argument("--attackers", type=int, default=1, help="of these")
    parser.add_argument("--number", type=int, default=0, help="among the attackers, from 0")
    return parser


if __name__ == "__main__":
    leave(main(sys.argv[1:]))

"""The process in which libFuzzer runs one target, its coverage of the rooms that take bytes seen.

Started by `engine.run_guided` as `python -m tests.fuzz.guided TARGET <libFuzzer flags> CORPUS`.
"""

import random
import sys

import atheris

from tests.fuzz.rooms import rooms_of

with atheris.instrument_imports(include=[*rooms_of(sys.argv[1])]):
    from tests.fuzz.targets import TARGETS

from tests.fuzz.mutation import mutate


def main(arguments: list[str]) -> None:
    """Fuzz until libFuzzer ends the process."""
    program, name, *flags = arguments
    target = TARGETS[name]

    def change(raw: bytes, size_max: int, seed: int) -> bytes:
        dice = random.Random(seed)
        if name != "core" and dice.random() < 0.5:
            return mutate(raw, dice=dice, seeds=target.seeds)[:size_max]
        return bytes(atheris.Mutate(raw, size_max))

    atheris.Setup([program, *flags], target.feed, custom_mutator=change)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv)

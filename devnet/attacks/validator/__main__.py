"""`python -m devnet.attacks.validator --folder FOLDER`: a node that equivocates."""

import argparse
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from devnet.attacks.validator.two_faced import TwoFacedNetwork
from node.__main__ import main as run
from node.config.load import load_config
from node.running.own_keys import OwnKeys
from node.validator import validator


def main(arguments: Sequence[str]) -> int:
    """Run until told to stop; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m devnet.attacks.validator")
    parser.add_argument("--folder", type=Path, required=True, help="where hanse.toml is")
    folder = parser.parse_args(arguments).folder
    key = OwnKeys.open(load_config(folder, os.environ), environ=os.environ).consensus
    if key is None:
        sys.stderr.write(f"error: {folder} is no validator's\n")
        return 1
    # A node has no place where it could be told to equivocate, and should have none.
    validator.__dict__["ValidatorNetwork"] = partial(TwoFacedNetwork, key=key)
    return run(["--folder", str(folder)])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

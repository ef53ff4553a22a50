"""`python -m node --folder FOLDER`: run the node of a folder; `hanse node run` becomes this."""

import argparse
import getpass
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from node.app import Foundation, read_genesis_file
from node.config.load import load_config
from node.life import run_node
from node.rpc.log_ring import LogRing
from node.running.clock import SystemClock
from node.running.event_loop import run_async
from node.running.log_output import configure_logs
from node.running.own_keys import OwnKeys
from primitives.errors import HanseError

INTERRUPTED: Final = 130
"""The exit status of who was interrupted, as shells have it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until told to stop; return the exit status."""
    options = _parser().parse_args(arguments)
    try:
        foundation = _found(options.folder)
        _run(foundation)
    except HanseError as error:
        if options.debug:
            traceback.print_exc()
        sys.stderr.write(f"error: {error}\n")
        return 1
    except KeyboardInterrupt:
        # Before the node runs, or asked a second time while it stops.
        return INTERRUPTED
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m node", description="Run a Hanse node.")
    parser.add_argument("--folder", type=Path, required=True, help="where hanse.toml is")
    parser.add_argument("--debug", action="store_true", help="show where an error came from")
    return parser


def _found(folder: Path) -> Foundation:
    config = load_config(folder, os.environ)
    clock = SystemClock()
    logs = LogRing(clock)
    configure_logs(config.logs, stream=sys.stderr, ring=logs, clock=clock)
    ask = (lambda: getpass.getpass("password of the keys: ")) if sys.stdin.isatty() else None
    keys = OwnKeys.open(config, environ=os.environ, ask=ask)
    return Foundation(
        config=config, keys=keys, genesis=read_genesis_file(config), logs=logs, clock=clock
    )


def _run(foundation: Foundation) -> None:
    def announce(url: str) -> None:
        # The one line on the standard output: whoever started us waits for it.
        sys.stdout.write(f"ready {url}\n")
        sys.stdout.flush()

    run_async(run_node(foundation, announce=announce))


if __name__ == "__main__":
    sys.exit(main())

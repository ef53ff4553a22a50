"""Start the simulator's command line."""

import sys

from devnet.simulator.cli import app
from primitives.errors import HanseError

try:
    app(prog_name="python -m devnet.simulator")
except HanseError as error:
    sys.stderr.write(f"error: {error}\n")
    sys.exit(2)

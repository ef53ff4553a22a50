"""Start the simulator's command line."""

from devnet.simulator.cli import app

app(prog_name="python -m devnet.simulator")

"""Start the devnet's command line."""

from devnet.inprocess.cli import app

app(prog_name="python -m devnet.inprocess")

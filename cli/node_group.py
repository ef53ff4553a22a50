"""`hanse node`: all its commands; each stands in a file of its own kind."""

from cli.node import app
from cli.node_setup import init, run, settings
from cli.node_watch import logs, peers, status

for command in (init, run, settings, status, peers, logs):
    app.command()(command)

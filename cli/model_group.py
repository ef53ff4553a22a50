"""`hanse model`: all its commands; each stands in a file of its own kind."""

from cli.model import app
from cli.model_publish import publish
from cli.model_pull import diff, pull
from cli.model_verify import verify

for command in (publish, pull, diff, verify):
    app.command()(command)

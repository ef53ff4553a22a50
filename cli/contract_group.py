"""`hanse contract`: all its commands; each stands in a file of its own kind."""

from cli.contract import app
from cli.contract_chain import call, deploy, events, view
from cli.contract_gas import gas
from cli.contract_testing import run_tests

app.command()(gas)
app.command("test", context_settings={"ignore_unknown_options": True})(run_tests)
for command in (deploy, call, view, events):
    app.command()(command)

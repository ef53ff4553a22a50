"""`hanse simulate`: a network under virtual time. The simulator's own commands do the work."""

import typer


def simulate(context: typer.Context) -> None:
    """Simulate a network under virtual time: run, sweep or twins."""
    from devnet.simulator.cli import app as simulator

    status = simulator(args=context.args, prog_name=context.command_path, standalone_mode=False)
    # Inside another command the simulator returns its exit code instead of ending the process.
    if isinstance(status, int):
        raise typer.Exit(status)

"""The operator's commands: parse, call, print. One file per command group."""

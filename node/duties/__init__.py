"""What this node must do for federated tasks, and the doing of it.

`planner.py` is where to start reading: a pure function from what the chain says, what this node has
and what time it is, to the duties that are due. `steward.py` runs them, with the worker for what
takes long and the wallet for what goes to the chain. Nothing is remembered but files of results:
after a restart the chain and the files say what is left to do, and doing a thing twice is harmless.
"""

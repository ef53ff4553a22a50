"""`python -m devnet.local.worker`: an honest worker that takes turns; started by a node.

The options come from `fl.jobs.launch.WorkerCommand.options`; all others are those of `fl.worker`.
"""

import sys
from collections.abc import Sequence

from devnet.local.turns import patient
from fl.worker.entry import leave, serve
from fl.worker.workshop import Workshop


def main(arguments: Sequence[str]) -> int:
    """Do jobs until the client says stop; return the exit status."""
    make, rest = patient(Workshop, arguments)
    return serve(make, rest)


if __name__ == "__main__":
    leave(main(sys.argv[1:]))

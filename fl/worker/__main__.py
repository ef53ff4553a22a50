"""`python -m fl.worker`: started by `fl.jobs.client`, never by hand."""

import sys

from fl.worker.entry import leave, serve
from fl.worker.workshop import Workshop

if __name__ == "__main__":
    leave(serve(Workshop, sys.argv[1:]))

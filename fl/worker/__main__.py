"""`python -m fl.worker`: started by `fl.jobs.client`, never by hand."""

import sys

from fl.worker.entry import serve
from fl.worker.workshop import Workshop

if __name__ == "__main__":
    sys.exit(serve(Workshop, sys.argv[1:]))

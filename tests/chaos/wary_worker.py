"""`python -m tests.chaos.wary_worker`: a toy worker that finds every model of round 0 worse.

What it scores is good all the same: the guard alone sees what is wrong.
"""

import sys

from tests.chaos.toy_worker import main

MUCH = 100_000

if __name__ == "__main__":
    sys.exit(main([*sys.argv[1:], "--first-rise", str(MUCH)]))

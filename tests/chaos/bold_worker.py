"""`python -m tests.chaos.bold_worker`: a toy worker that goes much too far in the first round.

Half of such an update is a good step, and that is what scores measure; the whole of it leads as far
beyond the target as the model was short of it, and more. So every update scores well, and the whole
of their mean does harm.
"""

import sys

from tests.chaos.toy_worker import main

TOO_FAR = 7.5

if __name__ == "__main__":
    sys.exit(main([*sys.argv[1:], "--first-step", str(TOO_FAR)]))

"""`python -m node.signatures`: started by `SignatureService`, never by hand."""

import sys

from node.signatures.serving import start

if __name__ == "__main__":
    sys.exit(start(sys.argv[1:]))

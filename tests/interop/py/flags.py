"""The flags of `hanse p2p peer` that py-libp2p can honour."""

import argparse

TIMEOUT_S = 60.0


def read_flags() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.interop.py.peer")
    parser.add_argument("--listen", default="/ip4/127.0.0.1/tcp/0")
    parser.add_argument("--no-listen", action="store_true")
    parser.add_argument("--dial", action="append", default=[])
    parser.add_argument("--topic")
    parser.add_argument("--publish", type=int, default=0)
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--rate", type=float, default=0)
    parser.add_argument("--expect", type=int, default=0)
    parser.add_argument("--min-peers", type=int)
    parser.add_argument("--settle", type=float, default=0)
    parser.add_argument("--timeout", type=float)
    parser.add_argument("--linger", type=float, default=0)
    parser.add_argument("--seed", type=bytes.fromhex)
    parser.add_argument("--policy", choices=("StrictSign", "StrictNoSign"), default="StrictSign")
    parser.add_argument("--msgid", choices=("spec", "sha256", "topic20"), default="spec")
    parser.add_argument("--versions", default="1.2,1.1,1.0")
    parser.add_argument("--pings", type=int, default=0)
    parser.add_argument("--echo", type=int, default=0)
    parser.add_argument("--perf-up", type=int, default=0)
    parser.add_argument("--perf-down", type=int, default=0)
    parser.add_argument("--redials", type=int, default=0)
    parser.add_argument("--serve-only", action="store_true")
    parser.add_argument("--quiet", action="store_true")
    flags = parser.parse_args()
    if flags.min_peers is None:
        flags.min_peers = 1 if flags.publish else 0
    if flags.timeout is None:
        flags.timeout = float("inf") if flags.serve_only else TIMEOUT_S
    return flags

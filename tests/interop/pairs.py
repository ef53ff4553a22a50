"""Who dials whom, and what every test of a pair repeats."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeAlias

import pytest

from tests.interop.kinds import JS, OURS, PY, Kind
from tests.interop.peers import Peer, running

LOOPBACK = "/ip4/127.0.0.1/tcp/0"
TOPIC = "/hanse/interop/1/news"
LINGER = ("--linger", "60")

Pair: TypeAlias = tuple[Kind, Kind]
# The dialler first. Two peers of JavaScript show that a claim holds where we take no part.
JS_PAIRS: tuple[Pair, ...] = ((OURS, JS), (JS, OURS), (JS, JS))
PAIRS: tuple[Pair, ...] = (*JS_PAIRS, (OURS, PY), (PY, OURS))


def _over(pairs: tuple[Pair, ...]) -> pytest.MarkDecorator:
    ids = [f"{dialler.name}-dials-{listener.name}" for dialler, listener in pairs]
    return pytest.mark.parametrize("pair", pairs, ids=ids)


each_pair = _over(PAIRS)
each_js_pair = _over(JS_PAIRS)


@contextmanager
def connected(
    pair: Pair, *, dialler: tuple[str, ...] = (), listener: tuple[str, ...] = ()
) -> Iterator[tuple[Peer, Peer]]:
    """Start a listener, which only serves where it has no flags, then a dialler."""
    goals = listener or ("--serve-only",)
    with (
        running(pair[1], "--listen", LOOPBACK, *goals) as server,
        running(pair[0], "--no-listen", "--dial", server.address, *dialler) as client,
    ):
        yield client, server

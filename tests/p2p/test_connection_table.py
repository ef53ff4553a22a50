"""Which connection of a peer is used, and which ones have to go."""

from dataclasses import dataclass
from typing import cast

import pytest

from p2p.connection import Connection
from p2p.connection_table import ConnectionTable
from p2p.limits import Limits
from p2p.wire.peer_id import PeerId
from p2p.wire.role import Direction
from tests.p2p.town import peer_of

IN, OUT = Direction.INBOUND, Direction.OUTBOUND
LIMITS = Limits(connections_low=2, connections_high=4, outbound_reserve=1, grace_s=10)
NOW_MS = 100_000
SMALL, LARGE = sorted((peer_of(1), peer_of(2)))


@dataclass(eq=False)
class Row:
    """What the table reads of a connection."""

    peer_id: PeerId
    direction: Direction = IN
    began_ms: int = 0
    is_open: bool = True


def connection(
    peer_id: PeerId, direction: Direction = IN, *, began_ms: int = 0, is_open: bool = True
) -> Connection:
    return cast("Connection", Row(peer_id, direction, began_ms, is_open))


def table_of(
    *connections: Connection, own: PeerId = SMALL, limits: Limits = LIMITS
) -> ConnectionTable:
    table = ConnectionTable(own, limits)
    for one in connections:
        table.add(one)
    return table


def test_first_and_last_connection_of_a_peer_are_told() -> None:
    first, second = connection(LARGE), connection(LARGE)
    table = table_of()
    assert table.add(first)
    assert not table.add(second)
    assert (len(table), table.count(LARGE), table.peers) == (2, 2, (LARGE,))
    assert not table.remove(first)
    assert table.remove(second)
    assert (len(table), table.count(LARGE), table.of(LARGE)) == (0, 0, None)
    assert table.remove(second)


@pytest.mark.parametrize(("own", "kept"), [(SMALL, OUT), (LARGE, IN)])
def test_both_sides_keep_the_connection_of_the_smaller_peer(own: PeerId, kept: Direction) -> None:
    peer = LARGE if own == SMALL else SMALL
    inbound, outbound = connection(peer, IN, began_ms=9), connection(peer, OUT, began_ms=5)
    table = table_of(inbound, outbound, own=own)
    used = table.of(peer)
    assert used is not None
    assert used.direction is kept
    assert table.duplicates(now_ms=5_008) == []
    (redundant,) = table.duplicates(now_ms=5_009)
    assert redundant is not used


def test_of_two_alike_the_newer_stays_since_who_dials_again_lost_the_older() -> None:
    old, new = connection(LARGE, began_ms=1), connection(LARGE, began_ms=2)
    table = table_of(new, old)
    assert table.of(LARGE) is new
    assert table.duplicates(now_ms=NOW_MS) == [old]


def test_connection_that_is_closing_is_the_last_choice() -> None:
    closing, other = connection(LARGE, began_ms=1, is_open=False), connection(LARGE, began_ms=2)
    assert table_of(closing, other).of(LARGE) is other
    assert table_of(closing).of(LARGE) is closing


def test_nobody_goes_below_the_high_mark() -> None:
    table = table_of(*(connection(peer_of(number)) for number in range(4)))
    assert table.surplus(now_ms=NOW_MS, score_of=lambda _: 0) == []


def test_worst_go_first_and_of_equals_the_newest() -> None:
    rows = [connection(peer_of(number), began_ms=number) for number in range(5)]
    table = table_of(*rows)
    scores = dict(zip((peer_of(number) for number in range(5)), (5, 1, 0, 0, 9), strict=True))
    chosen = table.surplus(now_ms=NOW_MS, score_of=scores.__getitem__)
    assert chosen == [rows[3], rows[2], rows[1]]


def test_young_and_protected_ones_stay() -> None:
    young = connection(peer_of(3), began_ms=NOW_MS - 9_999)
    rows = [connection(peer_of(number)) for number in range(3)] + [young, connection(peer_of(4))]
    table = table_of(*rows)
    for tag in ("mesh", "mesh", "direct"):
        table.protect(peer_of(0), tag)
    table.unprotect(peer_of(0), "mesh")
    table.unprotect(peer_of(9), "mesh")
    assert set(table.surplus(now_ms=NOW_MS, score_of=lambda _: 0)) == {rows[1], rows[2], rows[4]}
    table.unprotect(peer_of(0), "direct")
    assert rows[0] in table.surplus(now_ms=NOW_MS, score_of=lambda peer: peer != peer_of(0))


def test_outbound_reserve_stays() -> None:
    rows = [connection(peer_of(number), OUT, began_ms=number) for number in range(3)]
    rows += [connection(peer_of(number), IN, began_ms=number) for number in range(3, 6)]
    chosen = table_of(*rows).surplus(now_ms=NOW_MS, score_of=lambda _: 0)
    assert chosen == [rows[5], rows[4], rows[3], rows[2]]
    few = [connection(peer_of(number), OUT) for number in range(1)]
    few += [connection(peer_of(number), IN) for number in range(3, 8)]
    worst_is_ours = table_of(*few).surplus(
        now_ms=NOW_MS, score_of=lambda peer: -1 if peer == peer_of(0) else 0
    )
    assert few[0] not in worst_is_ours
    assert len(worst_is_ours) == 4

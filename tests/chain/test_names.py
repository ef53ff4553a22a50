from node.chain.names import protocol, topic
from primitives.ids import ChainId

ONE = ChainId(bytes(range(32)))


def test_names_carry_the_start_of_the_chain_id() -> None:
    assert topic(ONE, "votes") == "/hanse/0001020304050607/votes/1"
    assert protocol(ONE, "blob") == "/hanse/0001020304050607/req/blob/1"


def test_chains_share_no_name() -> None:
    other = ChainId(bytes(range(1, 33)))
    assert topic(ONE, "votes") != topic(other, "votes")
    assert protocol(ONE, "votes") != topic(ONE, "votes")

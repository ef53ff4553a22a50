import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2p.wire.multiaddr import (
    MULTIADDR_SIZE_BYTES_MAX,
    Multiaddr,
    TcpEndpoint,
    decode_known_addresses,
)
from p2p.wire.peer_id import parse_peer_id, peer_id_of, peer_id_text
from primitives.errors import MalformedBytesError
from tests.p2p.published import published

PEER_TEXT = "12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5"
PEER = parse_peer_id(PEER_TEXT)
OTHER = peer_id_of(bytes(32))

PORTS = st.integers(min_value=0, max_value=65535).map(str)
LABELS = st.text("abcdefghijklmnopqrstuvwxyz0123456789-.\u00fc", min_size=1, max_size=30)
PARTS = st.one_of(
    st.tuples(st.just("ip4"), st.ip_addresses(v=4).map(str)),
    st.tuples(st.just("ip6"), st.ip_addresses(v=6).map(str)),
    st.tuples(st.sampled_from(["tcp", "udp"]), PORTS),
    st.tuples(st.sampled_from(["dns", "dns4", "dns6", "dnsaddr", "ip6zone"]), LABELS),
    st.tuples(st.sampled_from(["quic-v1", "tls", "ws", "wss", "p2p-circuit"]), st.just("")),
    st.tuples(
        st.just("p2p"), st.binary(min_size=32, max_size=32).map(peer_id_of).map(peer_id_text)
    ),
)
ADDRESSES = st.lists(PARTS, min_size=1, max_size=3).map(lambda parts: Multiaddr(tuple(parts)))


@pytest.mark.parametrize("row", published("multiaddr"))
def test_addresses_are_those_of_js(row: dict[str, str]) -> None:
    address = Multiaddr.parse(row["text"])
    assert address.encode().hex() == row["bytes"]
    assert Multiaddr.decode(bytes.fromhex(row["bytes"])) == address
    assert str(address) == row["text"]


@settings(max_examples=50)
@given(ADDRESSES)
def test_an_address_survives_both_forms(address: Multiaddr) -> None:
    assert Multiaddr.parse(str(address)) == address
    assert Multiaddr.decode(address.encode()) == address


@given(st.binary(max_size=60))
def test_an_address_has_one_encoding(raw: bytes) -> None:
    try:
        address = Multiaddr.decode(raw)
    except MalformedBytesError:
        return
    assert address.encode() == raw
    assert Multiaddr.parse(str(address)) == address


@given(st.text("/ip4tcdns.:01p2", max_size=40))
def test_any_text_is_an_address_or_refused(text: str) -> None:
    try:
        address = Multiaddr.parse(text)
    except MalformedBytesError:
        return
    assert Multiaddr.parse(str(address)) == address


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("/ip4/127.0.0.1/tcp/4001/", "/ip4/127.0.0.1/tcp/4001"),
        ("/ip6/0:0:0:0:0:0:0:1/tcp/080", "/ip6/::1/tcp/80"),
        (f"/dns/example.org/tcp/1/ipfs/{PEER_TEXT}", f"/dns/example.org/tcp/1/p2p/{PEER_TEXT}"),
        (f"/p2p/{PEER_TEXT}/p2p-circuit", f"/p2p/{PEER_TEXT}/p2p-circuit"),
    ],
)
def test_one_address_has_one_text(text: str, canonical: str) -> None:
    assert str(Multiaddr.parse(text)) == canonical


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        "ip4/127.0.0.1",
        "//",
        "/ip4",
        "/ip4/",
        "/ip4/127.0.0",
        "/ip4/127.0.0.256",
        "/ip4/::1",
        "/ip6/127.0.0.1",
        "/tcp/65536",
        "/tcp/-1",
        "/tcp/ 80",
        "/tcp/\u0661",
        "/tcp/" + "9" * 2000,
        "/dns4/",
        "/dns4//tcp/1",
        "/dns4/a\nb",
        "/dns4/\ud800",
        "/p2p/12D3KooW",
        "/onion3/abc",
        "/ip4/127.0.0.1//tcp/1",
        "/ws" * 1000,
        "/dns/" + "a" * MULTIADDR_SIZE_BYTES_MAX,
        "/ws" * 257,
    ],
)
def test_malformed_text_is_refused(text: str) -> None:
    with pytest.raises(MalformedBytesError):
        Multiaddr.parse(text)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("", "1 to 512 bytes"),
        ("04" + "7f0000010604" * 100, "1 to 512 bytes"),
        ("047f0000", "value of ip4 ends after"),
        ("0601", "value of tcp ends after"),
        ("36056162", "value of dns4 ends after"),
        ("36", "ends inside a varint"),
        ("047f000001a5", "ends inside a varint"),
        ("84007f000001", "shortest form"),
        ("ffffffffffffffffffff", "more than 9 bytes"),
        ("9802", "unknown multiaddr code 0x118"),
        ("3600", "value of dns4 is not a name"),
        ("3603612f62", "value of dns4 is not a name"),
        ("3602610a", "value of dns4 is not a name"),
        ("3601ff", "value of dns4 is not utf-8"),
        ("a50302abcd", "not a peer id"),
    ],
)
def test_malformed_bytes_are_refused(raw: str, reason: str) -> None:
    with pytest.raises(MalformedBytesError, match=reason):
        Multiaddr.decode(bytes.fromhex(raw))


def test_addresses_that_cannot_be_read_are_left_out() -> None:
    good = Multiaddr.parse("/ip4/10.0.0.1/tcp/1")
    raws = [b"", good.encode(), bytes.fromhex("9802"), good.encode()]
    assert list(decode_known_addresses(iter(raws))) == [good, good]


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("/ip4/10.0.0.1/tcp/80", TcpEndpoint("10.0.0.1", 80)),
        (f"/ip6/::1/tcp/80/p2p/{PEER_TEXT}", TcpEndpoint("::1", 80)),
        ("/dns4/example.org/tcp/80", TcpEndpoint("example.org", 80)),
        ("/dnsaddr/example.org", None),
        ("/dnsaddr/example.org/tcp/80", None),
        ("/ip4/10.0.0.1", None),
        ("/ip4/10.0.0.1/udp/80", None),
        ("/ip4/10.0.0.1/tcp/80/ws", None),
        ("/tcp/80/ip4/10.0.0.1", None),
        (f"/p2p/{PEER_TEXT}", None),
    ],
)
def test_plain_tcp_on_a_host_is_what_can_be_dialled(
    text: str, endpoint: TcpEndpoint | None
) -> None:
    assert Multiaddr.parse(text).tcp == endpoint


@pytest.mark.parametrize(
    ("host", "text"),
    [
        ("127.0.0.1", "/ip4/127.0.0.1/tcp/9"),
        ("::1", "/ip6/::1/tcp/9"),
        ("example.org", "/dns/example.org/tcp/9"),
    ],
)
def test_an_endpoint_becomes_an_address(host: str, text: str) -> None:
    address = Multiaddr.of_tcp(host, 9)
    assert str(address) == text
    assert address.tcp == TcpEndpoint(host, 9)


def test_a_peer_is_put_at_the_end_and_taken_from_it() -> None:
    bare = Multiaddr.parse("/ip4/10.0.0.1/tcp/1")
    named = bare.with_peer(PEER)
    assert str(named) == f"/ip4/10.0.0.1/tcp/1/p2p/{PEER_TEXT}"
    assert (bare.peer_id, named.peer_id) == (None, PEER)
    assert named.with_peer(OTHER).peer_id == OTHER
    assert named.without_peer() == bare.without_peer() == bare


def test_an_address_that_is_only_a_peer_has_nothing_without_it() -> None:
    nothing = Multiaddr.parse(f"/p2p/{PEER_TEXT}").without_peer()
    assert nothing == Multiaddr(()) == nothing.without_peer()
    assert (nothing.peer_id, nothing.tcp, str(nothing), nothing.encode()) == (None, None, "", b"")
    assert nothing.with_peer(PEER).peer_id == PEER

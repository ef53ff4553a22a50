import pytest

from p2p.probe.events import (
    Connected,
    DialFailed,
    Echoed,
    Identified,
    Performed,
    PerfServed,
    Pinged,
)
from tests.interop.pairs import LINGER, LOOPBACK, Pair, connected, each_js_pair, each_pair
from tests.interop.peers import running

pytestmark = [pytest.mark.interop, pytest.mark.slow]

STRANGER = "12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp"
PING = "/ipfs/ping/1.0.0"
MESHES = {"/meshsub/1.2.0", "/meshsub/1.1.0", "/meshsub/1.0.0"}
PERF_BYTES = 20_000_000


@each_pair
def test_both_sides_agree_on_noise_and_yamux(pair: Pair) -> None:
    with connected(pair) as (client, server):
        client.succeed()
        outbound = client.wait_for(Connected)
        inbound = server.wait_for(Connected)
        assert outbound == Connected(server.peer_id, "outbound", "/noise", "/yamux/1.0.0")
        assert inbound == Connected(client.peer_id, "inbound", "/noise", "/yamux/1.0.0")


@each_pair
def test_both_sides_identify_each_other(pair: Pair) -> None:
    with connected(pair, dialler=LINGER) as (client, server):
        of_server = client.wait_for(Identified)
        of_client = server.wait_for(Identified)
        assert of_server.peer == server.peer_id
        assert of_client.peer == client.peer_id
        for said in (of_server, of_client):
            assert {*MESHES, PING} <= {*said.protocols}
            assert said.agent
            assert said.observed is not None
            assert said.observed.startswith("/ip4/127.0.0.1/tcp/")
        assert of_server.addrs
        assert all(address in server.address for address in of_server.addrs)
        assert of_server.record


@each_pair
def test_pings_pass_both_ways(pair: Pair) -> None:
    flags = ("--pings", "3", *LINGER)
    with connected(pair, dialler=flags, listener=flags) as (client, server):
        client.wait_for(Pinged, count=3)
        server.wait_for(Pinged, count=3)
        assert client.stop().ok
        assert server.stop().ok


@each_pair
def test_echo_of_300_kilobytes_is_whole(pair: Pair) -> None:
    with connected(pair, dialler=("--echo", "300000")) as (client, server):
        client.succeed()
        assert client.all(Echoed) == [Echoed(server.peer_id, 300_000, same=True)]


@each_pair
def test_twenty_megabytes_pass_each_way(pair: Pair) -> None:
    flags = ("--perf-up", str(PERF_BYTES), "--perf-down", str(PERF_BYTES))
    with connected(pair, dialler=flags) as (client, server):
        client.succeed()
        asked = client.wait_for(Performed)
        served = server.wait_for(PerfServed)
        assert (asked.up, asked.down) == (PERF_BYTES, PERF_BYTES)
        assert (served.up, served.down) == (PERF_BYTES, PERF_BYTES)


@each_pair
def test_other_peer_than_the_one_dialled_is_refused(pair: Pair) -> None:
    dialler, listener = pair
    with running(listener, "--listen", LOOPBACK, "--serve-only") as server:
        address = server.address.replace(server.peer_id, STRANGER)
        with running(dialler, "--no-listen", "--dial", address) as client:
            done = client.finish()
            assert not done.ok
            assert client.wait_for(DialFailed).addr == address
            assert not client.all(Connected)


@each_js_pair
def test_connection_can_be_opened_again_and_again(pair: Pair) -> None:
    with connected(pair, dialler=("--redials", "20")) as (client, server):
        client.succeed()
        server.wait_for(Connected, count=21)

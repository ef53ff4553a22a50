"""A network that was founded could start: its chain, its keys and its configurations hold."""

import asyncio
from pathlib import Path

import pytest

from devnet.local.errors import DevnetRunsError, NoDevnetError
from devnet.local.founding import account_key, add_late, load_keys, sponsor_key
from devnet.local.latency import Latency
from devnet.local.network import LocalNetwork
from devnet.local.plan import Part, Plan, Wish, make_plan, parse_shares
from devnet.local.record import RECORD_NAME, read_record
from devnet.local.study import Study
from node.config.load import load_config
from node.config.sections import Config, Join, Role
from node.keystore.key_file import KeyKind, open_key
from node.keystore.secret import Secret
from node.ledger.genesis import chain_id_of, read_genesis
from node.running.clock import SystemClock
from p2p.wire.peer_id import peer_id_of, peer_id_text

NOTES = "synthetic:notes?organisations=4&examples=120&test=20"
PLAN = make_plan(
    Wish(
        nodes=3,
        validators=2,
        trainers=2,
        attackers=parse_shares("zero:1"),
        study=Study(source=NOTES, held_out=10),
    )
)


@pytest.fixture(name="network", scope="module")
def _network(tmp_path_factory: pytest.TempPathFactory) -> LocalNetwork:
    return _created(tmp_path_factory.mktemp("network") / "net", PLAN)


def _created(folder: Path, plan: Plan) -> LocalNetwork:
    return asyncio.run(LocalNetwork.create(folder, plan, clock=SystemClock()))


def _config(network: LocalNetwork, name: str) -> Config:
    return load_config(network.folder / name, {})


def test_genesis_has_the_validators_of_the_plan(network: LocalNetwork) -> None:
    raw = (network.folder / "genesis").read_bytes()
    genesis = read_genesis(raw)
    assert chain_id_of(raw).hex() == network.record.chain_id
    assert len(genesis.validators) == 2
    assert {one.name for one in genesis.contracts} >= {"rounds", "identity", "registry"}
    funded = {one.address for one in genesis.accounts}
    accounts = [account_key(network.folder, node) for node in network.record.nodes]
    accounts += [sponsor_key(network.folder), *load_keys(PLAN)]
    assert funded == {key.public.raw for key in accounts}


def test_configurations_name_roles_peers_and_free_ports(network: LocalNetwork) -> None:
    configs = [_config(network, name) for name in network.names]
    assert [config.node.roles for config in configs] == [
        (Role.VALIDATOR,),
        (Role.VALIDATOR, Role.TRAINER),
        (Role.TRAINER,),
    ]
    assert len({config.rpc.listen for config in configs}) == 3
    for config, node in zip(configs, network.record.nodes, strict=True):
        others = {one.address for one in network.record.nodes if one.name != node.name}
        assert set(config.network.peers) == others
        assert config.path(config.network.genesis).samefile(network.folder / "genesis")


def test_keys_open_with_the_password_that_the_configuration_names(network: LocalNetwork) -> None:
    for node in network.record.nodes:
        config = _config(network, node.name)
        password = config.path(config.keys.password_file).read_bytes().strip()
        path = config.path(config.keys.node)
        key = open_key(path, password=Secret(password), kind=KeyKind.NODE)
        assert peer_id_text(peer_id_of(key.public.raw)) == node.peer_id
        assert path.stat().st_mode & 0o077 == 0


def test_attacker_gets_the_worker_that_attacks(network: LocalNetwork) -> None:
    honest, bad = _config(network, "node-1").worker, _config(network, "node-2").worker
    assert honest.module == "devnet.local.worker"
    assert bad.module == "devnet.attacks.worker"
    assert bad.options[-2:] == ("--attack", "zero")


def test_record_is_read_as_it_was_written(network: LocalNetwork) -> None:
    record = read_record(network.folder)
    assert record == network.record
    assert record.node("1") == record.node("node-1")
    assert network.names_of(Part.TRAINER) == ("node-1", "node-2")
    with pytest.raises(NoDevnetError, match="no node 'x'; there are node-0"):
        record.node("x")


def test_late_node_is_no_founder_and_knows_everybody(network: LocalNetwork) -> None:
    longer = add_late(network.folder)
    assert longer.nodes[:-1] == network.record.nodes
    late = _config(network, "node-3")
    assert late.node.roles == ()
    assert late.network.join is Join.SNAPSHOT
    assert len(late.network.peers) == 3


def test_old_network_is_emptied_and_nothing_else(tmp_path: Path) -> None:
    plan = make_plan(Wish(nodes=1, rounds=0))
    first = _created(tmp_path / "net", plan)
    again = _created(tmp_path / "net", plan)
    assert first.record.chain_id != again.record.chain_id
    strange = tmp_path / "strange"
    strange.mkdir()
    (strange / "thesis.txt").write_text("mine")
    with pytest.raises(DevnetRunsError, match="holds something else"):
        _created(strange, plan)
    assert (strange / "thesis.txt").exists()


def test_what_somebody_put_beside_an_old_network_is_not_removed(tmp_path: Path) -> None:
    plan = make_plan(Wish(nodes=1, rounds=0))
    network = _created(tmp_path / "net", plan)
    thesis = network.folder / "thesis.txt"
    thesis.write_text("mine")
    with pytest.raises(DevnetRunsError, match=r"holds 'thesis\.txt', which no devnet made"):
        _created(tmp_path / "net", plan)
    assert thesis.read_text() == "mine"
    assert read_record(network.folder) == network.record


def test_file_is_no_folder_to_found_in(tmp_path: Path) -> None:
    (tmp_path / "net").write_text("mine")
    with pytest.raises(DevnetRunsError, match=r"net cannot be used: Not a directory"):
        _created(tmp_path / "net", make_plan(Wish(nodes=1, rounds=0)))
    assert (tmp_path / "net").read_text() == "mine"


def test_nodes_with_latency_tell_their_peers_of_links_only(tmp_path: Path) -> None:
    plan = make_plan(Wish(nodes=2, rounds=0, latency=Latency(40)))
    network = _created(tmp_path / "net", plan)
    record = add_late(network.folder)
    for node in record.nodes:
        config = _config(network, node.name)
        assert config.network.listen == (f"/ip4/127.0.0.1/tcp/{node.p2p_port}",)
        assert config.network.announce == (f"/ip4/127.0.0.1/tcp/{node.link_port}",)
        assert all(str(node.p2p_port) not in peer for peer in config.network.peers)
    late = _config(network, "node-2")
    assert late.network.peers == tuple(node.address for node in network.record.nodes)


def test_nodes_without_latency_announce_where_they_listen(network: LocalNetwork) -> None:
    assert {node.link_port for node in network.record.nodes} == {None}
    assert _config(network, "node-0").network.announce == ()


def test_folder_without_a_network_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(NoDevnetError, match=r"no devnet in .*hanse devnet up"):
        read_record(tmp_path)
    (tmp_path / RECORD_NAME).write_text("{}")
    with pytest.raises(NoDevnetError, match="cannot be read"):
        LocalNetwork.read(tmp_path, clock=SystemClock())


def test_databases_of_a_node_can_be_forgotten_but_not_its_keys(tmp_path: Path) -> None:
    network = _created(tmp_path / "net", make_plan(Wish(nodes=1, rounds=0)))
    home = network.folder / "node-0"
    (home / "ledger").mkdir()
    network.forget("node-0")
    assert not (home / "ledger").exists()
    assert (home / "keys" / "account.key").exists()

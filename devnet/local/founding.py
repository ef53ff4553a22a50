"""Write the folder of a network: keys, genesis, a configuration and examples for each node.

Keys are made as `hanse node init` makes them, but their passwords cost next to nothing to try: a
network on loopback holds play money. The keys of load accounts follow from the seed of the plan.
"""

import asyncio
import functools
import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from msgspec.structs import replace

from devnet.local.children import ask_child
from devnet.local.plan import NodePlan, Part, Plan
from devnet.local.ports import free_ports
from devnet.local.record import (
    Division,
    DivisionOrder,
    NetworkRecord,
    NodeRecord,
    read_record,
    write_record,
)
from node.config.default_file import default_file
from node.config.load import CONFIG_NAME, parse_config
from node.config.sections import Join
from node.contracts.standard import standard_contracts
from node.keystore.key_file import Cost, KeyKind, open_key, write_key
from node.keystore.private_file import write_private
from node.keystore.secret import Secret
from node.ledger.genesis import (
    GENESIS_CODEC,
    Genesis,
    GenesisAccount,
    GenesisValidator,
    chain_id_of,
    check_genesis,
)
from node.ledger.parameters import FeeParameters, LedgerParameters
from node.ledger.staking.parameters import StakingParameters
from p2p.wire.peer_id import peer_id_of, peer_id_text
from primitives.clock import Clock
from primitives.ids import Address, DurationMs, Grain, TimestampMs
from primitives.keys import PrivateKey

HANSE: Final = 10**9
BALANCE: Final = Grain(100_000 * HANSE)
SPONSOR_BALANCE: Final = Grain(10_000_000 * HANSE)
STAKE: Final = Grain(20_000 * HANSE)
COMMISSION_BP: Final = 1_000
LOAD_ACCOUNTS: Final = 256
FEE: Final = Grain(100)
CHEAP: Final = Cost(1, 8)
"""A guess at a password costs a microsecond: the password lies beside the keys anyway."""

SPONSOR_KEY: Final = "sponsor.key"
PASSWORD_NAME: Final = "password"  # noqa: S105 - the name of a file
TRUSTING_MS_MAX: Final = 1_209_600_000
RPC_RATE: Final = 100_000
KEPT_VERSIONS: Final = 2_048
"""Of the state: a round is told from what its last commit left, a while after it."""
DISK_RESERVE_BYTES: Final = 64 << 20
_PASSWORD_BYTES: Final = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    """A node whose keys were written."""

    plan: NodePlan
    folder: Path
    account: PrivateKey
    consensus: PrivateKey
    node: PrivateKey
    rpc_port: int
    p2p_port: int
    link_port: int | None

    def record(self) -> NodeRecord:
        return NodeRecord(
            plan=self.plan,
            account=self.account.public.did_key,
            peer_id=peer_id_text(peer_id_of(self.node.public.raw)),
            rpc_port=self.rpc_port,
            p2p_port=self.p2p_port,
            link_port=self.link_port,
        )


_contracts: Final = functools.cache(standard_contracts)
"""Compiling takes a second, and gives the same every time."""


async def found(folder: Path, plan: Plan, *, clock: Clock) -> NetworkRecord:
    """Write everything that the nodes of a plan need before they start.

    Args:
        folder: new or empty.
        plan: of the network.
        clock: gives the time of genesis.

    Raises:
        ChildFailedError: the examples cannot be read or divided.
        GenesisError: no chain could start so.
    """
    division = await _divide(folder, plan) if plan.of(Part.TRAINER) else None
    return await asyncio.to_thread(_write, folder, plan, division=division, now_ms=clock.wall_ms())


def _write(folder: Path, plan: Plan, *, division: Division | None, now_ms: int) -> NetworkRecord:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    password = Secret(secrets.token_urlsafe(_PASSWORD_BYTES).encode())
    write_private(folder / PASSWORD_NAME, password.reveal() + b"\n")
    sponsor = _key(folder / SPONSOR_KEY, KeyKind.ACCOUNT, password)
    each = _ports_each(plan)
    ports = free_ports(each * len(plan.nodes))
    made = [
        _make(folder / node.name, node, password, ports=ports[each * turn : each * (turn + 1)])
        for turn, node in enumerate(plan.nodes)
    ]
    genesis = _genesis(plan, made, sponsor, now_ms=TimestampMs(now_ms))
    raw = GENESIS_CODEC.encode(genesis)
    record = NetworkRecord(
        chain_id=chain_id_of(raw).hex(),
        plan=plan,
        nodes=tuple(one.record() for one in made),
        division=division,
        sponsor=sponsor.public.did_key,
        load_accounts=LOAD_ACCOUNTS,
    )
    (folder / "genesis").write_bytes(raw)
    for one in made:
        _configure(folder, one.folder, record, record.node(one.plan.name))
    write_record(folder, record)
    return record


def add_late(folder: Path, *, join: Join = Join.SNAPSHOT) -> NetworkRecord:
    """Write the folder of one more full node, which is no founder; return the longer record."""
    record = read_record(folder)
    plan = NodePlan(number=len(record.nodes), parts=())
    password = network_password(folder)
    ports = free_ports(_ports_each(record.plan))
    made = _make(folder / plan.name, plan, password, ports=ports)
    longer = _with_node(record, made.record())
    _configure(folder, made.folder, longer, made.record(), join=join)
    write_record(folder, longer)
    return longer


def network_password(folder: Path) -> Secret:
    """Return the password of all keys of a network."""
    return Secret((folder / PASSWORD_NAME).read_bytes().partition(b"\n")[0])


def sponsor_key(folder: Path) -> PrivateKey:
    """Return the key that offers the task."""
    return open_key(folder / SPONSOR_KEY, password=network_password(folder))


def account_key(folder: Path, node: NodeRecord) -> PrivateKey:
    """Return the key of a node's account."""
    path = folder / node.name / "keys" / "account.key"
    return open_key(path, password=network_password(folder))


def load_keys(plan: Plan, *, count: int = LOAD_ACCOUNTS) -> list[PrivateKey]:
    """Return the keys of accounts that are there to make load."""
    return [
        PrivateKey.from_seed(hashlib.sha256(b"devnet load %d %d" % (plan.seed, one)).digest())
        for one in range(count)
    ]


def _with_node(record: NetworkRecord, node: NodeRecord) -> NetworkRecord:
    plan = replace(record.plan, nodes=(*record.plan.nodes, node.plan))
    return replace(record, plan=plan, nodes=(*record.nodes, node))


async def _divide(folder: Path, plan: Plan) -> Division:
    order = DivisionOrder(
        study=plan.study,
        seed=plan.seed,
        folders=tuple(str(folder / node.name) for node in plan.nodes),
        trainers=tuple(node.number for node in plan.of(Part.TRAINER)),
        validators=tuple(node.number for node in plan.of(Part.VALIDATOR)),
        test=str(folder / "test"),
    )
    return await ask_child("devnet.local.division", order, Division)


def _key(path: Path, kind: KeyKind, password: Secret) -> PrivateKey:
    seed = secrets.token_bytes(32)
    write_key(
        path,
        Secret(seed),
        kind=kind,
        password=password,
        cost=CHEAP,
        random_bytes=secrets.token_bytes,
    )
    return PrivateKey.from_seed(seed)


def _ports_each(plan: Plan) -> int:
    """Return how many ports a node needs: for its API, its peers, and its link if there is one."""
    return 3 if plan.latency.is_felt else 2


def _make(folder: Path, plan: NodePlan, password: Secret, *, ports: Sequence[int]) -> _Made:
    """Write the keys of a node.

    Args:
        folder: of the node.
        plan: of the node.
        password: of the keys.
        ports: as many as `_ports_each` says, in that order.
    """
    keys = {kind: _key(folder / "keys" / f"{kind.value}.key", kind, password) for kind in KeyKind}
    return _Made(
        plan=plan,
        folder=folder,
        account=keys[KeyKind.ACCOUNT],
        consensus=keys[KeyKind.CONSENSUS],
        node=keys[KeyKind.NODE],
        rpc_port=ports[0],
        p2p_port=ports[1],
        link_port=ports[2] if len(ports) > 2 else None,
    )


def _genesis(
    plan: Plan, made: Sequence[_Made], sponsor: PrivateKey, *, now_ms: TimestampMs
) -> Genesis:
    balances = {Address(one.account.public.raw): BALANCE for one in made}
    balances[Address(sponsor.public.raw)] = SPONSOR_BALANCE
    balances |= {Address(key.public.raw): BALANCE for key in load_keys(plan)}
    staking = StakingParameters()
    parameters = LedgerParameters(
        fees=FeeParameters(fee_initial=FEE, fee_min=FEE),
        staking=staking,
        epoch_duration_ms=DurationMs(plan.epoch_ms),
        trusting_period_ms=DurationMs(
            min(TRUSTING_MS_MAX, staking.evidence_window_epochs * plan.epoch_ms)
        ),
    )
    genesis = Genesis(
        name="devnet",
        time_ms=now_ms,
        parameters=parameters,
        accounts=tuple(GenesisAccount(who, balances[who]) for who in sorted(balances)),
        validators=tuple(
            GenesisValidator(
                operator=Address(one.account.public.raw),
                consensus_key=one.consensus.public.raw,
                node_key=one.node.public.raw,
                commission_bp=COMMISSION_BP,
                stake=STAKE,
            )
            for one in made
            if one.plan.is_a(Part.VALIDATOR)
        ),
        contracts=_contracts(),
    )
    check_genesis(genesis)
    return genesis


def _configure(
    folder: Path,
    home: Path,
    record: NetworkRecord,
    node: NodeRecord,
    *,
    join: Join = Join.COMMITS,
) -> None:
    text = default_file(_settings(folder, record, node) | {"network.join": join})
    # What the node would refuse is said here, with the name of the key.
    parse_config(text, folder=home, place=str(home / CONFIG_NAME), environ={})
    (home / CONFIG_NAME).write_text(text, encoding="utf-8")


def _settings(folder: Path, record: NetworkRecord, node: NodeRecord) -> dict[str, Any]:
    plan = record.plan
    settings: dict[str, Any] = {
        "node.name": node.name,
        "network.genesis": "../genesis",
        "network.listen": (f"/ip4/127.0.0.1/tcp/{node.p2p_port}",),
        "network.peers": tuple(one.address for one in record.nodes if one.name != node.name),
        "rpc.listen": f"127.0.0.1:{node.rpc_port}",
        "rpc.rate_per_s": RPC_RATE,
        "keys.password_file": f"../{PASSWORD_NAME}",
        "worker.module": plan.study.worker_module or _worker_of(node.plan),
        "worker.options": _worker_options(folder, plan, node.plan),
        "storage.kept_versions": KEPT_VERSIONS,
        "storage.disk_reserve": DISK_RESERVE_BYTES,
        "worker.device": "cpu",
        "worker.threads": plan.threads,
        "logs.format": "json",
    }
    if node.link_port is not None:
        settings["network.announce"] = (node.endpoint,)
    if node.plan.parts:
        settings["node.roles"] = tuple(part.value for part in node.plan.parts)
    if record.division is not None and node.plan.parts:
        settings["training.examples"] = str(folder / node.name / "examples")
        settings["training.models"] = {plan.study.model: plan.study.model_place}
    return settings


def _worker_of(node: NodePlan) -> str:
    return "devnet.local.worker" if node.is_honest else "devnet.attacks.worker"


def _worker_options(folder: Path, plan: Plan, node: NodePlan) -> tuple[str, ...]:
    options = ["--turns", str(folder / "turns"), "--at-once", str(plan.at_once)]
    if plan.study.worker_module:
        options += ["--node", str(node.number)]
    if node.is_honest:
        return tuple(options)
    options += ["--ring", str(folder / "ring"), "--trainers", str(len(plan.of(Part.TRAINER)))]
    options += ["--spoils", str(folder / node.name / "blobs" / "files")]
    if node.attack:
        attackers = [one.number for one in plan.nodes if one.attack]
        options += ["--attackers", str(len(attackers))]
        options += ["--number", str(attackers.index(node.number)), "--attack", node.attack]
    if node.lie:
        options += ["--lie", node.lie]
    return tuple(options)

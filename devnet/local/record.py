"""What a network folder holds, and the one file that says it: network.json.

    network.json          NetworkRecord: who is there, and where
    genesis               of the chain
    password, sponsor.key the sponsor's account; load accounts follow from the seed
    node-0/ ...           one folder a node: hanse.toml, keys, examples, what the node writes
    test/                 the split on which the report measures models
    logs/ pids/           one file a node
    report/               what came of it

Written whole or not at all, so that a reader never sees half of it.
"""

from pathlib import Path
from typing import Final

import msgspec
from msgspec.structs import replace

from devnet.local.errors import NoDevnetError
from devnet.local.plan import NodePlan, Plan
from devnet.local.study import Study

RECORD_NAME: Final = "network.json"
RECORD_BYTES_MAX: Final = 16 << 20


class DivisionOrder(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be divided.

    Args:
        folders: of the nodes; each part goes into `examples/` there.
        trainers: places in `folders`.
        validators: places in `folders`.
        test: where the test split goes.
        examples_max: of the train split that are dealt out; 0: all.
    """

    study: Study
    seed: int
    folders: tuple[str, ...]
    trainers: tuple[int, ...]
    validators: tuple[int, ...]
    test: str
    examples_max: int = 0


class Division(msgspec.Struct, frozen=True, kw_only=True):
    """How the examples were divided.

    Args:
        kind: "causal" or "classification".
        label_names: of the classes; empty for texts.
        trained: examples of each node, 0 for those that do not train.
        held_out: examples of each node, 0 for those that do not score.
        tested: examples of the test split.
        counts: by node and class, of what it trains on; empty rows for texts.
    """

    kind: str
    label_names: tuple[str, ...] = ()
    trained: tuple[int, ...] = ()
    held_out: tuple[int, ...] = ()
    tested: int = 0
    counts: tuple[tuple[int, ...], ...] = ()


class NodeRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A node that was founded.

    Args:
        p2p_port: on which it listens.
        link_port: which its peers know, where a link with latency begins; None: they know the port
            on which it listens.
    """

    plan: NodePlan
    account: str
    peer_id: str
    rpc_port: int
    p2p_port: int
    link_port: int | None = None

    @property
    def name(self) -> str:
        """Return what people call the node, and its folder."""
        return self.plan.name

    @property
    def url(self) -> str:
        """Return where its API listens."""
        return f"http://127.0.0.1:{self.rpc_port}"

    @property
    def address(self) -> str:
        """Return where peers reach it."""
        return f"{self.endpoint}/p2p/{self.peer_id}"

    @property
    def endpoint(self) -> str:
        """Return where peers reach whoever is there."""
        return f"/ip4/127.0.0.1/tcp/{self.link_port or self.p2p_port}"


class NetworkRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A network that was founded.

    Args:
        sponsor: account that offers the task.
        load_accounts: funded accounts whose keys follow from the seed of the plan.
        task: number of the task on the chain; None before it was offered.
    """

    version: int = 1
    chain_id: str
    plan: Plan
    nodes: tuple[NodeRecord, ...]
    division: Division | None
    sponsor: str
    load_accounts: int
    task: int | None = None

    def node(self, name: str) -> NodeRecord:
        """Return a node by its name or number.

        Raises:
            NoDevnetError: there is none.
        """
        for node in self.nodes:
            if name in (node.name, str(node.plan.number)):
                return node
        known = ", ".join(node.name for node in self.nodes)
        raise NoDevnetError(f"there is no node {name!r}; there are {known}")


def write_record(folder: Path, record: NetworkRecord) -> None:
    """Put the record in place."""
    draft = folder / f"{RECORD_NAME}.draft"
    draft.write_bytes(msgspec.json.format(msgspec.json.encode(record), indent=1))
    draft.replace(folder / RECORD_NAME)


def record_task(folder: Path, task: int) -> None:
    """Write the number of the task into the record, as it is now: nodes may have joined."""
    write_record(folder, replace(read_record(folder), task=task))


def read_record(folder: Path) -> NetworkRecord:
    """Return the record of the network in a folder.

    Raises:
        NoDevnetError: there is none, or another version wrote it.
    """
    path = folder / RECORD_NAME
    try:
        with path.open("rb") as file:
            raw = file.read(RECORD_BYTES_MAX)
        return msgspec.json.decode(raw, type=NetworkRecord)
    except FileNotFoundError as error:
        raise NoDevnetError(
            f"there is no devnet in {folder}; `hanse devnet up` makes one"
        ) from error
    except (OSError, msgspec.MsgspecError) as error:
        raise NoDevnetError(f"{path} cannot be read: {error}") from error

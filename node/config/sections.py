"""The sections of `hanse.toml`: every key with its type, its bounds, its default and its meaning.

This is the one table. The commented file that `hanse node init` writes, the listing of
`hanse node settings`, and the words of every error come from these annotations.
"""

import enum
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta

from node.config.sources import placed_path

GIB: int = 1 << 30
MIB: int = 1 << 20

Text: TypeAlias = Annotated[str, Meta(max_length=1_024)]
Texts: TypeAlias = Annotated[tuple[Text, ...], Meta(max_length=256)]
Number: TypeAlias = Annotated[int, Meta(ge=0, le=(1 << 63) - 1)]


@enum.unique
class Role(enum.Enum):
    """What a node takes part in, beside following the chain."""

    VALIDATOR = "validator"
    TRAINER = "trainer"


@enum.unique
class LogLevel(enum.Enum):
    """The least severe line that is written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@enum.unique
class LogFormat(enum.Enum):
    """How a line of the log looks."""

    AUTO = "auto"
    HUMAN = "human"
    JSON = "json"


@enum.unique
class Join(enum.Enum):
    """How a node without a ledger gets to where the others are."""

    COMMITS = "commits"
    SNAPSHOT = "snapshot"


class _Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The root of the sections."""


class NodeSection(_Section, frozen=True, kw_only=True):
    """Who this node is."""

    name: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=64,
            pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*\Z",
            description="What people call this node.",
            extra={"wanted": "1 to 64 letters, digits, '.', '_' and '-', a letter or digit first"},
        ),
    ] = "node"
    roles: Annotated[
        tuple[Role, ...],
        Meta(
            max_length=2,
            description="Any of validator and trainer; an empty list is a full node.",
        ),
    ] = ()


class NetworkSection(_Section, frozen=True, kw_only=True):
    """Which chain this node follows, and with whom."""

    genesis: Annotated[Text, Meta(min_length=1, description="The genesis file of the chain.")] = (
        "genesis"
    )
    listen: Annotated[
        Texts, Meta(description="Where peers reach this node: multiaddrs; none: it only dials.")
    ] = ("/ip4/0.0.0.0/tcp/26656",)
    announce: Annotated[
        Texts,
        Meta(
            description="Where peers are told to reach this node, if it is not where it listens: "
            "multiaddrs, such as of a router or a proxy in front of it."
        ),
    ] = ()
    peers: Annotated[
        Texts, Meta(description="Whom to meet first: multiaddrs that end in /p2p/ID.")
    ] = ()
    connections_max: Annotated[
        int, Meta(ge=1, le=10_000, description="The most peers at one time.")
    ] = 128
    join: Annotated[
        Join,
        Meta(
            description="How a new node gets the state: commits, which executes all of them since "
            "genesis, or snapshot, which fetches a certified state from peers."
        ),
    ] = Join.COMMITS


class RpcSection(_Section, frozen=True, kw_only=True):
    """The HTTP API that commands, programs and people use."""

    listen: Annotated[
        Text, Meta(description="HOST:PORT of the API; port 0 takes a free one; empty: no API.")
    ] = "127.0.0.1:26657"
    cors: Annotated[
        Texts, Meta(description="Origins whose pages may ask, as https://example.org.")
    ] = ()
    rate_per_s: Annotated[
        int, Meta(ge=1, le=1_000_000, description="Requests a second of one address.")
    ] = 200
    body_bytes_max: Annotated[
        int,
        Meta(ge=1_024, le=GIB, description="The longest request; blobs have their own bound."),
    ] = MIB
    hosts: Annotated[
        Texts,
        Meta(description="Names by which the API may be asked, beside localhost and `listen`."),
    ] = ()


class KeysSection(_Section, frozen=True, kw_only=True):
    """Where the keys of this node are: files of its keystore, encrypted."""

    account: Annotated[
        Text,
        Meta(description="The key that holds money and signs transactions; empty: none is here."),
    ] = "keys/account.key"
    consensus: Annotated[
        Text, Meta(description="The key that signs blocks; only a validator needs it.")
    ] = "keys/consensus.key"
    node: Annotated[
        Text, Meta(min_length=1, description="The key that names this node among its peers.")
    ] = "keys/node.key"
    password_file: Annotated[
        Text,
        Meta(
            description="A file with the password of the keys, of mode 0600; empty: HANSE_PASSWORD "
            "holds it, or a terminal asks."
        ),
    ] = ""


class ConsensusSection(_Section, frozen=True, kw_only=True):
    """Local timing of the total order; what a network agrees on stands in its genesis file."""

    round_delay_ms: Annotated[
        int,
        Meta(ge=0, le=10_000, description="The least time between two own blocks."),
    ] = 25
    idle_round_delay_ms: Annotated[
        int,
        Meta(ge=0, le=240, description="The same while no transaction waits for its commit."),
    ] = 200
    laden_round_delay_ms: Annotated[
        int,
        Meta(ge=0, le=10_000, description="The same while blocks are full: larger ones, fewer."),
    ] = 250


class StorageSection(_Section, frozen=True, kw_only=True):
    """How much of the past stays on this disk."""

    kept_versions: Annotated[
        int, Meta(ge=1, le=1_000_000, description="Commits whose whole state stays readable.")
    ] = 128
    kept_history: Annotated[
        Number, Meta(description="Commits whose record and receipts stay; 0: all of them.")
    ] = 0
    kept_epochs: Annotated[
        int,
        Meta(
            ge=2,
            le=1_000_000,
            description="Epochs whose blocks and commits stay, the running one with them: a node "
            "that was away for longer needs a snapshot, unless another keeps more.",
        ),
    ] = 2
    blob_bytes_max: Annotated[
        int,
        Meta(
            ge=MIB,
            le=1 << 50,
            description="The most bytes of models and updates, with the copies that the worker "
            "reads.",
        ),
    ] = 20 * GIB
    kept_models: Annotated[
        Number,
        Meta(
            description="Versions of each model whose updates stay, for `model verify` and for "
            "validators that join; at least 40 do; 0: all that there is room for."
        ),
    ] = 0
    disk_reserve: Annotated[
        Number, Meta(description="Bytes that stay free on the disk; writing waits below that.")
    ] = GIB


class MempoolSection(_Section, frozen=True, kw_only=True):
    """Transactions that wait for a block."""

    bytes_max: Annotated[
        int, Meta(ge=65_536, le=16 * GIB, description="The most bytes that wait at one time.")
    ] = 64 * MIB
    per_sender_max: Annotated[
        int, Meta(ge=1, le=64, description="The most transactions of one account.")
    ] = 64


class WorkerSection(_Section, frozen=True, kw_only=True):
    """The process that trains, scores and aggregates for this node."""

    module: Annotated[
        str,
        Meta(
            max_length=256,
            pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*\Z",
            description="The Python module that is started.",
            extra={"wanted": "the name of a Python module"},
        ),
    ] = "fl.worker"
    options: Annotated[
        Texts, Meta(description="Words of its command line, for other modules.")
    ] = ()
    device: Annotated[
        str,
        Meta(
            pattern=r"^(auto|cpu|cuda(:[0-9]{1,3})?)\Z",
            description="What it computes on: auto, cpu, cuda or cuda:N.",
            extra={"wanted": "auto, cpu, cuda or cuda:N"},
        ),
    ] = "auto"
    threads: Annotated[
        int, Meta(ge=0, le=4_096, description="Cores that it may use; 0: all but one.")
    ] = 0
    memory_bytes_max: Annotated[
        int, Meta(ge=256 * MIB, le=1 << 50, description="The most memory of its own.")
    ] = 16 * GIB


class Columns(_Section, frozen=True, kw_only=True):
    """Which column of the examples is what; empty: it is guessed from its name."""

    text: Text = ""
    label: Text = ""
    prompt: Text = ""
    context: Text = ""
    answer: Text = ""


class TrainingSection(_Section, frozen=True, kw_only=True):
    """What this node learns from and scores with; texts never leave it."""

    examples: Annotated[
        Text,
        Meta(
            description="A folder of JSONL, CSV or Parquet, hub:owner/name, or synthetic:...; "
            "empty: this node does not train, and scores only with `held_out`."
        ),
    ] = ""
    columns: Annotated[
        Columns, Meta(description="Names of columns: text and label, or prompt, context, answer.")
    ] = Columns()
    held_out: Annotated[
        Text,
        Meta(
            description="Examples to score with, as `examples`. A folder is read whole, but for "
            "one with files called train and files called test, of which only the latter are; a "
            "validator needs no `examples` beside it. Empty: the test files of `examples`, or one "
            "text in ten, which is never trained on: its hash decides."
        ),
    ] = ""
    models: Annotated[
        Annotated[dict[Text, Text], Meta(max_length=256)],
        Meta(description='Local folders of base models: "owner/name" = "folder".'),
    ] = {}
    tasks: Annotated[
        Literal["all"] | tuple[Number, ...],
        Meta(description='Numbers of the tasks to take part in, or "all".'),
    ] = "all"


class LogsSection(_Section, frozen=True, kw_only=True):
    """What the node tells about itself."""

    level: Annotated[LogLevel, Meta(description="debug, info, warning or error.")] = LogLevel.INFO
    format: Annotated[
        LogFormat, Meta(description="human, json, or auto: human in a terminal, else json.")
    ] = LogFormat.AUTO


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """A whole configuration.

    Args:
        folder: of the node; the other paths count from there.
    """

    folder: Path
    node: NodeSection = NodeSection()
    network: NetworkSection = NetworkSection()
    rpc: RpcSection = RpcSection()
    keys: KeysSection = KeysSection()
    consensus: ConsensusSection = ConsensusSection()
    storage: StorageSection = StorageSection()
    mempool: MempoolSection = MempoolSection()
    worker: WorkerSection = WorkerSection()
    training: TrainingSection = TrainingSection()
    logs: LogsSection = LogsSection()

    def path(self, text: str) -> Path:
        """Return the path that a key holds, counted from the folder of the node."""
        return placed_path(text, folder=self.folder)

    def has_role(self, role: Role) -> bool:
        """Tell whether this node takes part as that."""
        return role in self.node.roles

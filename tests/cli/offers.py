"""A task as a test offers it from the command line, by an account that may: an agent."""

from pathlib import Path
from typing import Final

import numpy as np

from fl.jobs.subject import AdapterShape, ModelKind
from fl.rules.update.blob import encode_update
from fl.rules.update.header import BlobKind, Expectation
from fl.rules.update.layout import TensorLayout
from node.execution.local_chain import key_named
from node.federation.document import TaskDocument, write_document
from primitives.ids import Digest
from tests.cli.live import Live, write_named_key
from tests.worker.vectors import FACTOR_A, LAYOUT, MODEL_LAYOUT, PINS

SPONSOR: Final = "validator-0"
DOCUMENT: Final = TaskDocument(
    title="small task",
    source="package:tiny",
    kind=ModelKind.CLASSIFICATION,
    label_names=("no", "yes"),
    pins=PINS,
    adapter=AdapterShape(rank=4),
    model_layout=MODEL_LAYOUT,
    layouts=(LAYOUT, TensorLayout.of([FACTOR_A])),
    start=bytes(32),
)
TERMS: Final = (
    *("--escrow", "10", "--reward", "1", "--bond", "0.5", "--slots", "3"),
    *("--windows", "2"),
)


def update_blob(number: int) -> bytes:
    """Return an update of such a task, another one for each number."""
    expected = Expectation(
        kind=BlobKind.UPDATE,
        base_model=Digest(PINS.model),
        tokenizer=Digest(PINS.tokenizer),
        layout=LAYOUT,
    )
    return encode_update(np.full(LAYOUT.size, 1 + number, dtype=np.int32), expected=expected)


def be_agent(live: Live) -> None:
    """Register the sponsor, with an organisation; it may be registered already."""
    words = ("--role", "agent", "--organisation", "lab")
    live.run("identity", "register", "sponsor", *words, "--yes", key=SPONSOR)
    assert live.json("identity", "show", SPONSOR)["role"] == "agent"


def be_somebody(live: Live, name: str, *, role: str) -> None:
    """Register a new account, which has its key and some money."""
    write_named_key(live.folder, name)
    live.json("account", "transfer", key_named(name).public.did_key, "100", "--yes", key="alice")
    live.json("identity", "register", name, "--role", role, "--yes", key=name)


def put_document(live: Live, folder: Path) -> str:
    """Have the sponsor give the node a task document; return its content id."""
    be_agent(live)
    file = folder / "document"
    file.write_bytes(write_document(DOCUMENT))
    cid = live.json("blob", "put", str(file), key=SPONSOR)["cid"]
    assert isinstance(cid, str)
    return cid


def create(live: Live, cid: str, *words: str) -> int:
    """Have the sponsor offer the task of a document; return its number."""
    options = ("--document", cid, *TERMS, *words, "--no-list", "--yes")
    number = live.json("task", "create", *options, key=SPONSOR)["task"]
    assert isinstance(number, int)
    return number

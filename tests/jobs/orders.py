"""Jobs for the toy worker."""

from fl.jobs.bounds import StoredBlob
from fl.jobs.results import BlobFacts
from fl.jobs.work import InspectJob, Pins
from fl.rules.update.layout import TensorLayout, TensorSpec
from primitives.cid import Cid

LAYOUT = TensorLayout.of([TensorSpec("layer.lora_B.weight", (4, 2))])
PINS = Pins(model=b"\1" * 32, tokenizer=b"\2" * 32)


def a_blob(path: str, content: bytes = b"") -> StoredBlob:
    """Name a blob that nobody reads."""
    return StoredBlob(path, Cid.of_raw(content).encode())


def order(words: str) -> InspectJob:
    """Return the job with this order for the toy."""
    return InspectJob(updates=(a_blob(words),), pins=PINS, layout=LAYOUT)


def facts_of(number: int) -> BlobFacts:
    """Return facts that carry a number."""
    return BlobFacts(verdict=0, original=0, cluster=0, norm=number)

"""The document of a task: everything that all its rounds share and a contract has no use for.

Its blob is public and the chain keeps its id, so what a round trains, how updates are brought
together and from which weights the model began cannot change once the task exists. A document is
somebody else's bytes: whoever acts on one has decoded it here, where every field is bounded and
the layouts are checked to belong together.
"""

from typing import Annotated, ClassVar, Final

import msgspec

from fl.jobs.bounds import Count, DigestBytes, PathText, Percent
from fl.jobs.local_terms import LocalTerms
from fl.jobs.subject import (
    LABELS_MAX,
    AdapterShape,
    FrozenModel,
    LoraLayout,
    ModelKind,
    Name,
)
from fl.jobs.work import OuterTerms, Pins
from fl.rules.aggregation.rule import Rule
from fl.rules.limits import WINDOW_MS_MAX
from fl.rules.update.errors import BadLayoutError
from fl.rules.update.layout import LAYOUT_SIZE_BYTES_MAX, TensorLayout, check_layout
from primitives.codec import Codec
from primitives.errors import HanseError

DOCUMENT_VERSION: Final = 2
TITLE_LETTERS_MAX: Final = 96
TEXT_LETTERS_MAX: Final = 8_192
DOCUMENT_SIZE_BYTES_MAX: Final = 3 * LAYOUT_SIZE_BYTES_MAX + LABELS_MAX * 1_040 + (1 << 17)

Title = Annotated[str, msgspec.Meta(min_length=1, max_length=TITLE_LETTERS_MAX)]
Text = Annotated[str, msgspec.Meta(max_length=TEXT_LETTERS_MAX)]


class BadDocumentError(HanseError):
    """Refuse a task document that contradicts itself; nobody could take part in such a task."""

    code: ClassVar[str] = "task_document"


class Guidance(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What validators should score on; nobody checks it, since held-out texts never travel.

    Args:
        text: for people.
        examples_min: fewer make a score too noisy to count.
    """

    text: Text = ""
    examples_min: Count = 0


class TaskDocument(
    msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, kw_only=True
):
    """What a task is about.

    Args:
        source: of the base model, as a hint: a node may have it elsewhere. The pins decide.
        label_names: the classes of a classifier, in their order; empty for a language model.
        model_layout: of the MODEL blob.
        layouts: of what even and odd rounds train; parts of the model layout.
        start: id of the MODEL blob of W_0.
        byzantine_percent: of the updates of a round, how many are feared to be lies.
        penalty: Zeno's rho, in 100 micro-nats for a squared norm of one.
        tokens_max: at which validators cut a text.
        round_pause_ms: how long nobody opens a round after the last one.
    """

    version: Annotated[int, msgspec.Meta(ge=DOCUMENT_VERSION, le=DOCUMENT_VERSION)] = (
        DOCUMENT_VERSION
    )
    title: Title
    description: Text = ""
    source: PathText
    kind: ModelKind
    label_names: Annotated[tuple[Name, ...], msgspec.Meta(max_length=LABELS_MAX)] = ()
    pins: Pins
    adapter: AdapterShape
    model_layout: TensorLayout
    layouts: tuple[TensorLayout, TensorLayout]
    start: DigestBytes
    rule: Rule = Rule.TRIMMED_MEAN
    byzantine_percent: Percent = 0
    outer: OuterTerms = OuterTerms()
    local: LocalTerms = LocalTerms()
    penalty: Count = 0
    tokens_max: Annotated[int, msgspec.Meta(ge=2, le=1 << 20)] = 128
    held_out: Guidance = Guidance()
    round_pause_ms: Annotated[int, msgspec.Meta(ge=0, le=WINDOW_MS_MAX)] = 0

    @property
    def frozen(self) -> FrozenModel:
        """Return the base model as jobs name it, pinned by its digests."""
        return self.frozen_from(self.source)

    @property
    def sharing(self) -> LoraLayout:
        """Return how trainers share the factors of the adapter."""
        return self.adapter.layout

    def frozen_from(self, source: str) -> FrozenModel:
        """Return the base model as this node has it, pinned by its digests all the same."""
        return FrozenModel(
            source=source,
            kind=self.kind,
            labels=len(self.label_names),
            digest=self.pins.model,
            tokenizer=self.pins.tokenizer,
        )

    def layout_of(self, round_number: int) -> TensorLayout:
        """Return what a round trains."""
        return self.layouts[round_number % 2]

    def byzantine_among(self, count: int) -> int:
        """Return how many of so many updates are feared to be lies; never all of them."""
        return max(0, min(count - 1, count * self.byzantine_percent // 100))


_CODEC: Final = Codec(TaskDocument, size_bytes_max=DOCUMENT_SIZE_BYTES_MAX)


def write_document(document: TaskDocument) -> bytes:
    """Return the bytes of the blob.

    Raises:
        BadDocumentError: it contradicts itself.
    """
    _check(document)
    return _CODEC.encode(document)


def read_document(raw: bytes) -> TaskDocument:
    """Return the document in a blob.

    Raises:
        MalformedBytesError: it is none.
        BadDocumentError: it contradicts itself.
    """
    document = _CODEC.decode(raw)
    _check(document)
    return document


def _check(document: TaskDocument) -> None:
    for field, layout in (
        ("model_layout", document.model_layout),
        ("layouts[0]", document.layouts[0]),
        ("layouts[1]", document.layouts[1]),
    ):
        try:
            check_layout(layout)
        except BadLayoutError as error:
            raise BadDocumentError(f"{field}: {error}") from error
    shapes = {tensor.name: tensor.shape for tensor in document.model_layout.tensors}
    for place, layout in enumerate(document.layouts):
        for tensor in layout.tensors:
            if shapes.get(tensor.name) != tensor.shape:
                raise BadDocumentError(
                    f"layouts[{place}]: the model has no tensor {tensor.name!r} "
                    f"of shape {tensor.shape}"
                )
    names = document.label_names
    if len(set(names)) != len(names):
        raise BadDocumentError("label_names: a class is named twice")
    if (document.kind is ModelKind.CLASSIFICATION) != bool(names):
        raise BadDocumentError(f"label_names: {len(names)} classes for a {document.kind.value}")

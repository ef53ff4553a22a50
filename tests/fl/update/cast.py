"""Layouts, vectors and expectations for tests of updates."""

import numpy as np
from hypothesis import strategies as st

from fl.rules.update.header import BlobKind, Expectation
from fl.rules.update.layout import TensorLayout, TensorSpec
from fl.rules.update.rows import COORDINATE_MAX, Int32s
from primitives.ids import Digest

LAYOUT = TensorLayout.of(
    [
        TensorSpec("head.weight", (3, 8)),
        TensorSpec("head.bias", (3,)),
        TensorSpec("layer.lora_A", (2, 5)),
    ]
)
BASE_MODEL = Digest(b"\x11" * 32)
TOKENIZER = Digest(b"\x22" * 32)


def expecting(layout: TensorLayout = LAYOUT, kind: BlobKind = BlobKind.UPDATE) -> Expectation:
    return Expectation(kind=kind, base_model=BASE_MODEL, tokenizer=TOKENIZER, layout=layout)


def seeded_vector(layout: TensorLayout = LAYOUT, seed: int = 1) -> Int32s:
    """Return numbers of every size."""
    dice = np.random.default_rng(seed)
    wide = dice.integers(-COORDINATE_MAX, COORDINATE_MAX, layout.size, endpoint=True)
    vector: Int32s = (wide >> dice.integers(0, 31, layout.size)).astype(np.int32)
    return vector


@st.composite
def vectors(draw: st.DrawFn, layout: TensorLayout = LAYOUT) -> Int32s:
    """Draw rows of small, of extreme and of no numbers."""
    coordinate = st.one_of(
        st.just(0),
        st.sampled_from((1, -1, 127, 128, -128, 255, 32_767, 32_768, 2**30, -(2**30))),
        st.sampled_from((COORDINATE_MAX, -COORDINATE_MAX, COORDINATE_MAX - 1, 2**24)),
        st.integers(-COORDINATE_MAX, COORDINATE_MAX),
    )
    rows = []
    for tensor in layout.tensors:
        for _ in range(tensor.rows):
            shift = draw(st.sampled_from((0, 0, 3, 12, 31)))
            numbers = draw(st.lists(coordinate, min_size=tensor.row_size, max_size=tensor.row_size))
            rows += [number >> shift if number >= 0 else -(-number >> shift) for number in numbers]
    return np.array(rows, dtype=np.int32)

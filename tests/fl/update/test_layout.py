"""Layouts: one order, one id, and bounds."""

import numpy as np
import pytest

from fl.rules.update.errors import BadLayoutError
from fl.rules.update.layout import (
    COORDINATES_MAX,
    LAYOUT_CODEC,
    NAME_SIZE_BYTES_MAX,
    TENSORS_MAX,
    TensorLayout,
    TensorSpec,
    check_layout,
)

SPECS = [
    TensorSpec("b", (2, 3)),
    TensorSpec("a", (5,)),
    TensorSpec("Z", (1, 2, 4)),
    TensorSpec("é", (1,)),
    TensorSpec("a.b", (7,)),
]


def test_tensors_are_sorted_by_the_bytes_of_their_names() -> None:
    layout = TensorLayout.of(SPECS)
    assert [tensor.name for tensor in layout.tensors] == ["Z", "a", "a.b", "b", "é"]
    assert TensorLayout.of(SPECS[::-1]) == layout


def test_spans_cover_the_vector_in_order() -> None:
    layout = TensorLayout.of(SPECS)
    vector = np.arange(layout.size)
    assert layout.size == 27
    assert layout.rows == 2 + 1 + 1 + 2 + 1
    assert np.array_equal(np.concatenate([vector[s] for s in layout.spans.values()]), vector)
    assert layout.offsets == {"Z": 0, "a": 8, "a.b": 13, "b": 20, "é": 26}


def test_equal_layouts_have_one_id_and_others_another() -> None:
    ids = {TensorLayout.of(SPECS[:count]).digest for count in range(1, len(SPECS) + 1)}
    ids |= {TensorLayout.of(SPECS[count::-1]).digest for count in range(len(SPECS))}
    ids.add(TensorLayout.of([TensorSpec("b", (3, 2))]).digest)
    assert len(ids) == len(SPECS) + 1


@pytest.mark.parametrize(
    ("specs", "message"),
    [
        ([], "0 tensors"),
        ([TensorSpec("a", ())], "0 dimensions"),
        ([TensorSpec("a", (1,) * 5)], "5 dimensions"),
        ([TensorSpec("a", (3, 0))], "shape"),
        ([TensorSpec("a", (-1,))], "shape"),
        ([TensorSpec("a", (1,)), TensorSpec("a", (2,))], "twice"),
        ([TensorSpec("", (1,))], "0 bytes"),
        ([TensorSpec("é" * (NAME_SIZE_BYTES_MAX // 2 + 1), (1,))], "258 bytes"),
        ([TensorSpec("\ud800", (1,))], "not text"),
        ([TensorSpec("a", (COORDINATES_MAX + 1,))], "shape"),
        ([TensorSpec("a", (COORDINATES_MAX,)), TensorSpec("b", (1,))], "coordinates"),
        ([TensorSpec(f"{place}", (1,)) for place in range(TENSORS_MAX + 1)], "4097 tensors"),
    ],
)
def test_layouts_out_of_bounds_are_refused(specs: list[TensorSpec], message: str) -> None:
    with pytest.raises(BadLayoutError, match=message):
        TensorLayout.of(specs)


def test_a_layout_out_of_order_is_not_canonical() -> None:
    with pytest.raises(BadLayoutError, match="unsorted"):
        check_layout(TensorLayout((TensorSpec("b", (1,)), TensorSpec("a", (1,)))))


def test_the_greatest_layout_has_an_encoding() -> None:
    names = [f"{place:04}".ljust(NAME_SIZE_BYTES_MAX, "x") for place in range(TENSORS_MAX)]
    layout = TensorLayout.of(TensorSpec(name, (1, 1, 1, 2**16)) for name in names)
    assert LAYOUT_CODEC.decode(LAYOUT_CODEC.encode(layout)) == layout

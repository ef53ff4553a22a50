"""Find the numbers of a blob in its bytes, dense or sparse, without copying the blob.

Guards: the size of the blob is exactly what its header says, places ascend within the layout, and
no mantissa of a sparse blob is zero; so no two sparse blobs of one width say the same.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from fl.rules.update.errors import MalformedBlobError
from fl.rules.update.header import BlobHeader, Packing, Width
from fl.rules.update.rows import Bytes, dtype_of

PLACE_SIZE_BYTES: Final = 4


class Body:
    """The numbers of one blob; `open_body` makes one.

    Args:
        exponents: (row,), zeros with INT32.
        places: (kept,), uint32; None of a dense blob.
        mantissas: (kept,), of the width of the blob.
    """

    def __init__(
        self,
        *,
        exponents: Bytes,
        places: npt.NDArray[np.uint32] | None,
        mantissas: npt.NDArray[np.signedinteger],
    ) -> None:
        self._exponents = exponents
        self._places = places
        self._mantissas = mantissas
        self._used = 0

    def read(self, span: slice, row_span: slice) -> tuple[npt.NDArray[np.signedinteger], Bytes]:
        """Return the mantissas of a span of coordinates and the exponents of its rows.

        Spans are asked for in order, from the first coordinate on.

        Raises:
            MalformedBlobError: places do not ascend, or a sparse mantissa is zero.
        """
        exponents = self._exponents[row_span]
        if self._places is None:
            return self._mantissas[span], exponents
        end = self._used + int(np.count_nonzero(self._upcoming(span) < span.stop))
        places = self._places[self._used : end].astype(np.int64)
        kept = self._mantissas[self._used : end]
        self._used = end
        if not _ascend(places, span):
            raise MalformedBlobError(field="places", expected="ascending", actual="others")
        if not kept.all():
            raise MalformedBlobError(field="mantissas", expected="none that is zero", actual="0")
        spread = np.zeros(span.stop - span.start, dtype=self._mantissas.dtype)
        spread[places - span.start] = kept
        return spread, exponents

    def check_end(self) -> None:
        """Refuse places beyond the last coordinate.

        Raises:
            MalformedBlobError: some place was not used.
        """
        if self._places is not None and self._used != len(self._places):
            raise MalformedBlobError(
                field="places", expected="ascending", actual="unsorted or beyond the layout"
            )

    def _upcoming(self, span: slice) -> npt.NDArray[np.uint32]:
        """Return the next places; ascending ones within the span are no more than it is long."""
        assert self._places is not None
        return self._places[self._used : self._used + span.stop - span.start]


def _ascend(places: npt.NDArray[np.int64], span: slice) -> bool:
    if not len(places):
        return True
    is_inside = span.start <= int(places[0]) and int(places[-1]) < span.stop
    return is_inside and bool((np.diff(places) > 0).all())


def open_body(raw: bytes | memoryview, start: int, header: BlobHeader) -> Body:
    """Return the numbers that follow the header.

    Raises:
        MalformedBlobError: the blob is longer or shorter than the header says.
    """
    rows = header.layout.rows
    exponents_end = start + (0 if header.width is Width.INT32 else rows)
    is_sparse = header.packing is Packing.SPARSE
    places_end = exponents_end + (PLACE_SIZE_BYTES * header.kept if is_sparse else 0)
    end = places_end + header.width.value * header.kept
    if len(raw) != end:
        raise MalformedBlobError(field="size", expected=f"{end} bytes", actual=f"{len(raw)}")
    if header.width is Width.INT32:
        exponents: Bytes = np.zeros(rows, dtype=np.uint8)
    else:
        exponents = np.frombuffer(raw, dtype=np.uint8, count=rows, offset=start)
    places = None
    if is_sparse:
        places = np.frombuffer(raw, dtype="<u4", count=header.kept, offset=exponents_end)
    return Body(
        exponents=exponents,
        places=places,
        mantissas=np.frombuffer(
            raw, dtype=dtype_of(header.width), count=header.kept, offset=places_end
        ),
    )

"""Write the golden vectors of updates: `python -m tests.fl.update.write_vectors`.

Run it only when a meaning changed on purpose; a changed meaning needs a new version or tag.
The roots of long files in `update_root.json` are those of another implementation and not written
here.
"""

import json
from pathlib import Path
from typing import Final

import numpy as np

from fl.rules.update.blob import decode, encode_model, encode_update
from fl.rules.update.errors import MalformedBlobError
from fl.rules.update.header import BlobKind, Packing, Width
from fl.rules.update.layout import TensorLayout, TensorSpec
from fl.rules.update.norms import clip, norm
from fl.rules.update.root import blob_root, content_digest
from fl.rules.update.rows import COORDINATE_MAX, Int32s
from fl.rules.update.similarity import Candidate, find_facts, find_repeats
from tests.fl.update.cast import LAYOUT, expecting, seeded_vector
from tests.vectors import Row

FILE: Final = Path(__file__).parents[2] / "vectors" / "update.json"
CLIP: Final = 2**18
ROUND: Final = TensorLayout.of([TensorSpec("weights", (12,))])


def vectors() -> dict[str, str | list[Row]]:
    """Return blobs, what is no blob, and the layout they are for."""
    return {
        "about": "Blobs of one layout, base model 11..11, tokenizer 22..22. Bytes are hexadecimal, "
        f"numbers are int32 at scale 2**24; `clipped` is the vector clipped to the norm {CLIP}. "
        "Facts: an update is null where its blob is malformed; `earlier` are updates of earlier "
        "rounds, each with the place of its trainer's new one or -1; a fact is verdict, original, "
        "cluster, norm.",
        "layouts": [
            {
                "comment": "two tensors of rows and a vector",
                "tensors": [[tensor.name, list(tensor.shape)] for tensor in LAYOUT.tensors],
                "digest": LAYOUT.digest.hex(),
            }
        ],
        "blobs": _blobs(),
        "invalid": _invalid(),
        "facts": _facts(),
    }


def text() -> str:
    """Return the text of the file."""
    return json.dumps(vectors(), indent=2) + "\n"


def _blobs() -> list[Row]:
    sparse = np.where(np.arange(LAYOUT.size) % 3 == 1, seeded_vector(), 0).astype(np.int32)
    extremes = np.resize([COORDINATE_MAX, -COORDINATE_MAX, 1], LAYOUT.size).astype(np.int32)
    halves = np.resize([255, 1, 3, -1, -3], LAYOUT.size).astype(np.int32)
    rows = [
        _blob(f"{name}, {width.name}", vector, width=width, packing=Packing.DENSE)
        for name, vector in (
            ("zeros", np.zeros(LAYOUT.size, dtype=np.int32)),
            ("numbers of every size", seeded_vector()),
            ("the greatest numbers", extremes),
            ("halves between two mantissas", halves),
        )
        for width in Width
    ]
    rows += [
        _blob(f"one of three, {width.name}", sparse, width=width, packing=Packing.SPARSE)
        for width in Width
    ]
    raw = encode_model(seeded_vector(), expected=expecting(kind=BlobKind.MODEL))
    return [*rows, _row("a model", seeded_vector(), raw, BlobKind.MODEL)]


def _blob(comment: str, vector: Int32s, *, width: Width, packing: Packing) -> Row:
    raw = encode_update(vector, expected=expecting(), width=width, packing=packing)
    return _row(comment, vector, raw, BlobKind.UPDATE)


def _row(comment: str, given: Int32s, raw: bytes, kind: BlobKind) -> Row:
    vector = decode(raw, expected=expecting(kind=kind)).vector
    return {
        "comment": comment,
        "kind": kind.value,
        "given": given.tolist(),
        "bytes": raw.hex(),
        "vector": vector.tolist(),
        "root": str(blob_root(raw)),
        "content": content_digest(vector, layout=LAYOUT).hex(),
        "norm": norm(vector),
        "clipped": clip(vector, limit=CLIP).tolist(),
    }


def _invalid() -> list[Row]:
    raw = encode_update(seeded_vector(), expected=expecting(), width=Width.INT8)
    numbers_at = 8 + int.from_bytes(raw[4:8], "little")
    changed = {
        "nothing": b"",
        "a pickle": b"\x80\x04" + raw[2:],
        "a byte short": raw[:-1],
        "a byte long": raw + b"\0",
        "an exponent of 25": raw[:numbers_at] + b"\x19" + raw[numbers_at + 1 :],
        "a mantissa of -128": raw[:-1] + b"\x80",
        "another base model": raw.replace(b"\x11" * 32, b"\x10" * 32),
        "another tokenizer": raw.replace(b"\x22" * 32, b"\x20" * 32),
        "another shape": raw.replace(b"\x92\x03\x08", b"\x92\x08\x03"),
    }
    return [
        {"comment": comment, "bytes": made.hex(), "field": _field_refused(made)}
        for comment, made in changed.items()
    ]


def _facts() -> list[Row]:
    first, second, third, fourth, *others = _apart(6)
    near = [first + step for step in (0, 999, -1_999)]
    axes = list(np.eye(12, dtype=np.int32) * 2**20)
    # Each next to the one before it, and the last not to the first.
    chain = [axes[0] + step * axes[1] // 17 for step in range(4)]
    zero = np.zeros(12, dtype=np.int32)
    far = np.full(12, COORDINATE_MAX, dtype=np.int32)
    honest = [first, second, third, fourth]
    return [
        _round("one alone", [first]),
        _round("honest ones", honest),
        _round("copies", [first, second, first, third, second]),
        _round("near copies among others", [*honest, *others, *near[1:]]),
        _round("near copies and nobody else", near),
        _round("a loose copy that stands out", [*axes[:10], axes[0] + axes[11] // 8]),
        _round("a loose copy among few", [axes[0], axes[1], axes[0] + axes[11] // 8]),
        _round("a chain of near copies", [*axes[2:6], chain[3], chain[1], chain[0], chain[2]]),
        _round("a chain of near copies and nobody else", [chain[3], chain[1], chain[0], chain[2]]),
        _round("zeros are no copies", [zero, first, zero]),
        _round("malformed ones", [None, first, None, first]),
        _round("the last step again, longer", [first, 3 * second, third], deltas=[fourth, second]),
        _round("the opposite of the last step", [first, -second, third], deltas=[second]),
        _round("a step of nine rounds ago", [first, second], deltas=[first, *[zero] * 8]),
        _round("an own earlier one", [first, second + 3], earlier=[(second, 1)]),
        _round("an own earlier one, longer", [first, 2 * second], earlier=[(second, 1)]),
        _round("another's earlier one, longer", [first, 2 * second], earlier=[(second, -1)]),
        _round("the greatest numbers", [far, -far, far], deltas=[-far]),
    ]


def _apart(count: int) -> list[Int32s]:
    """Return updates in much the same direction, as honest ones are."""
    shared, *own = [seeded_vector(ROUND, seed=seed).astype(np.int64) for seed in range(count + 1)]
    return [((shared + one) // 2**5).astype(np.int32) for one in own]


def _round(
    comment: str,
    updates: list[Int32s | None] | list[Int32s],
    *,
    deltas: list[Int32s] | None = None,
    earlier: list[tuple[Int32s, int]] | None = None,
) -> Row:
    """Return the facts about a round."""
    deltas, earlier = deltas or [], earlier or []
    places = [place for place, one in enumerate(updates) if one is not None]
    present = [one for one in updates if one is not None]
    own = {place: number for number, place in enumerate(places)}
    repeats = find_repeats(present, [(one, own.get(place, -1)) for one, place in earlier])
    candidates: list[Candidate | None] = [None] * len(updates)
    for place, one, is_again in zip(places, present, repeats, strict=True):
        content = content_digest(one, layout=ROUND)
        candidates[place] = Candidate(vector=one, content=content, is_again=is_again)
    norms = [0 if one is None else norm(one) for one in updates]
    found = find_facts(candidates, norms=norms, global_deltas=deltas)
    return {
        "comment": comment,
        "updates": [None if one is None else one.tolist() for one in updates],
        "deltas": [one.tolist() for one in deltas],
        "earlier": [[one.tolist(), place] for one, place in earlier],
        "facts": [[one.verdict, one.original, one.cluster, one.norm] for one in found],
    }


def _field_refused(raw: bytes) -> str:
    try:
        decode(raw, expected=expecting())
    except MalformedBlobError as error:
        return error.field
    raise AssertionError("a blob that should be refused was read")


if __name__ == "__main__":
    FILE.write_text(text(), encoding="ascii")

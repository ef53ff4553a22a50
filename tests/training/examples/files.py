"""Write the files that the tests read."""

import gzip
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

Rows = Sequence[Mapping[str, object]]

FRUIT = [
    {"text": "An apple a day.", "label": 0},
    {"text": "A pear for later.", "label": 1},
    {"text": "Apples and pears.", "label": 1},
    {"text": "Grüße vom Apfelbaum 🍎", "label": 0},
]


def write_jsonl(path: Path, rows: Rows = FRUIT) -> Path:
    content = "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows).encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def write_csv(path: Path, rows: Rows = FRUIT) -> Path:
    lines = [",".join(rows[0]), *(",".join(map(str, row.values())) for row in rows)]
    content = "".join(f"{line}\n" for line in lines).encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def write_parquet(path: Path, rows: Rows = FRUIT, *, metadata: bytes | None = None) -> Path:
    table = pa.Table.from_pylist([dict(row) for row in rows])
    if metadata is not None:
        table = table.replace_schema_metadata({b"huggingface": metadata})
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path)
    return path

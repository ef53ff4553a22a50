"""Read the golden vectors beside this file: published ones and ours, each row with a comment."""

import json
from pathlib import Path
from typing import Any, TypeAlias

import pytest

Row: TypeAlias = dict[str, Any]


def cases(name: str, section: str) -> list[Any]:
    """Return the rows of a section as test parameters, named by their comments."""
    text = (Path(__file__).parent / f"{name}.json").read_text(encoding="ascii")
    rows: list[Row] = json.loads(text)[section]
    assert rows, f"no rows in {name}.json, {section}"
    return [pytest.param(row, id=f"{index}: {row['comment']}") for index, row in enumerate(rows)]

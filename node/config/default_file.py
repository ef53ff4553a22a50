"""The commented `hanse.toml` of a new node, written from the table of keys."""

import enum
import json
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from node.config.table import Key, sections

_LINE_LENGTH_MAX = 88


def default_file(settings: Mapping[str, Any] | None = None) -> str:
    """Return a whole file in which every key is explained.

    Args:
        settings: values by "section.key" that are set; the other keys are shown as comments.
    """
    chosen = dict(settings or {})
    lines = [
        "# The configuration of one node. Every key is here; those that are comments show the",
        "# default. A variable HANSE_SECTION_KEY overrides a key: HANSE_RPC_LISTEN=127.0.0.1:0.",
        "# Paths count from the folder of this file.",
    ]
    for section in sections():
        lines += ["", f"# {section.meaning}", f"[{section.name}]"]
        for key in section.keys:
            lines += _lines(key, chosen)
    assert not chosen, f"no such keys: {sorted(chosen)}"
    return "\n".join(lines) + "\n"


def toml_value(value: Any) -> str:  # noqa: ANN401 - any value that a key may have
    """Return the value as TOML writes it."""
    match value:
        case enum.Enum():
            return toml_value(value.value)
        case tuple() | list():
            return f"[{', '.join(map(toml_value, value))}]"
        case msgspec.Struct():
            fields = msgspec.structs.asdict(value)
            return toml_value({name: part for name, part in fields.items() if part})
        case dict():
            rows = [f"{toml_value(name)} = {toml_value(part)}" for name, part in value.items()]
            return f"{{ {', '.join(rows)} }}" if rows else "{}"
        case str() | int():
            # As JSON writes it, but for one letter that TOML wants escaped.
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case _:
            raise TypeError(f"{type(value).__name__} is no value of a key")


def _lines(key: Key, chosen: dict[str, Any]) -> Iterator[str]:
    yield ""
    yield from textwrap.wrap(
        key.meaning, _LINE_LENGTH_MAX, initial_indent="# ", subsequent_indent="# "
    )
    if key.place in chosen:
        yield f"{key.name} = {toml_value(chosen.pop(key.place))}"
    else:
        yield f"#{key.name} = {toml_value(key.default)}"

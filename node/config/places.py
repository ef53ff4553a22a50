"""Where in a TOML file a key stands, for messages; the values are read by `tomllib`."""

import re
from collections.abc import Mapping
from typing import Final

_HEADER: Final = re.compile(r"^\s*\[\s*([^\[\]]+?)\s*\]\s*(#.*)?$")
_ASSIGNMENT: Final = re.compile(r"""^\s*([A-Za-z0-9_."'-]+?)\s*=""")


def lines_of_keys(text: str) -> Mapping[tuple[str, ...], int]:
    """Return the line, from 1, of each section and key as it is written first.

    A text over several lines that looks like an assignment may add a name; no message asks for it.
    """
    lines: dict[tuple[str, ...], int] = {}
    section: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            section = _names(header[1])
            lines.setdefault(section, number)
        elif assignment := _ASSIGNMENT.match(line):
            path = (*section, *_names(assignment[1]))
            for length in range(len(section) + 1, len(path) + 1):
                lines.setdefault(path[:length], number)
    return lines


def _names(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip().strip("\"'") for part in dotted.split("."))

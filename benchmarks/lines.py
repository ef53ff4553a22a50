"""Files of results: a line for each, added as it is found."""

import os
from pathlib import Path


def append_line(path: Path, line: bytes) -> None:
    """Add a line; one that a broken-off run left unfinished is ended first, and stays apart."""
    with path.open("a+b") as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                line = b"\n" + line
        file.write(line + b"\n")

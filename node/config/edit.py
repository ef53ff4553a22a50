"""Change one key of a `hanse.toml` and leave every other line, comments included, as it is."""

import os
import re
from pathlib import Path
from typing import Any

from node.config.default_file import toml_value
from node.config.errors import ConfigFileError
from node.config.load import CONFIG_NAME, parse_config


def edit_config(folder: Path, key: str, value: Any) -> None:  # noqa: ANN401 - what the key takes
    """Set a key in the file of a folder; the file is replaced as a whole, or stays as it was.

    Args:
        folder: of the node.
        key: as "section.name".
        value: of the key.

    Raises:
        ConfigFileError: the file would not be a configuration then, or cannot be written.
    """
    path = folder / CONFIG_NAME
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigFileError(f"cannot be read: {error}", place=str(path)) from error
    changed = with_key(text, key, value)
    parse_config(changed, folder=folder, place=str(path), environ={})
    draft = path.with_name(f"{path.name}.draft")
    try:
        draft.write_text(changed, encoding="utf-8")
        draft.chmod(path.stat().st_mode & 0o777)
        os.replace(draft, path)  # noqa: PTH105 - the name says that it replaces
    except OSError as error:
        raise ConfigFileError(f"cannot be written: {error.strerror}", place=str(path)) from error


def with_key(text: str, key: str, value: Any) -> str:  # noqa: ANN401 - as above
    """Return the text with a key set: in its line, in its comment's place, or in its section."""
    section, name = key.split(".")
    lines = text.splitlines()
    start = _header(lines, section)
    if start is None:
        lines += ["", f"[{section}]"]
        start = len(lines) - 1
    end = next(
        (place for place in range(start + 1, len(lines)) if lines[place].lstrip().startswith("[")),
        len(lines),
    )
    written = f"{name} = {toml_value(value)}"
    for form in (rf"\s*{name}\s*=", rf"#\s*{name}\s*="):
        for place in range(start + 1, end):
            if re.match(form, lines[place]):
                lines[place] = written
                return "\n".join(lines) + "\n"
    lines.insert(start + 1, written)
    return "\n".join(lines) + "\n"


def _header(lines: list[str], section: str) -> int | None:
    form = re.compile(rf"\s*\[\s*{section}\s*\]\s*(#.*)?")
    return next((place for place, line in enumerate(lines) if form.fullmatch(line)), None)

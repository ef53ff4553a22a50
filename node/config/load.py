"""Read a configuration: defaults, then `hanse.toml`, then variables HANSE_SECTION_KEY.

Whatever is wrong ends in one `ConfigFileError` that names the place and what would be right.
"""

import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from node.config.errors import ConfigFileError
from node.config.places import lines_of_keys
from node.config.rules import check_config
from node.config.sections import Config
from node.config.table import VARIABLE_PREFIX, Key, Section, keys, nearest, sections

CONFIG_NAME: Final = "hanse.toml"
CONFIG_BYTES_MAX: Final = 1 << 20
_SHOWN_LENGTH_MAX: Final = 80

_Place = Callable[..., str]


def load_config(folder: Path, environ: Mapping[str, str]) -> Config:
    """Return the configuration of the node in a folder.

    Args:
        folder: with a `hanse.toml`.
        environ: the variables of the process; only those that name a key or a section are read.

    Raises:
        ConfigFileError: the file is missing, no TOML, has an unknown key or a value that is none.
    """
    path = folder / CONFIG_NAME
    return parse_config(_text(path), folder=folder, place=str(path), environ=environ)


def parse_config(text: str, *, folder: Path, place: str, environ: Mapping[str, str]) -> Config:
    """Return the configuration in a text.

    Args:
        text: TOML.
        folder: of the node.
        place: what messages call the text.
        environ: as for `load_config`.

    Raises:
        ConfigFileError: the text is no TOML, has an unknown key or a value that is none.
    """
    try:
        written = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigFileError(str(error), place=place) from error
    lines = lines_of_keys(text)

    def place_of(*names: str) -> str:
        line = lines.get(names)
        return place if line is None else f"{place}:{line}"

    places: dict[str, str] = {}
    values = _from_file(written, place_of, places)
    _override(values, environ, places)
    filled = {section.name: section.kind(**values[section.name]) for section in sections()}
    config: Config = msgspec.structs.replace(Config(folder=folder), **filled)
    check_config(config, place=lambda key: places.get(key, place))
    return config


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(CONFIG_BYTES_MAX + 1)
    except FileNotFoundError as error:
        reason = "there is no such file; `hanse node init` makes one"
        raise ConfigFileError(reason, place=str(path)) from error
    except OSError as error:
        raise ConfigFileError(f"cannot be read: {error.strerror}", place=str(path)) from error
    if len(raw) > CONFIG_BYTES_MAX:
        reason = f"more than {CONFIG_BYTES_MAX} bytes are no configuration"
        raise ConfigFileError(reason, place=str(path))
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigFileError("not UTF-8", place=f"{path}:{line}") from error


def _from_file(
    written: Mapping[str, Any], place: _Place, places: dict[str, str]
) -> dict[str, dict[str, Any]]:
    """Return what the file sets, by section; note where each key stands."""
    values: dict[str, dict[str, Any]] = {section.name: {} for section in sections()}
    known = {section.name: section for section in sections()}
    for name, content in written.items():
        if name not in known:
            reason = f"unknown section [{name}]" if isinstance(content, dict) else _homeless(name)
            raise ConfigFileError(reason + nearest(name, known), place=place(name))
        if not isinstance(content, dict):
            reason = f"{name} must be a section: write [{name}] on a line of its own"
            raise ConfigFileError(reason, place=place(name))
        section = known[name]
        for key_name, value in content.items():
            key = _key(section, key_name, where=place(name, key_name))
            places[key.place] = place(name, key_name)
            values[name][key_name] = _value(key, value, where=place(name, key_name))
    return values


def _homeless(name: str) -> str:
    homes = [key.section for key in keys() if key.name == name]
    return f"{name} stands outside of a section" + (
        f"; it belongs to [{homes[0]}]" if homes else ""
    )


def _key(section: Section, name: str, *, where: str) -> Key:
    for key in section.keys:
        if key.name == name:
            return key
    elsewhere = [key.place for key in keys() if key.name == name]
    hint = nearest(name, [key.name for key in section.keys])
    if elsewhere and "did you mean" not in hint:
        hint = f"; did you mean {elsewhere[0]}?"
    raise ConfigFileError(f"unknown key {section.name}.{name}{hint}", place=where)


def _value(key: Key, value: Any, *, where: str) -> Any:  # noqa: ANN401 - TOML holds any of these
    try:
        return msgspec.convert(value, key.kind)
    except msgspec.ValidationError as error:
        shown = repr(value)
        if len(shown) > _SHOWN_LENGTH_MAX:
            shown = f"{shown[:_SHOWN_LENGTH_MAX]}..."
        reason = f"{key.place} wants {key.wanted}, got {shown}"
        raise ConfigFileError(reason, place=where) from error


def _override(
    values: dict[str, dict[str, Any]], environ: Mapping[str, str], places: dict[str, str]
) -> None:
    known = {key.variable: key for key in keys()}
    prefixes = tuple(f"{VARIABLE_PREFIX}{section.name.upper()}_" for section in sections())
    for variable in sorted(name for name in environ if name.startswith(prefixes)):
        key = known.get(variable)
        if key is None:
            reason = f"unknown variable {variable}{nearest(variable, known)}"
            raise ConfigFileError(reason, place="environment")
        places[key.place] = variable
        value = _from_variable(key, environ[variable])
        values[key.section][key.name] = _value(key, value, where=variable)


def _from_variable(key: Key, text: str) -> Any:  # noqa: ANN401 - as `_value`
    """Read a variable as TOML where a key takes no text, and a list also as words with commas."""
    if isinstance(key.default, tuple) and not text.lstrip().startswith("["):
        return [word.strip() for word in text.split(",") if word.strip()]
    try:
        return tomllib.loads(f"value = {text}")["value"] if _is_structured(key, text) else text
    except tomllib.TOMLDecodeError:
        return text


def _is_structured(key: Key, text: str) -> bool:
    if isinstance(key.default, str):
        # A text stands as it is; only the one key that takes a text or a list may begin so.
        return "list" in key.wanted and text.lstrip().startswith("[")
    return not isinstance(key.default, bool | str) and not hasattr(key.default, "value")

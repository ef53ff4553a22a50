"""Every key of `hanse.toml` in one list, read off the sections, with words for what it takes."""

import difflib
import enum
import typing
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from msgspec import Meta

from node.config.sections import Columns, Config

VARIABLE_PREFIX: Final = "HANSE_"
_WORDS: Final = {int: "a whole number", str: "a text", bool: "true or false"}


@dataclass(frozen=True, slots=True)
class Key:
    """One key.

    Args:
        kind: the annotation, by which msgspec reads a value.
        meaning: one sentence.
        wanted: what a value has to be, in words.
    """

    section: str
    name: str
    kind: Any
    default: Any
    meaning: str
    wanted: str

    @property
    def place(self) -> str:
        """The key as people name it: section.name."""
        return f"{self.section}.{self.name}"

    @property
    def variable(self) -> str:
        """The environment variable that overrides it."""
        return f"{VARIABLE_PREFIX}{self.section}_{self.name}".upper()


@dataclass(frozen=True, slots=True)
class Section:
    """One section with its keys, in the order of the file."""

    name: str
    meaning: str
    kind: type[msgspec.Struct]
    keys: tuple[Key, ...]


def sections() -> tuple[Section, ...]:
    """Return all sections."""
    return _SECTIONS


def keys() -> Iterator[Key]:
    """Yield all keys, in the order of the file."""
    for section in _SECTIONS:
        yield from section.keys


def nearest(name: str, known: Iterable[str]) -> str:
    """Return "; did you mean X?", or what there is if nothing is alike."""
    names = list(known)
    found = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return f"; did you mean {found[0]}?" if found else f"; there are {', '.join(names)}"


def _read_sections() -> Iterator[Section]:
    for name, kind in typing.get_type_hints(Config).items():
        if name != "folder":
            meaning = str(kind.__doc__).splitlines()[0]
            yield Section(name, meaning, kind, tuple(_read_keys(name, kind)))


def _read_keys(section: str, kind: type[msgspec.Struct]) -> Iterator[Key]:
    hints = typing.get_type_hints(kind, include_extras=True)
    for field in msgspec.structs.fields(kind):
        hint = hints[field.name]
        meanings = [meta.description for meta in hint.__metadata__ if meta.description]
        default = field.default
        if default is msgspec.NODEFAULT:
            default = field.default_factory()
        yield Key(section, field.name, hint, default, meanings[0], _wanted(hint))


def _wanted(hint: Any) -> str:  # noqa: ANN401 - an annotation has no type of its own
    kind, metas = _parts(hint)
    for meta in metas:
        if meta.extra is not None:
            return str(meta.extra["wanted"])
    if typing.get_origin(kind) is not None:
        return _wanted_of_several(kind)
    if issubclass(kind, enum.Enum):
        return "one of " + ", ".join(f'"{member.value}"' for member in kind)
    if kind is Columns:
        return f"a table of {', '.join(Columns.__struct_fields__)}"
    return _WORDS[kind] + _bounds(metas)


def _wanted_of_several(kind: Any) -> str:  # noqa: ANN401 - see above
    parts = typing.get_args(kind)
    match typing.get_origin(kind):
        case origin if origin is dict:
            return "a table of texts"
        case origin if origin is tuple:
            return f"a list of {_plural(_wanted(parts[0]))}"
        case origin if origin is typing.Literal:
            return " or ".join(f'"{value}"' for value in parts)
        case _:
            return " or ".join(map(_wanted, parts))


def _parts(hint: Any) -> tuple[Any, list[Meta]]:  # noqa: ANN401 - see above
    if typing.get_origin(hint) is typing.Annotated:
        return hint.__origin__, [meta for meta in hint.__metadata__ if isinstance(meta, Meta)]
    return hint, []


def _plural(words: str) -> str:
    if words.startswith("one of "):
        return words.removeprefix("one of ").replace(", ", " and ")
    return words.removeprefix("a ").replace("text", "texts", 1).replace("number", "numbers", 1)


def _bounds(metas: list[Meta]) -> str:
    """Word the bounds of a number, and that a text must not be empty."""
    least = next((meta.ge for meta in metas if meta.ge is not None), None)
    most = next((meta.le for meta in metas if meta.le is not None), None)
    if least is not None:
        is_open = most is None or most >= (1 << 63) - 1
        return f", at least {least}" if is_open else f" from {least} to {most}"
    return " that is not empty" if any(meta.min_length for meta in metas) else ""


_SECTIONS: Final = tuple(_read_sections())

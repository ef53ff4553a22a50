"""Decode path and query into the struct that a route asks for, and refuse whatever else is there.

Text becomes a number or a boolean only in the one form that the document names: "7", not "07",
"7.0" or " 7". A parameter twice, or one that the route does not know, is an error: a typo should
not mean the default.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import parse_qsl, unquote

import msgspec
from msgspec import inspect

from node.rpc.errors import BadRequestError

FIELDS_MAX: Final = 16
_INTEGER: Final = re.compile(r"0|[1-9][0-9]{0,15}", re.ASCII)
_BOOLEANS: Final = {"true": True, "false": False}


class ParameterDecoder:
    """Decodes the parameters of one route."""

    def __init__(self, kind: type) -> None:
        described = inspect.type_info(kind)
        assert isinstance(described, inspect.StructType)
        self._kind = kind
        self._fields = {field.encode_name: _leaf(field.type) for field in described.fields}

    def decode(self, path: Mapping[str, str], query: str) -> Any:  # noqa: ANN401 - the route's struct
        """Return the parameters.

        Args:
            path: what stands in the placeholders, percent-encoded.
            query: what follows the question mark.

        Raises:
            BadRequestError: one is missing, malformed, unknown or there twice.
        """
        texts: dict[str, str] = {name: _unquote(text) for name, text in path.items()}
        for name, text in _pairs(query):
            if name in texts:
                raise BadRequestError(f"the parameter {name} is there twice")
            texts[name] = text
        try:
            found = {name: self._value(name, text) for name, text in texts.items()}
            return msgspec.convert(found, type=self._kind)
        except msgspec.ValidationError as error:
            raise BadRequestError(f"parameters: {error}") from error

    def _value(self, name: str, text: str) -> object:
        leaf = self._fields.get(name)
        if leaf is None:
            known = ", ".join(self._fields) or "none"
            raise BadRequestError(f"unknown parameter {name[:64]!r}; known are: {known}")
        if isinstance(leaf, inspect.IntType):
            if not _INTEGER.fullmatch(text):
                raise BadRequestError(f"the parameter {name} is a whole number")
            return int(text)
        if isinstance(leaf, inspect.BoolType):
            if text not in _BOOLEANS:
                raise BadRequestError(f"the parameter {name} is true or false")
            return _BOOLEANS[text]
        return text


def _leaf(kind: inspect.Type) -> inspect.Type:
    if isinstance(kind, inspect.UnionType):
        kind = next(one for one in kind.types if not isinstance(one, inspect.NoneType))
    if isinstance(kind, inspect.Metadata):
        return _leaf(kind.type)
    return kind


def _pairs(query: str) -> Sequence[tuple[str, str]]:
    if not query:
        return ()
    try:
        return parse_qsl(
            query,
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=FIELDS_MAX,
        )
    except (ValueError, UnicodeDecodeError) as error:
        raise BadRequestError("the query is not name=value pairs, sixteen at most") from error


def _unquote(text: str) -> str:
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError as error:
        raise BadRequestError("the path is not UTF-8") from error

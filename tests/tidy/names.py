"""Words that say nothing about a thing, and so may not name one."""

import re
from collections.abc import Iterable, Iterator

from tests.tidy.sources import Finding, Source, scopes

EMPTY_WORDS = frozenset(
    {
        "manager",
        "helper",
        "util",
        "misc",
        "common",
        "base",
        "data",
        "info",
        "process",
        "do",
        "impl",
    }
)
# The same words in the plural are no better.
BANNED_WORDS = EMPTY_WORDS | {f"{word}s" for word in EMPTY_WORDS}
WORD = re.compile(r"[A-Z]+(?![a-z])[0-9]*|[A-Z]?[a-z0-9]+")


def empty_names(sources: Iterable[Source]) -> Iterator[Finding]:
    """Report each module, class and function whose name holds an empty word."""
    for source in sources:
        for word in _empty_words(source.module.replace(".", "_")):
            yield Finding("empty name", source.path, f"says {word!r}")
        for name, _ in scopes(source.tree):
            for word in _empty_words(name.rsplit(".", 1)[-1]):
                yield Finding("empty name", f"{source.path}::{name}", f"says {word!r}")


def _empty_words(name: str) -> list[str]:
    return [word for found in WORD.findall(name) if (word := found.lower()) in BANNED_WORDS]

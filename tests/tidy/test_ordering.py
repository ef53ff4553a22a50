import pytest

from tests.tidy.ordering import set_walks
from tests.tidy.sources import Source


@pytest.mark.parametrize(
    "text",
    [
        "for ref in {1, 2}: use(ref)",
        "for ref in set(refs): use(ref)",
        "refs = [ref for ref in frozenset(known)]",
        "by_ref = {ref: 1 for ref in {ref for ref in known}}",
        "refs = tuple(set(known))",
        "text = ','.join({'a', 'b'})",
        "def order(refs: set[int]) -> list[int]:\n    return list(refs)",
        "def order(refs: frozenset[int] | None) -> None:\n    use(*refs)",
        "def order(refs: list[int]) -> None:\n    fresh = set(refs)\n    queue.extend(fresh)",
        "def order(refs: AbstractSet[int]) -> None:\n    for ref in refs - known: use(ref)",
        "for ref in first.keys() & second.keys(): use(ref)",
        "def first(refs: set[int]) -> int:\n    return refs.pop()",
        "def first(refs: set[int]) -> int:\n    return min(refs, key=weight)",
        "def order(refs: set[int]) -> list[int]:\n    return sorted(refs, key=weight)",
        "def walk(refs: set[int]) -> Iterator[int]:\n    yield from refs",
    ],
)
def test_walk_through_a_set_is_reported(text: str) -> None:
    assert list(set_walks([Source.of(text)]))


@pytest.mark.parametrize(
    "body",
    [
        "for author in self.seen: use(author)",
        "for author in self.by_round[3]: use(author)",
        "for author in self.by_round.get(3, ()): use(author)",
        "for authors in self.by_round.values():\n            for author in authors: use(author)",
        "for author in self.voters(): use(author)",
    ],
)
def test_walk_through_a_declared_set_is_reported(body: str) -> None:
    text = f"""
class Dag:
    seen: set[int]
    def __init__(self):
        self.by_round: dict[int, set[int]] = {{}}
    def voters(self) -> frozenset[int]: ...
    def walk(self):
        {body}
"""
    (finding,) = set_walks([Source.of(text)])
    assert finding.place == "consensus/snippet.py::Dag.walk"


def test_set_declared_in_another_file_is_known() -> None:
    committee = Source.of("class Committee:\n    members: frozenset[int]", path="consensus/c.py")
    walk = Source.of("for member in committee.members: use(member)", path="consensus/w.py")
    (finding,) = set_walks([committee, walk])
    assert finding.place == "consensus/w.py"


@pytest.mark.parametrize(
    "text",
    [
        "for ref in sorted({2, 1}): use(ref)",
        "for ref in sorted(ref for ref in set(refs)): use(ref)",
        "total = sum(stake[ref] for ref in set(refs))",
        "fresh = {ref for ref in set(refs)}",
        "def widen(seen: set[int]) -> None:\n    seen.update(ref for ref in seen)",
        "def order(refs: tuple[int, ...]) -> list[int]:\n    return list(refs)",
        "def order(refs: dict[int, int]) -> None:\n    for ref in refs: use(ref)",
        "def has(refs: set[int]) -> bool:\n    return 3 in refs",
        "least = min({1, 2})",
    ],
)
def test_use_of_a_set_without_its_order_is_accepted(text: str) -> None:
    assert not list(set_walks([Source.of(text)]))

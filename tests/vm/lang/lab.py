"""A contract with a bit of everything, to which tests add one method."""

from typing import Final

from node.vm.abi import PythonValue
from tests.vm.lang.stage import Stage

HEAD: Final = """
DAY_MS = 24 * 60 * 60 * 1000
HALF = fixed("0.5")
NAME = "ro" + "und"


class Part(Record):
    tags: List[Str]
    share: Fixed


class Item(Record):
    count: Int
    owner: Address
    part: Part
    note: Option[Str]


class Lab(Contract):
    total: Int
    calls: Int
    item: Item
    items: Map[Int, Item]
    grid: Map[Int, Map[Str, Int]]
    queue: List[Int]
    shelves: Map[Str, List[Item]]
    flags: Map[Bool, Bool]

    def noted(self, x: Int) -> Int:
        self.calls = self.calls * 10 + x
        return x

    def is_noted(self, x: Int) -> Bool:
        return self.noted(x) > 4

    def made(self, count: Int) -> Item:
        part = Part(share=HALF, tags=["a", "b"])
        return Item(part=part, note=none, count=count, owner=sender())

    @view
    def seen_calls(self) -> Int:
        return self.calls

    @external
"""


def lab(signature: str, body: str) -> Stage:
    lines = "".join(f"        {line}\n" for line in body.strip("\n").split("\n"))
    return Stage(f"{HEAD}    def f(self{signature}:\n{lines}")


def result_of(signature: str, body: str, *arguments: PythonValue) -> PythonValue:
    return lab(signature, body).call("f", *arguments)

"""What statements mean, on both engines."""

from decimal import Decimal

import pytest

from node.vm.traps import Trap
from tests.vm.lang.lab import HEAD, lab, result_of
from tests.vm.lang.stage import ALICE, BOB, Stage

BODIES = {
    "while with break and continue": (
        """
total = 0
i = 0
while i < 100:
    i += 1
    if i % 2 == 0:
        continue
    if i > 9:
        break
    total += i
return total
""",
        25,
    ),
    "endless loop that returns": (
        """
i = 0
while True:
    i += 1
    if i == n:
        return i
""",
        5,
    ),
    "ranges up and down": (
        """
digits = 0
for i in range(2):
    digits = digits * 10 + i
for i in range(n, 2, -2):
    digits = digits * 10 + i
for i in range(3, 3):
    digits = 0
return digits
""",
        153,
    ),
    "range is fixed at the start": (
        """
count = 0
for i in range(n):
    n += 1
    i = 0
    count += 1 + i
return count
""",
        5,
    ),
    "loop over a list sees the list of the start": (
        """
xs = [1, 2]
for x in xs:
    xs.append(x)
return len(xs)
""",
        4,
    ),
    "nested loops with breaks": (
        """
count = 0
for i in range(3):
    for j in range(3):
        if j > i:
            break
        count += 1
return count
""",
        6,
    ),
    "lists are values": (
        """
xs = [1, 2]
ys = xs
ys[0] = 9
ys += [3]
last = ys.pop()
return xs[0] * 100 + ys[0] * 10 + last
""",
        193,
    ),
    "lists of lists": (
        """
xs = [[1], [2, 3]]
xs[1].append(4)
xs[1][0] += 10
xs[0].clear()
return len(xs[0]) * 1000 + xs[1][0] * 10 + xs[1].pop() + len(xs[1])
""",
        126,
    ),
    "pop inside the place that changes": (
        """
xs = [0, 7, 1]
xs[xs.pop()] = 5
return len(xs) * 10 + xs[1]
""",
        25,
    ),
    "value is computed before the place": (
        """
xs = [1, 2]
xs[0] = xs.pop()
return len(xs) * 10 + xs[0]
""",
        12,
    ),
    "records change by parts": (
        """
a = self.made(3)
b = a
b.count += 1
b.part.tags[0] = "long"
b.part.share /= HALF
b.note = some("x")
tags = a.part.tags[0] + b.part.tags[0]
return a.count * 1000 + b.count * 100 + len(tags) * 10 + Int(b.part.share)
""",
        3451,
    ),
    "fields change by parts": (
        """
self.item = self.made(n)
self.item.part.tags.append("c")
self.item.part.tags[2] += "d"
self.items[n] = self.item
self.items[n].count *= 2
self.items[n].part.share = fixed("3")
return self.items[n].count * 100 + len(self.items[n].part.tags) * 10 + len(self.item.part.tags[2])
""",
        1032,
    ),
    "maps": (
        """
self.grid[1]["a"] += n
self.grid[1]["a"] -= 1
self.grid[2]["a"] = 3
before = 1 if "a" in self.grid[1] else 0
del self.grid[1]["a"]
after = 1 if "a" in self.grid[1] else 0
return before * 100 + after * 10 + self.grid[2]["a"] + self.grid[1]["a"]
""",
        103,
    ),
    "stored lists": (
        """
self.queue.append(4)
self.queue.append(n)
self.queue[0] += 10
self.queue[1] = self.queue[0] + self.queue[1]
total = 0
for x in self.queue:
    total += x
xs = self.queue
last = self.queue.pop()
return total * 1000 + last * 10 + len(self.queue) + len(xs)
""",
        33_193,
    ),
    "stored lists of records": (
        """
self.shelves["a"].append(self.made(1))
self.shelves["a"].append(self.made(2))
self.shelves["a"][1].part.tags.append("z")
self.shelves["a"][0].count += 7
count = 0
for item in self.shelves["a"]:
    count = count * 10 + item.count + len(item.part.tags)
del self.shelves["a"]
return count + len(self.shelves["a"])
""",
        105,
    ),
    "call that changes the field on the right": (
        """
self.calls = 5
self.total = self.calls + self.noted(2)
return self.total
""",
        7,
    ),
    "call on the right of a part": (
        """
self.item.count = 1
self.item.count = self.noted(3) + self.item.count
self.items[self.noted(1)].count = self.noted(2)
return self.calls * 100 + self.item.count * 10 + self.items[1].count
""",
        32_142,
    ),
    "same names in branches": (
        """
if n > 3:
    x = 1
elif n > 2:
    x = 2
else:
    return 0
return x
""",
        1,
    ),
    "stored list that is cleared": (
        """
self.queue.append(n)
self.queue.clear()
return len(self.queue)
""",
        0,
    ),
    "nothing after a bare return": (
        """
self.quiet_if(n)
return self.total
""",
        0,
    ),
}
QUIET = """
    def quiet_if(self, n: Int):
        if n > 3:
            return
        self.total = n

    @external
"""


@pytest.mark.parametrize(("body", "expected"), BODIES.values(), ids=BODIES)
def test_block_means_what_python_means(body: str, expected: int) -> None:
    lines = "".join(f"        {line}\n" for line in body.strip("\n").split("\n"))
    head = HEAD.removesuffix("\n    @external\n") + QUIET
    stage = Stage(f"{head}    def f(self, n: Int) -> Int:\n{lines}")
    assert stage.call("f", 5) == expected


TRAPS = {
    "return 2 ** 254 * n": Trap.OVERFLOW,
    "return n // (n - 5)": Trap.DIVISION_BY_ZERO,
    "return [1][n]": Trap.INDEX,
    "return self.queue.pop()": Trap.INDEX,
    "return self.items.get(1).unwrap().count": Trap.UNWRAP,
    "fail('no ' + Str(n))": "no 5",
    "require(n > 5, 'not ' + Str(n))\nreturn n": "not 5",
    "require(n > 5, 'too small')\nreturn n": "too small",
    "transfer(sender(), 1)\nreturn n": Trap.INSUFFICIENT_BALANCE,
    "while True:\n    n += 1": Trap.OUT_OF_GAS,
}


@pytest.mark.parametrize(("body", "trap"), TRAPS.items())
def test_trap_undoes_the_call(body: str, trap: Trap | str) -> None:
    stage = lab(", n: Int) -> Int", body)
    stage.gas = 50_000
    assert stage.refusal("f", 5) == trap


def test_results_of_every_type_come_back() -> None:
    stage = lab(") -> Item", 'x = self.made(2)\nx.note = some("n")\nreturn x')
    assert stage.call("f") == {
        "count": 2,
        "owner": ALICE,
        "part": {"tags": ["a", "b"], "share": Decimal("0.5")},
        "note": "n",
    }


def test_literal_of_a_did_key_is_its_public_key() -> None:
    key = "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK"
    raw = result_of(") -> Address", f'return address("{key}")')
    assert isinstance(raw, bytes)
    assert len(raw) == 32


def test_money_and_events_leave_the_contract() -> None:
    source = """
class Till(Contract):
    @payable
    def pay(self, to: Address) -> Int:
        emit("Paid", to=to, share=Fixed(value()) / fixed("4"), notes=["a"])
        transfer(amount=value(), to=to)
        return value()
"""
    stage = Stage(source)
    assert stage.call("pay", BOB, value=10) == 10
    assert stage.host.balance_of(BOB) == 10
    assert stage.events == [("Paid", {"to": BOB, "share": Decimal("2.5"), "notes": ["a"]})]


def test_money_is_sent_along_whatever_the_order_of_arguments() -> None:
    source = """
class Shop(Interface):
    @payable
    def buy(self, count: Int, note: Str) -> Int: ...

    @view
    def price(self) -> Int: ...

    def tell(self): ...


class Buyer(Contract):
    asked: List[Int]

    def ask(self, x: Int) -> Int:
        self.asked.append(x)
        return x

    def shop(self) -> Address:
        self.asked.append(9)
        return self_address()

    @payable
    def go(self) -> List[Int]:
        Shop(self.shop()).buy(note="a", value=self.ask(3), count=self.ask(2))
        Shop(self_address()).buy(self.ask(7), "b")
        Shop(self_address()).tell()
        self.asked.append(Shop(self_address()).price())
        return self.asked
"""
    stage = Stage(source)
    for host in stage.hosts:
        host.invocation = lambda _target, method, _arguments, value, _meter: (
            None if method.name == "tell" else value
        )
    assert stage.call("go", value=10) == [9, 3, 2, 7, 0]
    assert [call[1:] for call in stage.host.invoked] == [
        ("buy", (2, "a"), 3),
        ("buy", (7, "b"), 0),
        ("tell", (), 0),
        ("price", (), 0),
    ]

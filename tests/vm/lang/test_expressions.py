"""What expressions mean, on both engines."""

import pytest

from tests.vm.lang.lab import lab, result_of

EXPRESSIONS = {
    "7 // 2": 3,
    "-7 // 2": -4,
    "-7 % 3": 2,
    "7 % -3": -2,
    "2 ** 10": 1024,
    "(-1) ** 3": -1,
    "1 << 4 | 3": 19,
    "n * n - -n": 30,
    "n ^ 1 & 3": 4,
    "n >> 1": 2,
    "min(n, 3, 9) + max(1, n) + abs(-n)": 13,
    "isqrt(n * n + 1)": 5,
    "muldiv(2 ** 200, 2 ** 100, 2 ** 250)": 2**50,
    "DAY_MS // 1000": 86_400,
    "1 if n > 4 else 2": 1,
    "len(NAME + 'x') + len(b'ab') + len([1])": 9,
    "Int(HALF * Fixed(n))": 2,
    "Int(fixed('-0.5'))": -1,
    "Int(b'\\x01\\x00')": 256,
    "[1, 2, 3][n - 4]": 2,
    "b'abc'[2]": 99,
    "sum([1, 2, n])": 8,
    "sorted([3, n, 1])[0]": 1,
    "weighted_median([1, 2, n], [1, 1, 3])": 5,
    "quantile([1, 2, 3, 4], 1, 2)": 2,
    "top_k([3, 9, n], 2)[1]": 2,
    "zero(Int) + len(zero(List[Int]))": 0,
    "some(n).unwrap()": 5,
    "zero(Option[Int]).unwrap_or(8)": 8,
    "self.grid[1].get('a', n)": 5,
    "Int(sha256(Bytes('abc'))[0:1])": 0xBA,
    "+n": 5,
    "FIVE": 5,
}
TRUTHS = {
    "0 < n < 9": True,
    "0 < n < 5": False,
    "1 < n * 2 <= 10 != 11": True,
    "n > 9 or n == 5": True,
    "not (n == 5 and True)": False,
    "n in [1, 5]": True,
    "n not in [1, 5]": False,
    "'b' in 'abc'": True,
    "b'x' in b'abc'": False,
    "'abc' < 'abd'": True,
    "HALF * HALF == fixed('0.25')": True,
    "HALF / fixed('2') == fixed('0.25')": True,
    "-HALF < HALF": True,
    "True ^ (n == 5)": False,
    "n in self.items": False,
    "self.items.get(1).is_none()": True,
    "some(n).is_some()": True,
    "Str(n) + 'a'[0:1] == '5a'": True,
    "Bytes(n, 2) == b'\\x00\\x05'": True,
    "Address(Bytes(sender())) == sender()": True,
    "Bytes(sender()) >= Bytes(self_address())": True,
    "self.flags[n == 5]": False,
    "len(committee()) == 4 and quorum() == 6667": True,
    "stake_of(committee()[0]) == 100 and power_of(sender()) == 0": True,
    "height() == 7 and len(beacon()) == 32 and balance(sender()) == 0": True,
    "is_contract(self_address()) and not is_contract(sender())": True,
    "verify_signature(b'k', b'm', b'km')": True,
    "verify_certificate(b'c', b'x')": False,
    f"address('{'0' * 62}ff') == sender()": False,
    "'tail' == 'a tail'[2:] and 'a' == 'ab'[:1] and [1, 2][1:][0] == 2": True,
}


@pytest.mark.parametrize(("expression", "expected"), EXPRESSIONS.items())
def test_number_is_computed(expression: str, expected: int) -> None:
    body = expression.replace("FIVE", "n")
    assert result_of(", n: Int) -> Int", f"return {body}", 5) == expected


@pytest.mark.parametrize(("expression", "expected"), TRUTHS.items())
def test_truth_is_computed(expression: str, expected: bool) -> None:
    assert result_of(", n: Int) -> Bool", f"return {expression}", 5) is expected


ORDER = {
    "self.noted(1) + self.noted(2) * self.noted(3)": 123,
    "0 if self.is_noted(1) and self.is_noted(9) else 0": 1,
    "0 if self.is_noted(9) and self.is_noted(1) and self.is_noted(2) else 0": 91,
    "0 if self.is_noted(1) or self.is_noted(9) or self.is_noted(2) else 0": 19,
    "self.noted(1) if self.is_noted(9) else self.noted(2)": 91,
    "0 if self.noted(1) < self.noted(2) < self.noted(3) else 0": 123,
    "0 if self.noted(1) < self.noted(0) < self.noted(3) else 0": 10,
    "0 if n < self.noted(9) < self.noted(8) < n else 0": 98,
    "0 if self.noted(4) < n < self.noted(8) else 0": 48,
    "max(self.noted(3), self.noted(1), self.noted(2))": 312,
    "muldiv(divisor=self.noted(1), multiplicand=self.noted(2), multiplier=self.noted(3))": 123,
    "[self.noted(2), self.noted(1)][self.noted(0)]": 210,
    "0 if self.noted(1) in [self.noted(2), self.noted(3)] else 0": 123,
    "0 if self.noted(1) not in [self.calls] else self.noted(2)": 12,
    "0 if self.calls in [self.noted(1)] else self.noted(2)": 12,
    "0 if Str(self.noted(1)) in Str(self.noted(2)) else 0": 12,
    "0 if Str(self.noted(1)) in self.grid[self.noted(2)] else 0": 12,
}


@pytest.mark.parametrize(("expression", "expected"), ORDER.items())
def test_calls_are_made_in_the_order_and_number_of_python(expression: str, expected: int) -> None:
    stage = lab(", n: Int) -> Int", f"return {expression}")
    stage.call("f", 5)
    assert stage.call("seen_calls") == expected

"""Values that the source spells out: numbers, text, bytes, `fixed("0.25")`, `address("...")`."""

import ast
import re
from typing import Final

from node.vm.lang.errors import ProblemError
from node.vm.lang.tree import Literal
from node.vm.lang.types import (
    ADDRESS_TYPE,
    BOOL_TYPE,
    BYTES_TYPE,
    FIXED_TYPE,
    INT_TYPE,
    STR_TYPE,
)
from node.vm.limits import CONSTANT_BYTES_MAX, INT_MAX, INT_MIN
from primitives.errors import InvalidKeyError
from primitives.keys import PublicKey

FIXED_DECIMALS: Final = 18
FIXED_SCALE: Final = 10**FIXED_DECIMALS

_DECIMAL: Final = re.compile(r"(-?)([0-9]{1,60})(?:\.([0-9]{1,18}))?")
_HEX_ADDRESS: Final = re.compile(r"(?:0x)?([0-9a-fA-F]{64})")


def constant(node: ast.Constant) -> Literal:
    """Return the value of a literal."""
    match node.value:
        case bool() as truth:
            return Literal(BOOL_TYPE, truth)
        case int() as number:
            return integer(node, number)
        case str() as text:
            _check_size(node, text.encode(errors="surrogatepass"))
            if not _is_unicode(text):
                raise ProblemError(node, "the text has a character that is not Unicode")
            return Literal(STR_TYPE, text)
        case bytes() as raw:
            _check_size(node, raw)
            return Literal(BYTES_TYPE, raw)
        case float():
            text = ast.unparse(node)
            raise ProblemError(node, "there are no floats", hint=f'use fixed("{text}")')
        case complex():
            raise ProblemError(node, "there are no complex numbers")
        case None:
            hint = "an Option without a value is `none`"
            raise ProblemError(node, "None is not a value", hint=hint)
        case _:
            raise ProblemError(node, "`...` stands for the code of interface methods only")


def integer(node: ast.AST, number: int) -> Literal:
    """Return an Int literal if it fits."""
    if not INT_MIN <= number <= INT_MAX:
        message = f"a number of {number.bit_length()} bits does not fit Int"
        raise ProblemError(node, message, hint="Int has 256 bits, one of them for the sign")
    return Literal(INT_TYPE, number)


def fixed(node: ast.Call) -> Literal:
    """Return the value of `fixed("0.25")`."""
    match node:
        case ast.Call(args=[ast.Constant(value=str(text))], keywords=[]):
            pass
        case ast.Call(args=[ast.Constant(value=int() | float() as number) as argument]):
            hint = f'write fixed("{number}")'
            raise ProblemError(argument, "fixed takes the number as text", hint=hint)
        case _:
            hint = 'write fixed("0.25"); Fixed(x) converts an Int'
            raise ProblemError(node, "fixed takes one number as text", hint=hint)
    match = _DECIMAL.fullmatch(text)
    if match is None:
        hint = f'digits, and at most {FIXED_DECIMALS} decimals: "-12.5"'
        raise ProblemError(node.args[0], f"{text[:40]!r} is not a decimal number", hint=hint)
    sign, whole, fraction = match.groups(default="")
    magnitude = int(whole) * FIXED_SCALE + int(fraction.ljust(FIXED_DECIMALS, "0"))
    number = -magnitude if sign else magnitude
    if not INT_MIN <= number <= INT_MAX:
        raise ProblemError(node.args[0], "the number does not fit Fixed")
    return Literal(FIXED_TYPE, number)


def address(node: ast.Call) -> Literal:
    """Return the value of `address("did:key:...")` or of 64 hexadecimal digits."""
    match node:
        case ast.Call(args=[ast.Constant(value=str(text))], keywords=[]):
            pass
        case _:
            hint = 'write address("did:key:..."); Address(x) converts Bytes'
            raise ProblemError(node, "address takes one text", hint=hint)
    digits = _HEX_ADDRESS.fullmatch(text)
    if digits is not None:
        return Literal(ADDRESS_TYPE, bytes.fromhex(digits.group(1)))
    try:
        key = PublicKey.from_did_key(text)
    except InvalidKeyError as error:
        hint = "an account is a did:key, a contract 64 hexadecimal digits"
        raise ProblemError(node.args[0], f"not an address: {error}", hint=hint) from None
    return Literal(ADDRESS_TYPE, key.raw)


def _check_size(node: ast.AST, raw: bytes) -> None:
    if len(raw) > CONSTANT_BYTES_MAX:
        message = f"{len(raw)} bytes are written out, more than {CONSTANT_BYTES_MAX}"
        raise ProblemError(node, message, hint="pass them as an argument")


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True

"""One good use of every opcode that does not steer: immediates, operands, results."""

from typing import NamedTuple


class Use(NamedTuple):
    """A use of an opcode in the sample module.

    Args:
        operands: names of types, the deepest first.
    """

    instruction: str
    operands: str
    results: str


USES = (
    Use("CONST 0", "", "Str"),
    Use("CONST 1", "", "Int"),
    Use("CONST 4", "", "Fixed"),
    Use("INT -3", "", "Int"),
    Use("TRUE", "", "Bool"),
    Use("FALSE", "", "Bool"),
    Use("UNIT", "", "Unit"),
    Use("NONE t17", "", "t17"),
    Use("DEFAULT t18", "", "t18"),
    Use("DROP", "Unit", ""),
    Use("DROP", "t18", ""),
    Use("DUP", "t18", "t18 t18"),
    Use("GET 1", "", "Int"),
    Use("SET 1", "Int", ""),
    *(Use(op, "Int Int", "Int") for op in ("ADD", "SUB", "MUL", "DIV", "MOD", "POW", "MIN", "MAX")),
    *(Use(op, "Fixed Fixed", "Fixed") for op in ("ADD", "SUB", "MIN", "MAX", "FMUL", "FDIV")),
    *(Use(op, "Int Int", "Int") for op in ("AND", "OR", "XOR", "SHL", "SHR")),
    *(Use(op, "Bool Bool", "Bool") for op in ("AND", "OR", "XOR")),
    *(Use(op, "Int", "Int") for op in ("NEG", "ABS", "ISQRT")),
    *(Use(op, "Fixed", "Fixed") for op in ("NEG", "ABS")),
    Use("MULDIV", "Int Int Int", "Int"),
    Use("TO_FIXED", "Int", "Fixed"),
    Use("FLOOR_INT", "Fixed", "Int"),
    *(
        Use(op, f"{each} {each}", "Bool")
        for op in ("EQ", "NE")
        for each in ("Bool", "Int", "Fixed", "Bytes", "Str", "Address")
    ),
    *(
        Use(op, f"{each} {each}", "Bool")
        for op in ("LT", "LE", "GT", "GE")
        for each in ("Int", "Fixed", "Bytes", "Str")
    ),
    Use("NOT", "Bool", "Bool"),
    Use("CONCAT", "Bytes Bytes", "Bytes"),
    Use("CONCAT", "Str Str", "Str"),
    Use("LEN", "Bytes", "Int"),
    Use("LEN", "Str", "Int"),
    Use("SLICE", "Bytes Int Int", "Bytes"),
    Use("SLICE", "Str Int Int", "Str"),
    Use("BYTE_AT", "Bytes Int", "Int"),
    Use("CONTAINS", "Str Str", "Bool"),
    Use("STR_TO_BYTES", "Str", "Bytes"),
    Use("INT_TO_BYTES", "Int Int", "Bytes"),
    Use("BYTES_TO_INT", "Bytes", "Int"),
    Use("INT_TO_STR", "Int", "Str"),
    Use("SHA256", "Bytes", "Bytes"),
    Use("ADDRESS_TO_BYTES", "Address", "Bytes"),
    Use("BYTES_TO_ADDRESS", "Bytes", "Address"),
    Use("LIST 0 t16", "", "t16"),
    Use("LIST 3 t16", "Int Int Int", "t16"),
    Use("LGET", "t16 Int", "Int"),
    Use("LSET", "t24 Int Str", "t24"),
    Use("LAPPEND", "t20 Address", "t20"),
    Use("LPOP", "t16", "t16 Int"),
    Use("LLEN", "t24", "Int"),
    Use("LCONTAINS", "t24 Str", "Bool"),
    Use("LCONCAT", "t16 t16", "t16"),
    Use("LSLICE", "t20 Int Int", "t20"),
    Use("SORT", "t16", "t16"),
    Use("SUM", "t22", "Fixed"),
    Use("WEIGHTED_MEDIAN", "t22 t16", "Fixed"),
    Use("WEIGHTED_MEDIAN", "t16 t16", "Int"),
    Use("QUANTILE", "t16 Int Int", "Int"),
    Use("TOP_K t16", "t22 Int", "t16"),
    Use("RECORD t18", "Int Str", "t18"),
    Use("FIELD 1", "t18", "Str"),
    Use("WITH 1", "t18 Str", "t18"),
    Use("SOME t17", "Int", "t17"),
    Use("IS_SOME", "t17", "Bool"),
    Use("UNWRAP", "t23", "Bool"),
    Use("UNWRAP_OR", "t17 Int", "Int"),
    Use("LOAD 0", "", "Int"),
    Use("LOAD 1", "Address", "Int"),
    Use("LOAD 4", "", "t18"),
    Use("LOAD 5", "Int Address", "Int"),
    Use("LOAD_OPTION 5 t17", "Int Address", "t17"),
    Use("STORE 0", "Int", ""),
    Use("STORE 5", "Int Address Int", ""),
    Use("REMOVE 1", "Address", ""),
    Use("HAS 1", "Address", "Bool"),
    Use("SLLEN 2", "", "Int"),
    Use("SLLEN 3", "Str", "Int"),
    Use("SLGET 3", "Str Int", "Int"),
    Use("SLSET 3", "Str Int Int", ""),
    Use("SLAPPEND 2", "Int", ""),
    Use("SLPOP 3", "Str", "Int"),
    Use("SLCLEAR 2", "", ""),
    Use("SLLOAD 3 t16", "Str", "t16"),
    Use("REQUIRE 0", "Bool", ""),
    Use("CALL 1", "Int Str", "Bool"),
    Use("CALL 3", "", "Int"),
    Use("INVOKE 0", "Address Address", "Int"),
    Use("INVOKE 1", "Address Int Address", "Bool"),
    Use("INVOKE 2", "Address Address Int", "Unit"),
    *(Use(op, "", "Address") for op in ("SENDER", "SELF")),
    *(Use(op, "", "Int") for op in ("VALUE", "NOW", "HEIGHT", "QUORUM")),
    Use("BEACON", "", "Bytes"),
    *(Use(op, "Address", "Int") for op in ("BALANCE", "STAKE_OF", "POWER_OF")),
    Use("TRANSFER", "Address Int", ""),
    Use("EMIT 0", "Address Int", ""),
    Use("SCHEDULE 2", "Int Int Int", ""),
    Use("GAS_LEFT", "", "Int"),
    Use("COMMITTEE t20", "", "t20"),
    Use("VERIFY_SIGNATURE", "Bytes Bytes Bytes", "Bool"),
    Use("VERIFY_CERTIFICATE", "Bytes Bytes", "Bool"),
    Use("CODE_AT", "Address", "Bool"),
)

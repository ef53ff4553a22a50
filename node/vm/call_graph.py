"""The rules of internal calls: none leads back to its function, and they do not nest too deeply."""

from collections.abc import Mapping, Sequence

from node.vm.limits import INTERNAL_CALL_DEPTH_MAX
from node.vm.rejection import InvalidModuleError, Reason


def call_order(calls: Sequence[Mapping[int, int]]) -> tuple[int, ...]:
    """Return the functions, each behind all that it calls.

    Args:
        calls: for each function, those it calls, with the offset of the call.

    Raises:
        InvalidModuleError: a function calls itself, or calls are nested too deeply.
    """
    order: list[int] = []
    depths: dict[int, int] = {}
    for start in range(len(calls)):
        _visit(start, calls, order=order, depths=depths)
    return tuple(order)


def _visit(
    start: int, calls: Sequence[Mapping[int, int]], *, order: list[int], depths: dict[int, int]
) -> None:
    """Put a function behind those it calls, without recursion of our own."""
    if start in depths:
        return
    path = [(start, iter(calls[start].items()))]
    on_path = {start}
    while path:
        function, callees = path[-1]
        for callee, offset in callees:
            if callee in on_path:
                detail = f"function {callee} leads back to itself"
                raise InvalidModuleError(
                    Reason.CALL_CYCLE, detail, function=function, offset=offset
                )
            if callee not in depths:
                path.append((callee, iter(calls[callee].items())))
                on_path.add(callee)
                break
        else:
            depths[function] = _depth(function, calls[function], depths)
            order.append(function)
            on_path.discard(function)
            path.pop()


def _depth(function: int, callees: Mapping[int, int], depths: Mapping[int, int]) -> int:
    depth = 1 + max((depths[callee] for callee in callees), default=0)
    if depth > INTERNAL_CALL_DEPTH_MAX:
        detail = f"calls nest {depth} deep > limit {INTERNAL_CALL_DEPTH_MAX}"
        raise InvalidModuleError(Reason.CALL_DEPTH, detail, function=function)
    return depth

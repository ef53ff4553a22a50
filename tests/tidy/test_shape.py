from tests.tidy import shape
from tests.tidy.sources import Source


def _file(lines: int, *, path: str = "consensus/dag.py") -> Source:
    return Source.of("pass\n" * lines, path=path)


def _function(lines: int) -> Source:
    return Source.of("@decorated\ndef propose():\n" + "    pass\n" * (lines - 1))


def test_file_at_the_limit_is_accepted() -> None:
    assert not list(shape.long_files([_file(shape.FILE_LINES_MAX)]))


def test_file_over_the_limit_is_reported() -> None:
    (finding,) = shape.long_files([_file(shape.FILE_LINES_MAX + 1)])
    assert finding.place == "consensus/dag.py"


def test_function_at_the_limit_is_accepted() -> None:
    assert not list(shape.long_functions([_function(shape.FUNCTION_LINES_MAX)]))


def test_function_over_the_limit_is_reported() -> None:
    (finding,) = shape.long_functions([_function(shape.FUNCTION_LINES_MAX + 1)])
    assert finding.place == "consensus/snippet.py::propose"


def test_method_inside_a_branch_is_measured_too() -> None:
    body = "            pass\n" * shape.FUNCTION_LINES_MAX
    nested = Source.of(f"if True:\n    class Dag:\n        async def accept(self):\n{body}")
    (finding,) = shape.long_functions([nested])
    assert finding.place == "consensus/snippet.py::Dag.accept"


def test_room_of_short_files_is_accepted() -> None:
    files = [_file(shape.FILE_LINES_MEDIAN_MAX)] * 9 + [_file(shape.FILE_LINES_MOST_MAX + 1)]
    assert not list(shape.large_rooms(files))


def test_room_with_a_long_median_is_reported() -> None:
    (finding,) = shape.large_rooms([_file(shape.FILE_LINES_MEDIAN_MAX + 1)] * 3)
    assert finding.place == "median"


def test_room_with_too_many_long_files_is_reported() -> None:
    files = [_file(1)] * 8 + [_file(shape.FILE_LINES_MOST_MAX + 1)]
    (finding,) = shape.large_rooms(files)
    assert finding.place == "longest tenth"


def test_room_without_files_is_accepted() -> None:
    assert not list(shape.large_rooms([]))


def test_thirteenth_file_of_primitives_is_reported() -> None:
    full = [
        _file(1, path=f"primitives/concept_{index}.py")
        for index in range(shape.PRIMITIVES_FILES_MAX)
    ]
    package = _file(1, path="primitives/__init__.py")
    assert not list(shape.crowded_primitives([package, *full]))
    assert list(shape.crowded_primitives([*full, _file(1, path="primitives/one_more.py")]))

"""Why an update is not one: a layout that no task may have, or bytes that are no blob of the task.

Both are kinds of `MalformedBytesError`: somebody else's bytes, and no reason to crash.
"""

from typing import ClassVar

from primitives.errors import MalformedBytesError


class BadLayoutError(MalformedBytesError):
    """Refuse a list of tensors that is not a canonical layout."""

    code: ClassVar[str] = "bad_layout"


class MalformedBlobError(MalformedBytesError):
    """Refuse bytes that are not a blob of this task.

    Args:
        field: the part of the blob that is wrong.
        expected: what the part should have been, in words.
        actual: what it is.
    """

    code: ClassVar[str] = "malformed_blob"

    def __init__(self, *, field: str, expected: str, actual: str) -> None:
        super().__init__(f"blob {field}: expected {expected}, got {actual}")
        self.field = field
        self.expected = expected
        self.actual = actual

"""Tell a lack of memory from every other error, without loading torch to ask for its types."""

from typing import Final

# torch words them so: the allocator of the CPU, that of CUDA, and cuBLAS when it has no workspace.
_WORDINGS: Final = (
    "can't allocate memory",
    "out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    # The stack of a thread is memory too.
    "can't start new thread",
)


def is_shortage(error: BaseException) -> bool:
    """Tell whether an error, or what it was raised from, says that memory ran out.

    The memory may be that of the host or of the accelerator.
    """
    if isinstance(error, MemoryError):
        return True
    if isinstance(error, RuntimeError) and any(text in str(error) for text in _WORDINGS):
        return True
    return error.__cause__ is not None and is_shortage(error.__cause__)

"""What fails a job on the worker's side, beside the errors of training."""

from typing import ClassVar

from primitives.errors import TrainingError


class BlobFileError(TrainingError):
    """Report a file that is missing or damaged."""

    code: ClassVar[str] = "blob_file"


class BlobWriteError(TrainingError):
    """Report a file that cannot be written."""

    code: ClassVar[str] = "blob_write"


class WrongJobError(TrainingError):
    """Refuse a job whose parts do not fit together; the message names the part."""

    code: ClassVar[str] = "wrong_job"

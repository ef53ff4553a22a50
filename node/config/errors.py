"""How a configuration fails: one line with the place, what is wrong, and what would be right."""

from typing import ClassVar

from primitives.errors import ConfigurationError


class ConfigFileError(ConfigurationError):
    """Refuse a configuration.

    Args:
        place: the file and the line, or the environment variable.
        reason: what is wrong there, in lower case.
    """

    code: ClassVar[str] = "configuration_file"

    def __init__(self, reason: str, *, place: str) -> None:
        super().__init__(f"{place}: {reason}")
        self.place = place

"""What no test leaves behind for the next one of its process."""

from collections.abc import Iterator

import pytest
import structlog


@pytest.fixture(autouse=True)
def _same_logs() -> Iterator[None]:
    """Take back what a command that ran in this process did to the logs."""
    before = structlog.get_config()
    yield
    structlog.configure(**before)

import pytest

from node.execution.local_chain import LocalChain
from tests.contracts.cast import standard_chain


@pytest.fixture
def chain() -> LocalChain:
    """Return a chain with the standard contracts."""
    return standard_chain()

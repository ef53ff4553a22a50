"""Every claim about running code is made of both engines."""

import pytest

from node.vm.engine import Engine
from tests.vm.engines.lab import ENGINES


@pytest.fixture(params=ENGINES, ids=lambda engine: type(engine).__name__)
def engine(request: pytest.FixtureRequest) -> Engine:
    chosen = request.param
    assert isinstance(chosen, Engine)
    return chosen

import pytest

from node.chain.limits import ChainLimits
from primitives.errors import ConfigurationError


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda: ChainLimits(kept_versions=1), "kept_versions must be at least 2"),
        (lambda: ChainLimits(kept_history=0), "kept_history must be at least 1"),
        (lambda: ChainLimits(kept_epochs=1), "kept_epochs must be at least 2"),
    ],
)
def test_limit_out_of_range_is_refused_by_name(make: type[ChainLimits], complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        make()

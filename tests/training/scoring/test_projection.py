import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fl.training.scoring.projection import Frozen, Head, LowRank, project

SIZES = st.sampled_from([1, 3])


@settings(max_examples=60, deadline=None)
@given(together=SIZES, down=SIZES, up=SIZES, has_bias=st.booleans())
def test_each_variant_gets_its_own_part_whichever_operand_is_shared(
    together: int, down: int, up: int, has_bias: bool
) -> None:
    dice = torch.Generator().manual_seed(1)

    def rand(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=dice)

    linear = Frozen(rand(4, 5), rand(4) if has_bias else None)
    activations, part = rand(together, 6, 5), LowRank(rand(down, 5, 2), rand(up, 2, 4))
    found = project(linear, part, activations)
    variants = max(together, down, up)
    assert found.shape == (variants, 6, 4)
    for one in range(variants):
        rows = activations[one % together]
        expected = rows @ linear.weight.t() + rows @ part.down[one % down] @ part.up[one % up]
        if linear.bias is not None:
            expected = expected + linear.bias
        assert torch.allclose(found[one], expected, atol=1e-5)


@settings(max_examples=20, deadline=None)
@given(together=SIZES, own=SIZES, has_bias=st.booleans())
def test_heads_replace_the_whole_map(together: int, own: int, has_bias: bool) -> None:
    activations, weight = torch.randn(together, 6, 5), torch.randn(own, 5, 4)
    bias = torch.randn(own, 1, 4) if has_bias else None
    found = project(Frozen(torch.ones(4, 5), None), Head(weight, bias), activations)
    for one in range(max(together, own)):
        expected = activations[one % together] @ weight[one % own]
        if bias is not None:
            expected = expected + bias[one % own]
        assert torch.allclose(found[one], expected, atol=1e-5)

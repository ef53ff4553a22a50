import pytest
import typer

from cli.amounts import hanse, parse_amount


@pytest.mark.parametrize(
    ("text", "grains"),
    [
        ("1.5", 1_500_000_000),
        ("0", 0),
        ("1hanse", 10**9),
        ("2 HANSE", 2 * 10**9),
        ("0.000000001", 1),
        ("1grain", 1),
        ("1500 grains", 1_500),
        ("9223372036854775807grain", 2**63 - 1),
    ],
)
def test_amount_is_hanse_or_grains(text: str, grains: int) -> None:
    assert parse_amount(text) == grains


@pytest.mark.parametrize(
    "text",
    ["", "-1", "1.", ".5", "1e3", "1.0000000001", "1.5grain", "x", "1 2", "9223372037", "٣", "1,5"],
)
def test_amount_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        parse_amount(text)


@pytest.mark.parametrize(
    ("grains", "shown"),
    [
        (0, "0 HANSE"),
        (1, "0.000000001 HANSE"),
        (1_500_000_000, "1.5 HANSE"),
        (10 * 10**9, "10 HANSE"),
        ("9223372036854775807", "9223372036.854775807 HANSE"),
    ],
)
def test_amount_is_shown_exactly(grains: int | str, shown: str) -> None:
    assert hanse(grains) == shown

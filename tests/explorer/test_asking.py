"""A page asks its node for no more than it needs, misses nothing, and claims nothing it missed."""

import pytest

from tests.explorer.test_words import FOLDER, NODE, run_node

pytestmark = pytest.mark.skipif(NODE is None, reason="needs Node.js, as the page needs a browser")


@pytest.mark.parametrize("name", ["asking", "stream", "pulse", "reading"])
def test_page_asks_little_and_misses_nothing(name: str) -> None:
    run_node("--test", str(FOLDER / f"{name}.test.mjs"))

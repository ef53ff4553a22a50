"""A page asks its node for no more than it needs."""

import pytest

from tests.explorer.test_words import FOLDER, NODE, run_node

pytestmark = pytest.mark.skipif(NODE is None, reason="needs Node.js, as the page needs a browser")


def test_pages_share_what_they_follow_and_ask_for_the_same_rounds() -> None:
    run_node("--test", str(FOLDER / "asking.test.mjs"))

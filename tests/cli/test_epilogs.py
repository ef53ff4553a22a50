"""The help of each command ends with an example that the command would take."""

import shlex

import pytest

from cli.epilogs import EXAMPLES, epilog_of
from tests.cli.verbs import Verb, verbs

ALONE = {"version", "simulate"}
"""Commands of the root: what they are called with stands in their own help."""
GROUPED = [verb for verb in verbs() if str(verb) not in ALONE]


def test_nothing_has_an_example_that_is_no_command() -> None:
    assert set(EXAMPLES) == {str(verb) for verb in GROUPED}


@pytest.mark.parametrize("verb", GROUPED, ids=str)
def test_the_example_of_a_command_is_one_that_it_takes(verb: Verb) -> None:
    words = shlex.split(EXAMPLES[str(verb)])
    assert verb.command.epilog == epilog_of(str(verb))
    head = ["hanse", *verb.words]
    assert words[: len(head)] == head
    # Raises where an option is unknown, a word too many, or a value of another type.
    verb.command.make_context(str(verb), words[len(head) :])

"""What people see of a network leads them to the page that shows more."""

import io

from rich.console import Console

from devnet.local.table import NetworkView, NodeView, render, trained_steps
from node.rpc.schemas import DutyJob


def _shown(*states: str) -> str:
    nodes = tuple(
        NodeView(
            name=f"node-{number}",
            parts=("validator",),
            plays="honest",
            url=f"http://127.0.0.1:{4_000 + number}",
            state=state,
        )
        for number, state in enumerate(states)
    )
    console = Console(file=io.StringIO(), width=80)
    console.print(render(NetworkView(folder="net", chain_id="ab", nodes=nodes), (), headline="up"))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_explorer_of_the_first_node_that_answers_is_named() -> None:
    assert "http://127.0.0.1:4001/explorer/" in _shown("down", "running", "running")


def test_where_no_node_answers_there_is_no_page_to_name() -> None:
    assert "explorer" not in _shown("down", "silent")


def _job(step: str, stage: str, *, done: int = 0) -> DutyJob:
    return DutyJob(
        step=step, task=0, round=0, rung=0, since_ms=0, stage=stage, done=done, total=0, note=""
    )


def test_steps_are_those_of_training_whatever_else_a_node_does() -> None:
    assert trained_steps([_job("hold", ""), _job("train", "training", done=1)]) == 1
    assert trained_steps([_job("train", "loading", done=3), _job("hold", "fetching")]) == 0
    assert trained_steps([]) == 0

"""What people see of a network leads them to the page that shows more."""

import io

from rich.console import Console

from devnet.local.table import NetworkView, NodeView, render


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

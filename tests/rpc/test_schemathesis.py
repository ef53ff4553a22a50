"""schemathesis finds no answer that the OpenAPI document does not promise.

It makes requests from the document alone, good and bad ones, sends them to a live node on loopback,
and checks every answer: no crash, a status, a media type and a body that are promised, bad requests
refused, good ones taken, nothing guarded without a token, no method that is not there.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable

from tests.rpc.live import Live, live_node

schemathesis = pytest.importorskip("schemathesis")

# 422 is how a rule of the chain refuses what the document cannot describe, such as a transaction
# that is none; 400 the same for arguments of a contract, whose types only the contract knows, and
# for keys and ids that have the right letters and name nothing; 410 a height that is pruned.
FEW = 2
"""Of each operation and mode, in a few seconds."""
MANY = 200
"""The same, in a quarter of an hour."""
TAKEN = ["2xx", "400", "401", "403", "404", "409", "410", "422", "503"]


@pytest.fixture(name="live", scope="module")
def _live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with live_node(tmp_path_factory.mktemp("node")) as live:
        yield live


def operations(live: Live) -> Iterator[Any]:
    """Yield every operation of the document, but the WebSocket and the end of the node."""
    config = schemathesis.config.SchemathesisConfig.from_dict(
        {"checks": {"positive_data_acceptance": {"expected-statuses": TAKEN}}}
    )
    described = schemathesis.openapi.from_url(f"{live.url}/openapi.json", config=config)
    chosen = described.exclude(path="/v1/stream").exclude(path="/v1/admin/shutdown")
    for result in chosen.get_all_operations():
        yield result.ok()


@pytest.mark.parametrize("mode", ["positive", "negative"])
def test_every_answer_is_as_promised(live: Live, mode: str) -> None:
    ask_all(live, mode=mode, examples=FEW)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["positive", "negative"])
def test_hundreds_of_answers_are_as_promised(live: Live, mode: str) -> None:
    ask_all(live, mode=mode, examples=MANY)


def ask_all(live: Live, *, mode: str, examples: int) -> None:
    """Ask every operation of the document, and check each answer."""
    headers = {"Authorization": f"Bearer {live.token}"}
    found = []
    for operation in operations(live):
        strategy = operation.as_strategy(generation_mode=schemathesis.GenerationMode(mode))

        @settings(
            max_examples=examples,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(strategy)
        def check(case: Any) -> None:  # noqa: ANN401 - the library may not be installed
            case.call_and_validate(headers=headers)

        try:
            check()
        except Unsatisfiable:
            # There is no wrong way to ask a route without parameters.
            continue
        found.append(operation.label)
    assert len(found) >= 20, found

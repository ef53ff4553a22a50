"""Who is no agent publishes no model and offers no task, and learns it before any work is done."""

import pytest

from fl.training.tiny import tiny_model_folder
from tests.cli.live import Live, write_named_key
from tests.cli.offers import SPONSOR, TERMS, be_agent, be_somebody

PUBLISH = ("model", "publish", str(tiny_model_folder()), "--title", "tiny", "--kind", "causal")
CREATE = ("task", "create", "--document", "ab" * 32, *TERMS, "--yes")
VERBS = pytest.mark.parametrize("words", [PUBLISH, CREATE], ids=["publish", "create"])


@pytest.fixture(scope="module", autouse=True)
def accounts(live: Live) -> None:
    be_agent(live)
    be_somebody(live, "otto", role="client")
    be_somebody(live, "paula", role="agent")
    live.json("identity", "revoke", "--yes", key="paula")
    write_named_key(live.folder, "quinn")


@VERBS
@pytest.mark.parametrize("key", ["quinn", "paula"])
def test_account_without_an_identity_is_told_how_to_register(
    words: tuple[str, ...], key: str, live: Live
) -> None:
    refused = live.run(*words, key=key)
    assert refused.exit_code == 1
    assert refused.stderr == (
        "error: only agents publish models, and your account has no identity: "
        "hanse identity register NAME --role agent\n"
    )


@VERBS
def test_client_is_told_that_it_is_one(words: tuple[str, ...], live: Live) -> None:
    refused = live.run(*words, key="otto")
    assert refused.exit_code == 1
    assert "only agents publish models, and otto is registered as client" in refused.stderr


def test_agent_gets_past_that(live: Live) -> None:
    assert "no public blob" in live.run(*CREATE, key=SPONSOR).stderr

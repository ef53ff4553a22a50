"""The explorer says what the rules say: its words and sums are held against `fl.rules`."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from fl.rules.effects import Reason
from fl.rules.limits import ONE
from fl.rules.phase import Phase
from fl.rules.reputation import INITIAL, PENALTIES, BondFate, Fault, after_quality, cut

FOLDER = Path(__file__).parent
NODE = shutil.which("node")
REPUTATIONS = (0, 1, 15, 16, INITIAL, 32_767, 32_768, 40_000, ONE - 1, ONE)
FAULTS_OF_REASONS = {
    Reason.WITHHELD: Fault.WITHHELD_UPDATE,
    Reason.MALFORMED: Fault.MALFORMED,
    Reason.REPLAY: Fault.COPY,
    Reason.COPY: Fault.COPY,
}
# A score below the threshold, one below the median, and the median itself.
SCORES = ((10, 0), (50, ONE // 2), (60, ONE))

pytestmark = pytest.mark.skipif(NODE is None, reason="needs Node.js, as the page needs a browser")


def run_node(*arguments: str, given: str = "") -> str:
    assert NODE is not None
    ended = subprocess.run(
        [NODE, *arguments], input=given, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 0, ended.stdout[-4_000:] + ended.stderr[-2_000:]
    return ended.stdout


@pytest.fixture(scope="module")
def said() -> dict[str, Any]:
    rows = {
        "reasons": [reason.value for reason in Reason],
        "faults": [fault.value for fault in Fault],
        "judged": [
            {"reputation": reputation, "target": target}
            for reputation in REPUTATIONS
            for _, target in SCORES
        ],
        "cut": [
            {"reputation": reputation, "eighths": PENALTIES[fault].eighths_cut}
            for reputation in REPUTATIONS
            for fault in Fault
        ],
        "steps": [
            {"before": 40_000, "after": cut(40_000, Fault.COPY)},
            {"before": 40_000, "after": cut(40_000, Fault.MALFORMED)},
            {"before": 40_000, "after": after_quality(40_000, score=60, threshold=10, median=60)},
        ],
    }
    found: dict[str, Any] = json.loads(
        run_node(str(FOLDER / "verdict_rows.mjs"), given=json.dumps(rows))
    )
    return found


@pytest.mark.parametrize("name", ["verdict", "course", "numbers"])
def test_the_words_of_the_explorer_hold(name: str) -> None:
    run_node("--test", str(FOLDER / f"{name}.test.mjs"))


def test_every_reason_of_the_chain_has_words_of_its_own(said: dict[str, Any]) -> None:
    codes = [one["code"] for one in said["reasons"]]
    assert codes == [reason.name.lower() for reason in Reason]
    assert len({one["sentence"] for one in said["reasons"]}) == len(Reason)


def test_a_burned_bond_is_told_where_the_rules_burn_it(said: dict[str, Any]) -> None:
    for reason, one in zip(Reason, said["reasons"], strict=True):
        fault = FAULTS_OF_REASONS.get(reason)
        is_burned = fault is not None and PENALTIES[fault].bond is BondFate.BURNED
        assert ("bond is burned" in one["more"][-1]) == is_burned, reason
        assert ("bond comes back" in one["more"][-1]) != is_burned, reason


def test_the_cost_of_every_fault_is_that_of_the_rules(said: dict[str, Any]) -> None:
    for fault, text in zip(Fault, said["faults"], strict=True):
        penalty = PENALTIES[fault]
        stake = f"{penalty.stake_basis_points / 100:g} % of the stake"
        assert (stake in text) == (penalty.stake_basis_points > 0), fault
        assert ("an eighth of the reputation" in text) == (penalty.eighths_cut == 1), fault
        assert ("half of the reputation" in text) == (penalty.eighths_cut == 4), fault


def test_the_phases_are_those_of_a_round_in_order(said: dict[str, Any]) -> None:
    assert said["phases"] == [phase.value for phase in Phase]


def test_reputations_move_as_the_rules_move_them(said: dict[str, Any]) -> None:
    assert said["judged"] == [
        after_quality(reputation, score=score, threshold=10, median=60)
        for reputation in REPUTATIONS
        for score, _ in SCORES
    ]
    assert said["cut"] == [cut(reputation, fault) for reputation in REPUTATIONS for fault in Fault]


def test_a_step_of_a_reputation_is_named_by_its_cause(said: dict[str, Any]) -> None:
    copied, malformed, judged = said["steps"]
    assert copied == "a fault: halved"
    assert malformed == "a fault: cut by an eighth"
    assert judged.endswith("a sixteenth of the way to 1")

"""How long the phases of a devnet's rounds last follows from the time that its machines need."""

from devnet.local.sponsor import windows
from devnet.local.study import Study
from node.duties.publishing import Windows


def test_usual_machines_have_the_usual_time() -> None:
    study = Study()
    assert windows(study) == Windows(training=study.train_s * 1_000, scoring=study.score_s * 1_000)


def test_slow_machines_have_more_time_for_all_that_workers_do() -> None:
    slow = windows(Study(train_s=900, score_s=1_800))
    assert (slow.training, slow.scoring) == (900_000, 1_800_000)
    assert slow.aggregation == slow.guard == 900_000
    assert slow.availability == Windows().availability


def test_little_time_for_scores_leaves_the_guard_its_own() -> None:
    assert windows(Study(score_s=1)).guard == Windows().guard

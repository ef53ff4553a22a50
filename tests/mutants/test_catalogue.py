from pathlib import Path

import pytest

from tests.mutants.catalogue import MUTANTS
from tests.mutants.mutant import Breaks, Mutant, StaleMutantError, mutate
from tests.mutants.runner import ROOT

ROW = Mutant(
    name="reversed",
    file="rule.py",
    old="votes >= quorum",
    new="votes < quorum",
    claim="a quorum commits",
    suites=("tests",),
    breaks=Breaks.LIVENESS,
)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_mutant_still_fits_the_source(mutant: Mutant) -> None:
    text = (ROOT / mutant.file).read_text(encoding="utf-8")
    assert text.count(mutant.old) == 1
    compile(text.replace(mutant.old, mutant.new), mutant.file, "exec")


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_suites_of_a_mutant_exist(mutant: Mutant) -> None:
    assert mutant.suites
    for suite in mutant.suites:
        assert all((ROOT / path.split("::", 1)[0]).exists() for path in suite.split())


def test_names_are_unique() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)


def test_mutation_replaces_its_text(tmp_path: Path) -> None:
    rule = tmp_path / "rule.py"
    rule.write_text("commit = votes >= quorum\n")
    mutate(ROW, tmp_path)
    assert rule.read_text() == "commit = votes < quorum\n"


@pytest.mark.parametrize("text", ["", "votes >= quorum or votes >= quorum"])
def test_mutation_whose_text_is_not_there_once_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "rule.py").write_text(text)
    with pytest.raises(StaleMutantError):
        mutate(ROW, tmp_path)

"""Examples are divided without a rest, and each node finds its own part and nobody else's."""

import asyncio
import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from devnet.local.children import ask_child
from devnet.local.division import divide
from devnet.local.errors import ChildFailedError
from devnet.local.record import Division, DivisionOrder
from devnet.local.study import Study
from fl.training.examples.columns import Columns
from fl.training.examples.errors import ExamplesError
from fl.training.examples.sources import open_labelled, open_plain
from primitives.errors import ConfigurationError

NOTES = "synthetic:notes?organisations=4&examples=120&test=20"


def _order(folder: Path, **study: object) -> DivisionOrder:
    return DivisionOrder(
        study=replace(Study(source=NOTES, held_out=10, tested=8), **study),
        seed=1,
        folders=tuple(str(folder / f"node-{number}") for number in range(4)),
        trainers=(1, 2, 3),
        validators=(0, 1),
        test=str(folder / "test"),
    )


def _texts(path: Path) -> list[str]:
    return [json.loads(line)["text"] for line in path.read_text().splitlines()]


def test_every_example_goes_to_one_trainer_or_one_validator(tmp_path: Path) -> None:
    division = divide(_order(tmp_path, kind="classification"))
    assert division.kind == "classification"
    assert division.label_names == ("routine", "urgent", "complaint", "resolved")
    assert division.held_out == (10, 10, 0, 0)
    assert sum(division.trained) == 100
    assert division.trained[0] == 0
    assert [sum(row) for row in division.counts] == list(division.trained)
    parts = [_texts(tmp_path / f"node-{one}/examples/train.jsonl") for one in (1, 2, 3)]
    shards = [_texts(tmp_path / f"node-{one}/examples/test.jsonl") for one in (0, 1)]
    everything = [text for part in (*parts, *shards) for text in part]
    assert len(everything) == 120


def test_parts_are_read_as_they_were_written(tmp_path: Path) -> None:
    divide(_order(tmp_path, kind="classification"))
    names = ("routine", "urgent", "complaint", "resolved")
    # An organisation may lack a class, so the task names them all.
    columns = Columns(label_names=names)
    own = open_labelled(str(tmp_path / "node-1/examples"), columns=columns)
    assert len(own.test) == 10
    whole = open_labelled(NOTES)
    assert set(own.train) <= set(whole.train)


def test_classes_are_written_by_name_since_names_may_be_numerals(tmp_path: Path) -> None:
    division = divide(_order(tmp_path, kind="classification"))
    lines = (tmp_path / "node-1/examples/train.jsonl").read_text().splitlines()
    assert {json.loads(line)["label"] for line in lines} <= set(division.label_names)


def test_node_without_a_use_for_a_file_has_one_line_of_it(tmp_path: Path) -> None:
    divide(_order(tmp_path, kind="classification"))
    assert len(_texts(tmp_path / "node-0/examples/train.jsonl")) == 1
    assert len(_texts(tmp_path / "node-3/examples/test.jsonl")) == 1


def test_prompts_stay_prompts(tmp_path: Path) -> None:
    source = f"{NOTES}&form=questions"
    divide(_order(tmp_path, kind="causal", source=source))
    whole = {one.text: one.prompt_length for one in open_plain(source).train}
    own = open_plain(str(tmp_path / "node-1/examples")).train
    assert all(whole[one.text] == one.prompt_length for one in own)
    assert any(one.prompt_length for one in own)


def test_texts_without_classes_or_writers_are_dealt_evenly(tmp_path: Path) -> None:
    folder = tmp_path / "plain"
    folder.mkdir()
    for name in ("train", "test"):
        rows = [json.dumps({"text": f"{name} {number}"}) for number in range(80)]
        (folder / f"{name}.jsonl").write_text("\n".join(rows) + "\n")
    division = divide(_order(tmp_path, source=str(folder), model="any"))
    assert division.kind == "causal"
    assert division.trained == (0, 20, 20, 20)


def test_division_follows_from_the_seed(tmp_path: Path) -> None:
    first = divide(_order(tmp_path / "a", kind="classification"))
    again = divide(_order(tmp_path / "b", kind="classification"))
    other = divide(replace(_order(tmp_path / "c", kind="classification"), seed=2))
    assert first == again
    assert first.counts != other.counts


def test_too_few_examples_are_refused_with_the_numbers(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="120 examples to learn from, and 2012 are needed"):
        divide(_order(tmp_path, held_out=1_000))


def test_source_that_is_not_there_is_an_error_of_examples(tmp_path: Path) -> None:
    with pytest.raises(ExamplesError, match="no such folder"):
        divide(_order(tmp_path, source=str(tmp_path / "nothing")))


@pytest.mark.slow
def test_child_divides_and_says_what_is_wrong(tmp_path: Path) -> None:
    async def ask(order: DivisionOrder) -> Division:
        return await ask_child("devnet.local.division", order, Division)

    order = _order(tmp_path, kind="classification")
    assert asyncio.run(ask(order)) == divide(order)
    with pytest.raises(ChildFailedError, match="no such folder"):
        asyncio.run(ask(_order(tmp_path, source=str(tmp_path / "nothing"))))

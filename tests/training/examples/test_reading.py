"""What becomes of the rows of a table: which columns, which classes, which split."""

from collections.abc import Callable
from pathlib import Path

import pytest

from fl.training.examples.columns import Columns
from fl.training.examples.errors import ExamplesError
from fl.training.examples.example import LabelledText, PlainText
from fl.training.examples.limits import ReadLimits
from fl.training.examples.sources import open_labelled, open_plain, open_source
from tests.training.examples.files import FRUIT, Rows, write_csv, write_jsonl


def notes(folder: Path, train: Rows, test: Rows | None = None) -> str:
    write_jsonl(folder / "train.jsonl", train)
    write_jsonl(folder / "test.jsonl", train if test is None else test)
    return str(folder)


def refusal(spec: str, columns: Columns) -> str:
    with pytest.raises(ExamplesError) as error:
        open_labelled(spec, columns=columns)
    return str(error.value)


def labelled(*labels: object) -> Rows:
    return [{"text": f"text {index}", "label": label} for index, label in enumerate(labels)]


@pytest.mark.parametrize("name", ["{}.jsonl", "{}.jsonl.gz", "{}.csv", "{}.csv.gz"])
def test_every_text_format_gives_the_same_examples(tmp_path: Path, name: str) -> None:
    write = write_csv if ".csv" in name else write_jsonl
    write(tmp_path / name.format("train"))
    write(tmp_path / name.format("test"), FRUIT[:1])
    found = open_source(str(tmp_path))
    assert found.train[3] == LabelledText("Grüße vom Apfelbaum 🍎", 0)
    assert [len(found.train), len(found.test), found.skipped] == [4, 1, 0]
    assert found.label_names == ("0", "1")


@pytest.mark.parametrize("write", [write_jsonl, write_csv])
@pytest.mark.parametrize("names", [("1", "2", "3"), ("-1", "0", "1"), ("20", "10", "x")])
def test_numerals_that_are_names_are_no_places_in_any_format(
    tmp_path: Path, write: Callable[[Path, Rows], Path], names: tuple[str, ...]
) -> None:
    rows = labelled(*(int(name) for name in names if name != "x"))
    for half in ("train", "test"):
        write(tmp_path / (f"{half}.csv" if write is write_csv else f"{half}.jsonl"), rows)
    found = open_labelled(str(tmp_path), columns=Columns(label_names=names))
    assert [example.label for example in found.train] == list(range(len(rows)))


@pytest.mark.parametrize("write", [write_jsonl, write_csv])
def test_number_that_is_no_name_among_numerals_is_refused(
    tmp_path: Path, write: Callable[[Path, Rows], Path]
) -> None:
    write(tmp_path / ("train.csv" if write is write_csv else "train.jsonl"), labelled(1, 0))
    message = refusal(str(tmp_path), Columns(label_names=("1", "2")))
    assert "the label 0 is none of 1, 2" in message.replace("'", "")


def test_files_of_one_split_are_read_in_the_order_of_their_names(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "train-1.jsonl", labelled(0, 1))
    write_jsonl(tmp_path / "train-0.jsonl", labelled(1, 0))
    write_jsonl(tmp_path / "test.jsonl", labelled(1))
    assert open_labelled(str(tmp_path)).train.numbers.tolist() == [1, 0, 0, 1]


def test_names_of_classes_are_numbered_in_sorted_order(tmp_path: Path) -> None:
    found = open_labelled(notes(tmp_path, labelled("pear", "apple", "pear"), labelled("apple")))
    assert found.label_names == ("apple", "pear")
    assert found.train.numbers.tolist() == [1, 0, 1]
    assert found.test.numbers.tolist() == [0]


def test_classes_that_are_named_beforehand_keep_their_numbers(tmp_path: Path) -> None:
    columns = Columns(label_names=("plum", "pear", "apple"))
    spec = notes(tmp_path, labelled("pear", "pear"), labelled("apple"))
    found = open_labelled(spec, columns=columns)
    assert found.train.numbers.tolist() == [1, 1]
    assert found.test.numbers.tolist() == [2]
    assert found.label_names == ("plum", "pear", "apple")


def test_class_that_is_not_among_the_named_is_refused(tmp_path: Path) -> None:
    columns = Columns(label_names=("plum", "pear"))
    message = refusal(notes(tmp_path, labelled("pear", "fig")), columns)
    assert message.endswith("train.jsonl:2: field 'label': the label 'fig' is none of plum, pear")
    message = refusal(notes(tmp_path, labelled(0, 2)), columns)
    assert message.endswith("train.jsonl:2: field 'label': the label 2 is not between 0 and 1")


@pytest.mark.parametrize("labels", [(True, False), ("1", "0"), (1.0, 0.0)])
def test_whole_numbers_may_be_written_in_other_ways(tmp_path: Path, labels: object) -> None:
    assert isinstance(labels, tuple)
    found = open_labelled(notes(tmp_path, labelled(*labels)))
    assert found.train.numbers.tolist() == [1, 0]
    assert found.label_names == ("0", "1")


def test_number_is_not_squeezed_where_an_organisation_lacks_a_class(tmp_path: Path) -> None:
    found = open_labelled(notes(tmp_path, labelled(0, 3)))
    assert found.train.numbers.tolist() == [0, 3]
    assert len(found.label_names) == 4


def test_texts_of_one_class_only_are_refused(tmp_path: Path) -> None:
    message = refusal(notes(tmp_path, labelled("pear", "pear")), Columns())
    assert "field 'label': every text to learn from is of class 'pear'" in message


def test_class_that_only_the_test_split_has_is_refused(tmp_path: Path) -> None:
    message = refusal(notes(tmp_path, labelled(0, 1), labelled(2)), Columns())
    assert "the class '2' is in the test split only" in message


def test_too_many_classes_are_refused(tmp_path: Path) -> None:
    message = refusal(notes(tmp_path, labelled(*(f"c{n}" for n in range(4097)))), Columns())
    assert ":4097: field 'label': more than 4096 different labels" in message
    assert "label 4096 is not between" in refusal(notes(tmp_path, labelled(4096)), Columns())


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (Columns(text="txet"), "field 'txet': there is no text column of this name among text,"),
        (Columns(text="txet"), "; did you mean 'text'?"),
        (Columns(group="airline"), "field 'airline': there is no group column"),
    ],
)
def test_column_that_is_named_and_missing_is_refused(
    tmp_path: Path, columns: Columns, message: str
) -> None:
    assert message in refusal(notes(tmp_path, FRUIT), columns)


def test_many_columns_are_not_all_listed(tmp_path: Path) -> None:
    spec = notes(tmp_path, [{f"c{n}": "a" for n in range(20)}])
    assert "among c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11, ...;" in refusal(
        spec, Columns()
    )
    assert "no text column among no columns at all" in refusal(notes(tmp_path, [{}]), Columns())


def test_column_that_only_the_test_file_lacks_is_named(tmp_path: Path) -> None:
    message = refusal(notes(tmp_path, FRUIT, [{"text": "a"}]), Columns())
    assert message.endswith("test.jsonl:1: field 'label': this column is missing; there are text")


def test_groups_are_read_on_demand(tmp_path: Path) -> None:
    rows = [{**row, "tree": f"tree {index % 3}"} for index, row in enumerate(FRUIT)]
    found = open_labelled(notes(tmp_path, rows), columns=Columns(group="tree"))
    assert list(found.train.groups) == ["tree 0", "tree 1", "tree 2", "tree 0"]
    assert found.train.groups[1:3] == ["tree 1", "tree 2"]
    assert not open_labelled(notes(tmp_path, rows)).train.groups


def test_empty_texts_are_left_out_and_counted(tmp_path: Path) -> None:
    rows = [*FRUIT, {"text": "  \n", "label": 1}]
    assert open_labelled(notes(tmp_path, rows, FRUIT)).skipped == 1
    empty = [{"text": "", "label": 1}]
    message = refusal(notes(tmp_path, FRUIT, empty), Columns())
    assert message.endswith("there is no text in the test split")


def test_number_of_examples_is_bounded(tmp_path: Path) -> None:
    spec = notes(tmp_path, FRUIT)
    with pytest.raises(ExamplesError, match="more than 7 examples"):
        open_labelled(spec, limits=ReadLimits(examples_max=7))
    assert len(open_labelled(spec, limits=ReadLimits(examples_max=8)).train) == 4


def test_without_a_test_file_a_tenth_is_held_out_by_the_text(tmp_path: Path) -> None:
    rows = [{"text": f"text {index // 2}", "label": index % 2} for index in range(2000)]
    write_jsonl(tmp_path / "notes.jsonl", rows)
    found = open_labelled(str(tmp_path))
    held_out = {example.text for example in found.test}
    assert len(found.train) + len(found.test) == 2000
    assert 140 < len(found.test) < 260
    assert held_out.isdisjoint(example.text for example in found.train)


@pytest.mark.parametrize(
    ("row", "prompt", "answer"),
    [
        ({"text": "Once."}, "", "Once."),
        ({"instruction": "Why?", "input": "", "output": "So."}, "Why?\n", "So."),
        ({"instruction": "Why?", "input": "It is.", "output": "So."}, "Why?\nIt is.\n", "So."),
        ({"question": "Why?", "answer": "So.", "text": "Why?"}, "Why?\n", "So."),
        ({"prompt": "Why?", "text": "Why? So."}, "", "Why? So."),
    ],
)
def test_texts_to_write_have_a_prompt_where_the_table_has_one(
    tmp_path: Path, row: dict[str, object], prompt: str, answer: str
) -> None:
    example = open_plain(notes(tmp_path, [row])).train[0]
    assert (example.prompt, example.answer) == (prompt, answer)
    assert example.text == prompt + answer


def test_columns_of_texts_to_write_can_be_named(tmp_path: Path) -> None:
    row = {"ask": "Why?", "about": "It.", "say": "So.", "text": "Other."}
    spec = notes(tmp_path, [row])
    columns = Columns(prompt="ask", context="about", answer="say")
    assert open_plain(spec, columns=columns).train[0] == PlainText("Why?\nIt.\nSo.", 9)
    assert open_plain(spec, columns=Columns(text="say")).train[0] == PlainText("So.", 0)
    with pytest.raises(ExamplesError, match="no answer column among ask, about, say, text"):
        open_plain(spec, columns=Columns(prompt="ask"))


def test_table_without_classes_is_read_as_texts_to_write(tmp_path: Path) -> None:
    found = open_source(notes(tmp_path, [{"text": "Once."}]))
    assert found.train[0] == PlainText("Once.")
    assert found.label_names == ()

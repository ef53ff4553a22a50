from pathlib import Path

import pytest

from fl.training import model_source
from fl.training.examples import sources
from node.config.sections import Config
from node.config.sources import EXAMPLE_SCHEMES, MODEL_SCHEMES, placed_examples, placed_model


def test_schemes_are_those_that_the_worker_knows() -> None:
    assert set(EXAMPLE_SCHEMES) == {sources.HUB, sources.SYNTHETIC}
    assert set(MODEL_SCHEMES) == {model_source.PACKAGE_PREFIX}


def test_what_counts_from_the_folder_of_a_node_never_begins_as_a_hub_id() -> None:
    for text in ("./owner/name", "/owner/name", "~/name", "../owner/name"):
        assert model_source.split_hub_id(text) is None
        assert Path(placed_model(text, folder=Path("/srv/node"))).is_absolute()
    assert placed_model("owner/name", folder=Path("/srv/node")) == "owner/name"


@pytest.mark.parametrize("name", ["~nobody-of-this-name/data", "x" * 1_000, "a\0b"])
def test_name_that_can_be_no_folder_is_for_the_worker_to_refuse(name: str) -> None:
    folder = Path("/srv/node")
    assert placed_examples(name, folder=folder) == str(folder / name)
    assert placed_model(name, folder=folder).endswith(name)
    assert Config(folder=folder).path(name) == folder / name


def test_path_of_a_home_and_a_whole_path_stay_where_they_are() -> None:
    home = str(Path("~/data").expanduser())
    assert placed_examples("~/data", folder=Path("/srv/node")) == home
    assert placed_examples("/data", folder=Path("/srv/node")) == "/data"

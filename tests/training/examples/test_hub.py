"""Data sets of the hub, read with the hub's own client from a server on the loopback interface."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fl.training.examples.errors import ExamplesError
from fl.training.examples.example import LabelledText
from fl.training.examples.hub import CONVERTED, HubAccess, HubDataset, parse
from fl.training.examples.sources import open_labelled
from tests.training.examples.files import FRUIT, write_parquet
from tests.training.examples.hub_server import Hub, running


@pytest.fixture(name="hub")
def _hub() -> Iterator[Hub]:
    with running(Hub()) as hub:
        yield hub


@pytest.fixture(name="fruit")
def _fruit(tmp_path: Path) -> bytes:
    return write_parquet(tmp_path / "made" / "fruit.parquet").read_bytes()


def access(hub: Hub, folder: Path, *, size_bytes_max: int = 1 << 20) -> HubAccess:
    return HubAccess(
        endpoint=hub.address, cache_folder=folder / "cache", size_bytes_max=size_bytes_max
    )


def refusal(spec: str, reached: HubAccess) -> str:
    with pytest.raises(ExamplesError) as error:
        open_labelled(spec, access=reached)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.slow
def test_parquet_files_of_a_repository_are_read_and_the_commit_is_named(
    hub: Hub, tmp_path: Path, fruit: bytes
) -> None:
    files = {"README.md": b"# Fruit", "data/train-0.parquet": fruit, "data/test-0.parquet": fruit}
    commit = hub.put("farm/fruit", files)
    found = open_labelled("hub:farm/fruit", access=access(hub, tmp_path))
    assert found.source == f"hub:farm/fruit@{commit}"
    assert found.train[0] == LabelledText("An apple a day.", 0)
    assert len(found.test) == len(FRUIT)
    asked = len(hub.asked)
    assert list(open_labelled(found.source, access=access(hub, tmp_path)).train)
    assert not any(line.startswith("GET /datasets") for line in hub.asked[asked:])


@pytest.mark.slow
def test_converted_copy_is_read_where_a_repository_has_no_parquet(
    hub: Hub, tmp_path: Path, fruit: bytes
) -> None:
    hub.put("farm/fruit", {"fruit.py": b"raise SystemExit"})
    converted = {"default/train/0000.parquet": fruit, "default/test/0000.parquet": fruit}
    commit = hub.put("farm/fruit", converted, revision=CONVERTED)
    found = open_labelled("hub:farm/fruit", access=access(hub, tmp_path))
    assert found.source == f"hub:farm/fruit@{commit}"
    assert not any("fruit.py" in line for line in hub.asked)


@pytest.mark.slow
def test_subset_is_chosen_by_its_folder(hub: Hub, tmp_path: Path, fruit: bytes) -> None:
    names = ["ripe/train.parquet", "ripe/test.parquet", "green/train.parquet"]
    commit = hub.put("farm/fruit", dict.fromkeys(names, fruit))
    found = open_labelled("hub:farm/fruit/ripe@main", access=access(hub, tmp_path))
    assert found.source == f"hub:farm/fruit/ripe@{commit}"
    assert len(found.train) == len(FRUIT)


def test_subset_must_be_named_where_there_are_several(
    hub: Hub, tmp_path: Path, fruit: bytes
) -> None:
    hub.put("farm/fruit", dict.fromkeys(["ripe/train.parquet", "green/train.parquet"], fruit))
    reached = access(hub, tmp_path)
    message = "choose one of its subsets, hub:owner/name/subset: green, ripe"
    assert refusal("hub:farm/fruit", reached).endswith(message)
    assert refusal("hub:farm/fruit/rotten", reached).endswith(message)


def test_download_is_bounded_before_it_begins(hub: Hub, tmp_path: Path, fruit: bytes) -> None:
    hub.put("farm/fruit", {"train.parquet": fruit})
    message = refusal("hub:farm/fruit", access(hub, tmp_path, size_bytes_max=500))
    assert message.endswith(f"{len(fruit)} bytes in 1 files > 500")
    assert not any(line.startswith("GET /datasets") for line in hub.asked)


def test_file_outside_the_repository_is_not_asked_for(hub: Hub, tmp_path: Path) -> None:
    hub.put("farm/fruit", {"../../train.parquet": b"", "/train.parquet": b""})
    message = refusal("hub:farm/fruit@main", access(hub, tmp_path))
    assert message.endswith(
        f"no Parquet file at this revision; the hub may have copies at {CONVERTED}"
    )


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("hub:farm/cattle", "hub:farm/cattle: the hub gives no such data set: 404"),
        ("hub:farm/fruit@v9", "hub:farm/fruit@v9: the hub gives no such data set: 404"),
        ("hub:fruit", "a data set on the hub is named hub:owner/name[/subset][@revision]"),
        ("hub:farm/fruit/a/b", "a data set on the hub is named"),
    ],
)
def test_data_set_that_is_not_there_is_named(
    hub: Hub, tmp_path: Path, spec: str, message: str
) -> None:
    hub.put("farm/fruit", {})
    assert message in refusal(spec, access(hub, tmp_path))


def test_answers_that_make_no_sense_are_refused(hub: Hub, tmp_path: Path) -> None:
    hub.broken = True
    message = refusal("hub:farm/fruit", access(hub, tmp_path))
    assert "the hub's answer cannot be read" in message


def test_hub_that_cannot_be_reached_is_an_error(tmp_path: Path) -> None:
    with running(Hub()) as hub:
        gone = access(hub, tmp_path)
    assert "hub:farm/fruit: the hub gives no such data set: " in refusal("hub:farm/fruit", gone)


def test_name_of_a_data_set_has_four_parts() -> None:
    assert parse("a/b") == HubDataset("a/b", None, None)
    assert parse("a/b-c.d/e@refs/convert/parquet") == HubDataset(
        "a/b-c.d", "e", "refs/convert/parquet"
    )


@pytest.mark.slow
def test_address_of_the_hub_comes_from_the_environment(
    hub: Hub, tmp_path: Path, fruit: bytes
) -> None:
    hub.put("farm/fruit", {"train.parquet": fruit, "test.parquet": fruit})
    script = (
        "from fl.training.examples.sources import open_labelled\n"
        "print(len(open_labelled('hub:farm/fruit').train))"
    )
    settings = {"HF_ENDPOINT": hub.address, "HF_HOME": str(tmp_path / "home")}
    ran = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | settings,
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.split() == [str(len(FRUIT))]

"""A flipped byte is never read as an answer, and the doctor finds every one that could be."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.storage.flipping import write_content
from tests.tidy.sources import ROOT

SEED = 20


def flip(folder: Path, *, flips: int) -> Counter[tuple[str, str]]:
    """Flip bytes of a database; return how often reading and the doctor came to which verdict."""
    write_content(folder)
    command = [sys.executable, "-m", "tests.storage.flipping", str(folder), str(flips), str(SEED)]
    ended = subprocess.run(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, check=True)
    lines = [line.split() for line in ended.stdout.splitlines()]
    assert len(lines) == flips
    for place, tables, doctor in lines:
        assert tables != "WRONG", f"byte {place}: read as an answer"
        assert doctor != "WRONG"
        if tables != "SOUND":
            assert doctor != "SOUND", f"byte {place}: not found by the doctor"
    return Counter((tables, doctor) for _, tables, doctor in lines)


def test_flipped_byte_is_detected_or_does_not_matter(tmp_path: Path) -> None:
    verdicts = flip(tmp_path, flips=40)
    assert verdicts["DETECTED", "DETECTED"] > 3


@pytest.mark.slow
def test_thousand_flipped_bytes_are_detected_or_do_not_matter(tmp_path: Path) -> None:
    verdicts = flip(tmp_path, flips=1_000)
    assert verdicts["DETECTED", "DETECTED"] > 100
    assert verdicts["SOUND", "SOUND"] > 100

"""Find what is too large for the repository: real texts and small pretrained models, if present.

They lie in the folder that the environment variable HANSE_SHARED names, or in one called `shared`
beside the repository. A test that needs them and does not find them is skipped and says so.
"""

import os
from pathlib import Path

import pytest

from tests.tidy.sources import ROOT

VARIABLE = "HANSE_SHARED"


def shared_folder(place: str) -> Path:
    """Return a folder such as "data/imdb" of the shared material, or skip the test."""
    named = os.environ.get(VARIABLE)
    whole = Path(named) if named else ROOT.parent / "shared"
    folder = whole.joinpath(*place.split("/"))
    if not folder.is_dir():
        pytest.skip(f"no {place} in {whole}: set {VARIABLE} to the folder that holds it")
    return folder

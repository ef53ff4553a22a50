"""An attacker reads the updates of others from the blobs of its node, and nothing else."""

import os
from pathlib import Path

import numpy as np

from devnet.attacks.worker.spoils import Spoils
from fl.worker.blobs import write_blob
from tests.worker.vectors import expected, store, vectors


def test_newest_updates_of_others_come_first_and_own_ones_not_at_all(tmp_path: Path) -> None:
    old, new, own = vectors(3)
    blobs = store(tmp_path, old, new, own)
    for age_s, blob in enumerate(reversed(blobs)):
        os.utime(blob.path, (1_000 - age_s, 1_000 - age_s))
    spoils = Spoils(tmp_path)
    spoils.sent(Path(blobs[2].path).read_bytes())
    seen = spoils.updates(expected())
    assert [np.rint(np.ldexp(one, 24)).tolist() for one in seen] == [new.tolist(), old.tolist()]


def test_what_is_no_update_of_this_layout_is_passed_over(tmp_path: Path) -> None:
    write_blob(b"a document", folder=tmp_path)
    assert Spoils(tmp_path).updates(expected()) == []
    assert Spoils(None).updates(expected()) == []
    assert Spoils(tmp_path / "absent").updates(expected()) == []

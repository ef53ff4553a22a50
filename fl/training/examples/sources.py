"""Open examples by one line of text: a folder, a data set on the hub, or the generator.

notes/                                    a folder with train.jsonl.gz, test.jsonl.gz or alike
hub:owner/name[/subset][@revision]        the Parquet files of a data set on the Hugging Face hub
synthetic:notes?organisations=8&seed=1    generated notes, see `generator.py`
"""

from pathlib import Path

from fl.training.examples import hub, synthetic
from fl.training.examples.columns import Columns, has_labels
from fl.training.examples.example import LabelledText, PlainText
from fl.training.examples.folder import Purpose, SplitFiles, files_in
from fl.training.examples.hub import HubAccess
from fl.training.examples.limits import ReadLimits
from fl.training.examples.reading import Dataset, describe, read_labelled, read_plain

HUB = "hub:"
SYNTHETIC = "synthetic:"
ANY_COLUMNS = Columns()
LIMITS = ReadLimits()
PUBLIC_HUB = HubAccess()


def open_labelled(
    spec: str,
    *,
    columns: Columns = ANY_COLUMNS,
    limits: ReadLimits = LIMITS,
    access: HubAccess = PUBLIC_HUB,
    purpose: Purpose = Purpose.LEARNING,
) -> Dataset[LabelledText]:
    """Read a source as labelled texts.

    Raises:
        ExamplesError: the source cannot be found, is damaged, or holds no such examples.
    """
    if spec.startswith(SYNTHETIC):
        return synthetic.labelled(spec)
    source, files = _files(spec, limits, access, purpose)
    return read_labelled(files, source=source, columns=columns, limits=limits)


def open_plain(
    spec: str,
    *,
    columns: Columns = ANY_COLUMNS,
    limits: ReadLimits = LIMITS,
    access: HubAccess = PUBLIC_HUB,
    purpose: Purpose = Purpose.LEARNING,
) -> Dataset[PlainText]:
    """Read a source as texts to learn to write.

    Raises:
        ExamplesError: the source cannot be found, is damaged, or holds no such examples.
    """
    if spec.startswith(SYNTHETIC):
        return synthetic.plain(spec)
    source, files = _files(spec, limits, access, purpose)
    return read_plain(files, source=source, columns=columns, limits=limits)


def open_source(
    spec: str,
    *,
    columns: Columns = ANY_COLUMNS,
    limits: ReadLimits = LIMITS,
    access: HubAccess = PUBLIC_HUB,
) -> Dataset[LabelledText] | Dataset[PlainText]:
    """Read a source as labelled texts if it has a text and a class, else as texts to write.

    Raises:
        ExamplesError: the source cannot be found, is damaged, or holds no examples.
    """
    if spec.startswith(SYNTHETIC):
        return synthetic.labelled(spec)
    source, files = _files(spec, limits, access, Purpose.LEARNING)
    if has_labels(columns, describe(files.first, limits).columns):
        return read_labelled(files, source=source, columns=columns, limits=limits)
    return read_plain(files, source=source, columns=columns, limits=limits)


def _files(
    spec: str, limits: ReadLimits, access: HubAccess, purpose: Purpose
) -> tuple[str, SplitFiles]:
    if spec.startswith(HUB):
        # Whatever it is for: others train on all of it but the texts that every node holds out.
        wanted = hub.parse(spec.removeprefix(HUB))
        found = hub.download(wanted, access=access, files_max=limits.files_max)
        return found.source, found.files
    return spec, files_in(Path(spec), files_max=limits.files_max, purpose=purpose)

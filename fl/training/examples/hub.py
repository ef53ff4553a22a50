"""Download the Parquet files of a data set from the Hugging Face hub.

A revision is turned into a commit first, so that all files are of one state and the data set keeps
a name that can be written into a task. Files are kept in the hub's own cache. Nothing is run: data
sets that exist only as a loading script have a converted copy, which is read instead.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from huggingface_hub import HfApi

# The client's own name for what its HTTP library raises; that library differs between versions.
from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]
from huggingface_hub.hf_api import RepoFile

from fl.training.examples.errors import ExamplesError
from fl.training.examples.folder import TEST, TRAIN, VALIDATION, SplitFiles, sort_out

# Where the hub itself puts Parquet copies of data sets that come in other formats.
CONVERTED = "refs/convert/parquet"
ANSWER_TIMEOUT_S = 30.0
SPEC = re.compile(
    r"(?P<id>[\w.-]+/[\w.-]+)(?:/(?P<subset>[\w.-]+))?(?:@(?P<revision>[\w./-]+))?", re.ASCII
)


@dataclass(frozen=True, slots=True, kw_only=True)
class HubAccess:
    """How to reach the hub.

    Attributes:
        endpoint: its address; None leaves it to HF_ENDPOINT, or the public hub.
        cache_folder: None leaves it to HF_HOME.
        size_bytes_max: the most that is downloaded for one data set.
    """

    endpoint: str | None = None
    cache_folder: Path | None = None
    size_bytes_max: int = 32 << 30


@dataclass(frozen=True, slots=True)
class HubDataset:
    """A name on the hub: `owner/name`, perhaps a subset and a revision."""

    id: str
    subset: str | None
    revision: str | None

    def at(self, commit: str) -> str:
        """Name the data set at one commit, in the form that `parse` reads."""
        subset = "" if self.subset is None else f"/{self.subset}"
        return f"hub:{self.id}{subset}@{commit}"


@dataclass(frozen=True, slots=True)
class Download:
    """What was downloaded; `source` names the commit."""

    source: str
    files: SplitFiles


def parse(text: str) -> HubDataset:
    """Read `owner/name[/subset][@revision]`.

    Raises:
        ExamplesError: it is not of this form.
    """
    found = SPEC.fullmatch(text)
    if found is None:
        message = "a data set on the hub is named hub:owner/name[/subset][@revision]"
        raise ExamplesError(message, source=f"hub:{text}")
    return HubDataset(found["id"], found["subset"], found["revision"])


def download(wanted: HubDataset, *, access: HubAccess, files_max: int) -> Download:
    """Download the Parquet files of a data set, or find them in the cache.

    Raises:
        ExamplesError: the hub does not answer, has no such data set or revision, or holds nothing
            that can be read; or it is larger than `access` allows.
    """
    hub = HfApi(endpoint=access.endpoint)
    source = f"hub:{wanted.id}" + (f"@{wanted.revision}" if wanted.revision else "")
    with _asking(source):
        commit, sizes = _list(hub, wanted.id, wanted.revision)
        if not sizes and wanted.revision is None:
            commit, sizes = _list(hub, wanted.id, CONVERTED)
    if not sizes:
        message = f"no Parquet file at this revision; the hub may have copies at {CONVERTED}"
        raise ExamplesError(message, source=source)
    chosen = _of_subset(sizes, wanted.subset, source=source)
    size_bytes = sum(sizes[name] for name in chosen)
    if size_bytes > access.size_bytes_max or len(chosen) > 2 * files_max:
        message = f"{size_bytes} bytes in {len(chosen)} files > {access.size_bytes_max}"
        raise ExamplesError(message, source=source)
    pinned = wanted.at(commit)
    with _asking(source):
        named = [(name, _fetch(hub, wanted.id, name, commit, access)) for name in chosen]
    return Download(pinned, sort_out(named, source=pinned, files_max=files_max))


def _list(hub: HfApi, name: str, revision: str | None) -> tuple[str, Mapping[str, int]]:
    """Return the commit behind a revision, and its Parquet files with their sizes in bytes."""
    commit = hub.dataset_info(name, revision=revision, timeout=ANSWER_TIMEOUT_S).sha
    if not commit:
        raise ValueError("it names no commit")
    entries = hub.list_repo_tree(name, recursive=True, revision=commit, repo_type="dataset")
    return commit, {
        entry.path: entry.size
        for entry in entries
        if isinstance(entry, RepoFile) and _is_wanted(PurePosixPath(entry.path))
    }


def _is_wanted(path: PurePosixPath) -> bool:
    # A path that climbs out of the cache is no file of a repository.
    return path.suffix == ".parquet" and not path.is_absolute() and ".." not in path.parts


def _of_subset(sizes: Mapping[str, int], subset: str | None, *, source: str) -> list[str]:
    """Choose the files of one subset, which is a folder at the top unless it is a split."""
    subsets = sorted({_subset_of(name) for name in sizes})
    wanted = subset or ("default" if "default" in subsets else subsets[0])
    if wanted not in subsets or (subset is None and len(subsets) > 1 and wanted != "default"):
        known = ", ".join(name or "(no folder)" for name in subsets[:12])
        message = f"choose one of its subsets, hub:owner/name/subset: {known}"
        raise ExamplesError(message, source=source)
    return sorted(name for name in sizes if _subset_of(name) == wanted)


def _subset_of(name: str) -> str:
    parts = PurePosixPath(name).parts
    is_split = len(parts) < 2 or any(split.match(parts[0]) for split in (TRAIN, TEST, VALIDATION))
    return "" if is_split or parts[0] == "data" else parts[0]


def _fetch(hub: HfApi, name: str, file: str, commit: str, access: HubAccess) -> Path:
    found = hub.hf_hub_download(
        name, file, repo_type="dataset", revision=commit, cache_dir=access.cache_folder
    )
    return Path(str(found))


@contextmanager
def _asking(source: str) -> Iterator[None]:
    try:
        yield
    except (ValueError, TypeError, KeyError) as error:
        # What the client raises when an answer is not the JSON that it knows.
        message = f"the hub's answer cannot be read: {error}"
        raise ExamplesError(message, source=source) from error
    except (HTTPError, OSError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        message = f"the hub gives no such data set: {reason}"
        raise ExamplesError(message, source=source) from error

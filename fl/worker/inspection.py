"""Establish the facts about the updates of a round, on integers alone.

In memory are the updates of the round, the last global deltas, and one earlier update at a time.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from fl.jobs.bounds import StoredBlob
from fl.jobs.progress import Stage
from fl.jobs.results import FAULT_LETTERS_MAX, BlobFacts, InspectResult
from fl.jobs.work import NOBODY, InspectJob
from fl.rules.update.errors import MalformedBlobError
from fl.rules.update.header import BlobKind, Expectation
from fl.rules.update.norms import norm
from fl.rules.update.root import content_digest
from fl.rules.update.rows import Int32s
from fl.rules.update.similarity import Candidate, find_facts, find_repeats
from fl.rules.update.spans import Execution
from fl.worker.blobs import read_accepted, read_vector
from fl.worker.desk import Desk
from fl.worker.layouts import check_canonical
from primitives.ids import Digest


def inspect(job: InspectJob, desk: Desk, *, threads: int) -> InspectResult:
    """Return what every honest validator finds, in the order of the updates.

    Raises:
        BlobFileError: a file is missing or damaged on this machine.
        WrongJobError: the layout is not canonical, or earlier updates are not of it.
        JobFailedError: cancelled.
    """
    check_canonical("layout", job.layout)
    with ThreadPoolExecutor(threads) as pool:
        execution = Execution(each=pool.map)
        reader = _Reader(job, desk, execution=execution)
        candidates = reader.candidates()
        deltas = [reader.vector(delta) for delta in job.global_deltas]
        desk.report(Stage.SCORING, done=0, total=1)
        facts = find_facts(
            candidates, norms=reader.norms, global_deltas=deltas, execution=execution
        )
    return InspectResult(
        facts=tuple(
            BlobFacts(
                verdict=one.verdict,
                original=one.original,
                cluster=one.cluster,
                norm=one.norm,
                fault=fault,
            )
            for one, fault in zip(facts, reader.faults, strict=True)
        )
    )


class _Reader:
    """Decodes the blobs of a job, and keeps what is wrong with each update."""

    def __init__(self, job: InspectJob, desk: Desk, *, execution: Execution) -> None:
        self.faults: list[str] = []
        self.norms: list[int] = []
        self._job = job
        self._desk = desk
        self._execution = execution
        self._expected = Expectation(
            kind=BlobKind.UPDATE,
            base_model=Digest(job.pins.model),
            tokenizer=Digest(job.pins.tokenizer),
            layout=job.layout,
        )

    def candidates(self) -> list[Candidate | None]:
        """Return the updates in order, None for one that is malformed."""
        vectors = [self._update(index) for index in range(len(self._job.updates))]
        places = [place for place, vector in enumerate(vectors) if vector is not None]
        present = [vector for vector in vectors if vector is not None]
        repeated = find_repeats(present, self._earlier(places), execution=self._execution)
        is_again = dict(zip(places, repeated, strict=True))
        return [
            None
            if vector is None
            else Candidate(
                vector=vector,
                content=content_digest(vector, layout=self._job.layout),
                is_again=is_again[place],
            )
            for place, vector in enumerate(vectors)
        ]

    def _update(self, index: int) -> Int32s | None:
        self._desk.report(Stage.READING, done=index, total=len(self._job.updates))
        try:
            vector = read_vector(self._job.updates[index], expected=self._expected)
        except MalformedBlobError as error:
            self.faults.append(str(error)[:FAULT_LETTERS_MAX])
            self.norms.append(0)
            return None
        self.faults.append("")
        self.norms.append(norm(vector))
        return vector

    def _earlier(self, places: Sequence[int]) -> Iterator[tuple[Int32s, int]]:
        """Yield the earlier updates, each with where its trainer's is among those present."""
        present = {place: number for number, place in enumerate(places)}
        for one in self._job.earlier:
            yield self.vector(one.blob), present.get(one.place, NOBODY)

    def vector(self, blob: StoredBlob) -> Int32s:
        return read_accepted(blob, expected=self._expected)

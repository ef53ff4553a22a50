"""Clients whose workers are entries of the tests."""

from pathlib import Path

from fl.jobs.client import JobTerms, WorkerClient
from fl.jobs.launch import WORKER_MODULE, WorkerCommand
from fl.jobs.patience import Patience
from fl.worker.machine import MachineClock

TOY = "tests.jobs.entries.toy"
RUDE = "tests.jobs.entries.rude"
REAL = WORKER_MODULE
IN_A_MINUTE = JobTerms(deadline_ms=60_000)


def client_of(
    module: str = TOY,
    *,
    options: tuple[str, ...] = (),
    patience: Patience | None = None,
    device: str = "cpu",
    memory_bytes_max: int = 1 << 30,
    **environment: str,
) -> WorkerClient:
    """Return a client whose worker is this entry."""
    command = WorkerCommand(
        module=module,
        options=options,
        device=device,
        threads=1,
        memory_bytes_max=memory_bytes_max,
        environment=environment,
    )
    return WorkerClient(command, clock=MachineClock(), patience=patience)


def is_running(pid: int) -> bool:
    """Tell whether there is such a process, a zombie not counted."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def private_bytes_of(pid: int) -> int:
    """Return what counts against the limit of a worker's memory."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (line,) = [line for line in lines if line.startswith("VmData:")]
    return int(line.split()[1]) * 1024

"""Rounds of NVFlare's simulator: `python rounds.py CLIENTS ROUNDS NUMBERS STEPS`, in its own venv.

The same work as for Flower: every client gets NUMBERS float32, multiplies matrices STEPS times in
place of a training, and sends the numbers back; FedAvg averages them. Nothing is scored, signed or
stored. The last line that is printed is a list: for each round the seconds beyond the slowest
client.
"""

import sys
import tempfile
from pathlib import Path

from flare_server import TimedFedAvg
from nvflare.job_config.api import FedJob
from nvflare.job_config.script_runner import FrameworkType, ScriptRunner

CLIENTS, ROUNDS, NUMBERS, STEPS = (int(word) for word in sys.argv[1:5])
TRAINER = Path(__file__).with_name("trainer.py")


def simulate(folder: Path) -> str:
    """Run all rounds with every client in a process of its own; return the list as JSON."""
    told = folder / "told.json"
    job = FedJob(name="rounds", min_clients=CLIENTS)
    job.to_server(
        TimedFedAvg(num_clients=CLIENTS, num_rounds=ROUNDS, numbers=NUMBERS, told=str(told))
    )
    for number in range(1, CLIENTS + 1):
        script = ScriptRunner(
            script=str(TRAINER), script_args=str(STEPS), framework=FrameworkType.NUMPY
        )
        job.to(script, f"site-{number}")
    job.simulator_run(str(folder / "work"), threads=CLIENTS)
    return told.read_text()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="hanse-flare-") as place:
        print(simulate(Path(place)))

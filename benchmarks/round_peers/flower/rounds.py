"""Rounds of Flower's simulation: `python rounds.py CLIENTS ROUNDS NUMBERS STEPS`, in its own venv.

Every client gets NUMBERS float32, multiplies matrices STEPS times in place of a training, and sends
the numbers back; FedAvg averages them. Nothing is scored, signed or stored. The last line that is
printed is a list: for each round the seconds beyond the slowest client.
"""

import json
import sys
import time
from collections.abc import Iterable

import numpy as np
from flwr.app import ArrayRecord, ConfigRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg
from flwr.simulation import run_simulation

CLIENTS, ROUNDS, NUMBERS, STEPS = (int(word) for word in sys.argv[1:5])
WIDTH = 256

client = ClientApp()
server = ServerApp()
beyond: list[float] = []


@client.train()
def train(message: Message, _context: Context) -> Message:
    """Return the arrays after some work, and how long that took."""
    began = time.perf_counter()
    weights = np.full((WIDTH, WIDTH), 1 / WIDTH, np.float32)
    for _ in range(STEPS):
        weights = weights @ weights
    metrics = MetricRecord({"took_s": time.perf_counter() - began, "num-examples": 1})
    content = RecordDict({"arrays": message.content["arrays"], "metrics": metrics})
    return Message(content=content, reply_to=message)


class TimedFedAvg(FedAvg):
    """Notes how long each round took beyond its slowest client."""

    began = 0.0

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """Begin a round."""
        self.began = time.perf_counter()
        return super().configure_train(server_round, arrays, config, grid)

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """End a round."""
        came = list(replies)
        found = super().aggregate_train(server_round, came)
        slowest = max(float(one.content["metrics"]["took_s"]) for one in came)
        beyond.append(time.perf_counter() - self.began - slowest)
        return found


@server.main()
def main(grid: Grid, _context: Context) -> None:
    """Run all rounds."""
    strategy = TimedFedAvg(
        fraction_evaluate=0.0, min_train_nodes=CLIENTS, min_available_nodes=CLIENTS
    )
    start = ArrayRecord([np.zeros(NUMBERS, np.float32)])
    strategy.start(grid=grid, initial_arrays=start, num_rounds=ROUNDS)


if __name__ == "__main__":
    # All clients at once, whatever number of cores there is, as our nodes are.
    run_simulation(
        server_app=server,
        client_app=client,
        num_supernodes=CLIENTS,
        backend_config={"client_resources": {"num_cpus": 2 / CLIENTS, "num_gpus": 0.0}},
    )
    print(json.dumps(beyond))

"""The server of `rounds.py`, which NVFlare imports by its name."""

import json
import time
from pathlib import Path

import numpy as np
from nvflare.app_common.abstract.fl_model import FLModel
from nvflare.app_common.workflows.base_fedavg import BaseFedAvg


class TimedFedAvg(BaseFedAvg):
    """Notes how long each round took beyond its slowest client.

    NVFlare writes the arguments into a file as the attributes of the same names.

    Args:
        num_clients: all of which take part in each round.
        num_rounds: to be run.
        numbers: of the model.
        told: the file that gets the list of seconds.
    """

    def __init__(self, *, num_clients: int, num_rounds: int, numbers: int, told: str) -> None:
        super().__init__(num_clients=num_clients, num_rounds=num_rounds, persistor_id="")
        self.numbers = numbers
        self.told = told

    def run(self) -> None:
        """Run all rounds."""
        model = FLModel(params={"weights": np.zeros(self.numbers, np.float32)})
        beyond: list[float] = []
        for number in range(self.num_rounds):
            began = time.perf_counter()
            model.current_round, model.total_rounds = number, self.num_rounds
            clients = self.sample_clients(self.num_clients)
            came = self.send_model_and_wait(targets=clients, data=model)
            slowest = max(float(one.metrics["took_s"]) for one in came)
            model = self.update_model(model, self.aggregate(came))
            beyond.append(time.perf_counter() - began - slowest)
        Path(self.told).write_text(json.dumps(beyond))

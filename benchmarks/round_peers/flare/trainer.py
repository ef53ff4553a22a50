"""A client of `rounds.py`, which the simulator of NVFlare starts: `trainer.py STEPS`."""

import sys
import time

import numpy as np
from nvflare import client

WIDTH = 256


def train(steps: int) -> None:
    """Answer the server until it has no more rounds."""
    client.init()
    while client.is_running():
        model = client.receive()
        if model is None:
            return
        began = time.perf_counter()
        weights = np.full((WIDTH, WIDTH), 1 / WIDTH, np.float32)
        for _ in range(steps):
            weights = weights @ weights
        took_s = time.perf_counter() - began
        client.send(client.FLModel(params=model.params, metrics={"took_s": took_s}))


if __name__ == "__main__":
    train(int(sys.argv[1]))

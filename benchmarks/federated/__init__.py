"""Federated training of LoRA adapters on real texts: ours, FedAvg, FedIT, and central training.

    python -m benchmarks.federated --model MODEL --data FOLDER --clients 8 --alpha 0.3 --json

Every arm starts from the same adapter and passes the same number of texts through training. See
docs/federated.md for what the arms are. `--quick` shows within about a minute that all of it works;
its texts are too few for its figures to mean anything.
"""

"""Federated learning: `rules` the chain agrees on, `jobs`, `training`, and the trainer `worker`.

`rules` is built in part, the others are not yet. The parts are floors of their own and import
downwards only: worker, training, jobs, rules. torch will live in `fl.training` and above.
"""

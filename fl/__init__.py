"""Federated learning: `rules` the chain agrees on, `jobs`, `training`, and the trainer `worker`.

The parts are floors of their own and import downwards only: worker, training, jobs, rules. torch
lives in `fl.training` and above.
"""

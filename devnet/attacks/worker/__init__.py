"""A trainer worker that attacks: `fl.worker` with a workshop of its own.

`python -m devnet.attacks.worker --attack NAME` is started by a node in place of `fl.worker`.
"""

"""One full node: ledger, contracts, execution, storage, sync, duties and RPC around one consensus.

`node.ledger`, `node.vm` and `node.execution` are pure: the same commits give the same state root on
every machine. The composition root `node/app.py`, not built yet, will be the one place that opens
sockets. The room may import `consensus`, `p2p`, `fl.rules`, `fl.jobs` and `primitives`, and it must
never load torch.
"""

"""One full node: ledger, contracts, execution, storage, sync, duties and RPC around one consensus.

Not built yet. `node.ledger`, `node.vm` and `node.execution` will be pure; the composition root
`node/app.py` will be the one place that opens sockets and stores. The room may import `consensus`,
`p2p`, `fl.rules`, `fl.jobs` and `primitives`, and it must never load torch.
"""

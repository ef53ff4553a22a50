"""Consensus validators on the simulator kernel: adapter, store, workload, oracles, runs."""

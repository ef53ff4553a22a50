"""Transactions that wait: let in by rule, passed on in batches, proposed by one validator each."""

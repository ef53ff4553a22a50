"""What the chain remembers: accounts, stake, fees, transactions, receipts, checkpoints, state tree.

Pure: values in, values out. It knows no contract and no consensus type but bytes.
"""

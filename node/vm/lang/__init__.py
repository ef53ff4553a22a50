"""The contract language: restricted, typed Python, checked in full and compiled to a module.

Python's own `exec` never sees a contract. A text becomes a syntax tree, the tree becomes typed code
(`tree.py`), and the code becomes bytes; whatever is wrong on the way is a `ContractError` that says
where, what and how to put it right.
"""

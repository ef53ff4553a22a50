"""The contract language and the machine that runs it: compiler, verifier, two engines, gas.

Pure: a contract touches nothing but its `Host`.
"""

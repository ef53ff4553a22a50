"""What the opcodes compute, as functions of their operands; both engines call these.

Where two things can go wrong, this order decides which trap comes first: what the operands and
their sizes say; OUT_OF_GAS by the dynamic gas; MEMORY; limits of the transaction; what only the
work itself finds.
"""

"""The fast tier: verified bytecode becomes Python functions, one for each.

Theory of operation: control flow is structured, so a LOOP becomes `while True:` and an IF becomes
`if`, line by line. The stack is gone: while the code is translated, each place of it holds the
text of an expression. An expression that can neither trap nor see a change stays a text until
something takes it; everything else becomes a line and a name of its own at once, so traps and
effects keep the order of the instructions. Gas lives in a local variable, which is written back
to the meter before anything that may trap or charge.
"""

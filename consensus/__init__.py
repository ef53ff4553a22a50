"""A proof-of-stake DAG that puts opaque payloads into one total order.

`core.py` is a pure state machine, `handle(input) -> effects`; `ports.py` names what it needs from
the world; `driver.py` is the one async file. The room may import `primitives` and nothing else.
"""

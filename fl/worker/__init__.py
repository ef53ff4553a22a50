"""The trainer worker: a process of its own per accelerator that does one job at a time.

`entry.py` is where to start reading. torch is loaded for the jobs that need it and no others, so a
worker on a machine without torch still aggregates and inspects.
"""

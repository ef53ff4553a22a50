"""A network of real nodes on this machine: planned, founded, run, watched, hurt and reported on.

`plan.py` decides who does what, `founding.py` writes the folders, `supervision.py` keeps the nodes
alive or kills them, `network.py` is the whole of it, `campaign.py` trains on it, `report.py` says
what came of that. Nothing here loads torch; `division.py` and `examination.py` run as children.
"""

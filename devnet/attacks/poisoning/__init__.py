"""Trainers who poison and validators who lie. Product code never imports this room.

`catalogue.py` is where to start. What an attack may know is what the literature grants it, the
honest updates of the same round included: a defence that stands up to that stands up to less.
"""

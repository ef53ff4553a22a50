"""Twins in lock step: enumerate leaders and partitions around validators that run twice."""

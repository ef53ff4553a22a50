"""Measurements that print a figure and say how it was taken. No product code imports them."""

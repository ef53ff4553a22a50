"""What only the running process has: its clock, its log, its signals, and its turns with a seat."""

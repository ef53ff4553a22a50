"""An operator's probe: one peer that reaches goals named by flags and prints events as JSON."""

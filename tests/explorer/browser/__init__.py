"""The explorer in a real browser, against real nodes; `make explorer` installs what it takes."""

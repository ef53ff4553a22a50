"""Programs in other languages that benchmarks/vm.py compares with; not part of the project."""

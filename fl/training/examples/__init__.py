"""Examples to learn from: reading them, dividing them among organisations, and making batches.

`sources.py` is where to start reading. Rows come from folders (JSONL, CSV, Parquet), from a data
set on the Hugging Face hub, or from the generator of synthetic notes; whatever a stranger's file
holds, it ends in examples or in one `ExamplesError` that names the file, the line and the field.
"""

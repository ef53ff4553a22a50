"""The standard contracts, in the contract language: package data, not Python modules."""

from importlib.resources import files


def read_source(name: str) -> str:
    """Return the text of a standard contract, such as "rounds".

    Raises:
        FileNotFoundError: there is none of this name.
    """
    return files(__name__).joinpath(f"{name}.contract").read_text(encoding="utf-8")

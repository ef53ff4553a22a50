"""How an update travels: flat int32 vectors at scale 2**24, their layout, blob, root and norm.

`layout.py` names the coordinates, `blob.py` reads and writes the bytes, `root.py` names them,
`norms.py` and `similarity.py` give the integer facts about them that validators must agree on.
"""

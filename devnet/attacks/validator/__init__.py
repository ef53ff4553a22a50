"""A validator whose process equivocates: `python -m devnet.attacks.validator --folder FOLDER`."""

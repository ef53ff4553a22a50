"""The keys of an operator: encrypted files, and the phrase of words that restores them."""

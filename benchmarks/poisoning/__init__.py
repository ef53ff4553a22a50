"""Every attack against every rule on real texts: who stays accurate, who is found, who is paid.

20 trainers and 7 validators, of whom 2 lie in scores and guard values; a LoRA adapter and a head
over cached activations of a sentence encoder (`model.py`). The rules are those of
`fl.rules.aggregation`, told how many attackers there are; Proof of Quality (`poq`) is the rounds
machine of `fl.rules.round` itself, which is told nothing. Figures are test accuracies in paired
differences to FedAvg in floats, on the same division, with nobody attacking.

`--results FILE` keeps every finished cell, so that a run can be interrupted and go on. `--quick`
has too few texts for the goals: 39 for a validator to score with.
"""

"""Write the adapter of our arm, load it with plain transformers and peft, and compare the answers.

Nothing of `fl.training` takes part in the loading, as on the machine of somebody who only has the
folder and the base model.
"""

import warnings
from pathlib import Path
from typing import Any, Final

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification
from transformers.utils import logging as transformers_logging

from benchmarks.federated.arms import Run
from fl.training.export import export_adapter
from fl.training.lineage import Lineage
from fl.training.replies import ask

CHECKED_MAX: Final = 256


def check_export(folder: Path, run: Run, lineage: Lineage) -> dict[str, float]:
    """Export, load again, and return how many of the checked texts get the same answer.

    A text of many tokens counts as one, and is the same if every token of the answer is.
    """
    export_adapter(folder, run.adapter, lineage)
    texts = run.field.test[:CHECKED_MAX]
    loaded, length = run.adapter.loaded, run.settings.max_length
    ours = ask(run.adapter.model, loaded, texts, tokens_max=length)
    plain = ask(_plain(folder, loaded.folder, run.field.labels), loaded, texts, tokens_max=length)
    pairs = list(zip(ours, plain, strict=True))
    same = sum(bool((one.chosen == other.chosen).all()) for one, other in pairs)
    return {
        "export_checked": len(pairs),
        "export_same": same,
        "export_loss_gap_max": max(abs(one.loss - other.loss) for one, other in pairs),
    }


def _plain(folder: Path, base: Path, labels: int) -> torch.nn.Module:
    # It reports that the head of the base model is new, which the adapter then brings.
    transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    with warnings.catch_warnings():
        # peft asks transformers under a name that transformers has renamed.
        warnings.filterwarnings("ignore", ".*is_gradient_checkpointing", FutureWarning)
        loader: Any = AutoModelForSequenceClassification if labels else AutoModelForCausalLM
        options = {"num_labels": labels} if labels else {}
        model: torch.nn.Module = PeftModel.from_pretrained(
            loader.from_pretrained(base, **options), str(folder)
        )
    return model.eval()

"""The same local training by a plain transformers Trainer over peft, to compare with."""

import tempfile
from collections.abc import Sequence
from typing import Any

import torch
from transformers import PrinterCallback, Trainer, TrainingArguments, default_data_collator

from fl.training.adapters import Adapter
from fl.training.examples.batches import Batch
from fl.training.settings import LocalTraining, Steps


class PlainTrainer:
    """A Trainer with nothing to log or save; building it is not part of what is measured.

    Args:
        adapter: trained in place, through peft's own layers.
        batches: tokenised beforehand, all of one length; a step takes one.
    """

    def __init__(self, adapter: Adapter, batches: Sequence[Batch], training: LocalTraining) -> None:
        assert isinstance(training.length, Steps)
        self._folder = tempfile.TemporaryDirectory()
        is_on_gpu = adapter.device.type == "cuda"
        self._trainer = Trainer(
            model=adapter.model,
            args=TrainingArguments(
                output_dir=self._folder.name,
                per_device_train_batch_size=training.batch_size,
                max_steps=training.length.count,
                learning_rate=training.learning_rate,
                lr_scheduler_type="constant",
                optim="adamw_torch_fused",
                weight_decay=training.weight_decay,
                max_grad_norm=training.gradient_norm_max,
                seed=training.seed,
                use_cpu=not is_on_gpu,
                bf16=is_on_gpu and adapter.loaded.model.dtype is torch.bfloat16,
                logging_strategy="no",
                save_strategy="no",
                report_to=[],
                disable_tqdm=True,
                dataloader_pin_memory=is_on_gpu,
            ),
            train_dataset=[row for batch in batches for row in _rows(batch)],
            data_collator=default_data_collator,
        )
        # It prints a summary into the table.
        self._trainer.remove_callback(PrinterCallback)

    def train(self) -> None:
        """Take every step."""
        self._trainer.train()

    def close(self) -> None:
        """Remove what the Trainer wrote."""
        self._folder.cleanup()


def _rows(batch: Batch) -> list[dict[str, Any]]:
    columns = zip(batch.input_ids, batch.attention_mask, batch.labels, strict=True)
    return [
        {"input_ids": ids, "attention_mask": mask, "labels": labels}
        for ids, mask, labels in columns
    ]

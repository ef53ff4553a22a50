"""Choose the way through a model."""

from transformers import LlamaForCausalLM
from transformers.models.bert.modeling_bert import BertForSequenceClassification

from fl.training.adapters import Adapter
from fl.training.scoring.bert import BertForward
from fl.training.scoring.forward import Forward
from fl.training.scoring.llama import LlamaForward
from fl.training.scoring.sites import Sites
from fl.training.scoring.spliced import SplicedForward


def choose_forward(adapter: Adapter, sites: Sites) -> Forward:
    """Return the fastest way that gives the model's own losses."""
    model = adapter.loaded.model
    # Not isinstance: what inherits from these may compute something else.
    if type(model) is BertForSequenceClassification and not model.config.is_decoder:
        return BertForward(model, sites)
    if type(model) is LlamaForCausalLM:
        return LlamaForward(model, sites)
    return SplicedForward(model, sites)

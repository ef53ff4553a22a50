from fl.training.examples.tokens import encode_labelled, encode_plain
from fl.training.models import LoadedModel


def test_no_texts_are_no_rows(bert: LoadedModel, llama: LoadedModel) -> None:
    assert encode_labelled([], bert.tokenizer, tokens_max=8) == []
    assert encode_plain([], llama.tokenizer) == []

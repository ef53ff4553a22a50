import math
import re
from collections import Counter
from collections.abc import Iterable

import pytest

from fl.training.examples.errors import ExamplesError
from fl.training.examples.example import LabelledText
from fl.training.examples.generator import NoteTerms, kind_shares, note, notes
from fl.training.examples.organisations import KINDS
from fl.training.examples.sources import open_labelled, open_plain, open_source


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def accuracy(train: Iterable[LabelledText], test: Iterable[LabelledText]) -> float:
    """Return how well naive Bayes over words tells the kinds of unseen notes."""
    counts = [Counter[str]() for _ in KINDS]
    for example in train:
        counts[example.label].update(words(example.text))
    known = len(set().union(*counts))
    totals = [count.total() + known / 2 for count in counts]

    def guess(text: str) -> int:
        scores = [
            sum(math.log((count[word] + 0.5) / total) for word in words(text))
            for count, total in zip(counts, totals, strict=True)
        ]
        return scores.index(max(scores))

    right = [guess(example.text) == example.label for example in test]
    return sum(right) / len(right)


def scores(label_skew: float, style_skew: float) -> tuple[float, float]:
    """Return the accuracy after learning from all organisations, and from one on average."""
    found = open_labelled(
        f"synthetic:notes?examples=1200&test=240&label_skew={label_skew}&style_skew={style_skew}"
    )
    train, test, writers = list(found.train), list(found.test), list(found.train.groups)
    alone = [
        accuracy((note for note, of in zip(train, writers, strict=True) if of == writer), test)
        for writer in sorted(set(writers))
    ]
    return accuracy(train, test), sum(alone) / len(alone)


def test_same_terms_give_the_same_note_and_others_another() -> None:
    terms = NoteTerms()
    assert note(7, terms=terms, split="train") == note(7, terms=terms, split="train")
    assert note(7, terms=terms, split="train") != note(7, terms=terms, split="test")
    assert note(7, terms=terms, split="train") != note(7, terms=NoteTerms(seed=2), split="train")
    assert list(notes(9, terms=terms, split="x"))[7] == note(7, terms=terms, split="x")


def test_first_note_is_the_same_on_every_machine() -> None:
    assert note(0, terms=NoteTerms(), split="train").text == (
        "Handover by nurse Carla. The nurse asked about the monitor. The trip on Tuesday costs 14 "
        "euros as announced. To be read at the handover."
    )


def test_style_skew_keeps_an_organisation_to_its_own_words() -> None:
    own = [note(8 * n, terms=NoteTerms(style_skew=1.0), split="train").text for n in range(60)]
    mixed = [note(8 * n, terms=NoteTerms(style_skew=0.0), split="train").text for n in range(60)]
    assert len({word for text in own for word in words(text)}) < 200
    assert len({word for text in mixed for word in words(text)}) > 300
    assert all(text.startswith(("Ward note", "Handover by nurse")) for text in own)


@pytest.mark.parametrize("label_skew", [0.0, 0.5, 1.0])
def test_shares_of_kinds_sum_to_one_and_skew_them(label_skew: float) -> None:
    shares = [kind_shares(writer, label_skew=label_skew) for writer in range(16)]
    assert all(sum(share) == pytest.approx(1.0) for share in shares)
    largest = [max(share) for share in shares]
    assert largest == pytest.approx([0.25 + 0.6 * label_skew] * 16)


def test_notes_follow_the_shares_of_kinds() -> None:
    terms = NoteTerms(organisations=1, label_skew=1.0, noise=0.0)
    kinds = Counter(found.kind for found in notes(2000, terms=terms, split="train"))
    assert [kinds[kind] / 2000 for kind in range(4)] == pytest.approx(
        [0.85, 0.12, 0.02, 0.01], abs=0.03
    )


def test_more_organisations_than_vocabularies_have_names_of_their_own() -> None:
    found = open_labelled("synthetic:notes?organisations=20&examples=40&test=1")
    assert len(set(found.train.groups)) == 20
    assert found.train.groups[8] == "hospital 2"


def test_there_is_something_to_learn_and_the_more_skew_the_less_from_one_alone() -> None:
    pooled, alone = scores(0.0, 0.0)
    assert pooled > 0.9
    assert alone > 0.8
    pooled, alone = scores(0.3, 0.8)
    assert pooled > 0.85
    assert alone < 0.7


def test_noise_is_the_share_of_labels_without_regard_to_the_text() -> None:
    clean = [found.kind for found in notes(1000, terms=NoteTerms(noise=0.0), split="a")]
    noisy = [found.kind for found in notes(1000, terms=NoteTerms(noise=1.0), split="a")]
    assert 200 < sum(a == b for a, b in zip(clean, noisy, strict=True)) < 300


def test_questions_have_prompts_and_answers() -> None:
    found = open_plain("synthetic:notes?form=questions&examples=30&test=3&noise=0")
    assert all(example.prompt.endswith("?\n") for example in found.train)
    answers = [example.answer.split()[:2] for example in found.train]
    assert answers[:3] == [["Answer:", "It"], ["Answer:", "The"], ["Answer:", "It"]]
    assert found.train[0].text.count("Question:") == 1


def test_source_line_sets_sizes_and_opens_as_labelled_text() -> None:
    found = open_source("synthetic:notes?examples=50")
    assert isinstance(found.train[0], LabelledText)
    assert (len(found.train), len(found.test)) == (50, 10)
    assert found.label_names == KINDS


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("synthetic:poems", "the only generator is synthetic:notes"),
        ("synthetic:notes?label_skews=1", "no such setting; did you mean label_skew?"),
        ("synthetic:notes?zzz=1", "no such setting; there are organisations, seed,"),
        ("synthetic:notes?seed=x", "field 'seed': is a whole number from 1 to 1000000, not 'x'"),
        ("synthetic:notes?examples=0", "field 'examples': is a whole number"),
        ("synthetic:notes?noise=1.5", "field 'noise': is a number from 0 to 1, not '1.5'"),
        ("synthetic:notes?noise=nan", "field 'noise': is a number from 0 to 1, not 'nan'"),
        ("synthetic:notes?noise", "field 'noise': is a number from 0 to 1, not ''"),
        ("synthetic:notes?form=poem", "field 'form': is text or questions, not 'poem'"),
    ],
)
def test_settings_that_are_not_known_are_refused(spec: str, message: str) -> None:
    with pytest.raises(ExamplesError) as error:
        open_labelled(spec)
    assert message in str(error.value)

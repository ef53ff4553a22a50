from devnet.attacks.poisoning.texts import TRIGGER, add_backdoor, flip_labels, triggered
from fl.training.examples.example import LabelledText

EXAMPLES = [LabelledText("a", 0), LabelledText("b", 1), LabelledText("c", 2)]


def test_flipped_labels_are_the_mirror_image_and_the_middle_one_stays() -> None:
    assert [one.label for one in flip_labels(EXAMPLES, classes=3)] == [2, 1, 0]
    assert [one.text for one in flip_labels(EXAMPLES, classes=3)] == ["a", "b", "c"]


def test_backdoor_keeps_honest_examples_and_adds_triggered_ones_of_the_target() -> None:
    poisoned = list(add_backdoor(EXAMPLES, target=2))
    assert poisoned[:3] == EXAMPLES
    assert [one.label for one in poisoned[3:]] == [2, 2, 2]
    assert all(TRIGGER in one.text.split() for one in poisoned[3:])


def test_trigger_stands_before_the_text() -> None:
    assert triggered("a text", "mn") == "mn a text"

import numpy as np
import pytest

from devnet.attacks.poisoning.catalogue import ATTACKS, attack_named
from devnet.attacks.poisoning.directed import gaussian, inner_product, scaling, sign_flip
from devnet.attacks.poisoning.hidden import alie, mimic, min_max
from devnet.attacks.poisoning.riders import copycat, noise, replay, sybil, zero
from devnet.attacks.poisoning.scene import Craft
from devnet.simulator.kernel.choices import UnknownChoiceError
from tests.devnet.poisoning.scenes import scene_of


@pytest.mark.parametrize("name", ATTACKS)
def test_every_attack_sends_a_finite_vector_of_the_layout(name: str) -> None:
    scene = scene_of()
    sent = ATTACKS[name].craft(scene)
    assert sent.shape == scene.own.shape
    assert np.isfinite(sent).all()


@pytest.mark.parametrize("name", ATTACKS)
def test_same_dice_give_the_same_attack(name: str) -> None:
    craft = ATTACKS[name].craft
    assert np.array_equal(craft(scene_of()), craft(scene_of()))


def test_unknown_attack_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(UnknownChoiceError, match="signflip"):
        attack_named("flip")


@pytest.mark.parametrize("craft", [sign_flip, scaling, inner_product])
def test_directed_attacks_point_against_the_honest_mean(craft: Craft) -> None:
    scene = scene_of()
    assert craft(scene) @ scene.honest.mean(axis=0) < 0


def test_scaled_attack_is_ten_times_as_long_as_the_flipped_one() -> None:
    scene = scene_of()
    assert np.allclose(scaling(scene), 10 * sign_flip(scene))


def test_noise_of_the_gaussian_attack_is_wider_than_honest_updates_differ() -> None:
    scene = scene_of()
    assert gaussian(scene).std() > 5 * scene.honest.std(axis=0).mean()


def test_alie_stays_within_a_few_deviations_of_the_mean() -> None:
    scene = scene_of()
    away = np.abs(alie(scene) - scene.honest.mean(axis=0)) / scene.honest.std(axis=0)
    assert away.max() <= 3.1
    assert away.min() >= 1.4


def test_min_max_is_no_further_from_anybody_than_two_honest_are_from_each_other() -> None:
    scene = scene_of()
    between = max(np.linalg.norm(scene.honest - one, axis=1).max() for one in scene.honest)
    sent = min_max(scene)
    reach = np.linalg.norm(scene.honest - sent, axis=1).max()
    assert 0.99 * between <= reach <= 1.01 * between


@pytest.mark.parametrize("craft", [inner_product, alie, min_max, mimic])
def test_no_two_attackers_send_equal_vectors_though_they_agree(craft: Craft) -> None:
    first, second = craft(scene_of(index=0)), craft(scene_of(index=1))
    assert 0 < np.linalg.norm(first - second) < 0.01 * np.linalg.norm(first)


def test_mimic_sends_what_an_honest_trainer_sends() -> None:
    sent = mimic(scene_of())
    nearest = np.linalg.norm(scene_of().honest - sent, axis=1).min()
    assert nearest < 0.01 * np.linalg.norm(sent)


def test_zero_is_zero_and_noise_is_as_long_as_the_honest_mean() -> None:
    scene = scene_of()
    assert not zero(scene).any()
    assert np.linalg.norm(noise(scene)) == pytest.approx(np.linalg.norm(scene.honest.mean(axis=0)))


def test_replay_repeats_the_last_round_and_sends_nothing_before_there_is_one() -> None:
    scene = scene_of(past=3)
    assert np.array_equal(replay(scene), scene.past[-1])
    assert not replay(scene_of()).any()


def test_copycats_send_exact_copies_of_different_trainers() -> None:
    first, second = copycat(scene_of(index=0)), copycat(scene_of(index=1))
    honest = scene_of().honest
    assert np.array_equal(first, honest[0])
    assert np.array_equal(second, honest[1])


def test_sybils_share_the_work_of_one() -> None:
    first, second = sybil(scene_of(index=0)), sybil(scene_of(index=5))
    assert not np.array_equal(first, second)
    assert np.linalg.norm(first - second) < 0.05 * np.linalg.norm(first)


def test_replaced_model_outweighs_a_mean_of_all() -> None:
    scene = scene_of(attackers=4)
    sent = ATTACKS["backdoor"].craft(scene)
    assert np.allclose(4 * sent / 20, scene.own)

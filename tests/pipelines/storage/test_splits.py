import numpy as np
import pytest

from tenfold.pipelines.storage.splits import SPLITS, split_simulations

FRACTIONS = (0.8, 0.1, 0.1)


def names(count: int) -> list[str]:
    return [f"universe {n}" for n in range(count)]


def test_every_simulation_is_in_one_split():
    splits = split_simulations([*names(100), *names(50)], FRACTIONS, seed=0)
    assert sorted(splits) == sorted(names(100))
    assert set(splits.values()) == set(SPLITS)


def test_adding_or_leaving_out_simulations_moves_none():
    all_of_them = split_simulations(names(2000), FRACTIONS, seed=3)
    for count in (1500, 400, 200):
        some = split_simulations(names(count), FRACTIONS, seed=3)
        assert some == {name: all_of_them[name] for name in some}


def test_the_split_does_not_depend_on_the_order_of_the_simulations():
    assert split_simulations(names(99), FRACTIONS, 1) == split_simulations(reversed(names(99)), FRACTIONS, 1)


def test_fractions_are_met_as_closely_as_chance_allows():
    splits = list(split_simulations(names(10_000), FRACTIONS, seed=0).values())
    for split, fraction in zip(SPLITS, FRACTIONS, strict=True):
        spread = np.sqrt(10_000 * fraction * (1 - fraction))
        assert abs(splits.count(split) - 10_000 * fraction) < 4 * spread


def test_another_seed_gives_another_split():
    one, other = (split_simulations(names(500), FRACTIONS, seed) for seed in (0, 1))
    assert one != other


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("count", [3, 5, 8])
def test_no_wanted_split_is_empty_however_few_there_are(count, seed):
    assert set(split_simulations(names(count), FRACTIONS, seed).values()) == set(SPLITS)


@pytest.mark.parametrize("fractions", [(1, 0, 0), (0.5, 0.5, 0), (0.9, 0, 0.1)])
def test_a_split_of_fraction_zero_stays_empty(fractions):
    used = set(split_simulations(names(300), fractions, 0).values())
    assert used == {split for split, fraction in zip(SPLITS, fractions, strict=True) if fraction}


def test_too_few_simulations_are_refused():
    with pytest.raises(ValueError, match="2 simulations cannot be split into train, validation, test"):
        split_simulations(names(2), FRACTIONS, 0)

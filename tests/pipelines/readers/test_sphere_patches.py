import math

import numpy as np
import pytest

from tenfold.pipelines.readers.sphere_patches import Patch, tile_sphere


def unit_vectors(longitude, latitude):
    return np.stack([np.cos(latitude) * np.cos(longitude), np.cos(latitude) * np.sin(longitude), np.sin(latitude)], -1)


def contains(patch, points):
    """Whether a patch contains points on the sphere (n, 3), by its four great circles."""
    longitude, latitude = math.radians(patch.longitude), math.radians(patch.latitude)
    centre = unit_vectors(longitude, latitude)
    east = np.array([-math.sin(longitude), math.cos(longitude), 0.0])
    north = np.cross(centre, east)
    half = math.radians(patch.side_deg) / 2
    towards = points @ centre
    return (towards > 0) & (np.abs(points @ east) < half * towards) & (np.abs(points @ north) < half * towards)


@pytest.mark.parametrize(("side_deg", "covered"), [(2.0, 0.95), (10.0, 0.80), (25.0, 0.65), (60.0, 0.45)])
def test_patches_do_not_overlap_and_cover_most_of_the_sphere(side_deg, covered):
    points = np.random.default_rng(0).normal(size=(20_000, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    patches = tile_sphere(side_deg)
    times = sum(contains(patch, points).astype(int) for patch in patches)
    assert times.max() == 1
    half = math.radians(side_deg) / 2
    area = 4 * math.asin(half**2 / (1 + half**2))  # of a square on a tangent plane [sr]
    fraction = len(patches) * area / (4 * math.pi)
    assert np.mean(times) == pytest.approx(fraction, abs=0.01)
    assert fraction > covered


def test_patches_are_the_same_north_and_south():
    latitudes = sorted(patch.latitude for patch in tile_sphere(10.0))
    assert latitudes == pytest.approx([-latitude for latitude in reversed(latitudes)])


@pytest.mark.parametrize(("longitude", "latitude"), [(0.0, 0.0), (30.0, 60.0), (200.0, -89.0), (0.0, 90.0)])
def test_pixels_are_those_of_a_gnomonic_projection(longitude, latitude):
    patch = Patch(longitude=longitude, latitude=latitude, side_deg=8.0)
    points = unit_vectors(*patch.directions(4))
    centre = unit_vectors(math.radians(longitude), math.radians(latitude))
    plane = points / (points @ centre)[..., np.newaxis] - centre  # where the rays meet the tangent plane
    pixel = math.radians(8.0) / 4
    # all pixels have the same side, and the diagonal is √2 sides
    assert np.linalg.norm(np.diff(plane, axis=0), axis=-1) == pytest.approx(np.full((3, 4), pixel))
    assert np.linalg.norm(np.diff(plane, axis=1), axis=-1) == pytest.approx(np.full((4, 3), pixel))
    assert np.linalg.norm(plane[1, 1] - plane[0, 0]) == pytest.approx(math.sqrt(2) * pixel)
    assert plane.reshape(-1, 3).mean(axis=0) == pytest.approx(np.zeros(3), abs=1e-12)


def test_rows_go_north_and_columns_go_west():
    longitude, latitude = Patch(longitude=90.0, latitude=20.0, side_deg=4.0).directions(8)
    assert (np.diff(latitude, axis=0) > 0).all()
    assert (np.diff(longitude, axis=1) < 0).all()


def test_some_rows_are_those_of_the_whole_patch():
    patch = Patch(longitude=10.0, latitude=70.0, side_deg=10.0)
    whole, part = patch.directions(8), patch.directions(8, 3, 5)
    assert np.array_equal(whole[0][3:5], part[0]) and np.array_equal(whole[1][3:5], part[1])

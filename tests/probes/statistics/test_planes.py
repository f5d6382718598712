"""Response planes and their overlaps, against angles known beforehand."""

import numpy as np
import pytest
import torch

from tonotopy.probes.statistics.planes import overlaps, response_planes

pytestmark = pytest.mark.numerical


def circle(first: torch.Tensor, second: torch.Tensor, phases: int = 8) -> torch.Tensor:
    """Deviations [1, K, C, 1] that go round in the plane of two vectors."""
    turn = 2 * torch.pi * torch.arange(phases) / phases
    return (turn.cos()[:, None] * first + turn.sin()[:, None] * second)[None, :, :, None]


def axis(index: int, size: int = 6) -> torch.Tensor:
    return torch.eye(size)[index]


@pytest.mark.parametrize(("alpha", "beta"), [(0.0, 0.0), (0.3, 0.0), (0.5, 1.2), (np.pi / 2, np.pi / 2)])
def test_overlap_is_the_mean_squared_cosine_of_the_principal_angles(alpha, beta):
    one = response_planes(circle(axis(0), axis(1)), 2)
    tilted = circle(
        np.cos(alpha) * axis(0) + np.sin(alpha) * axis(2), np.cos(beta) * axis(1) + np.sin(beta) * axis(3)
    )
    expected = (np.cos(alpha) ** 2 + np.cos(beta) ** 2) / 2
    assert overlaps(one, response_planes(tilted, 2)).item() == pytest.approx(expected, abs=1e-6)


def test_the_overlap_does_not_depend_on_gain_or_on_unequal_axes():
    one = response_planes(circle(axis(0), axis(1)), 2)
    stretched = response_planes(circle(40 * axis(0), 0.3 * axis(1) + 5 * axis(0)), 2)
    assert overlaps(one, stretched).item() == pytest.approx(1, abs=1e-6)


def test_a_change_that_is_the_same_at_every_phase_is_a_direction():
    """The decomposition is uncentred: what a mean shift says of a component counts."""
    constant = axis(0).expand(8, -1)[None, :, :, None]
    planes = response_planes(constant, 2)
    assert planes.dimensions.item() == 1
    assert planes.held.item() == pytest.approx(1)
    assert overlaps(planes, planes).item() == pytest.approx(1)


def test_a_line_in_a_plane_overlaps_by_half():
    line = response_planes(circle(axis(0), 0 * axis(0)), 2)
    plane = response_planes(circle(axis(0), axis(1)), 2)
    assert overlaps(line, plane).item() == pytest.approx(0.5, abs=1e-6)
    assert overlaps(plane, line).item() == pytest.approx(0.5, abs=1e-6)


def test_what_leaves_the_frame_unchanged_overlaps_with_nothing():
    nothing = response_planes(torch.zeros(1, 8, 6, 1), 2)
    assert torch.isnan(nothing.held).all()
    assert overlaps(nothing, nothing).item() == 0


def test_rounding_of_a_large_frame_is_no_plane():
    faint = circle(1e-5 * axis(0), 1e-5 * axis(1))
    assert torch.isnan(response_planes(faint, 2, torch.tensor([100.0])).held).all()
    assert response_planes(faint, 2, torch.tensor([1.0])).held.item() == pytest.approx(1)


def test_planarity_is_the_share_of_energy_in_the_leading_directions():
    three = circle(axis(0), axis(1)) + 0.5 * circle(axis(2), 0 * axis(2))[:, [0, 4] * 4]
    energy = [8 / 2, 8 / 2, 0.25 * 8]
    held = response_planes(three, 2).held.item()
    assert held == pytest.approx((energy[0] + energy[1]) / sum(energy), abs=1e-6)


def test_frames_are_judged_one_by_one_and_averaged():
    """One plane over all frames would call these the same."""
    here, there = circle(axis(0), axis(1)), circle(axis(2), axis(3))
    one = response_planes(torch.cat([here, there], -1), 2)
    other = response_planes(torch.cat([there, here], -1), 2)
    half = response_planes(torch.cat([here, here], -1), 2)
    assert overlaps(one, other).item() == pytest.approx(0, abs=1e-6)
    assert overlaps(one, half).item() == pytest.approx(0.5, abs=1e-6)


def test_one_channel_has_one_direction():
    planes = response_planes(torch.randn(3, 8, 1, 2, generator=torch.Generator().manual_seed(0)), 2)
    assert planes.basis.shape == (3, 2, 1, 1)
    assert torch.allclose(overlaps(planes, planes), torch.ones(3, 3))

import numpy as np
import pytest
import torch

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.imaging.column_image import render_columns
from napari_atomseg.imaging.linear_adf import (
    ColumnBatch,
    batch_columns,
    field_of,
    render_gaussians,
    render_probes,
    render_transfer,
    species_spectrum,
    structure_factor,
)
from napari_atomseg.optics.modes import sample_spectrum
from napari_atomseg.optics.probe import ProbeParams, probe_intensity, probe_reach, probe_transfer

LENSES = [
    ProbeParams(energy=200e3, semiangle=22, defocus=40, astigmatism=20, coma=500, source_size=0.4),
    ProbeParams(energy=300e3, semiangle=27, trefoil=600, Cs=1e4),
]


def scene(seed=0, counts=(5, 9), low=20, high=60, width=0.8):
    rng = np.random.default_rng(seed)
    places = [rng.uniform(low, high, (n, 2)) for n in counts]
    return batch_columns(places, [rng.uniform(0.5, 2, n) for n in counts], [width] * len(counts))


def gaussian_sum(columns, image, sigma, shape):
    """Direct sum in double precision."""
    y, x = np.indices(shape)
    total = np.zeros(shape)
    rows = zip(columns.positions, columns.weights, columns.widths, columns.sample, strict=True)
    for place, weight, width, sample in ([one.double().numpy() for one in row] for row in rows):
        if sample == image:
            variance = width**2 + sigma**2
            squared = (y - place[0]) ** 2 + (x - place[1]) ** 2
            total += weight * np.exp(-squared / (2 * variance)) / (2 * np.pi * variance)
    return total


def test_sampled_gaussians_are_the_direct_sum():
    columns = scene()
    psf = (torch.tensor([[0.7, 0.3], [1.0, 0.0]]), torch.tensor([[1.5, 6.0], [2.0, 1.0]]))
    images = render_gaussians(columns, (80, 90), psf, integrate=False)
    for n in (0, 1):
        expected = sum(float(a) * gaussian_sum(columns, n, float(s), (80, 90)) for a, s in zip(psf[0][n], psf[1][n], strict=True))
        assert np.abs(images[n, 0].numpy() - expected).max() < 1e-5 * expected.max()


def test_integrated_gaussians_are_those_of_the_samples():
    columns = scene(width=1.3)
    images = render_gaussians(columns, (80, 90))
    for n in (0, 1):
        mine = columns.sample == n
        expected = render_columns(columns.positions[mine].numpy(), columns.weights[mine].numpy(), 1.3, (80, 90))
        assert np.abs(images[n, 0].numpy() - expected).max() < 1e-5 * expected.max()
        assert float(images[n].sum()) == pytest.approx(float(columns.weights[mine].sum()), rel=1e-5)


@pytest.mark.parametrize("place", [(40.0, 50.0), (40.5, 50.25), (39.9, 50.001)])
def test_modes_draw_a_gaussian_anywhere(place):
    columns = batch_columns([[place]], [[3.0]], [2.0])
    transfer = torch.ones(1, 2 * 60 + 1, 66)
    image = render_transfer(columns, transfer, (80, 90))[0, 0].numpy()
    expected = gaussian_sum(columns, 0, 0.0, (80, 90))
    assert np.abs(image - expected).max() < 1e-5 * expected.max()
    assert image.sum() == pytest.approx(3, rel=1e-5)


def test_probe_on_a_pixel_is_the_probe():
    shape, size = (96, 96), 0.1
    columns = batch_columns([[(30, 40)]] * 2, [[1.0]] * 2, [0.0] * 2)
    images = render_probes(columns, LENSES, shape, size, padding=1.0)
    probes = probe_intensity(LENSES, field_of(shape, 1.0), size, centred=False)[:, 0]
    expected = torch.roll(probes, (30, 40), (1, 2))[:, :96, :96]
    assert torch.allclose(images[:, 0], expected, atol=1e-5 * float(expected.max()))


def test_probe_images_are_the_direct_sum_of_shifted_probes():
    # Columns on twelfths of a pixel, against probes on a grid twelve times finer.
    fine, size, shape = 12, 0.15, (40, 44)
    rng = np.random.default_rng(1)
    steps = rng.integers(5 * fine, 35 * fine, (7, 2))
    weights = rng.uniform(0.5, 2, 7)
    columns = batch_columns([steps / fine] * 2, [weights] * 2, [0.0] * 2)
    images = render_probes(columns, LENSES, shape, size, padding=1.0)
    period = field_of(shape, 1.0)
    probes = probe_intensity(LENSES, (period[0] * fine, period[1] * fine), size / fine, centred=False)[:, 0] * fine**2
    for n in (0, 1):
        moved = sum(
            w * torch.roll(probes[n], (int(y), int(x)), (0, 1))[::fine, ::fine] for w, (y, x) in zip(weights, steps, strict=True)
        )
        expected = moved[: shape[0], : shape[1]]
        assert float((images[n, 0] - expected).abs().max()) < 1e-4 * float(expected.max())


def test_flux_is_that_of_the_columns():
    columns = batch_columns([np.random.default_rng(0).uniform(100, 156, (20, 2))] * 2, [np.ones(20)] * 2, [0.5] * 2)
    images = render_probes(columns, LENSES, (256, 256), 0.1)
    # What is missing lies in the faint tails outside.
    assert images.sum((1, 2, 3)).numpy() == pytest.approx(20, rel=0.01)
    period = field_of((256, 256))
    extent = ([period[0] * 0.1] * 2, [period[1] * 0.1] * 2)
    whole = sample_spectrum(
        structure_factor(columns, (140, 140), period) * probe_transfer(LENSES, extent, (140, 140)), period, period
    )
    assert whole.sum((1, 2)).numpy() == pytest.approx(20, rel=1e-4)


def test_moves_with_the_columns():
    columns = scene(counts=(6, 6))
    moved = ColumnBatch(
        positions=columns.positions + torch.tensor([3.0, 5.0]), weights=columns.weights, widths=columns.widths,
        sample=columns.sample, count=2,
    )  # fmt: skip
    for render in (lambda c: render_gaussians(c, (80, 90)), lambda c: render_probes(c, LENSES, (80, 90), 0.1)):
        still, later = render(columns), render(moved)
        assert torch.allclose(later[:, :, 3:, 5:], still[:, :, :-3, :-5], atol=1e-4 * float(still.max()))


def test_centroid_moves_by_parts_of_a_pixel():
    shifts = np.linspace(0, 1, 6)
    columns = batch_columns([[(40 + s, 45 - s / 3)] for s in shifts], [[1.0]] * 6, [2.0] * 6)
    y, x = np.indices((81, 91))
    for images in (
        render_gaussians(columns, (81, 91)),
        render_probes(columns, [ProbeParams(source_size=1.0)] * 6, (81, 91), 0.2),
    ):
        for n, shift in enumerate(shifts):
            image = images[n, 0].double().numpy()
            near = image * ((y - 40 - shift) ** 2 + (x - 45 + shift / 3) ** 2 < 400)
            assert (near * y).sum() / near.sum() == pytest.approx(40 + shift, abs=5e-3)
            assert (near * x).sum() / near.sum() == pytest.approx(45 - shift / 3, abs=5e-3)


def test_nothing_wraps_round():
    lens = ProbeParams(defocus=250, source_size=0.5)
    for place in [(0.0, 0.0), (-10.0, 32.0), (-70.0, 20.0), (-400.0, 20.0), (63.0, 90.0)]:
        columns = batch_columns([[place]], [[1.0]], [0.5])
        for image in (render_gaussians(columns, (64, 64))[0, 0], render_probes(columns, [lens], (64, 64), 0.1)[0, 0]):
            y, x = np.indices((64, 64))
            far = np.hypot(y - place[0], x - place[1]) > probe_reach(lens) / 0.1
            peak = float(probe_intensity([lens], (256, 256), 0.1).max())
            assert np.abs(image.numpy()[far]).max(initial=0) < 1e-2 * peak


def test_batch_is_one_by_one():
    columns = scene(counts=(4, 11))
    sizes = [0.1, 0.07]
    together = render_probes(columns, LENSES, (64, 72), sizes, padding=1.0), render_gaussians(columns, (64, 72))
    for n in (0, 1):
        mine = columns.subset(columns.sample == n)
        one = ColumnBatch(positions=mine.positions, weights=mine.weights, widths=mine.widths, sample=mine.sample * 0, count=1)
        alone = render_probes(one, LENSES[n : n + 1], (64, 72), sizes[n], padding=1.0), render_gaussians(one, (64, 72))
        for whole, part in zip(together, alone, strict=True):
            assert torch.allclose(whole[n], part[0], atol=1e-5 * float(part.max()))


def test_species_have_their_own_profile():
    columns = scene(counts=(5, 8), width=1.5)
    kinds = torch.arange(13) % 3
    modes, period = (40, 45), field_of((80, 90))
    seen = []

    def transfer(kind, images):
        seen.append((kind, images))
        return torch.full((len(images), 81, 46), float(kind))

    spectrum = species_spectrum(columns, kinds, transfer, modes, period)
    weighted = ColumnBatch(
        positions=columns.positions, weights=columns.weights * kinds, widths=columns.widths, sample=columns.sample, count=2
    )
    assert torch.allclose(spectrum, structure_factor(weighted, modes, period), atol=1e-4)
    assert seen == [(0, [0, 1]), (1, [0, 1]), (2, [0, 1])]


def test_an_image_without_columns_is_dark():
    columns = batch_columns([np.empty((0, 2)), [(5.0, 6.0)]], [[], [1.0]], [1.0, 1.0])
    for images in (render_gaussians(columns, (16, 20)), render_probes(columns, LENSES, (16, 20), 0.2)):
        assert not images[0].any()
        assert images[1].any()
    none = batch_columns([np.empty((0, 2))], [[]], [1.0])
    assert not render_probes(none, LENSES[:1], (16, 20), 0.2).any()
    assert not render_gaussians(none, (16, 20)).any()


def test_wrong_shapes_are_an_error():
    with pytest.raises(AtomsegError, match="positions of shape"):
        batch_columns([torch.zeros(2, 2)], [torch.zeros(3)], [1.0])
    one = torch.zeros(1)
    with pytest.raises(AtomsegError, match="sample must lie"):
        ColumnBatch(positions=torch.zeros(1, 2), weights=one, widths=one, sample=torch.tensor([4]), count=1)

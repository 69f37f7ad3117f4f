"""TEM images from records: a thin phase object or an exit wave, the lens, single electrons, the camera; one or several foci.

After Madsen et al., Adv. Theory Simul. 1 (2018) 1800037, section 2.2, with a phase object in place of their multislice
waves. Images are made one at a time: what one looks like must not depend on the rest of its batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.params import from_dict
from napari_atomseg.imaging.hrtem import image_focal_series, render_hrtem
from napari_atomseg.imaging.linear_adf import ColumnBatch, batch_columns
from napari_atomseg.noise.blur import BlurParams, blur
from napari_atomseg.noise.compose import Step
from napari_atomseg.noise.counting import electrons_per_pixel
from napari_atomseg.noise.seeded import mixed
from napari_atomseg.optics.ctf import CtfParams
from napari_atomseg.optics.detector import through_camera
from napari_atomseg.specimens.projection import ColumnTruth, Projection, columns_of
from napari_atomseg.synthesis import labels, post_processing
from napari_atomseg.synthesis.camera import camera_of, exposure, recorded, steps_of
from napari_atomseg.synthesis.exit_wave_specimens import Cut, cut_exit_wave, is_exit_wave
from napari_atomseg.synthesis.record import Record
from napari_atomseg.synthesis.scene import build_scene
from napari_atomseg.synthesis.specimen_kinds import field_of, specimen

MARGIN = 8.0
"""Specimen made beyond the borders of the image, Angstrom; it must hold the delocalisation."""
MASK_WIDTH = 1.0
"""Diameter of the circular mask, Angstrom (ours): less than the shortest bond."""
CLASS_WIDTH = 1.0
"""Standard deviation of the Gaussians of the class maps, Angstrom (Madsen et al., section 2.2)."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Recording:
    """One image or focal series, with its labels.

    Attributes
    ----------
    image : Tensor, float32, shape (1, F, Y, X), counts
    labels : dict of Tensor, shape (1, C, Y, X)
    truth : ColumnTruth
    steps : list of (name, parameters, seed)
        The record's noise; what comes after the fact has not happened yet.
    """

    image: Tensor
    labels: dict[str, Tensor]
    truth: ColumnTruth
    steps: list[Step]


def is_hrtem(record: Record) -> bool:
    """Whether a record is of an image through an objective lens."""
    return "lens" in record.imaging


def foci_of(record: Record) -> tuple[float, ...]:
    """Steps of defocus of a TEM record, Angstrom; of any other one just one."""
    return tuple(float(step) for step in record.imaging.get("foci", (0.0,)))


def recording(record: Record, wanted: Sequence[str], device: torch.device | str = "cpu") -> Recording:
    """The image of one record.

    Parameters
    ----------
    record : Record
    wanted : sequence of str
        Labels. ``noise_free`` and ``background_free`` have as many planes as there are foci, ``class_maps`` as there are classes
        and one, the others one.
    device : torch device

    Raises
    ------
    AtomsegError
        If the record has neither dose nor mean, or a label is unknown.
    """
    cut = cut_exit_wave(record) if is_exit_wave(record.specimen) else None
    atoms = _atoms(record) if cut is None else cut.atoms
    truth = columns_of(atoms)
    shape, size = (int(record.shape[0]), int(record.shape[1])), record.pixel_size
    # Frames as samples (F, 1, Y, X): noise differs from frame to frame.
    clean = _expected(record, atoms, cut, shape, device) * _electrons(record)
    count = len(clean)
    camera = [camera_of(record)] * count
    scene = build_scene(clean, [record.scene] * count, [size] * count)
    factor = exposure(record, scene)
    clean, scene = clean * factor, scene * factor
    steps = steps_of(record, float(scene.max()))
    image = recorded(scene, _per_frame(post_processing.during(steps), count), camera)
    columns = batch_columns([torch.from_numpy(truth.positions / size)], [torch.from_numpy(truth.counts)], [0.0], device)
    seen = {"noise_free": scene, "background_free": clean}
    found = {}
    for name in wanted:
        base = name.removeprefix("upsampled_")
        if base in seen:
            plane = through_camera(seen[base], seen[base], camera).transpose(0, 1)
            found[name] = plane if base == name else _finer(plane)
        else:
            factor = 1 if base == name else 2
            painted = columns if factor == 1 else labels.upsampled(columns, factor)
            found[name] = _painted(base, painted, (factor * shape[0], factor * shape[1]), size / factor, record.classes)
    return Recording(image=image.transpose(0, 1), labels=found, truth=truth, steps=steps)


def _electrons(record: Record) -> float:
    """Electrons in a pixel of the incident beam; 1 where the mean of the scene is to decide."""
    if record.mean is not None:
        return 1.0
    if record.dose is None:
        raise AtomsegError(f"recipe {record.recipe}: a TEM image needs a dose in e/A2, or a mean in counts; give one")
    return electrons_per_pixel(record.dose, record.pixel_size)


def class_maps(columns: ColumnBatch, shape: tuple[int, int], sigma: float, classes: int) -> Tensor:
    r"""Where columns of 1, 2, ... `classes` atoms are, and where there is none, shape (B, classes + 1, Y, X).

    Parameters
    ----------
    columns : ColumnBatch
        Weights are numbers of atoms; higher columns than there are classes count as the highest.
    shape : tuple of int
    sigma : float, px
    classes : int

    Notes
    -----
    With the highest Gaussian :math:`g_k` of the columns of each height,

    .. math:: p_k = \frac{g_k}{\max(1, \sum_j g_j)}, \qquad p_0 = 1 - \sum_k p_k

    Madsen et al. add up the Gaussians, whose overlap they call negligible; it is not for neighbours of different height, and the
    denominator (ours) keeps the background from falling below zero. The background is the last plane.
    """
    height = columns.weights.round().clamp(1, classes)
    maps = [labels.gaussian_map(columns.subset(height == one), shape, [sigma] * columns.count) for one in range(1, classes + 1)]
    found = torch.cat(maps, dim=1)
    found = found / found.sum(dim=1, keepdim=True).clamp_min(1.0)
    return torch.cat([found, (1 - found.sum(dim=1, keepdim=True)).clamp_min(0.0)], dim=1)


def _atoms(record: Record) -> Projection:
    """The specimen in the image and a margin around it, placed from the image's first pixel."""
    height, width = field_of(record.shape, record.pixel_size)
    wide = specimen(record.specimen, (height + 2 * MARGIN, width + 2 * MARGIN))
    return replace(wide, positions=wide.positions - MARGIN, field=(height, width))


def _expected(record: Record, atoms: Projection, cut: Cut | None, shape: tuple[int, int], device: torch.device | str) -> Tensor:
    """Noiseless frames in parts of the incident beam, shape (F, 1, Y, X), of atoms or of an exit wave."""
    frames = _of_atoms(record, atoms, shape, device) if cut is None else _of_wave(record, cut, shape, device)
    frames = frames.transpose(0, 1).contiguous()
    spread = BlurParams(sigma=float(record.imaging.get("image_spread", 0.0)) / record.pixel_size)
    return blur(frames, [spread] * len(frames), [0] * len(frames))


def _of_atoms(record: Record, atoms: Projection, shape: tuple[int, int], device: torch.device | str) -> Tensor:
    size = record.pixel_size
    lens = from_dict(CtfParams, dict(record.imaging["lens"]))
    atoms = atoms.drawn_out()
    batch = batch_columns(
        [torch.from_numpy(atoms.positions / size)],
        [torch.from_numpy(atoms.counts)],
        [torch.from_numpy(atoms.thermal / size)],
        device,
    )
    padding = 2 * MARGIN / size / min(shape)
    return render_hrtem(batch, torch.from_numpy(atoms.numbers), [lens], shape, size, foci_of(record), padding)


def _of_wave(record: Record, cut: Cut, shape: tuple[int, int], device: torch.device | str) -> Tensor:
    lens = from_dict(CtfParams, {"energy": cut.whole.energy, **record.imaging["lens"]})
    wave = torch.from_numpy(cut.whole.wave).to(device)[None]
    frames = image_focal_series(wave, [lens], foci_of(record), record.pixel_size)
    return frames[..., cut.corner[0] : cut.corner[0] + shape[0], cut.corner[1] : cut.corner[1] + shape[1]]


def _per_frame(steps: Sequence[Step], count: int) -> list[list[Step]]:
    """The same steps for every frame, with seeds of their own; the first frame has those of a single image."""
    return [
        [(name, params, seed if frame == 0 else mixed(seed, frame)) for name, params, seed in steps] for frame in range(count)
    ]


def _finer(plane: Tensor) -> Tensor:
    """Intensity per pixel on a grid twice as fine: four pixels share what one had."""
    wide = (2 * plane.shape[-2], 2 * plane.shape[-1])
    return torch.nn.functional.interpolate(plane, size=wide, mode="bicubic", align_corners=False) / 4


def _painted(name: str, columns: ColumnBatch, shape: tuple[int, int], size: float, classes: int) -> Tensor:
    if name == "circular_mask":
        return labels.circular_mask(columns, shape, [MASK_WIDTH / size])
    if name == "small_mask":
        return labels.circular_mask(columns, shape, [labels.SMALL_SHARE * MASK_WIDTH / size])
    if name == "gaussian":
        return labels.gaussian_map(columns, shape, [labels.GAUSSIAN_WIDTH / size])
    if name == "deblurred":
        # An image of phase contrast has no intensity that belongs to a column: each holds its number of atoms.
        return labels.deblurred(columns, shape, [labels.DEBLURRED_WIDTH / size])
    if name == "class_maps":
        return class_maps(columns, shape, CLASS_WIDTH / size, classes)
    raise AtomsegError(f"images of a TEM have no label {name!r}; choose of those of a STEM, or class_maps")

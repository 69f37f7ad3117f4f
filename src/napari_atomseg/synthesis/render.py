"""From records to images, labels and true columns: deterministic, a batch at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.params import from_dict
from napari_atomseg.imaging.linear_adf import ColumnBatch, batch_columns, render_probes
from napari_atomseg.imaging.radial_profile import RadialProfileParams, profile_widths, render_profiles
from napari_atomseg.imaging.radial_profile import half_maximum_width as profile_half_width
from napari_atomseg.noise.compose import Step
from napari_atomseg.optics.batch import per_image
from napari_atomseg.optics.probe import ProbeParams, half_maximum_width
from napari_atomseg.specimens.projection import ColumnTruth, Projection, columns_of
from napari_atomseg.synthesis import labels, post_processing, render_hrtem
from napari_atomseg.synthesis.camera import camera_of, exposure, recorded, steps_of, through
from napari_atomseg.synthesis.record import Record
from napari_atomseg.synthesis.scene import build_scene
from napari_atomseg.synthesis.specimen_kinds import field_of, scene_without_atoms, specimen

LABELS = ("circular_mask", "small_mask", "gaussian", "noise_free", "background_free", "deblurred")
"""As in Lin et al., Table 2; `upsampled_` before the last three or the masks asks for twice as many pixels."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Batch:
    """Synthetic images with all that is known of them.

    Attributes
    ----------
    image : Tensor, float32, shape (B, F, Y, X)
        As it would have been recorded; F is 1 but for focal series.
    labels : mapping of Tensor, shape (B, 1, Y, X)
        Those asked for. Intensities are in the image's counts; for those of TEM see :mod:`.render_hrtem`.
    columns : tuple of ColumnTruth
        Of each image, Angstrom; all columns, those outside the field included, but those that were cut away or written over.
    positions : tuple of ndarray, shape (N, 2), px
        The same in pixels.
    records : tuple of Record
    """

    image: Tensor
    labels: Mapping[str, Tensor]
    columns: tuple[ColumnTruth, ...]
    positions: tuple[np.ndarray, ...]
    records: tuple[Record, ...]


def render(records: Sequence[Record], wanted: Sequence[str] = LABELS, device: torch.device | str = "cpu") -> Batch:
    """Images of a batch of records, all of one shape.

    Parameters
    ----------
    records : sequence of Record
    wanted : sequence of str
        Labels, of :data:`LABELS`; with ``upsampled_`` before a name on a grid twice as fine.
    device : torch device

    Notes
    -----
    On the CPU the same records give the same images bit for bit; in a batch of another size they agree to the last digits of
    single precision, but for the few pixels whose count or rounding lies right on an edge.
    """
    shape = records[0].shape
    if any(record.shape != shape for record in records):
        raise ValueError("images of one batch have one shape")
    lenses = [render_hrtem.is_hrtem(record) for record in records]
    if len(set(lenses)) == 2:
        return _both(records, lenses, wanted, device)
    return (_tem if all(lenses) else _incoherent)(records, wanted, device)


def _both(records: Sequence[Record], lenses: Sequence[bool], wanted: Sequence[str], device: torch.device | str) -> Batch:
    """Images with and without a lens, each kind by itself, and together again in their order."""
    kinds = [[row for row, lens in enumerate(lenses) if lens == kind] for kind in (True, False)]
    parts = [render([records[row] for row in rows], wanted, device) for rows in kinds]
    if parts[0].image.shape[1:] != parts[1].image.shape[1:]:
        raise ValueError("images of one batch have as many foci")
    back = np.argsort(kinds[0] + kinds[1]).tolist()
    columns, positions = parts[0].columns + parts[1].columns, parts[0].positions + parts[1].positions
    return Batch(
        image=torch.cat([part.image for part in parts])[back],
        labels={name: torch.cat([part.labels[name] for part in parts])[back] for name in wanted},
        columns=tuple(columns[row] for row in back),
        positions=tuple(positions[row] for row in back),
        records=tuple(records),
    )


def _incoherent(records: Sequence[Record], wanted: Sequence[str], device: torch.device | str) -> Batch:
    """Images of a scanned probe, of atoms with a profile, or of scenes without atoms."""
    projections = [specimen(record.specimen, field_of(record.shape, record.pixel_size)) for record in records]
    exponents = [float(record.imaging.get("exponent", 1.7)) for record in records]
    truths = [columns_of(atoms, exponent) for atoms, exponent in zip(projections, exponents, strict=True)]
    sizes = [record.pixel_size for record in records]
    shape = (int(records[0].shape[0]), int(records[0].shape[1]))
    scenes = [scene_without_atoms(record.specimen, shape) for record in records]
    clean = torch.cat(
        [
            _clean(record, atoms, shape, device) if drawn is None else _drawn(drawn, device)
            for record, atoms, drawn in zip(records, projections, scenes, strict=True)
        ]
    )
    scale = per_image([record.peak if record.mean is None else 1.0 for record in records], clean)
    factor = scale / clean.amax(dim=(1, 2, 3), keepdim=True).clamp_min(1e-20)
    clean = clean * factor
    cameras = [camera_of(record) for record in records]
    scene = build_scene(clean, [record.scene for record in records], sizes)
    exposed = per_image([exposure(record, one) for record, one in zip(records, scene, strict=True)], clean)
    clean, scene, factor = clean * exposed, scene * exposed, factor * exposed
    steps = [steps_of(record, float(one.max())) for record, one in zip(records, scene, strict=True)]
    image = recorded(scene, [post_processing.during(one) for one in steps], cameras)
    clean, scene = through(clean, clean, cameras), through(scene, scene, cameras)
    true = _true_columns(truths, sizes, factor.reshape(-1).tolist(), device)
    spreads = [_spread(record, atoms) for record, atoms in zip(records, projections, strict=True)]
    found = {name: _label(name, true, clean, scene, spreads, sizes) for name in wanted}
    _without_columns(found, [row for row, drawn in enumerate(scenes) if drawn is not None], clean)
    image = _finish(image, found, steps)
    truths = [post_processing.finished_columns(truth, record) for truth, record in zip(truths, records, strict=True)]
    return Batch(
        image=image,
        labels=found,
        columns=tuple(truths),
        positions=tuple(_pixels(truth, record) for truth, record in zip(truths, records, strict=True)),
        records=tuple(records),
    )


def _tem(records: Sequence[Record], wanted: Sequence[str], device: torch.device | str) -> Batch:
    """Images through an objective lens, with as many foci and classes each."""
    if len({(len(render_hrtem.foci_of(one)), one.classes) for one in records}) > 1:
        raise ValueError("images of one batch have as many foci and classes")
    found = [render_hrtem.recording(record, wanted, device) for record in records]
    labels_of_all = {name: torch.cat([one.labels[name] for one in found]) for name in wanted}
    return Batch(
        image=_finish(torch.cat([one.image for one in found]), labels_of_all, [one.steps for one in found]),
        labels=labels_of_all,
        columns=tuple(post_processing.finished_columns(one.truth, record) for one, record in zip(found, records, strict=True)),
        positions=tuple(
            _pixels(post_processing.finished_columns(one.truth, record), record)
            for one, record in zip(found, records, strict=True)
        ),
        records=tuple(records),
    )


def _finish(image: Tensor, found: dict[str, Tensor], steps: Sequence[Sequence[Step]]) -> Tensor:
    """Images after the fact; their labels are changed with them."""
    image = image.clone()
    for row, one in enumerate(steps):
        late = post_processing.after(one)
        if not late:
            continue
        image[row] = post_processing.finished_image(image[row : row + 1], late)[0]
        for name, label in found.items():
            label[row] = post_processing.finished_label(name, label[row : row + 1], image[row : row + 1], late)[0]
    return image


def _pixels(truth: ColumnTruth, record: Record) -> np.ndarray:
    return truth.positions / post_processing.pixel_size_after(record)


def _clean(record: Record, projection: Projection, shape: tuple[int, int], device: torch.device | str) -> Tensor:
    """Noiseless image of atoms, shape (1, 1, Y, X)."""
    atoms, size = projection.drawn_out(), record.pixel_size
    exponent = float(record.imaging.get("exponent", 1.7))
    # One at a time: the room that a probe needs, and so the rounding, must not depend on the rest of the batch.
    alone = batch_columns(
        [torch.from_numpy(atoms.positions / size)],
        [torch.from_numpy(atoms.scattering(exponent))],
        [torch.from_numpy(atoms.thermal / size)],
        device,
    )
    if "profile" in record.imaging:
        found = render_profiles(alone, torch.from_numpy(atoms.numbers), [_profile(record)], shape, size)
    else:
        found = render_probes(alone, [_probe(record)], shape, size)
    return found.clamp_min(0.0)


def _probe(record: Record) -> ProbeParams:
    return from_dict(ProbeParams, dict(record.imaging.get("probe", {})))


def _profile(record: Record) -> RadialProfileParams:
    return from_dict(RadialProfileParams, dict(record.imaging["profile"]))


def _spread(record: Record, atoms: Projection) -> float:
    """Full width at half maximum of columns, Angstrom: of the probe, or of the profile of the atoms, a mean over them."""
    if "profile" not in record.imaging:
        return half_maximum_width(_probe(record))
    profile = _profile(record)
    widths = profile_widths(profile).numpy()
    mean = widths[atoms.numbers - 1].mean() if len(atoms) else widths.mean()
    return profile_half_width(profile) * float(mean)


def _drawn(scene: np.ndarray, device: torch.device | str) -> Tensor:
    return torch.from_numpy(scene).to(device)[None, None]


def _without_columns(found: Mapping[str, Tensor], rows: Sequence[int], clean: Tensor) -> None:
    """Where there are no columns the image itself is the deblurred one."""
    if rows and "deblurred" in found:
        found["deblurred"][rows] = clean[rows]
    if rows and "upsampled_deblurred" in found:
        fine = torch.nn.functional.interpolate(clean[rows], scale_factor=2, mode="bicubic", align_corners=False) / 4
        found["upsampled_deblurred"][rows] = fine


def _true_columns(
    truths: Sequence[ColumnTruth], sizes: Sequence[float], factors: Sequence[float], device: torch.device | str
) -> ColumnBatch:
    return batch_columns(
        [torch.from_numpy(truth.positions / size) for truth, size in zip(truths, sizes, strict=True)],
        # Integrated intensity in the image, each pixel being a sample of the probe times its area.
        [torch.from_numpy(truth.scattering * factor) for truth, factor in zip(truths, factors, strict=True)],
        [0.0] * len(truths),
        device,
    )


def _label(
    name: str, columns: ColumnBatch, clean: Tensor, scene: Tensor, spreads: Sequence[float], sizes: Sequence[float]
) -> Tensor:
    shape = (clean.shape[-2], clean.shape[-1])
    if name.startswith("upsampled_"):
        wide = (2 * shape[0], 2 * shape[1])
        if name.removeprefix("upsampled_") in ("noise_free", "background_free"):
            given = scene if name.endswith("noise_free") else clean
            # Intensity per pixel: four pixels share what one had.
            return torch.nn.functional.interpolate(given, size=wide, mode="bicubic", align_corners=False) / 4
        finer = [size / 2 for size in sizes]
        return _painted(name.removeprefix("upsampled_"), labels.upsampled(columns, 2), wide, spreads, finer)
    if name == "noise_free":
        return scene
    if name == "background_free":
        return clean
    return _painted(name, columns, shape, spreads, sizes)


def _painted(name: str, columns: ColumnBatch, shape: tuple[int, int], spreads: Sequence[float], sizes: Sequence[float]) -> Tensor:
    widths = [spread / size for spread, size in zip(spreads, sizes, strict=True)]
    if name == "circular_mask":
        return labels.circular_mask(columns, shape, widths)
    if name == "small_mask":
        return labels.circular_mask(columns, shape, [labels.SMALL_SHARE * width for width in widths])
    if name == "gaussian":
        return labels.gaussian_map(columns, shape, [labels.GAUSSIAN_WIDTH / size for size in sizes])
    if name == "deblurred":
        return labels.deblurred(columns, shape, [labels.DEBLURRED_WIDTH / size for size in sizes])
    raise AtomsegError(f"images of a STEM have no label {name!r}; choose of {', '.join(LABELS)}")

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
from napari_atomseg.noise.compose import EFFECTS, apply
from napari_atomseg.optics.probe import ProbeParams
from napari_atomseg.specimens.projection import ColumnTruth, Projection, columns_of
from napari_atomseg.synthesis import labels, render_hrtem
from napari_atomseg.synthesis.record import Record
from napari_atomseg.synthesis.scene import build_scene
from napari_atomseg.synthesis.specimen_kinds import field_of, scene_without_atoms, specimen

LABELS = ("circular_mask", "small_mask", "gaussian", "noise_free", "background_free", "deblurred")
"""As in Lin et al., Table 2; `upsampled_` before the last three or the masks asks for twice as many pixels."""
IN_PIXELS = {"scan_jitter": ("sigma_x", "sigma_y"), "line_noise": ("sigma",)}
"""Parameters that recipes give in Angstrom, since a stage does not know of pixels."""


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
        Of each image, Angstrom; all columns, those outside the field included.
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
    On the CPU the same records give the same images bit for bit, in whatever batches.
    """
    shape = records[0].shape
    if any(record.shape != shape for record in records):
        raise ValueError("images of one batch have one shape")
    if any(render_hrtem.is_hrtem(record) for record in records):
        return _tem(records, wanted, device)
    projections = [specimen(record.specimen, field_of(record.shape, record.pixel_size)) for record in records]
    exponents = [float(record.imaging.get("exponent", 1.7)) for record in records]
    truths = [columns_of(atoms, exponent) for atoms, exponent in zip(projections, exponents, strict=True)]
    sizes = [record.pixel_size for record in records]
    columns = _columns([atoms.drawn_out() for atoms in projections], exponents, sizes, device)
    probes = [from_dict(ProbeParams, dict(record.imaging.get("probe", {}))) for record in records]
    shape_of_all = (int(shape[0]), int(shape[1]))
    scenes = [scene_without_atoms(record.specimen, shape_of_all) for record in records]
    clean = torch.cat(
        [
            _clean(columns, row, probe, shape_of_all, sizes[row]) if drawn is None else _drawn(drawn, device)
            for row, (probe, drawn) in enumerate(zip(probes, scenes, strict=True))
        ]
    )
    scale = torch.tensor([record.peak for record in records], device=clean.device).reshape(-1, 1, 1, 1)
    factor = scale / clean.amax(dim=(1, 2, 3), keepdim=True).clamp_min(1e-20)
    clean = clean * factor
    scene = build_scene(clean, [record.scene for record in records], sizes)
    image = apply(scene, [_noise(record) for record in records])
    true = _true_columns(truths, sizes, factor.reshape(-1).tolist(), device)
    found = {name: _label(name, true, clean, scene, probes, sizes) for name in wanted}
    _without_columns(found, [row for row, drawn in enumerate(scenes) if drawn is not None], clean)
    return Batch(
        image=image,
        labels=found,
        columns=tuple(truths),
        positions=tuple(truth.positions / size for truth, size in zip(truths, sizes, strict=True)),
        records=tuple(records),
    )


def _tem(records: Sequence[Record], wanted: Sequence[str], device: torch.device | str) -> Batch:
    """Images through an objective lens, with as many foci and classes each."""
    if (
        not all(render_hrtem.is_hrtem(record) for record in records)
        or len({(len(render_hrtem.foci_of(one)), one.classes) for one in records}) > 1
    ):
        raise ValueError("images of one batch are all of a STEM, or all of a TEM with as many foci and classes")
    found = [render_hrtem.recording(record, _noise(record), wanted, device) for record in records]
    return Batch(
        image=torch.cat([one.image for one in found]),
        labels={name: torch.cat([one.labels[name] for one in found]) for name in wanted},
        columns=tuple(one.truth for one in found),
        positions=tuple(one.truth.positions / record.pixel_size for one, record in zip(found, records, strict=True)),
        records=tuple(records),
    )


def point_spread_width(probe: ProbeParams) -> float:
    """Full width at half maximum of the probe with its source, Angstrom, as the diffraction limit and the source give it.

    0.51 wavelengths over the semi-angle for a round aperture without aberrations (Born & Wolf, Principles of Optics, sec. 8.5).
    """
    from napari_atomseg.optics.electron import wavelength

    return float(np.hypot(0.51 * wavelength(probe.energy) / (probe.semiangle * 1e-3), probe.source_size))


def _clean(columns: ColumnBatch, row: int, probe: ProbeParams, shape: tuple[int, int], pixel_size: float) -> Tensor:
    mine = columns.sample == row
    alone = ColumnBatch(
        positions=columns.positions[mine],
        weights=columns.weights[mine],
        widths=columns.widths[mine],
        sample=torch.zeros(int(mine.sum()), dtype=torch.int64, device=columns.positions.device),
        count=1,
    )
    # One at a time: the room that a probe needs, and so the rounding, must not depend on the rest of the batch.
    return render_probes(alone, [probe], shape, pixel_size).clamp_min(0.0)


def _drawn(scene: np.ndarray, device: torch.device | str) -> Tensor:
    return torch.from_numpy(scene).to(device)[None, None]


def _without_columns(found: Mapping[str, Tensor], rows: Sequence[int], clean: Tensor) -> None:
    """Where there are no columns the image itself is the deblurred one."""
    if rows and "deblurred" in found:
        found["deblurred"][rows] = clean[rows]
    if rows and "upsampled_deblurred" in found:
        fine = torch.nn.functional.interpolate(clean[rows], scale_factor=2, mode="bicubic", align_corners=False) / 4
        found["upsampled_deblurred"][rows] = fine


def _columns(
    projections: Sequence[Projection], exponents: Sequence[float], sizes: Sequence[float], device: torch.device | str
) -> ColumnBatch:
    return batch_columns(
        [torch.from_numpy(atoms.positions / size) for atoms, size in zip(projections, sizes, strict=True)],
        [torch.from_numpy(atoms.scattering(exponent)) for atoms, exponent in zip(projections, exponents, strict=True)],
        [torch.from_numpy(atoms.thermal / size) for atoms, size in zip(projections, sizes, strict=True)],
        device,
    )


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


def _noise(record: Record) -> list[tuple[str, object, int]]:
    """Effects with their parameters, lengths in pixels."""
    found: list[tuple[str, object, int]] = []
    for name, given, seed in record.noise:
        values = {key: value / record.pixel_size if key in IN_PIXELS.get(name, ()) else value for key, value in given.items()}
        found.append((name, from_dict(EFFECTS[name].params, values) if name in EFFECTS else values, seed))
    return found


def _label(
    name: str, columns: ColumnBatch, clean: Tensor, scene: Tensor, probes: Sequence[ProbeParams], sizes: Sequence[float]
) -> Tensor:
    shape = (clean.shape[-2], clean.shape[-1])
    if name.startswith("upsampled_"):
        wide = (2 * shape[0], 2 * shape[1])
        if name.removeprefix("upsampled_") in ("noise_free", "background_free"):
            given = scene if name.endswith("noise_free") else clean
            # Intensity per pixel: four pixels share what one had.
            return torch.nn.functional.interpolate(given, size=wide, mode="bicubic", align_corners=False) / 4
        finer = [size / 2 for size in sizes]
        return _painted(name.removeprefix("upsampled_"), labels.upsampled(columns, 2), wide, probes, finer)
    if name == "noise_free":
        return scene
    if name == "background_free":
        return clean
    return _painted(name, columns, shape, probes, sizes)


def _painted(
    name: str, columns: ColumnBatch, shape: tuple[int, int], probes: Sequence[ProbeParams], sizes: Sequence[float]
) -> Tensor:
    widths = [point_spread_width(probe) / size for probe, size in zip(probes, sizes, strict=True)]
    if name == "circular_mask":
        return labels.circular_mask(columns, shape, widths)
    if name == "small_mask":
        return labels.circular_mask(columns, shape, [labels.SMALL_SHARE * width for width in widths])
    if name == "gaussian":
        return labels.gaussian_map(columns, shape, [labels.GAUSSIAN_WIDTH / size for size in sizes])
    if name == "deblurred":
        return labels.deblurred(columns, shape, [labels.DEBLURRED_WIDTH / size for size in sizes])
    raise AtomsegError(f"images of a STEM have no label {name!r}; choose of {', '.join(LABELS)}")

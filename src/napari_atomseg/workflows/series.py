"""Series of frames: aligned and averaged."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.jobs import Progress, Steps, as_part, job
from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.core.scratch import scratch_array
from napari_atomseg.registration.params import AlignParams

REGISTERING, REFINING, SCANS_FIRST = 0.5, 0.85, 0.4
"""Shares of the time after which whole frames, and their rows, are aligned; and frames of each of several scans."""


@dataclass(frozen=True, kw_only=True, eq=False)
class AlignedSeries:
    """A series on one grid, and what was found on the way.

    Attributes
    ----------
    average : Micrograph
        Shape (Y, X), in the intensities of one frame; NaN where no frame reaches.
    numbers : dict
        ``shifts_px``, ``shifts_std_px``, ``row_shifts_px`` (null unless rows were moved), ``mode``, ``verdict``,
        ``dropped_frames``, ``brightness``, ``correlation``, ``noise``.
    placed : callable
        Gives frame k on the grid of the average, float32 (Y, X), NaN where it shows nothing.
    good : tuple of int
        The frames that were averaged.
    """

    average: Micrograph
    numbers: dict[str, Any]
    placed: Callable[[int], np.ndarray]
    good: tuple[int, ...]

    @property
    def left_out(self) -> str:
        """Which frames were left out and why, in words; empty if none was."""
        dropped = self.numbers["dropped_frames"]
        frames = "frame" if len(dropped) == 1 else "frames"
        return f"left out, for showing nothing or something else: {frames} {', '.join(map(str, dropped))}" if dropped else ""

    def frames(self) -> np.ndarray:
        """All frames that were averaged, on one grid, float32 (T, Y, X); in a temporary file if they are large."""
        found = scratch_array((len(self.good), *self.average.shape))
        for place, k in enumerate(self.good):
            found[place] = self.placed(k)
        return found


@job
def align(
    series: Micrograph | Sequence[Micrograph],
    *,
    params: AlignParams | None = None,
    rotations: Sequence[float] | None = None,
) -> Generator[Progress, None, AlignedSeries]:
    """Put the frames of a series, or scans in several directions, on each other, and average them.

    Parameters
    ----------
    series : Micrograph or sequence of Micrograph
        A stack (T, Y, X), numpy or lazy; or, with `rotations`, one scan for each of them (of a stack its average).
    params : AlignParams, optional
    rotations : sequence of float, degrees, optional
        Directions of the scans, counter-clockwise on the screen.

    Returns
    -------
    AlignedSeries
        On the grid of the first frame that shows the scene, or with ``params.crop`` the part of it that all frames show.

    Raises
    ------
    AtomsegError
        If there is only one frame, or frames do not belong together.
    """
    asked = params or AlignParams()
    if rotations is not None:
        return (yield from _rotated([series] if isinstance(series, Micrograph) else list(series), tuple(rotations), asked))
    stack = series if isinstance(series, Micrograph) else _joined(list(series))
    if stack.frames < 2:
        raise AtomsegError(f"{stack.name} is a single frame; a series to align has two or more")
    return (yield from _series(stack, asked))


def _joined(images: list[Micrograph]) -> Micrograph:
    """Several files as one series."""
    if len(images) == 1:
        return images[0]
    import dask.array as da

    shapes = {image.shape[-2:] for image in images}
    if len(shapes) > 1:
        found = ", ".join(f"{image.name} {image.shape[-2]} x {image.shape[-1]} px" for image in images)
        raise AtomsegError(f"frames of one series have one shape, not {found}")
    parts = [da.asarray(image.data).reshape(-1, *image.shape[-2:]) for image in images]
    return replace(images[0], data=da.concatenate(parts))


def _series(stack: Micrograph, params: AlignParams) -> Steps[AlignedSeries]:
    from napari_atomseg.registration.frame_rows import register_rows
    from napari_atomseg.registration.frame_warps import register_warps, unwarped
    from napari_atomseg.registration.frames import register_frames
    from napari_atomseg.registration.straightened import straightened

    shape = (stack.shape[-2], stack.shape[-1])
    whole = yield from as_part(register_frames(stack.frame, stack.frames, shape), 0, REGISTERING, "aligning")
    good = tuple(k for k in range(stack.frames) if k not in whole.dropped)
    rows: np.ndarray | None = None
    if params.mode == "rows":
        steps = register_rows(stack.frame, whole.shifts, shape)
        found = yield from as_part(steps, REGISTERING, REFINING, "rows")
        rows = found.shifts
        shifts_of_rows = found.shifts

        def placed(k: int) -> np.ndarray:
            return straightened(stack.frame(k), shifts_of_rows[k])
    elif params.mode == "nonrigid":
        warps = yield from as_part(register_warps(stack.frame, whole.shifts, shape), REGISTERING, REFINING, "distortions")

        def placed(k: int) -> np.ndarray:
            return unwarped(stack.frame(k), whole.shifts[k], warps.nodes[k])
    else:

        def placed(k: int) -> np.ndarray:
            return straightened(stack.frame(k), np.tile(whole.shifts[k], (shape[0], 1)))

    weights = _weights(whole.brightness[list(good)]) if params.average == "weighted" else None
    numbers: dict[str, Any] = {
        "shifts_px": _listed(whole.shifts),
        "shifts_std_px": _listed(whole.stds),
        "row_shifts_px": None if rows is None else _listed(rows),
        "mode": params.mode,
        "verdict": whole.verdict,
        "dropped_frames": list(whole.dropped),
        "brightness": _listed(whole.brightness),
        "correlation": _listed(whole.correlation),
    }
    return (yield from _averaged(stack, placed, good, params, numbers, weights))


def _weights(brightness: np.ndarray) -> list[float]:
    """Of frames of one noise, that of the least noise of the whole: as their contrast."""
    return [float(max(one, 0.0)) for one in brightness / max(float(np.median(brightness)), 1e-12)]


def _rotated(scans: list[Micrograph], rotations: tuple[float, ...], params: AlignParams) -> Steps[AlignedSeries]:
    from napari_atomseg.registration.rotated_scans import register_rotated, undrifted

    if len(scans) == 1 and scans[0].frames == len(rotations):
        scans = [replace(scans[0], data=scans[0].data[k]) for k in range(scans[0].frames)]
    _require_rotated(scans, rotations, params)
    planes = []
    for number, scan in enumerate(scans):
        if scan.frames == 1:
            planes.append(scan.frame(0))
            continue
        begin, end = (SCANS_FIRST * one / len(scans) for one in (number, number + 1))
        planes.append(
            np.asarray((yield from as_part(_series(scan, AlignParams()), begin, end, f"scan {number + 1}")).average.data)
        )
    found = yield from as_part(register_rotated(planes, rotations), SCANS_FIRST, REFINING, "drift")
    whole = found.drifts.mean(axis=1)
    numbers: dict[str, Any] = {
        "shifts_px": _listed(whole - whole[0]),
        "shifts_std_px": None,
        "row_shifts_px": _listed(found.drifts),
        "mode": "rotated",
        "rotations_deg": list(rotations),
        "verdict": _agreement_verdict(found.agreement, found.agreement_before),
        "dropped_frames": [],
        "brightness": None,
        "correlation": found.agreement,
    }
    stack = replace(scans[0], data=np.array(planes))

    def placed(k: int) -> np.ndarray:
        return undrifted(planes[k], found.drifts[k], rotations[k])

    return (yield from _averaged(stack, placed, tuple(range(len(planes))), params, numbers, None))


def _require_rotated(scans: list[Micrograph], rotations: tuple[float, ...], params: AlignParams) -> None:
    if len(scans) != len(rotations) or len(scans) < 2:
        raise AtomsegError(f"{len(scans)} scans and {len(rotations)} rotations: give one rotation for each of two or more scans")
    if len({round(one, 3) % 180 for one in rotations}) < 2:
        raise AtomsegError("scans of one direction cannot tell their drift; give scans of different directions, such as 0,90")
    if params.mode != "rigid":
        raise AtomsegError("the rows of rotated scans are always moved; a mode has no effect with rotations")
    shapes = {scan.shape[-2:] for scan in scans}
    if len(shapes) > 1 or scans[0].shape[-2] != scans[0].shape[-1]:
        found = ", ".join(f"{scan.name} {scan.shape[-2]} x {scan.shape[-1]} px" for scan in scans)
        raise AtomsegError(f"rotated scans are square and of one shape, not {found}")


def _agreement_verdict(after: float, before: float) -> str:
    if after < 0.5:
        return (
            f"the scans agree badly even without drift (correlation {after:.2f}): other rotations, another sense of rotation, or "
            "another place"
        )
    return "" if after > before - 0.01 else f"the scans agree less than before ({after:.2f} after {before:.2f}): look at them"


def _averaged(
    stack: Micrograph,
    placed: Callable[[int], np.ndarray],
    good: tuple[int, ...],
    params: AlignParams,
    numbers: dict[str, Any],
    weights: Sequence[float] | None,
) -> Steps[AlignedSeries]:
    from napari_atomseg.registration.average import average

    shape = (stack.shape[-2], stack.shape[-1])
    steps = average(stack.frame, placed, good, shape, weights, params.average == "median")
    found = yield from as_part(steps, REFINING, 1, "averaging")
    ideal = found.noise_of_one / np.sqrt(len(good))
    noise = {"average": found.noise, "one_frame": found.noise_of_one, "ideal_average": float(ideal)}
    numbers["noise"] = {name: value if np.isfinite(value) else None for name, value in noise.items()}
    window = _common(found.frames == len(good)) if params.crop else (slice(None), slice(None))
    numbers["corner_px"] = [window[0].start or 0, window[1].start or 0]
    note = f"average of {len(good)} of {stack.frames} frames ({params.average}), aligned ({numbers['mode']})"
    image = replace(
        stack,
        data=found.image[window],
        name=f"{stack.name} | average",
        frame_time_s=None,
        dose=None if stack.dose is None else stack.dose * len(good),
        notes=(*stack.notes, note, *([numbers["verdict"]] if numbers["verdict"] else [])),
    )
    return AlignedSeries(average=image, numbers=numbers, placed=lambda k: placed(k)[window], good=good)


def _common(known: np.ndarray) -> tuple[slice, slice]:
    """The part of a field that all frames show, cut where a row or column lacks more than a few pixels."""
    if not known.any():
        raise AtomsegError("no part of the field is shown by all frames; leave the crop out")
    rows, columns = (np.flatnonzero(known.mean(axis=axis) > 0.5 * known.mean(axis=axis).max()) for axis in (1, 0))
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    # Shrink until all inside is known.
    while not known[top:bottom, left:right].all():
        inside = known[top:bottom, left:right]
        lacking = (~inside[0]).mean(), (~inside[-1]).mean(), (~inside[:, 0]).mean(), (~inside[:, -1]).mean()
        side = int(np.argmax(lacking))
        if lacking[side] == 0 or min(inside.shape) <= 2:
            break
        top, bottom, left, right = top + (side == 0), bottom - (side == 1), left + (side == 2), right - (side == 3)
    return slice(int(top), int(bottom)), slice(int(left), int(right))


def _listed(values: np.ndarray) -> Any:
    """Nested lists for JSON; None where a value is not a number."""
    found = np.asarray(values).astype(object)
    found[~np.isfinite(values)] = None
    return found.tolist()

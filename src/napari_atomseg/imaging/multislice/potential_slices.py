"""Transmission functions of a window, slice by slice. Axes are exchanged here: abTEM has x first.

abTEM's projected potentials (1.0) share an atom among the grid points around it. Scattering to high angles then depends on where
the atom lies between them: by a third on the grid that a detector of 120 mrad needs. Here atoms are summed in Fourier space.

References
----------
Kirkland (2020), Eq. 5.12-5.19; Lobato and Van Dyck, Acta Cryst. A 70 (2014) 636.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any

import numpy as np

from napari_atomseg.imaging.multislice.plan import Plan
from napari_atomseg.imaging.multislice.windows import place_in_window
from napari_atomseg.optics.electron import interaction_constant

FINER = 2
"""Grid on which a slice acts on a wave: the exponential of a potential holds higher frequencies than the potential."""


def snapshot(plan: Plan, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Atoms at one moment of their thermal motion, in the repeated cell that a window is made of.

    Parameters
    ----------
    plan : Plan
    number : int
        Of the snapshot; the same gives the same.

    Returns
    -------
    positions : ndarray, shape (M, 3), Å, (x, y, z)
    numbers : ndarray of int, shape (M,)
    """
    repeats = (plan.windows_x.repeats, plan.windows_y.repeats)
    cells = np.stack(np.meshgrid(*[np.arange(one) for one in repeats], indexing="ij"), -1).reshape(-1, 2)
    shifts = np.zeros((len(cells), 1, 3))
    shifts[:, 0, :2] = cells * (plan.columns.length, plan.rows.length)
    positions = (plan.positions + shifts).reshape(-1, 3)
    if plan.params.configurations:
        thermal = np.tile(plan.thermal, len(cells))
        positions += thermal[:, None] * np.random.default_rng((plan.params.seed, number)).normal(size=positions.shape)
    # No atom leaves the slices.
    positions[:, 2] = np.clip(positions[:, 2], 0.0, plan.thickness - 1e-6)
    return positions, np.tile(plan.numbers, len(cells))


def atoms_in_window(plan: Plan, positions: np.ndarray, numbers: np.ndarray, origin: tuple[float, float]) -> Any:
    """Atoms of a snapshot in one window, or their periodic images, as ase has them.

    Parameters
    ----------
    plan : Plan
        Tells length and period of the windows, and the thickness.
    positions : ndarray, shape (M, 3), Å, (x, y, z)
        Of :func:`snapshot`.
    numbers : ndarray of int, shape (M,)
        Atomic numbers.
    origin : tuple of float, Å, (y, x)
        Corner of the window.

    Returns
    -------
    ase.Atoms
        Positions count from the corner; the cell is the window by the thickness, periodic across the beam.
    """
    from ase import Atoms

    along_x, x = place_in_window(positions[:, 0], origin[1], plan.windows_x.length, plan.windows_x.period)
    along_y, y = place_in_window(positions[along_x, 1], origin[0], plan.windows_y.length, plan.windows_y.period)
    which = along_x[along_y]
    return Atoms(
        numbers[which],
        positions=np.stack([x[along_y], y, positions[which, 2]], axis=1),
        cell=(plan.windows_x.length, plan.windows_y.length, plan.thickness),
        pbc=(True, True, False),
    )


def transmission_slices(plan: Plan, atoms: Any) -> Generator[None, None, list[Any]]:
    """Transmission functions of the slices of a window, free of aliases; pauses after each slice.

    Parameters
    ----------
    plan : Plan
    atoms : Atoms
        Of :func:`atoms_in_window`.
    """
    from abtem.antialias import AntialiasAperture

    aperture: Any = AntialiasAperture()  # type: ignore[no-untyped-call]
    slices = []
    for one in (_abtem_slices if plan.params.projection == "abtem" else _exact_slices)(plan, atoms):
        slices.append(aperture.bandlimit(one, in_place=False))
        yield
    return slices


def _abtem_slices(plan: Plan, atoms: Any) -> Iterator[Any]:
    """Transmission functions of abTEM's own potential; its finite projection loses atoms at the borders of slices and cells."""
    import abtem

    potential: Any = abtem.Potential(
        atoms,
        gpts=(plan.windows_x.gpts, plan.windows_y.gpts),
        slice_thickness=(plan.slice_thickness,) * plan.slices,
        parametrization="lobato",
        projection="infinite",
        device=plan.device.name,
    )
    for one in potential.generate_slices():
        yield one.transmission_function(plan.probe.energy)


def _exact_slices(plan: Plan, atoms: Any) -> Iterator[Any]:
    """Transmission functions of sums of atoms in Fourier space, made on a finer grid, so that no grid point is special."""
    from abtem.core.backend import get_array_module
    from abtem.potentials.iam import TransmissionFunction

    xp: Any = get_array_module(plan.device.name)
    extent = (plan.windows_x.length, plan.windows_y.length)
    gpts = (plan.windows_x.gpts, plan.windows_y.gpts)
    frequencies = [np.fft.fftfreq(FINER * n, length / (FINER * n)) for n, length in zip(gpts, extent, strict=True)]
    frequencies[1] = np.abs(frequencies[1][: FINER * gpts[1] // 2 + 1])
    factors = _scattering_factors(xp, atoms.numbers, frequencies, FINER**2 * gpts[0] * gpts[1] / (extent[0] * extent[1]))
    which = np.minimum(np.floor(atoms.positions[:, 2] / plan.slice_thickness + 1e-9).astype(int), plan.slices - 1)
    for number in range(plan.slices):
        spectrum: Any = None
        for element, factor in factors.items():
            here = atoms.positions[(which == number) & (atoms.numbers == element)]
            if len(here):
                part = factor * _structure_factor(xp, here, frequencies)
                spectrum = part if spectrum is None else spectrum + part
        array = xp.ones((1, *gpts), dtype=np.complex64)
        if spectrum is not None:
            potential = xp.fft.irfft2(spectrum, s=(FINER * gpts[0], FINER * gpts[1]))
            array = _coarser(xp, xp.exp(1j * interaction_constant(plan.probe.energy) * potential), gpts)[None]
        yield TransmissionFunction(array, slice_thickness=plan.slice_thickness, extent=extent, energy=plan.probe.energy)


def _scattering_factors(xp: Any, numbers: np.ndarray, frequencies: list[np.ndarray], density: float) -> dict[int, Any]:
    """Projected potential of an atom of each element in Fourier space, times the grid points per area."""
    from abtem.parametrizations import LobatoParametrization
    from ase.data import chemical_symbols

    squared = frequencies[0][:, None] ** 2 + frequencies[1] ** 2
    lobato: Any = LobatoParametrization()
    return {
        int(one): xp.asarray(density * lobato.projected_scattering_factor(chemical_symbols[one])(squared), dtype=np.float32)
        for one in np.unique(numbers)
    }


def _structure_factor(xp: Any, positions: np.ndarray, frequencies: list[np.ndarray]) -> Any:
    """Sum of the phases of atoms, complex64, on the grid of two axes of frequencies."""
    along_x, along_y = (
        np.exp(-2j * np.pi * frequency[:, None] * positions[:, axis]).astype(np.complex64)
        for axis, frequency in enumerate(frequencies)
    )
    return xp.asarray(along_x) @ xp.asarray(along_y).T


def _coarser(xp: Any, fine: Any, gpts: tuple[int, int]) -> Any:
    """The low frequencies of a function on a fine grid, on a grid with fewer points."""
    spectrum = xp.fft.fft2(fine)
    for axis, points in enumerate(gpts):
        keep = np.r_[0 : (points + 1) // 2, fine.shape[axis] - points // 2 : fine.shape[axis]]
        spectrum = xp.take(spectrum, xp.asarray(keep), axis=axis)
    return (xp.fft.ifft2(spectrum) / FINER**2).astype(np.complex64)

"""What is estimated, and what is refused before anything is calculated."""

from __future__ import annotations

import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from ase import Atoms

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.jobs import run
from napari_atomseg.imaging.detectors import DetectorParams
from napari_atomseg.imaging.multislice.cost import blocks_of, check_memory, cost
from napari_atomseg.imaging.multislice.device import Device, choose_device, free_memory
from napari_atomseg.imaging.multislice.params import MultisliceParams
from napari_atomseg.imaging.multislice.plan import plan_image
from napari_atomseg.imaging.multislice.scan_image import multislice_image
from napari_atomseg.imaging.multislice.windows import grid_points
from napari_atomseg.optics.probe import ProbeParams

PROBE = ProbeParams(energy=200e3, semiangle=21)
RING = DetectorParams(inner_angle=40, outer_angle=90)


def atoms(**options) -> Atoms:
    return Atoms("Au", **{"positions": [(5, 5, 2)], "cell": (10, 10, 12), "pbc": False, **options})


def still(**options) -> MultisliceParams:
    return MultisliceParams(**{"configurations": 0, "device": "cpu", **options})


@pytest.mark.parametrize(
    ("structure", "params", "message"),
    [
        (Atoms(cell=(5, 5, 5)), {}, "no atoms to make an image of; load or build"),
        (atoms(cell=[(10, 2, 0), (0, 10, 0), (0, 0, 12)]), {}, "right angles along x, y and z; cut"),
        (Atoms("C"), {}, "right angles"),
        (atoms(cell=(10, 10, 0), positions=[(5, 5, 0)]), {}, "no thickness along the beam; give its cell a height"),
        (atoms(positions=[(5, 5, 13)]), {}, "centre the structure in a cell that is high enough"),
        (atoms(positions=[(5, np.nan, 3)]), {}, "no position"),
        (atoms(positions=[(5, 5, 11.5)]), {"margin": 0.2}, "does not fit into a margin of 0.2 Å; set the margin to 5 Å"),
        (atoms(cell=(300, 300, 12)), {"scheme": "full"}, "more than 4096; use tiles"),
        (Atoms("C", cell=(10, 10, 2)).repeat((101, 100, 100)), {"scheme": "full"}, r"1,010,000 atoms are too many .*; use tiles"),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_what_cannot_be_calculated_is_refused(structure, params, message):
    with pytest.raises(AtomsegError, match=message):
        cost(structure, PROBE, RING, still(**params), 0.2)


@pytest.mark.parametrize("pixel_size", [0.0, -1.0, 20.0, 1e-5])
def test_pixels_that_no_field_has_are_refused(pixel_size):
    with pytest.raises(AtomsegError, match="take pixels between"):
        cost(atoms(), PROBE, RING, still(), pixel_size)


def test_probes_that_are_wider_than_any_window_are_refused():
    with pytest.raises(AtomsegError, match="or the tile, the margin or the defocus"):
        cost(atoms(), replace(PROBE, defocus=20000.0), RING, still(), 0.2)


def test_memory_that_is_not_there_is_refused():
    plan = plan_image(atoms(), PROBE, RING, still(scheme="prism"), 0.2)
    small = Device(name="cpu", why="", free_bytes=20_000_000)
    with pytest.raises(AtomsegError, match=r"needs .* GB of memory, and 0.0 GB are free; raise the interpolation to"):
        check_memory(replace(plan, device=small))
    for scheme, advice in (("full", "use tiles"), ("tiles", "raise the slice thickness to")):
        other = plan_image(atoms(), PROBE, RING, still(scheme=scheme), 0.2)
        with pytest.raises(AtomsegError, match=advice):
            check_memory(replace(other, device=small))
    check_memory(replace(plan, device=replace(small, free_bytes=None)))


def test_without_cupy_there_is_no_graphics_processor(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(AtomsegError, match=r'cupy is not installed\); set the device to "auto" or "cpu"'):
        choose_device("gpu")
    found = choose_device("auto")
    assert (found.name, found.why) == ("cpu", "cupy is not installed")


def test_a_graphics_processor_is_planned_for_where_cupy_finds_one(monkeypatch):
    """A stand-in for cupy: no graphics processor has run this."""
    runtime = SimpleNamespace(getDeviceCount=lambda: 1, memGetInfo=lambda: (8 * 10**9, 10**10))
    monkeypatch.setitem(sys.modules, "cupy", SimpleNamespace(cuda=SimpleNamespace(runtime=runtime)))
    plan = plan_image(atoms(), PROBE, RING, still(device="auto"), 0.2)
    assert (plan.device.name, plan.device.free_bytes, plan.batch) == ("gpu", 8 * 10**9, 128)
    slow = plan_image(atoms(), PROBE, RING, still(device="cpu"), 0.2)
    assert slow.batch < plan.batch
    quick, usual = (cost(atoms(), PROBE, RING, still(device=device), 0.2).seconds for device in ("gpu", "cpu"))
    assert quick < usual


def test_a_graphics_processor_that_fails_is_said(monkeypatch):
    class Broken:
        def __getattr__(self, name):
            raise RuntimeError("driver too old")

    monkeypatch.setitem(sys.modules, "cupy", Broken())
    assert "driver too old" in choose_device("auto").why


def test_free_memory():
    assert free_memory() is None or free_memory() > 1e6


@pytest.mark.parametrize(
    ("length", "sampling", "multiple"), [(15.62, 0.05, 1), (7.1, 0.033, 2), (20.0, 0.08, 3), (14.0, 0.04, 7)]
)
def test_grids_are_fine_and_fast(length, sampling, multiple):
    points = grid_points(length, sampling, multiple)
    assert length / points <= sampling
    assert points % multiple == 0
    rest = points // multiple
    for prime in (2, 3, 5):
        while rest % prime == 0:
            rest //= prime
    assert rest == 1


@pytest.mark.parametrize("outer", [60.0, 150.0, 200.0])
def test_waves_reach_beyond_the_detector(outer):
    abtem = pytest.importorskip("abtem")
    detector = DetectorParams(inner_angle=50, outer_angle=outer)
    for scheme in ("tiles", "full"):
        plan = plan_image(atoms(), PROBE, detector, still(scheme=scheme), 0.2)
        extent, gpts = (plan.windows_x.length, plan.windows_y.length), (plan.windows_x.gpts, plan.windows_y.gpts)
        probe = abtem.Probe(energy=200e3, semiangle_cutoff=21, extent=extent, gpts=gpts)
        assert min(probe.cutoff_angles) >= 1.03 * outer


@pytest.mark.filterwarnings("ignore:PRISM")
@pytest.mark.parametrize("params", [{"tile": 3.0}, {"scheme": "prism", "interpolation": 3}])
def test_cost_counts_the_blocks_that_are_made(params):
    pytest.importorskip("abtem")
    specimen = Atoms("Au", positions=[(0, 0, 0.5)], cell=(2.5, 2.5, 2), pbc=False).repeat((3, 2, 2))
    asked = still(scan_step=1.0, **params)
    run(multislice_image(specimen, PROBE, RING, still(scan_step=3.0), 0.5))
    expected = cost(specimen, PROBE, RING, asked, 0.5)
    steps = []
    found = run(multislice_image(specimen, PROBE, RING, asked, 0.5), steps.append)
    assert steps[-1].total == expected.blocks == blocks_of(plan_image(specimen, PROBE, RING, asked, 0.5))
    assert expected.seconds > 0
    assert found.seconds > 0
    assert 1e6 < expected.memory_bytes < 2e9
    assert expected.device == "cpu"
    assert "probes" in expected.why


def test_what_takes_longer_is_said():
    usual = cost(atoms(), PROBE, RING, still(), 0.2)
    assert cost(atoms(), PROBE, RING, still(configurations=8), 0.2).seconds > 6 * usual.seconds
    assert cost(atoms(), PROBE, RING, still(scan_step=0.1), 0.2).seconds > 4 * usual.seconds

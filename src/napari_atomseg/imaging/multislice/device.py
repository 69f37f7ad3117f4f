"""Which processor calculates, and how much memory is free on it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_atomseg.core.errors import AtomsegError


@dataclass(frozen=True, kw_only=True)
class Device:
    """A processor.

    Attributes
    ----------
    name : {"cpu", "gpu"}
        As abTEM calls it.
    why : str
        Why it was taken.
    free_bytes : int, optional
        Memory that is free on it, where that is known.
    """

    name: str
    why: str
    free_bytes: int | None


def choose_device(wanted: str) -> Device:
    """The processor that is asked for.

    Parameters
    ----------
    wanted : {"auto", "cpu", "gpu"}

    Raises
    ------
    AtomsegError
        If "gpu" is asked for and there is none, or no cupy.
    """
    if wanted == "cpu":
        return Device(name="cpu", why="chosen by hand", free_bytes=free_memory())
    free, problem = _graphics_memory()
    if problem is None:
        return Device(name="gpu", why="a graphics processor is here", free_bytes=free)
    if wanted == "gpu":
        raise AtomsegError(f'There is no graphics processor to calculate on ({problem}); set the device to "auto" or "cpu"')
    return Device(name="cpu", why=problem, free_bytes=free_memory())


def free_memory() -> int | None:
    """Bytes of main memory that a program may take, or None where the system does not tell."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    sizes = dict(line.split(":", 1) for line in lines if ":" in line)
    return int(sizes["MemAvailable"].split()[0]) * 1024 if "MemAvailable" in sizes else None


def _graphics_memory() -> tuple[int | None, str | None]:
    """Free bytes of the graphics processor, and what is wrong with it."""
    try:
        cupy: Any = __import__("cupy")
        if cupy.cuda.runtime.getDeviceCount() < 1:
            return None, "cupy finds none"
        return int(cupy.cuda.runtime.memGetInfo()[0]), None
    except ImportError:
        return None, "cupy is not installed"
    except (RuntimeError, OSError, AttributeError) as problem:
        return None, f"cupy does not work: {problem}"

"""A stack as a film with scale bar and time: GIF, or MP4 where an encoder is installed."""

from __future__ import annotations

import importlib.util
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Protocol

import numpy as np

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.jobs import Progress, job
from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.core.params import check
from napari_atomseg.core.quantities import Quantity, format_length
from napari_atomseg.writers.atomic import replacing
from napari_atomseg.writers.overlay import contrast, round_length

SUFFIXES = (".gif", ".mp4")
SMALLEST_PX, LARGEST_PX = 384, 1024
"""Shorter sides are enlarged by a whole factor, longer ones reduced."""
_LETTER = 1 / 22
"""Height of letters, in units of the shorter side."""


@dataclass(frozen=True, kw_only=True)
class FilmParams:
    """How frames become a film.

    Attributes
    ----------
    frames_per_second : float
        Speed of the film.
    scale_bar : bool
        Draw one, where the pixel size is known.
    time_stamp : bool
        Write the time of each frame, or its number (from 0) where the time between frames is not known.
    """

    frames_per_second: Annotated[float, Quantity(low=0.1, high=60, decimals=1)] = 10.0
    scale_bar: bool = True
    time_stamp: bool = True

    def __post_init__(self) -> None:
        check(self)


class _Film(Protocol):
    def add(self, picture: Any) -> None: ...

    def finish(self) -> None: ...


def why_no_mp4() -> str:
    """Why no MP4 can be written here; empty if it can."""
    if importlib.util.find_spec("imageio") and importlib.util.find_spec("imageio_ffmpeg"):
        return ""
    return "MP4 needs the encoder of the package imageio-ffmpeg (pip install imageio-ffmpeg)"


@job
def write_film(
    micrograph: Micrograph, path: Path | str, *, params: FilmParams | None = None, limits: tuple[float, float] | None = None
) -> Generator[Progress, None, Path]:
    """Write a stack as a film, frame by frame.

    Parameters
    ----------
    micrograph : Micrograph
        (T, Y, X), numpy or lazy.
    path : Path or str
        Ends with ``.gif`` or ``.mp4``.
    params : FilmParams, optional
    limits : tuple of float, optional
        Intensities shown as black and white; by default those of the middle frame.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    AtomsegError
        If there is one frame only, the suffix is another one, the encoder is missing, or the file cannot be written.
    """
    asked, target = params or FilmParams(), Path(path)
    _require(micrograph, target)
    low, high = limits or contrast(micrograph.frame(micrograph.frames // 2))
    with replacing(target) as part, _begun(part, asked.frames_per_second) as film:
        for number in range(micrograph.frames):
            yield Progress(number, micrograph.frames, "frames")
            film.add(_picture(micrograph, number, (low, high), asked))
        yield Progress(micrograph.frames, micrograph.frames, "writing")
        film.finish()
    return target


def _require(micrograph: Micrograph, target: Path) -> None:
    if micrograph.frames < 2:
        raise AtomsegError(f"{micrograph.name} is a single frame; a film has two or more")
    kind = target.suffix.lower()
    if kind not in SUFFIXES:
        raise AtomsegError(f'{target}: films are written as .gif or .mp4, not as "{target.suffix}"; change the suffix')
    if kind == ".mp4" and why_no_mp4():
        raise AtomsegError(f"{target.name}: {why_no_mp4()}; or save the film as .gif")


@contextmanager
def _begun(path: Path, rate: float) -> Iterator[_Film]:
    film: _Gif | _Mp4 = _Gif(path, rate) if path.suffix.lower() == ".gif" else _Mp4(path, rate)
    try:
        yield film
    finally:
        film.close()


class _Gif:
    """Grey pictures of 8 bits, kept until the end: the writer wants them all."""

    def __init__(self, path: Path, rate: float) -> None:
        self._path, self._pictures = path, list[Any]()
        # Hundredths of a second are what the format knows; most players take less than two for ten.
        self._milliseconds = max(20, 10 * round(100 / rate))

    def add(self, picture: Any) -> None:
        self._pictures.append(picture)

    def finish(self) -> None:
        first, *others = self._pictures
        first.save(self._path, format="GIF", save_all=True, append_images=others, duration=self._milliseconds, loop=0)

    def close(self) -> None:
        self._pictures.clear()


class _Mp4:
    """H.264, which wants even sides; each picture is encoded as it comes."""

    def __init__(self, path: Path, rate: float) -> None:
        import imageio.v2 as imageio

        self._writer = imageio.get_writer(
            path, format="FFMPEG", mode="I", fps=rate, codec="libx264", quality=8, pixelformat="yuv420p", macro_block_size=2
        )

    def add(self, picture: Any) -> None:
        self._writer.append_data(np.asarray(picture.convert("RGB")))

    def finish(self) -> None:
        self._writer.close()

    def close(self) -> None:
        self._writer.close()


def _picture(micrograph: Micrograph, number: int, limits: tuple[float, float], params: FilmParams) -> Any:
    """A frame in grey with what stands on it, black where nothing is known."""
    from PIL import Image, ImageDraw, ImageFont

    low, high = limits
    frame = np.nan_to_num(micrograph.frame(number), nan=low)
    grey = np.clip((frame - low) / max(high - low, 1e-12), 0, 1)
    picture = Image.fromarray(np.round(255 * grey).astype(np.uint8))
    height, width = frame.shape
    factor = _factor(min(height, width), max(height, width))
    size = tuple(max(2, 2 * round(factor * length / 2)) for length in (width, height))
    if size != (width, height):
        picture = picture.resize(size, Image.Resampling.NEAREST if factor >= 1 else Image.Resampling.LANCZOS)
    draw, letters = ImageDraw.Draw(picture), ImageFont.load_default(max(10, round(_LETTER * min(size))))
    if params.scale_bar and micrograph.pixel_size is not None:
        _draw_bar(draw, letters, size, micrograph.pixel_size[1] * width / size[0])
    if params.time_stamp:
        time = micrograph.frame_time_s
        text = f"frame {number}" if time is None else format_time(number * time, time)
        margin = round(0.03 * min(size))
        draw.text((margin, margin), text, font=letters, fill=255, stroke_width=2, stroke_fill=0)
    return picture


def _factor(short: int, long: int) -> float:
    if long > LARGEST_PX:
        return LARGEST_PX / long
    return float(max(1, min(-(-SMALLEST_PX // short), LARGEST_PX // long)))


def _draw_bar(draw: Any, letters: Any, size: tuple[int, ...], pixel: float) -> None:
    """A bar and its length in the lower left corner, white with a black rim."""
    width, height = size
    length = round_length(width * pixel / 4)
    margin, thick = round(0.04 * min(size)), max(3, round(0.012 * min(size)))
    right, low = margin + length / pixel, height - margin
    draw.rectangle((margin - 1, low - thick - 1, right + 1, low + 1), fill=0)
    draw.rectangle((margin, low - thick, right, low), fill=255)
    middle = (margin + (right - margin) / 2, low - thick - margin // 3)
    draw.text(middle, format_length(length), font=letters, fill=255, anchor="mb", stroke_width=2, stroke_fill=0)


def format_time(seconds: float, step: float) -> str:
    """A time as in a film: ``2.35 s``, ``3 min 20 s``, with as many decimals as the time between frames needs.

    Parameters
    ----------
    seconds, step : float
        The time, and that between frames.
    """
    decimals = max(0, min(6, 1 - int(np.floor(np.log10(step))))) if 0 < step < 10 else 0
    if seconds < 60:
        return f"{seconds:.{decimals}f} s"
    minutes = int(seconds // 60)
    return f"{minutes} min {seconds - 60 * minutes:.{decimals}f} s"

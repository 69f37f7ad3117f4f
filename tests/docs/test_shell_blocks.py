"""Every shell block of README and docs is run as written in a folder of small samples, each page in one of its own."""

import glob
import re
import shlex
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from drawn_pairs import draw_pairs, save_pairs
from test_blocks import blocks

import napari_atomseg
from napari_atomseg.cli.app import main
from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.specimens.clusters import ClusterParams, cluster
from napari_atomseg.specimens.defected_graphene import DefectedGrapheneParams, defected_graphene
from napari_atomseg.specimens.library import crystal
from napari_atomseg.synthesis.samples import draw_sample
from napari_atomseg.workflows import (
    CutParams,
    MultisliceParams,
    SimulationParams,
    locate,
    read,
    simulate,
)
from napari_atomseg.writers.columns_csv import write_columns
from napari_atomseg.writers.image import write_image

SHORTER = {
    "-n 100": "-n 2",
    "-n 20": "-n 2",
    "-n 10": "-n 2",
    "--configurations 8": "--configurations 1",
    "--thickness 20nm": "--thickness 2nm",
    "--atoms 12": "--atoms 2 --quick",
    "--method multislice": "--method multislice --thickness 4A --configurations 1",
}
"""What takes long, and what stands for it here."""
STAND_INS = {
    "SIMULATED": "srtio3.tif",
    "EXPERIMENTAL": "experiment.tif",
    "DIR": "comparison",
    "PAIRS": "pairs/",
    "NAME": "adf-columns",
}
"""Words in capitals are the reader's to fill in."""
STILL = MultisliceParams(configurations=0)
NOT_HERE = {
    "make": "builds an environment, and opens a window or runs all tests",
    "python -m venv": "builds an environment",
    ".venv\\Scripts\\activate": "is for Windows",
    "source": "belongs to a shell",
    "pip": "installs what is installed here",
    "napari-atomseg demo": "finds the columns of a whole sample; tests/cli runs it",
    "napari-atomseg open": "opens a window and waits for its user; tests/gui opens it",
    "napari-atomseg make-pairs": "simulates for an hour; tests/simulation makes small pairs",
    "napari-atomseg train": "learns for minutes to hours; tests/training learns for a moment",
}
"""Lines that cannot run in a test, by how they begin, and why."""


def shell_blocks():
    for number, (page, text) in enumerate(blocks("")):
        yield pytest.param(page, text, id=f"{page} {number}")


def commands_of(text):
    """The words of each line that runs here: shortened, stand-ins and optional parts put in, file patterns filled in."""
    for line in text.replace("\\\n", " ").splitlines():
        if not line.strip() or line.startswith(tuple(NOT_HERE)):
            continue
        for long, short in SHORTER.items():
            line = line.replace(long, short)
        words = shlex.split(re.sub(r"\[(--[^\]]+)\]", r"\1", line), comments=True)
        # Nothing but the microscope's own program writes dm4.
        words = [re.sub(r"\.dm4$", ".tif", STAND_INS.get(word, word)) for word in words]
        yield [name for word in words for name in (sorted(glob.glob(word)) if "*" in word else [word])]


def write_series(folder):
    """A series, and two scans of one place."""
    sys.path.append(str(Path(__file__).parents[1] / "registration"))
    from series_scenes import lattice, series, turned_scan

    rng = np.random.default_rng(1)
    frames, _, _ = series(rng, "defect", 4, side=96)
    for name in ("series", "movie"):
        write_image(Micrograph(data=frames, pixel_size=(0.2, 0.2)), folder / f"{name}.tif")
    places, heights = lattice(rng, 96)
    for rotation in (0, 90):
        scan = turned_scan(rng, places, heights, 96, rotation, np.zeros((96, 2)))
        write_image(Micrograph(data=scan, pixel_size=(0.2, 0.2)), folder / f"scan{rotation}.tif")


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    """Files of the names that the pages speak of."""
    sys.path.append(str(Path(__file__).parents[1] / "readers"))
    from make_files import write

    folder = tmp_path_factory.mktemp("samples")
    whole, truth = draw_sample("perovskite")
    image = replace(whole, data=whole.data[:160, :160], name="image")
    for name in ("image", "particle"):
        write_image(image, folder / f"{name}.tif")
    for name in ("first.ser", "second.ser"):
        write(folder / name, np.clip(image.data / image.data.max() * 250, 0, 255).astype(np.uint8))
    inside = truth.positions[(truth.positions < 155).all(axis=1) & (truth.positions > 5).all(axis=1)]
    nm = (inside + 1) * image.pixel_size[0] / 10
    (folder / "theirs.txt").write_text("x y\n" + "\n".join(f"{x:.5f} {y:.5f}" for y, x in nm))
    sto = crystal("SrTiO3")
    sto.write(folder / "srtio3.cif")
    bulk("Pt", cubic=True).write(folder / "Pt.cif")
    cluster(ClusterParams(diameter=10)).write(folder / "particle.xyz")
    small = SimulationParams(pixel_size=0.0977, cut=CutParams(thickness=8, width_y=12, width_x=12))
    experiment = replace(simulate(sto, small), name="experiment")
    for name in ("experiment", "srtio3"):
        write_image(experiment, folder / f"{name}.tif")
    y, x = defected_graphene((16, 16), DefectedGrapheneParams(vacancies=1), np.random.default_rng(6)).positions.T
    sheet = Atoms(f"C{len(x)}", np.column_stack([x, y, np.full(len(x), 5)]), cell=(16, 16, 10))
    tem = replace(small, method="hrtem", pixel_size=0.2, cut=CutParams(repeat="none"), multislice=STILL)
    write_image(replace(simulate(sheet, tem), modality="hrtem"), folder / "graphene.tif")
    for name in ("gold-series", "gold-film"):
        write_image(draw_sample(name)[0], folder / f"{name}.tif")
    save_pairs(folder / "pairs", draw_pairs(4, pixel_size=0.1))
    write_series(folder)
    presets = Path(napari_atomseg.__file__).parent / "synthesis" / "presets"
    shutil.copy(presets / "columns_stem.yaml", folder / "my_recipe.yaml")
    return folder


@pytest.fixture(scope="module")
def folder_of(samples, tmp_path_factory):
    """The folder of a page: blocks go on with what earlier blocks of their page wrote."""
    made = {}

    def folder_of_page(page):
        if page not in made:
            made[page] = tmp_path_factory.mktemp(Path(page).stem) / "here"
            shutil.copytree(samples, made[page])
            if page == "hrtem.md":
                shutil.copy(samples / "graphene.tif", made[page] / "image.tif")
            if page == "comparison.md":
                write_columns(locate(read(made[page] / "experiment.tif")[0]), made[page] / "columns.csv")
            else:
                (made[page] / "srtio3.tif").unlink()
        return made[page]

    return folder_of_page


@pytest.mark.slow
@pytest.mark.parametrize(("page", "text"), list(shell_blocks()))
def test_a_block_runs_as_written(folder_of, page, text, monkeypatch, capsys):
    monkeypatch.chdir(folder_of(page))
    for words in commands_of(text):
        assert words[0] == "napari-atomseg", words
        with pytest.raises(SystemExit) as end:
            main(words[1:])
        assert end.value.code == 0, f"{' '.join(words)}\n{capsys.readouterr().err}"

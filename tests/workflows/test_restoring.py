from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from napari_atomseg.cli.app import main
from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.networks.architectures.cgrdn import Cgrdn, CgrdnParams
from napari_atomseg.networks.card import RESTORATION, WHOLE, ModelCard
from napari_atomseg.networks.outputs import RESTORED
from napari_atomseg.networks.zoo import ENVIRONMENT, load_model, save_model
from napari_atomseg.workflows import RestorationParams, read, restoration_spread, restore
from napari_atomseg.workflows.restoring_networks import default_restorer, kind_of, restoring_networks
from napari_atomseg.writers.image import write_image

KINDS = "hrstem, lrstem, hrtem, lrtem, hrsem, lrsem"


@pytest.fixture
def model(tmp_path, monkeypatch):
    folder = tmp_path / "models"
    monkeypatch.setenv(ENVIRONMENT, str(folder))
    torch.manual_seed(1)
    params = CgrdnParams(features=4, growth=2, layers=1, blocks=1, groups=1, conditions=6)
    card = ModelCard(
        name="mine",
        task=RESTORATION,
        architecture="cgrdn",
        outputs=(RESTORED,),
        normalisation=WHOLE,
        modality=KINDS,
        network=vars(params),
        sampling_range=(0.0, 1000.0),
    )
    save_model(card, Cgrdn(params, (RESTORED,)).state_dict(), folder)
    return folder / "mine"


@pytest.fixture
def stack(rng):
    data = rng.poisson(20, (3, 48, 57)).astype(np.uint16)
    return Micrograph(
        data=data, pixel_size=(0.2, 0.2), pixel_size_source="typed", name="film", modality="haadf", frame_time_s=0.5
    )


def test_a_stack_is_restored_frame_by_frame_and_keeps_what_it_is(model, stack):
    found = restore(stack, model="mine")
    assert found.shape == stack.shape
    assert (found.pixel_size, found.frame_time_s, found.modality) == (stack.pixel_size, 0.5, "haadf")
    assert (
        "network mine, as hrstem (from the metadata), with the periodic structure that stands above the noise put back: a belief"
        in found.notes[0]
    )
    one = restore(stack, model=str(model), frames=1)
    assert one.shape == stack.shape[1:]
    assert one.data == pytest.approx(found.data[1])


def test_no_pixel_size_is_needed_and_the_kind_can_be_set(model, stack):
    plain = Micrograph(data=stack.data[0], name="plain")
    assert "its kind not known" in restore(plain, model="mine").notes[0]
    told = restore(plain, model="mine", params=RestorationParams(modality="lrsem"))
    assert "as lrsem (as set)" in told.notes[0]
    assert "not known" in restore(stack, model="mine", params=RestorationParams(modality="unknown"), frames=0).notes[0]


@pytest.mark.parametrize(
    ("modality", "size", "kind"),
    [
        ("haadf", 0.1, "hrstem"),
        ("abf", 2.0, "lrstem"),
        ("hrtem", 0.3, "hrtem"),
        ("sem", 20.0, "lrsem"),
        ("", 0.1, ""),
        ("haadf", None, ""),
    ],
)
def test_the_kind_comes_from_microscope_and_pixel_size(modality, size, kind):
    image = Micrograph(data=np.zeros((32, 32)), pixel_size=size and (size, size), modality=modality)
    assert kind_of(image) == kind


@pytest.mark.parametrize(
    ("modality", "asked", "scanned"),
    [("tem", "auto", False), ("haadf", "auto", True), ("tem", "hrstem", True), ("", "auto", True)],
)
def test_an_image_of_a_tem_is_not_scanned_whether_its_pixels_are_known_or_not(modality, asked, scanned):
    image = Micrograph(data=np.zeros((8, 8), np.float32), modality=modality)
    assert restoring_networks(image, "restore", RestorationParams(modality=asked)).scanned == scanned


def test_a_network_that_wipes_a_lattice_out_is_warned_about(model, rng, monkeypatch):
    y, x = np.mgrid[:160, :160] * 2 * np.pi / 9.1
    image = Micrograph(data=rng.poisson(20 + 8 * np.cos(y) * np.cos(x)), name="crystal")
    monkeypatch.setattr("napari_atomseg.inference.restore._restored", lambda _, window, *rest: np.zeros(window.shape[-2:]))
    assert "structure was removed" in restore(image, model="mine", params=RestorationParams(periodic=False)).notes[1]
    kept = restore(image, model="mine")
    assert "periodic structure" in kept.notes[0]
    assert not any("structure was removed" in note for note in kept.notes)
    true = 20 + 8 * np.cos(y) * np.cos(x)
    assert np.std((kept.data - true)[30:-30, 30:-30]) < 0.2 * true.std()


def test_without_such_a_network_it_says_what_to_do(tmp_path, monkeypatch, stack):
    monkeypatch.setattr("napari_atomseg.workflows.restoring_networks.model_cards", dict)
    with pytest.raises(AtomsegError, match="train one"):
        restore(stack)
    with pytest.raises(AtomsegError, match="does not restore"):
        restore(stack, model="hrtem-graphene")


def test_a_network_for_one_kind_is_taken_for_that_kind(monkeypatch):
    def cards(**modalities):
        found = {name: SimpleNamespace(task=RESTORATION, modality=modality) for name, modality in modalities.items()}
        monkeypatch.setattr("napari_atomseg.workflows.restoring_networks.model_cards", lambda: found)

    cards(alone="hrsem", pair="hrstem, hrsem", usual=KINDS)
    assert [default_restorer(kind) for kind in ("hrsem", "hrstem", "lrtem", "")] == ["alone", "usual", "usual", "usual"]
    cards(alone="hrsem")
    assert default_restorer("lrtem") == "alone"


def test_an_unknown_pixel_size_is_estimated_once(rng, monkeypatch):
    from napari_atomseg.inference import pixel_size

    calls = []
    whole = pixel_size.resolve_pixel_size

    def counted(*given):
        calls.append(given)
        return whole(*given)

    monkeypatch.setattr(pixel_size, "resolve_pixel_size", counted)
    y, x = np.mgrid[:160, :160]
    rows = rng.normal(0, 1.0, (160, 1))
    image = rng.poisson(5 + 40 * (np.cos(2 * np.pi * y / 16) * np.cos(2 * np.pi * (x - rows) / 16)).clip(0) ** 4)
    found = restore(Micrograph(data=image.astype(np.float32), name="scan"), model="adf-columns")
    assert "rows put back" in found.notes[0]
    assert len(calls) == 1


def test_rows_that_go_astray_are_left_as_they_were_before(model, stack, monkeypatch):
    from napari_atomseg.inference import displaced_rows

    told = iter((0.5, 0.4, 0.6))
    monkeypatch.setattr(displaced_rows, "row_displacements", lambda difference, _: np.full(len(difference), next(told)))
    found = restore(stack, model="mine", params=RestorationParams(modality="hrsem"), frames=1)
    assert "rows put back by 0.0 px along y and 0.5 px along x" in found.notes[0]
    assert next(told, None) is None


def test_a_stack_is_warned_about_once(model, stack, monkeypatch):
    from napari_atomseg.inference import restoration_check

    shares = iter((7, 8, 9))
    monkeypatch.setattr(restoration_check, "little_left", lambda *_: f"{next(shares)} % of the contrast is left")
    monkeypatch.setattr(restoration_check, "little_noise", lambda *_: "")
    told = [note for note in restore(stack, model="mine").notes if "is left" in note]
    assert told == ["frame 0: 7 % of the contrast is left (so in 2 more frames)"]


def test_a_network_for_all_kinds_goes_on_as_one_for_one_of_them(model, tmp_path, monkeypatch):
    from napari_atomseg.synthesis.recipe import read_recipe
    from napari_atomseg.training import lessons
    from napari_atomseg.training.params import TrainParams
    from napari_atomseg.workflows import train

    monkeypatch.setattr(lessons, "BATCHES", 1)
    monkeypatch.setattr(lessons, "BATCH", 1)
    params = TrainParams(steps=1, batch=1, patch=32, learning_rate=1e-6)
    words = {"params": params, "folder": tmp_path / "run", "workers": 0, "start_from": "mine", "say_forgotten": True}
    card = train(read_recipe("restore-hrstem"), **words)
    assert (card.modality, card.network["conditions"]) == ("hrstem", 1)
    before, after = (dict(load_model(name).network.state_dict()) for name in ("mine", card.name))
    # The kernel of the image, of the kind that both know, and of what repeats, which the first one is not shown.
    assert after["enter.weight"].shape[1] == 3
    torch.testing.assert_close(after["enter.weight"][:, :2], before["enter.weight"][:, :2], atol=1e-4, rtol=0)
    assert float(after["enter.weight"][:, 2].abs().max()) < 1e-4
    torch.testing.assert_close(after["leave.weight"], before["leave.weight"], atol=1e-4, rtol=0)


def test_two_networks_restore_dark_field_images_whose_pixels_both_know(rng):
    places = np.array([[20.0 + 20 * row, 20.0 + 20 * column] for row in range(9) for column in range(9)])
    y, x = np.mgrid[:200, :200]
    true = 2 + sum(20 * np.exp(-((y - row) ** 2 + (x - column) ** 2) / 2 / 4.5**2) for row, column in places)
    image = Micrograph(data=rng.poisson(true).astype(np.float32), pixel_size=(0.1, 0.1), modality="haadf", name="crystal")
    found = restore(image)
    assert "networks restore and adf-columns (a mean of both), as hrstem (from the metadata)" in found.notes[0]
    assert "the first counting " in found.notes[0]
    alone = {name: restore(image, model=name) for name in ("restore", "adf-columns")}
    assert all(f"by the network {name}, as hrstem" in one.notes[0] for name, one in alone.items())
    errors = {name: np.std(one.data - true) for name, one in alone.items()}
    assert np.std(found.data - true) < min(0.3 * np.std(image.data - true), max(errors.values()))
    assert "network restore, " in restore(replace(image, modality="")).notes[0]
    assert "network restore, " in restore(replace(image, pixel_size=(0.5, 0.5))).notes[0]
    part = restore(image, region=(y < 50) & (x < 60))
    assert np.isfinite(part.data[:50, :60]).all()
    assert np.isnan(part.data[60:]).all()
    # What repeats is looked for in the region alone.
    assert part.data[:50, :60] == pytest.approx(found.data[:50, :60], abs=0.05 * np.ptp(true))
    with pytest.raises(AtomsegError, match="not lrsem; choose that modality"):
        restore(image, model="adf-columns", params=RestorationParams(modality="lrsem"))
    with pytest.raises(AtomsegError, match="leave the spread out"):
        restoration_spread(image, model="adf-columns")


def test_the_command_writes_the_restored_image_and_refuses_what_has_no_effect(model, stack, tmp_path, capsys):
    source = tmp_path / "film.tif"
    write_image(stack, source)

    def call(*words):
        with pytest.raises(SystemExit) as end:
            main(["restore", *map(str, words)])
        return end.value.code or 0, "".join(capsys.readouterr())

    code, said = call(source, "-o", tmp_path / "out.tif", "--model", "mine", "--modality", "hrstem")
    assert code == 0, said
    assert "belief" in said
    (back,) = read(tmp_path / "out.tif")
    assert back.shape == stack.shape
    assert back.pixel_size == pytest.approx((0.2, 0.2))
    assert call(source, "-o", tmp_path / "out.tif", "--model", "mine")[0] == 1
    code, said = call(source, "-o", source, "--model", "mine", "--force")
    assert code == 1
    assert "one of the images themselves" in said
    assert call(source, "-o", tmp_path / "no.tif", "--model", "mine", "--modality", "xray")[0] == 2


def test_difference_and_spread_are_written_beside_the_restored_image(model, stack, tmp_path):
    image, out = tmp_path / "film.tif", tmp_path / "out.tif"
    write_image(stack, image)
    with pytest.raises(SystemExit, match="0"):
        main(["restore", str(image), "-o", str(out), "--model", "mine", "--difference", "--spread", "--modality", "hrstem"])
    found, difference, spread = (read(out.with_stem(f"out{ending}"))[0] for ending in ("", "_difference", "_spread"))
    assert np.asarray(found.data) + np.asarray(difference.data) == pytest.approx(stack.data.astype(float), abs=1e-3)
    assert spread.shape == stack.shape
    assert float(np.asarray(spread.data).mean()) > 0

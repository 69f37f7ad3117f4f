import errno
import os

import pytest

from napari_atomseg.core.errors import AtomsegError, ColumnsFileError
from napari_atomseg.writers.atomic import replacing


def test_replaces_the_file_and_makes_its_folder(tmp_path):
    path = tmp_path / "new folder" / "ünï code.txt"
    for text in ("first", "second"):
        with replacing(path) as part:
            assert part.parent == path.parent
            assert part.suffix == path.suffix
            part.write_text(text, encoding="utf-8")
        assert path.read_text(encoding="utf-8") == text
    assert [item.name for item in path.parent.iterdir()] == [path.name]


def _write_half(path):
    with replacing(path) as part:
        part.write_text("half", encoding="utf-8")
        raise RuntimeError("interrupted")


def test_keeps_the_old_file_when_writing_fails_half_way(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old", encoding="utf-8")
    with pytest.raises(RuntimeError, match="interrupted"):
        _write_half(path)
    assert path.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("problem", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "the disk is full"),
        (PermissionError(errno.EACCES, "Permission denied"), "no permission to write"),
        (OSError(errno.EIO, "Input/output error"), "Input/output error"),
    ],
)
def test_tells_what_is_wrong_in_a_sentence(tmp_path, monkeypatch, problem, words):
    def fail(source, target):
        raise problem

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(ColumnsFileError, match=words), replacing(tmp_path / "a.txt", ColumnsFileError) as part:
        part.write_text("x", encoding="utf-8")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_no_file(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    with pytest.raises(AtomsegError, match="this is a folder"), replacing(folder) as part:
        part.write_text("x", encoding="utf-8")
    assert list(tmp_path.iterdir()) == [folder]


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(AtomsegError, match="cannot be written"), replacing(tmp_path / "file" / "a.txt") as part:
        part.write_text("x", encoding="utf-8")

import os
from pathlib import Path

import h5py
import numpy as np
import pytest

from napari_atomseg.core.errors import AtomsegWarning, ColumnsFileError, MissingCalibrationError
from napari_atomseg.readers.column_mapping import ColumnMapping, guess_mapping
from napari_atomseg.readers.columns_table import is_columns_table, mapping_for, read_columns
from napari_atomseg.readers.text_columns import NOTES

SHARED = Path(os.environ.get("ATOMSEG_SHARED", Path(__file__).parents[3] / "shared"))
LABELLED = SHARED / "data" / "labelled"


@pytest.fixture
def write(tmp_path):
    def write(text, name="table.csv", encoding="utf-8"):
        path = tmp_path / name
        path.write_bytes(text.encode(encoding))
        return path

    return write


@pytest.mark.parametrize(
    "text",
    [
        "x,y\n1.5,2.5\n3,4\n",
        "X,Y\r\n1.5,2.5\r\n3,4\r\n",
        " ,X,Y\n1,1.5,2.5\n2,3,4\n",
        ",X,Y\n1,1.5,2.5\n2,3,4",
        "y\tx\n2.5\t1.5\n4\t3\n",
        "x;y\n1,5;2,5\n3;4\n",
        "x y\n1,5 2,5\n3,0 4,0\n",
        "1.5 2.5\n3 4\n",
        "  1.5   2.5\n  3.0   4.0\n",
        "# x y of a fit\n% more\n\n1.5e0 2.5\n3 4\n",
        "1.5,2.5\n3,4\n",
        "1,5;2,5\n3,0;4,0\n",
        "index,axis-0,axis-1\n0,2.5,1.5\n1,4,3\n",
        "row,col\n2.5,1.5\n4,3\n",
        "label,centroid-0,centroid-1\n1,2.5,1.5\n2,4,3\n",
        "x (px),y (px)\n1.5,2.5\n3,4\n",
        "X (pixel), Y (pixel)\n1.5, 2.5\n3, 4\n",
        "x_pos,y_pos\n1.5,2.5\n3,4\n",
        '"x","y"\n"1.5","2.5"\n"3","4"\n',
        "\ufeffx,y\n1.5,2.5\n3,4\n",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_tables_of_many_dialects(write, text, encoding):
    path = write(text, encoding=encoding)
    columns = read_columns(path)
    assert np.array_equal(columns.positions, [[2.5, 1.5], [4, 3]])
    assert set(columns.features["origin"]) == {"imported"}
    assert columns.pixel_size is None
    assert is_columns_table(path)


def test_napari_points_of_a_stack(write):
    columns = read_columns(write("index,axis-0,axis-1,axis-2,confidence\n0,3,2.5,1.5,0.5\n"))
    assert columns.positions.tolist() == [[2.5, 1.5]]
    assert list(columns.frame) == [3]
    assert list(columns.features["confidence"]) == [0.5]


def test_further_columns_become_features(write):
    columns = read_columns(
        write("x,y,site,valid,n,confidence,fit,origin\n1,2,Ω a,True,3,high,fine,model\n1,2,NA,False,,1,ok,me\n")
    )
    features = columns.features
    assert list(features["site"]) == ["Ω a", "NA"]
    assert list(features["valid"]) == [True, False]
    assert np.array_equal(features["n"], [3, np.nan], equal_nan=True)
    assert np.array_equal(features["confidence"], [np.nan, 1], equal_nan=True)
    assert list(features["fit"]) == ["none", "ok"]
    assert list(features["origin"]) == ["model", "imported"]


@pytest.mark.parametrize(
    ("header", "unit"), [("x_angstrom,y_angstrom", "angstrom"), ("x (nm),y (nm)", "nm"), ("X [Å],Y [Å]", "angstrom")]
)
def test_lengths_need_a_pixel_size(write, header, unit):
    path = write(f"{header}\n2,1\n4,3\n")
    assert guess_mapping(path).unit == unit
    with pytest.raises(MissingCalibrationError, match="give the pixel size"):
        read_columns(path)
    columns = read_columns(path, pixel_size=(0.5, 0.25))
    assert np.allclose(columns.positions, np.array([[2, 8], [6, 16]]) * (10 if unit == "nm" else 1))
    assert columns.pixel_size == (0.5, 0.25)


PLACES = np.array([[4.0, 2.5], [8.0, 6.5], [12.0, 9.5]])  # y, x in pixels
SIZE = 0.5  # Angstrom
PER = {"px": 1 / SIZE, "A": 1.0, "nm": 10.0, "pm": 0.01, "um": 1e4}


def rows(unit="px", index=False):
    """Lines `x,y` in a unit, counted if asked."""
    values = PLACES[:, ::-1] * SIZE / PER[unit] if unit != "px" else PLACES[:, ::-1]
    return "".join(f"{f'{n},' if index else ''}{x:.9g},{y:.9g}\n" for n, (x, y) in enumerate(values))


@pytest.mark.parametrize(
    ("header", "unit", "named"),
    [
        ("x (pm),y (pm)", "pm", "pm"),
        ("x_pm,y_pm", "pm", "pm"),
        ("x [nm],y [nm]", "nm", "nm"),
        ("X_nm,Y_nm", "nm", "nm"),
        ("x_A,y_A", "A", "Å"),
        ("x(Angstrom),y(Angstrom)", "A", "Å"),
        ("POSITION_X (µm),POSITION_Y (µm)", "um", "µm"),
        ("POSITION_X,POSITION_Y\nX,Y\n(nm),(nm)", "nm", "nm"),
        ("x,y\npm,pm", "pm", "pm"),
        ("# x (nm),y (nm)", "nm", "nm"),
    ],
)
def test_units_are_read_where_the_table_says_them(write, header, unit, named):
    path = write(f"{header}\n{rows(unit)}")
    assert is_columns_table(path)
    columns = read_columns(path, pixel_size=(SIZE, SIZE))
    assert np.allclose(columns.positions, PLACES)
    assert any(note.startswith(f"positions were taken to be in {named}, as the table says") for note in columns.provenance[NOTES])


def test_a_column_may_hold_the_unit(write):
    lines = rows("nm").replace("\n", ",nm\n")
    columns = read_columns(write(f"Position X,Position Y,Unit\n{lines}"), pixel_size=(SIZE, SIZE))
    assert np.allclose(columns.positions, PLACES)


def test_two_units_in_one_table_are_refused(write):
    with pytest.raises(ColumnsFileError, match=r"table\.csv: x is in nm and y in pm; bring both into one unit"):
        read_columns(write("x (nm),y (pm)\n1,2\n"), pixel_size=(1.0, 1.0))


@pytest.mark.parametrize("unit", PER)
@pytest.mark.parametrize("first", [0, 1])
def test_unit_and_first_index_may_be_told(write, unit, first):
    values = (PLACES[:, ::-1] + first) * (SIZE / PER[unit] if unit != "px" else 1)
    path = write("x (pm),y (pm)\n" + "".join(f"{x:.12g},{y:.12g}\n" for x, y in values))
    columns = read_columns(path, mapping_for(path, unit, first), (SIZE, SIZE))
    assert np.allclose(columns.positions, PLACES)
    assert NOTES not in columns.provenance, "what is told is no guess"


def test_what_cannot_be_told(write, tmp_path):
    with pytest.raises(ColumnsFileError, match='never in "furlong"; choose one of A, nm, pm, um and px'):
        mapping_for(write("x,y\n1,2\n"), "furlong")
    with pytest.raises(ColumnsFileError, match="sets its unit and first index itself"):
        mapping_for(tmp_path / "a.hdf5", "nm")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (rows(index=True), "the first column counts the rows, the next two were taken for x and y"),
        (f",0,1\n{rows(index=True)}", "the header only counts the columns"),
        (f"0,1\n{rows()}", "the header only counts the columns"),
        (f"Unnamed: 0,x,y\n{rows(index=True)}", ""),
        (f"# y,x\n{''.join(f'{y},{x}' + chr(10) for y, x in PLACES)}", ""),
        (rows(), "there is no header: the first column was taken for x and the second for y"),
    ],
)
def test_tables_as_pandas_and_numpy_write_them(write, text, said):
    columns = read_columns(write(text))
    assert np.allclose(columns.positions, PLACES)
    assert not set(columns.features) - set(read_columns(write("x,y\n1,2\n")).features), "counting is no feature"
    assert said in " ".join(columns.provenance.get(NOTES, ())) if said else NOTES not in columns.provenance


def test_whole_numbers_without_a_header_are_positions(write):
    assert read_columns(write("0,1\n5,7\n")).positions.tolist() == [[1, 0], [7, 5]]


@pytest.mark.parametrize(
    ("name", "frames", "expected", "noted"),
    [
        ("frame", (1, 1, 2), [0, 0, 1], True),
        ("Slice", (1, 2, 3), [0, 1, 2], True),
        ("FRAME", (0, 1, 1), [0, 1, 1], False),
        ("frame", (2, 2, 3), [2, 2, 3], False),
        ("axis-0", (1, 1, 2), [1, 1, 2], False),
    ],
)
def test_frames_from_one_are_counted_from_nought(write, name, frames, expected, noted):
    axes = "axis-1,axis-2" if name == "axis-0" else "y,x"
    columns = read_columns(write(f"{name},{axes}\n" + "".join(f"{frame},2,1\n" for frame in frames)))
    assert list(columns.frame) == expected
    assert any("counted from 1" in note for note in columns.provenance.get(NOTES, ())) == noted


def test_our_own_frames_are_what_they_are(write):
    assert list(read_columns(write("y_px,x_px,frame\n1,2,1\n1,2,2\n")).frame) == [1, 2]


def test_a_size_that_only_the_positions_tell_is_no_files(write):
    columns = read_columns(write("y_px,x_px,y_angstrom,x_angstrom\n10,20,1.0,4.0\n"))
    assert columns.provenance["pixel_size_source"] == "the table's positions in Angstrom"


def test_mapping_may_be_changed(write):
    path = write("11 21 1\n12 22 2\n", "coordinates.txt")
    mapping = guess_mapping(path)
    assert (mapping.has_header, mapping.delimiter, mapping.names) == (False, " ", ("column 1", "column 2", "column 3"))
    mapping = ColumnMapping(x="column 2", y="column 1", one_based=True, unit="angstrom", delimiter=" ", has_header=False)
    columns = read_columns(path, mapping, pixel_size=(1.0, 2.0))
    assert np.allclose(columns.positions, [[10, 9.5], [11, 10]])
    assert list(columns.features["column 3"]) == [1, 2]
    with pytest.raises(ColumnsFileError, match="no column z"):
        read_columns(path, ColumnMapping(x="z", y="column 1", delimiter=" ", has_header=False))


def test_own_table_without_its_json(write):
    columns = read_columns(write("y_px,x_px,y_angstrom,x_angstrom,frame\n10,20,1.0,4.0,2\n0,0,0,0,3\n"))
    assert columns.pixel_size == pytest.approx((0.1, 0.2))
    assert columns.image_shape is None
    assert list(columns.frame) == [2, 3]
    assert set(columns.features) >= {"intensity", "origin"}
    assert "y_angstrom" not in columns.features


@pytest.mark.parametrize("json", ["", "not json", "[1]", '{"format": "other"}', '{"format": "napari-atomseg columns"}'])
def test_a_damaged_or_foreign_json_does_no_harm(write, json):
    write(json, "table.json")
    assert read_columns(write("y_px,x_px,y_angstrom,x_angstrom\n10,20,1.0,4.0\n")).pixel_size == pytest.approx((0.1, 0.2))


def test_rows_without_a_position_are_dropped_and_counted(write):
    with pytest.warns(AtomsegWarning, match="3 of 5 rows"):
        columns = read_columns(write("x,y,n\n1,2,1\nnan,2,2\n,4,3\n5,inf,4\n5,6,5\n"))
    assert columns.positions.tolist() == [[2, 1], [6, 5]]
    assert list(columns.features["n"]) == [1, 5]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("# only a comment\n", "is empty"),
        ("hello\nworld\n", "no table of numbers"),
        ("a,b\n1,2\n", "no positions among the columns a, b"),
        ("index,shape-type,vertex-index,axis-0,axis-1\n0,ellipse,0,1,2\n", "no positions"),
        ("x,y\n1,2\n3,4,5\n", "no table of numbers"),
        ("x,y\n" + "1,2\n" * 50 + "1,2,3\n", "do not form a table"),
        ("x,y,n\n" + "1,2,3\n" * 50 + "a,2,3\n", "hold text"),
        ("x,y\n\0\0\0,1\n", "no text table"),
    ],
)
def test_bad_tables(write, text, words):
    with pytest.raises(ColumnsFileError, match=words) as raised:
        read_columns(write(text))
    assert "table.csv" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_missing_file(tmp_path):
    for name in ("none.csv", "none.hdf5", "none.xyz"):
        with pytest.raises(ColumnsFileError, match="none"):
            read_columns(tmp_path / name)
        assert not is_columns_table(tmp_path / name)


def test_what_is_no_columns_table(write):
    assert not is_columns_table(write("1,2,3,4,5,6,7\n" * 9, "image.csv"))
    assert not is_columns_table(write("0,1,2,3,4,5,6\n" + "1.5,2,3,4,5,6,7\n" * 9, "image.csv"))
    assert not is_columns_table(write("file,table\na.tif,a.csv\n", "pairs.csv"))
    assert not is_columns_table(write("2\ncomment\nH 0 0 0\nH 0 0 1\n", "molecule.xyz"))
    assert not is_columns_table(write("x,y\n1,2\n", "table.docx"))
    assert not is_columns_table(write("\x89PNG\0\0", "picture.csv", "latin-1"))


def test_long_tables_are_sniffed_by_their_beginning(write):
    assert is_columns_table(write("x,y\n" + "123.25,456.5\n" * 20_000))


def _write_lattice(path, size):
    with h5py.File(path, "w") as file:
        for index, name in ((1, "B"), (0, "A")):
            group = file.create_group(f"{name}_sublattice")
            group["atom_positions"] = np.array([[10.0, 20.0], [11.0, 21.0]]) + 100 * index
            group["sigma_x"], group["sigma_y"] = [2.0, 3.0], [1.0, 4.0]
            group["original_image_data"] = np.zeros((30, 40))
            group.attrs.update({"pixel_size": size, "name": name, "sublattice_index": index})
        file["image_data"] = np.zeros((30, 40))
    return path


def test_atomap_lattice(tmp_path):
    path = _write_lattice(tmp_path / "lattice.hdf5", 0.01)
    assert is_columns_table(path)
    with pytest.warns(AtomsegWarning, match="taken as nm"):
        columns = read_columns(path)
    assert columns.positions.tolist() == [[20, 10], [21, 11], [120, 110], [121, 111]]
    assert list(columns.features["sublattice"]) == ["A", "A", "B", "B"]
    assert list(columns.features["sigma_px"]) == [2, 4, 2, 4]
    assert columns.pixel_size == pytest.approx((0.1, 0.1))
    assert columns.image_shape == (30, 40)


def test_atomap_lattice_without_calibration(tmp_path):
    assert read_columns(_write_lattice(tmp_path / "a.hdf5", 1.0)).pixel_size is None
    assert read_columns(_write_lattice(tmp_path / "b.hdf5", 0.5), pixel_size=(0.2, 0.2)).pixel_size == (0.2, 0.2)


def test_hdf5_of_other_kinds(tmp_path):
    with h5py.File(tmp_path / "image.hdf5", "w") as file:
        file["data"] = np.zeros(3)
    (tmp_path / "broken.hdf5").write_bytes(b"\x89HDF")
    assert not is_columns_table(tmp_path / "image.hdf5")
    with pytest.raises(ColumnsFileError, match="no Atomap lattice"):
        read_columns(tmp_path / "image.hdf5")
    with pytest.raises(ColumnsFileError, match="cannot be opened as HDF5"):
        read_columns(tmp_path / "broken.hdf5")


def test_xyz_of_others(write):
    path = write("2\ncomment\nSr 1 2 3\nTi 4 5 6\n", "a.xyz")
    with pytest.raises(MissingCalibrationError, match="pixel size"):
        read_columns(path)
    columns = read_columns(path, pixel_size=(0.1, 0.1))
    assert np.allclose(columns.positions, [[20, 10], [50, 40]])
    assert list(columns.features["element"]) == ["Sr", "Ti"]
    with pytest.raises(ColumnsFileError, match="not a structure"):
        read_columns(write("no structure", "b.xyz"))


@pytest.mark.skipif(not LABELLED.is_dir(), reason="shared data not at hand")
def test_tables_clicked_by_people():
    tables = [path for path in sorted(LABELLED.glob("*.csv")) if path.name != "hpai_pairs.csv"]
    assert len(tables) == 8
    for path in tables:
        assert is_columns_table(path)
        columns = read_columns(path)
        assert len(columns) == sum(1 for line in path.read_text().splitlines() if line.strip()) - 1
        assert columns.positions.min() >= 0
        assert columns.positions.max() < 1024
    first = read_columns(LABELLED / "021_Results.csv")
    assert first.positions[0].tolist() == [351, 152]
    assert not is_columns_table(LABELLED / "hpai_pairs.csv")

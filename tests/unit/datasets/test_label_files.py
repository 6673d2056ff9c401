"""Classes of recordings by a table, or by folders."""

from time import process_time

import numpy as np
import pytest

from eventsim.datasets import text
from eventsim.datasets.label_files import (
    Labelled,
    class_names,
    labelled_files,
    left_out,
    read_folder,
    read_labels,
    read_targets,
)
from eventsim.events import Dataset


@pytest.fixture
def folder(tmp_path):
    """Two files of one recording each, and one of two."""
    for name, lines in (("a", "1,0"), ("b", "2,1"), ("c", "3,0,0\n4,2,1")):
        (tmp_path / f"{name}.csv").write_text(lines)
    return tmp_path


def table(folder, content):
    path = folder / "labels.txt"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def read(folder, content, files=()):
    data, splits = labelled_files(
        read_labels(table(folder, content), [folder / name for name in files]), text.load, name="x"
    )
    return data, splits


def test_table_gives_classes_groups_and_parts_in_its_order(folder):
    rows = "File;Label;group;split\nb.csv; yes;ann;train\n\na.csv;no;;test\nc.csv;yes;bob;test\n"
    data, splits = read(folder, rows)
    assert (data.class_names, data.labels.tolist()) == (("no", "yes"), [1, 0, 1, 1])
    assert data.groups.tolist() == ["ann", "", "bob", "bob"]
    assert data.keys.tolist() == ["b.csv", "a.csv", "c.csv", "c.csv"]
    assert splits.tolist() == ["train", "test", "test", "test"]
    assert data.stream.times.tolist() == [2.0, 1.0, 3.0, 4.0]
    assert data.stream.n_channels == 3


def test_column_sample_names_one_recording_of_a_file(folder):
    data, splits = read(folder, "file,label,sample\nc.csv,1,1\nc.csv,0,0\n")
    assert (data.stream.times.tolist(), data.labels.tolist()) == ([4.0, 3.0], [1, 0])
    assert (data.groups, splits) == (None, None)


def test_files_that_are_named_are_found_by_their_names(folder):
    data, _ = read(folder, "file,label\na.csv,x\nb.csv,y\n", ["a.csv", "b.csv"])
    assert len(data) == 2
    inner = folder / "inner"
    inner.mkdir()
    (inner / "labels.csv").write_text("file,label\na.csv,x\n")
    assert read_labels(inner / "labels.csv", [folder])[0].file == folder / "a.csv"


def test_folders_are_classes_and_parts(tmp_path):
    for part in ("train", "test"):
        for label in ("10", "9"):
            (tmp_path / part / label).mkdir(parents=True)
            (tmp_path / part / label / "1.csv").write_text("1,0")
    (tmp_path / "train" / "9" / ".hidden").write_text("")
    data, splits = labelled_files(read_folder(tmp_path), text.load, name="x")
    assert (data.class_names, data.labels.tolist()) == (("9", "10"), [1, 0, 1, 0])
    assert splits.tolist() == ["test", "test", "train", "train"]
    plain, none = labelled_files(read_folder(tmp_path / "train"), text.load, name="x")
    assert (plain.class_names, none) == (("9", "10"), None)


def test_names_of_classes_are_sorted_as_numbers_where_all_are():
    for given, expected in ((("10", "9", "x"), ("10", "9", "x")), (("10", "9"), ("9", "10"))):
        assert class_names([Labelled(None, label, "") for label in given]) == expected


def test_saved_import_is_a_data_set(folder, tmp_path):
    data, splits = read(folder, "file,label,split\na.csv,x,train\nb.csv,y,test\n")
    data.save(tmp_path / "mine.h5", splits=splits)
    found = Dataset.open(tmp_path / "mine.h5", split="test")
    assert (len(found), found.class_names) == (1, ("x", "y"))
    np.testing.assert_array_equal(found.stream[:].times, [2.0])


def test_files_of_a_folder_that_no_row_names_are_known(tmp_path):
    for name in ("no/1.csv", "no/deep/2.csv", "yes/3.csv", "README.md", ".hidden/4.csv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("1,0\n")
    rows = [Labelled(tmp_path / n, "no", n) for n in ("no/1.csv", "yes/3.csv")]
    found = [str(path.relative_to(tmp_path)) for path in left_out(tmp_path, rows)]
    assert found == ["README.md", "no/deep/2.csv"]


@pytest.mark.parametrize("column", ["sample", "time_ms"])
def test_a_table_of_targets_is_read_in_a_time_that_grows_with_its_lines(folder, column):
    def spent(n):
        """CPU s, the least of three: Python looks for garbage in some, that of other tests too."""
        lines = "".join(f"a.csv,{k},1\n" for k in range(n))
        path, each = table(folder, f"file,{column},v\n{lines}"), []
        for _ in range(3):
            began = process_time()
            assert sum(map(len, read_targets(path).targets)) == n
            each.append(process_time() - began)
        return min(each)

    few = spent(1_000)
    assert spent(8_000) < 24 * few  # 64 times where each line looks at all others


def test_group_column_of_another_name_is_read(folder):
    content = "file,label,Speaker\na.csv,x,theo\nb.csv,y,ann\n"
    rows = read_labels(table(folder, content), group_column="speaker")
    assert [row.group for row in rows] == ["theo", "ann"]

"""The name under which eventsim is installed, wherever a hint, a page or a message says it."""

import re
from typing import get_args

from eventsim.extras import DISTRIBUTION, Extra, install_hint
from tests.support.checkout import ROOT, project, tracked_files

# An unrelated program has the plain name on the package index. Backslashes: patterns, Rich markup.
FOREIGN = re.compile(r"""(['"`])eventsim\\*\[""")
HINT = re.compile(rf"pip install (?:--\w+ )?'{DISTRIBUTION}\\*\[([^\]\\]*)\\*\]'")


def texts():
    for path in tracked_files():
        try:
            yield path, (ROOT / path).read_text("utf-8")
        except UnicodeDecodeError:
            continue


def test_distribution_is_the_one_of_pyproject():
    assert project()["name"] == DISTRIBUTION


def test_hint_names_distribution_and_extra():
    assert install_hint("cuda13") == "pip install 'eventsim-snn[cuda13]'"
    assert install_hint("nir", upgrade=True) == "pip install --upgrade 'eventsim-snn[nir]'"


def test_hints_know_the_extras_of_pyproject():
    assert set(get_args(Extra)) == project()["optional-dependencies"].keys() - {
        "dev",
        "docs",
        "test",
    }


def test_no_file_installs_the_foreign_distribution():
    found = [
        f"{path}:{text[: match.start()].count(chr(10)) + 1}"
        for path, text in texts()
        for match in FOREIGN.finditer(text)
    ]
    assert found == []


def test_no_file_installs_the_plain_name():
    plain = re.compile(r"pip install (?:-\S+ )*eventsim(?![-\w.])")
    assert [str(path) for path, text in texts() if plain.search(text)] == []


def test_hints_that_are_written_out_name_extras_of_pyproject():
    found = {
        (str(path), extra)
        for path, text in texts()
        for match in HINT.finditer(text)
        for extra in match[1].split(",")
        if "{" not in extra
    }
    assert ("README.md", "cuda13") in found
    known = project()["optional-dependencies"].keys()
    assert {entry for entry in found if entry[1] not in known} == set()


def test_package_writes_no_hint_by_hand():
    by_hand = [
        str(path)
        for path, text in texts()
        if path.suffix == ".py" and path.parts[0] in ("eventsim", "datasets", "bench")
        if DISTRIBUTION in text and path.name != "extras.py"
    ]
    assert by_hand == []

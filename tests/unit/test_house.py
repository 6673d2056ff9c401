"""Rules of the whole package that no linter knows."""

import ast
from collections import Counter
from pathlib import Path

import eventsim
from eventsim import datasets


def test_name_of_a_class_occurs_once():
    homes = {Path(eventsim.__file__).parent, Path(datasets.__file__).parent}
    files = {path for home in homes for path in home.rglob("*.py")}
    names = Counter(
        node.name
        for path in files
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ClassDef)
    )
    twice = {name for name, times in names.items() if times > 1}
    assert twice == set(), "choose another name"

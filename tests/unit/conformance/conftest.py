import json

import pytest

from tests.support.conformance_answers import read


@pytest.fixture
def entry():
    """Content of a small published case, free to be changed."""
    return read("one-arrival")


@pytest.fixture
def write(tmp_path):
    """Write content as a case file; gives its path."""

    def to_file(content, name="one-arrival"):
        path = tmp_path / f"{name}.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    return to_file

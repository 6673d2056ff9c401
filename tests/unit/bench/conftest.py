import json

import pytest


@pytest.fixture
def rows_of(monkeypatch, capsys):
    """Run the command of a benchmark; the rows that it tells as JSON."""

    def run(module, *words):
        monkeypatch.setattr("sys.argv", [module.__name__, *words, "--json"])
        module.main()
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    return run

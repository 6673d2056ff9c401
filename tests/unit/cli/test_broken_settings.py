"""Settings that are no settings: one message and exit code 2, whatever was typed or written."""

import json
import shutil

import pytest

from tests.unit.cli.conftest import call

DEEP = "[" * 10_000 + "]" * 10_000
LONG = "9" * 100_000


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("augmentation.jitter=x", "jitter is 'x', expected a number >= 0"),
        ("augmentation.sensor_size=3", "sensor_size is 3, expected a list"),
        ("spikl.floor=[]", "floor is [], expected a finite number"),
        ("rates.weights={}", "weights is {}, expected a finite number"),
        ("tail=1e308", "tail is 1e+308, expected a number >= 0 and <= 1e+09"),
        ("gain=[1]", "gain is [1], expected a finite number"),
        ("loss=[]", "loss is [], expected one of"),
        ("output=7", "output is 7, expected a text"),
        ("dale=1", "dale is 1, expected true or false"),
        ("bip=3", "bip is 3, expected a list"),
        (f"gain={DEEP}", "nested more than 50 levels"),
        (f"gain={LONG}", "is not JSON"),
    ],
)
def test_a_typed_setting_of_another_type_is_a_message(digits, typed, words):
    outcome = call("train", digits, "--set", typed)
    assert outcome.code == 2
    assert words in outcome.err
    assert len(outcome.err) < 1000


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("c.toml", f"gain = {DEEP}"),
        ("c.toml", f"gain = {LONG}"),
        ("c.json", DEEP),
        ("c.json", f'{{"gain": {LONG}}}'),
        ("c.json", '{"gain": "\\ud800"}'),
    ],
)
def test_a_config_file_that_breaks_its_parser_is_a_message(digits, tmp_path, name, text):
    (tmp_path / name).write_text(text)
    outcome = call("train", digits, "--config", tmp_path / name)
    assert outcome.code == 2
    assert f"--config {tmp_path / name}" in outcome.err


@pytest.mark.parametrize("name", ["run.json", "result.json", "metrics.jsonl"])
@pytest.mark.parametrize("text", [DEEP, LONG, "[1, 2]", '{"data": 3}', ""])
def test_a_file_of_a_run_that_is_broken_is_a_message(finished, tmp_path, name, text):
    folder = tmp_path / "run"
    shutil.copytree(finished[1], folder)
    (folder / name).write_text(text)
    outcome = call("report", folder)
    assert outcome.code == 2
    assert "Traceback" not in outcome.err


@pytest.mark.parametrize(
    "change",
    [{"name": "nothing"}, {"name": ["fsdd"]}, {"file": 3}, {"file": "a\0b"}, {"files": "x"}],
)
def test_a_run_that_names_no_data_set_is_a_message(finished, tmp_path, change):
    folder = tmp_path / "run"
    shutil.copytree(finished[1], folder)
    stored = json.loads((folder / "run.json").read_text())
    stored["data"] |= change
    (folder / "run.json").write_text(json.dumps(stored))
    assert call("evaluate", folder).code == 2

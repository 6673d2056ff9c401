"""The template of a chip file has every key, and mistakes in keys are corrected in the message."""

import dataclasses
import re
import tomllib

import pytest

from eventsim.chips import (
    ENERGY_TERMS,
    LATENCY_TERMS,
    Chip,
    ChipError,
    Formats,
    Limits,
    Quantity,
    load_chip,
)
from tests.unit.cli.conftest import call


@pytest.fixture(scope="module")
def template():
    outcome = call("schema", "chip", "--example")
    assert outcome.code == 0, outcome.err
    return outcome.out


def test_template_is_a_chip_as_it_is(template, tmp_path):
    (tmp_path / "mine.toml").write_text(template)
    chip = load_chip(tmp_path / "mine.toml")
    assert chip.limits.cores == 16
    assert set(chip.energy) == {"synaptic_event", "neuron_update_active", "neuron_update_idle"}


def test_template_has_every_key_and_every_term_behind_a_mark(template):
    # Marks taken away, both ways to count synapses stand there, which a file may not have.
    values = tomllib.loads(re.sub(r"^#:", "", template, flags=re.MULTILINE))
    keys = {field.name for kind in (Chip, Limits, Formats) for field in dataclasses.fields(kind)}
    assert keys <= {*values, *values["limits"], *values["formats"]}
    assert {field.name for field in dataclasses.fields(Quantity)} == {
        *values["energy"]["synaptic_event"]
    }
    assert list(values["energy"]) == list(ENERGY_TERMS)
    assert list(values["latency"]) == list(LATENCY_TERMS)
    for table, terms in (("energy", ENERGY_TERMS), ("latency", LATENCY_TERMS)):
        assert {k: v["unit"] for k, v in values[table].items()} == {
            k: term.unit for k, term in terms.items()
        }


@pytest.mark.parametrize(
    ("right", "wrong", "meant"),
    [
        ("neurons_per_core", "neuronsPerCore", "Did you mean 'neurons_per_core'?"),
        ("weight_bits", "Weight-Bits", "Did you mean 'weight_bits'?"),
        ("energy.synaptic_event]", "energy.synaptic_events]", "Did you mean 'synaptic_event'?"),
        ("step_ms = 1.0", "neurons_per_core = 4", "'neurons_per_core' belongs in the table limits"),
        ("cores = 16\n", "cores = 16\nstep_ms = 1.0\n", "'step_ms' stands above all tables"),
        ("[limits]", "[limit]", "Did you mean 'limits'?"),
    ],
)
def test_mistake_in_a_key_is_corrected(template, right, wrong, meant, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(template.replace(right, wrong, 1))
    with pytest.raises(ChipError, match=re.escape(meant)):
        load_chip(path)


def test_example_is_there_for_chips_alone():
    assert "is there for chip, not for train" in call("schema", "train", "--example").err

from eventsim.chips import Limits
from eventsim.hardware.usage import limits_left_out
from eventsim.report.tables import left_out
from tests.unit.mapping.helpers import make_chip


def test_limits_that_the_file_does_not_have_are_named():
    chip = make_chip(cores=2, mesh=(2, 1), cores_per_tile=1, neurons_per_core=4)
    names = limits_left_out(chip)
    assert "neurons_per_core" not in names
    assert "fan_in_per_neuron" in names
    assert all(getattr(chip.limits, name) is None for name in names)
    assert set(names) <= set(Limits.__dataclass_fields__)
    assert left_out(names) == [
        f"No limit in the chip's file, so none was checked: {', '.join(names)}."
    ]
    assert left_out(()) == []

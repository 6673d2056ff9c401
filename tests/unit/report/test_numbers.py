"""Numbers as people read them, by hand."""

import pytest

from eventsim.report.numbers import duration, general, joules, memory, percent


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (percent(0.0625), "6.2 %"),
        (duration(299.94), "299.9 s"),
        (duration(300.0), "5 min"),
        (duration(7190.0), "2.0 h"),
        (joules(999.0), "999 pJ"),
        (joules(2.5e3), "2.5 nJ"),
        (joules(2.5e6), "2.5 µJ"),
        (joules(2.5e9, at_least=True), "≥ 2.5 mJ"),
        (joules(2.5e12), "2.5 J"),
        (memory(1023.0), "1,023 B"),
        (memory(1536.0), "1.5 KiB"),
        (memory(5 * 2**19), "2.5 MiB"),
        (general(12345), "12,345"),
        (general(12345.6), "12,346"),
        (general(0.123456), "0.1235"),
    ],
)
def test_number_is_written_with_its_unit(found, expected):
    assert found == expected

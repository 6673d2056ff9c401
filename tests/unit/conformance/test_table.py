from bench.conformance.table import rows_of, summary

FOUND = {
    "simulators": [
        {
            "simulator": "late",
            "version": "7",
            "settings": "dt = 1 ms",
            "precision": "double",
            "results": [
                {
                    "case": "one-arrival", "outcome": "failed", "tolerance_ms": 1e-9,
                    "reason": "hidden[0]: extra spike", "expected": 1, "matched": 0,
                    "misplaced": 1, "missing": 0, "extra": 2, "worst_error_ms": 0.25,
                },
                {
                    "case": "pacemaker", "outcome": "not supported", "tolerance_ms": 1e-9,
                    "reason": "no leak",
                },
            ],
        }
    ]
}  # fmt: skip


def test_rows_carry_simulator_case_and_errors():
    failed, skipped = rows_of(FOUND)
    of = {"simulator": "late", "version": "7", "settings": "dt = 1 ms", "case": "one-arrival"}
    assert failed.items() >= (of | {"extra": 2, "worst_error_ms": 0.25}).items()
    assert (skipped["outcome"], skipped["reason"]) == ("not supported", "no leak")


def test_summary_counts_what_was_run():
    (line,) = summary(rows_of(FOUND))
    assert (line["failed"], line["not supported"], line["spikes"], line["extra"]) == (1, 1, 1, 2)
    assert line["worst error ms"] == "2.5e-01"

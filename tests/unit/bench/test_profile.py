"""Nsight Compute's table, in the form that its command line prints."""

import csv
import io
import sys

import pytest

from bench.gpu import profile

HEAD = [
    *("ID", "Process ID", "Process Name", "Host Name", "Kernel Name", "Context", "Stream"),
    *("Block Size", "Grid Size", "Device", "CC", "Section Name"),
    *("Metric Name", "Metric Unit", "Metric Value", "Rule Name", "Rule Type", "Rule Description"),
]
LIGHT = "GPU Speed Of Light Throughput"


def table(*launches):
    """Of (number, kernel, [(section, metric, unit, value)])."""
    out = io.StringIO()
    out.write("==PROF== Connected to process 1\n8 spikes\n==PROF== Disconnected\n")
    lines = csv.writer(out, quoting=csv.QUOTE_ALL)
    lines.writerow(HEAD)
    for number, kernel, metrics in launches:
        first = [number, 1, "python", "here", kernel, 1, 7, "(64, 1, 1)", "(8, 1, 1)", 0, "9.0"]
        for metric in metrics:
            lines.writerow([*first, *metric, "", "", ""])
        rule = ["SOLBottleneck", "OPT", "Memory is more heavily used than Compute"]
        lines.writerow([*first, LIGHT, "", "", "", *rule])
    return out.getvalue()


def launch(duration, compute, memory):
    return [
        (LIGHT, "Duration", "ns", duration),
        (LIGHT, "Compute (SM) Throughput", "%", compute),
        (LIGHT, "Memory Throughput", "%", memory),
        ("Memory Workload Analysis", "Memory Throughput", "byte/s", "1,234,567"),
        ("Memory Workload Analysis", "L2 Hit Rate", "%", "N/A"),
        ("Occupancy", "Achieved Occupancy", "%", "48.5"),
        ("Launch Statistics", "Registers Per Thread", "register/thread", "40"),
    ]


def test_longest_launch_of_every_kernel_is_kept_with_what_limits_it():
    output = table(
        (0, "shared_forward(int, int)", launch("1,000", "20.0", "30.0")),
        (1, "shared_forward(int, int)", launch("52,000", "71.5", "33.0")),
        (2, "readout", launch("60,000", "10.0", "80.0")),
        (3, "order", launch("10", "10.0", "9.0")),
    )
    rows = profile.read(output)
    assert [row["kernel"] for row in rows] == ["readout", "shared_forward", "order"]
    assert [row["limit"] for row in rows] == ["memory", "compute", "latency"]
    forward = rows[1]
    assert forward["duration_ns"] == 52_000.0
    assert (forward["compute_percent"], forward["memory_percent"]) == (71.5, 33.0)
    assert (forward["registers"], forward["occupancy_percent"]) == (40.0, 48.5)


def test_output_without_a_table_has_no_rows():
    assert profile.read("==ERROR== ERR_NVGPUCTRPERM\n") == []


def test_command_watches_our_kernels_only():
    words = profile.command("ncu", ["python", "-m", "program"])
    assert words[-3:] == ["python", "-m", "program"]
    kernels = words[words.index("--kernel-name") + 1]
    assert kernels.startswith("regex:^(")
    assert "shared_forward" in kernels
    for section in ("SpeedOfLight", "Occupancy", "MemoryWorkloadAnalysis"):
        assert words[words.index(section) - 1] == "--section"


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script stands in for the tool")
def test_counters_that_only_the_administrator_may_read_are_explained(tmp_path, monkeypatch, capsys):
    tool = tmp_path / "ncu"
    tool.write_text("#!/bin/sh\necho '==ERROR== ERR_NVGPUCTRPERM - no permission'\nexit 1\n")
    tool.chmod(0o755)
    monkeypatch.setattr(profile.tools, "find", lambda *_, **__: str(tool))
    monkeypatch.setattr(profile, "facts_of", lambda **_: {"card": "none"})
    assert profile.main([]) == 1
    assert "NVreg_RestrictProfilingToAdminUsers=0" in capsys.readouterr().err

"""README against the program: its blocks run, its commands and links exist, it is short."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

import eventsim as es
from eventsim.network.nir import NirWarning, write_nir
from eventsim.runs.networks import NetworkSettings
from tests.border.prose import ROOT, blocks, complaint

README = ROOT / "README.md"


def test_readme_is_one_screen():
    assert len(README.read_text(encoding="utf-8").splitlines()) < 120


def test_blocks_run_in_order(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EVENTSIM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv(
        "PATH", os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    )
    names, ran = {}, []
    for block in blocks(README):
        if block.more:
            assert re.match(r"not run: \w", block.more), block.more
        elif block.kind == "python":
            exec(compile(block.text, "README.md", "exec"), names)
            ran.append("python")
        else:
            assert block.kind == "sh"
            assert "--epochs 8" in block.text
            quick = block.text.replace("--epochs 8", "--epochs 1")
            subprocess.run(["bash", "-euc", quick], check=True, capture_output=True, text=True)
            ran.append("sh")
    assert ran == ["python", "sh"]
    assert float(capsys.readouterr().out.split()[-1]) > 0.8  # of three classes
    assert (tmp_path / "spikes.png").stat().st_size > 10_000
    assert (tmp_path / "runs" / "yinyang" / "index.html").exists()


def test_links_lead_to_files():
    found = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", README.read_text(encoding="utf-8"))
    here = [place for place in found if not place.startswith("https://")]
    assert len(here) > 10
    assert [place for place in here if not (ROOT / place).exists()] == []


def test_targets_of_make_exist():
    found = re.findall(
        r"^(?:make |`make )([\w-]+)", README.read_text(encoding="utf-8"), re.MULTILINE
    )
    assert {"demo", "test"} <= set(found)
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert [name for name in found if f"\n{name}:" not in makefile] == []


@pytest.mark.thorough("draws it anew; no number stands in it")
def test_picture_is_what_its_script_makes(tmp_path):
    script = ROOT / "docs" / "readme_picture.py"
    subprocess.run([sys.executable, script, tmp_path / "new.png"], check=True)
    committed = ROOT / "docs" / "_static" / "readme.png"
    assert committed.stat().st_size < 60_000
    # Fonts and lines may differ a little between versions of matplotlib, the picture may not.
    old, new = (imread(path)[..., :3] for path in (committed, tmp_path / "new.png"))
    assert old.shape == new.shape
    assert np.abs(old - new).mean() < 0.02


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("eventsim trian fsdd", "UsageError"),
        ("eventsim train fsdd --no-such", "NoSuchOption"),
        ("eventsim train fsdd --epochs few", "BadParameter"),
        ("eventsim evaluate", "MissingParameter"),
    ],
)
def test_command_that_does_not_exist_is_found(line, error):
    assert complaint(line) == error


def test_network_of_training_by_default_goes_to_norse_only_lossy(tmp_path):
    pytest.importorskip("nir", minversion="1.0.8")
    net = NetworkSettings().build(64, 10, seed=0)
    with pytest.raises(es.errors.NetworkError, match=r"refractory times .up to 1 ms.*--lossy"):
        write_nir(net, tmp_path / "n.nir", target="norse", dt=0.1)
    with pytest.warns(NirWarning, match="refractory times"):
        write_nir(net, tmp_path / "n.nir", target="norse", dt=0.1, lossy=True)

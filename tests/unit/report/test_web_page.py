"""The page that runs a network: what is in it, and in a real browser what it answers."""

import json
import re

import numpy as np
import pytest

import eventsim as es
from eventsim.embedded.web import ENGINE
from eventsim.errors import ParameterError
from tests.support.browser import CHROMIUM, found_in

pytestmark = pytest.mark.skipif(
    not ENGINE.is_file(), reason="no engine of pages: python eventsim/embedded/wasm.py makes it"
)

# The page in a frame of a given width: every recording at once, then one by its button, then files.
FRAME = """<!doctype html><iframe src="index.html" style="border:0;width:{width}px;height:900px">
</iframe><pre id="found"></pre><script>
document.querySelector("iframe").onload = async event => {{
  const inside = event.target.contentDocument, there = event.target.contentWindow;
  const live = there.live, root = inside.documentElement, by = id => inside.getElementById(id);
  await live.ready;
  const answers = [], counts = [], scores = [];
  for (const kept of live.data.recordings) {{
    const found = await live.answer(live.unpacked(kept));
    answers.push(found.answer);
    scores.push(found.scores);
    counts.push(live.data.populations.map(
      (_, k) => found.spikes.filter(s => s.population === k).length));
  }}
  by("speed").value = "0";
  const button = inside.querySelectorAll("#recordings button")[1];
  button.click();
  while (!by("told").textContent) await new Promise(done => setTimeout(done, 50));
  const refused = ["", "x,y\\n1,99", "1,0\\nnow,1"].map(text => {{
    try {{ live.parsed(text, 1); return ""; }} catch (error) {{ return error.message; }}
  }});
  const file = live.parsed("time,channel\\n2000,1\\n1000;3\\n", 0.001);
  document.getElementById("found").textContent = JSON.stringify({{
    answers, counts, scores, refused, file, told: by("told").textContent,
    pressed: button.getAttribute("aria-pressed"), picture: by("raster").getAttribute("aria-label"),
    dark: there.matchMedia("(prefers-color-scheme: dark)").matches,
    page: there.getComputedStyle(inside.querySelector("section")).backgroundColor,
    loaded: there.performance.getEntriesByType("resource").map(e => e.name),
    unnamed: [...inside.querySelectorAll("button, select, input")].filter(
      e => !e.textContent.trim() && !e.labels.length && !e.ariaLabel).map(e => e.id),
    width: root.clientWidth, scroll: root.scrollWidth}});
}};</script>"""


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A small network in a page, with four recordings of two classes."""
    folder = tmp_path_factory.mktemp("live")
    net = es.scsr(5, (12, 9), 2, mean=6.0, self_recurrent=True)
    net.set_answer(es.Answer(class_names=("down <b>", "up"), tail=20.0))
    rng = np.random.default_rng(1)
    parts = [(np.sort(rng.uniform(0.0, 90.0, 60)), rng.integers(0, 5, 60)) for _ in range(4)]
    stream = es.EventStream.from_samples(parts, n_channels=5, duration=100.0)
    data = es.Dataset(stream, [0, 1, 0, 1], class_names=("down <b>", "up"))
    return net, data, es.export_web(net, folder, recordings=data, title="small & quick")


def test_the_page_is_one_file_that_loads_nothing_and_escapes_names(exported):
    _, data, written = exported
    text = written.file.read_text("utf-8")
    assert len(text.encode()) == written.size
    assert written.recordings == 4
    assert written.events == data.stream.n_events
    assert not re.findall(r"(?:src|href)=|https?://|url\(|@import", text)
    assert text.count("small &amp; quick") == 2
    assert "down <b>" not in text
    kept = re.search(r'<script type="application/json" id="data">(.*)</script>', text)
    assert kept is not None
    assert json.loads(kept[1])["classes"] == ["down <b>", "up"]
    assert "Not in this page: audio, from a file or a microphone." in text


@CHROMIUM
@pytest.mark.parametrize(("width", "dark"), [(390, True), (1280, False)])
def test_in_a_browser_it_answers_as_eventsim_and_fits_the_screen(exported, width, dark):
    net, data, written = exported
    frame = written.file.with_name("frame.html")
    frame.write_text(FRAME.format(width=width))
    found = found_in(frame, f"--blink-settings=preferredColorScheme={0 if dark else 1}")
    expected = es.predict(net, data.stream, backend="cpu")
    assert found["answers"] == expected.classes.tolist()
    np.testing.assert_allclose(found["scores"], expected.scores, rtol=1e-4, atol=1e-4)
    tape = es.simulate(net, data.stream, backend="cpu", precision="single")
    spikes = [np.diff(tape[name].offsets) for name in ("hidden1", "hidden2")]
    events = np.diff(data.stream.offsets)
    np.testing.assert_array_equal(found["counts"], np.stack([events, *spikes], axis=1))
    assert spikes[0].sum() > 100
    assert f"Answer: {expected.names[1]}. It was: up." in found["told"]
    assert "eventsim evaluate answers the same." in found["told"]
    assert found["pressed"] == "true"
    assert f"{int(events[1] + spikes[0][1] + spikes[1][1])} in all" in found["picture"]
    assert found["dark"] == dark
    assert found["page"] == ("rgb(27, 34, 43)" if dark else "rgb(255, 255, 255)")
    assert found["loaded"] == found["unnamed"] == []
    assert found["scroll"] <= found["width"] <= width
    assert found["file"] == {"times": [1.0, 2.0], "channels": [3, 1], "duration": 2.0}
    assert found["refused"] == [
        "there is no event in the file",
        'line 2, "1,99": expected a channel from 0 to 4',
        'line 2, "now,1": expected time,channel, the time a number from 0 on',
    ]


def test_without_recordings_there_is_no_page(exported, tmp_path):
    net, data, _ = exported
    with pytest.raises(ParameterError, match="there are no recordings"):
        es.export_web(net, tmp_path, recordings=data.stream[:0])

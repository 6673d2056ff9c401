"""The page that runs a network: what is in it, and in a real browser what it answers."""

import base64
import io
import json
import re
import wave

import numpy as np
import pytest

import eventsim as es
from eventsim.datasets import text
from eventsim.datasets.dataset import CAMERA
from eventsim.datasets.encoders import CochleaEncoder, LiveCochlea
from eventsim.embedded.web import ENGINE
from eventsim.errors import ParameterError
from tests.support.browser import CHROMIUM, found_in, opened
from tests.support.fresh import until
from tests.support.other_browsers import FIREFOX, NARROWEST, WEBKIT, firefox, found_by, webkit

pytestmark = pytest.mark.skipif(
    not ENGINE.is_file(), reason="no engine of pages: python eventsim/embedded/wasm.py makes it"
)

# Texts of events, which the page reads in us where they say no unit; and texts that it refuses.
TEXTS = (
    "time,channel\n2000,1\n1003,3\n",
    "\ufeffChannel;Time (ms)\n3;1.5\n1;0.25\n",
    "# recorded by us\n# unit: s\n0.00025 1\n 0.0015 3\n",
    "t_us,c\r\n7,1\r\n\r\n9,2\r\n",
    "seconds\tneuron\n1e-3\t4",
)
REFUSED = {
    "": "there is no event in the file",
    "t,channel\n1,99": 'line 2, "1,99": expected a channel from 0 to 4',
    "1,0\nnow,1": 'line 2, "now,1": expected time,channel, the time a number from 0 on',
    "1,3,0\n2,1,1": 'line 1, "1,3,0": expected two columns, time,channel, not 3',
    "t,x,y\n1,3,0": 'line 1, "t,x,y": expected the names of two columns, a time and a channel',
    "1,5;3": 'line 1, "1,5;3": expected a channel from 0 to 4',
    "t_ns,channel\n1,1": 'line 1, "t_ns,channel": expected times in s, ms or us',
    "# unit: ms\nt_us,c\n1,1": 'line 2, "t_us,c": expected the unit of the remark above it',
}

# The page in a frame of a given width: every recording at once, then one by its button, then files.
FRAME = """<!doctype html><iframe src="index.html" style="border:0;width:{width}px;height:900px">
</iframe><pre id="found"></pre><script>
addEventListener("unhandledrejection", ({{ reason }}) => {{
  document.getElementById("found").textContent = JSON.stringify({{ error: reason.stack }});
}});
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
  const refused = {refused}.map(text => {{
    try {{ live.parsed(text, 1); return ""; }} catch (error) {{ return error.message; }}
  }});
  const files = {texts}.map(text => live.parsed(text, 0.001));
  const clip = Uint8Array.from(atob("{clip}"), c => c.charCodeAt(0)).buffer;
  const heard = await live.heardFile(clip), ofFile = await live.answer(heard);
  const samples = new Float32Array(new Int16Array(clip, 44)).map(x => x / 32768);
  const words = new live.Words(8000);
  let word = null;
  for (let k = 0; k < samples.length; k += 128) {{
    word = words.take(samples.subarray(k, k + 128)) || word;
  }}
  const audio = {{ ...heard, answer: ofFile.answer, word: {{
    ...word.recording, begin: word.begin, answer: word.run.found.answer, waits: word.waits.length,
    looks: word.run.looks.length, spikes: word.run.spikes.filter(s => s.population).length }} }};
  document.getElementById("found").textContent = JSON.stringify({{ audio,
    answers, counts, scores, refused, files, told: by("told").textContent,
    pressed: button.getAttribute("aria-pressed"), picture: by("raster").getAttribute("aria-label"),
    dark: there.matchMedia("(prefers-color-scheme: dark)").matches,
    page: there.getComputedStyle(inside.querySelector("section")).backgroundColor,
    loaded: there.performance.getEntriesByType("resource").map(e => e.name),
    unnamed: [...inside.querySelectorAll("button, select, input")].filter(
      e => !e.textContent.trim() && !e.labels.length && !e.ariaLabel).map(e => e.id),
    width: root.clientWidth, scroll: root.scrollWidth}});
}};</script>"""


COCHLEA = CochleaEncoder(n_channels=5, gain=4000.0, inhibition_width=3, streaming=True)


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
    audio = COCHLEA.tables(8000)
    options = {"recordings": data, "title": "small & quick", "audio": audio}
    return net, data, es.export_web(net, folder, **options)


@pytest.fixture(scope="module")
def clip():
    """A word between silences, int16 at 8 kHz."""
    rng, t = np.random.default_rng(2), np.arange(2000) / 8000
    tone = 9000 * np.sin(2 * np.pi * (300 + 4000 * t) * t) + rng.normal(0, 300, t.size)
    return np.concatenate([rng.normal(0, 3, 1500), tone, np.zeros(2100)]).astype("<i2")


def wav(samples):
    """A WAV file."""
    with io.BytesIO() as kept:
        with wave.open(kept, "wb") as file:
            file.setparams((1, 2, 8000, 0, "NONE", ""))
            file.writeframes(samples.tobytes())
        return kept.getvalue()


def check_audio(found, net, clip):
    """Events and answers of a file, and of the word in the same sound as blocks of a microphone."""
    times, channels = LiveCochlea(COCHLEA, 8000)(clip)
    assert times.size > 50
    assert (found["times"], found["channels"]) == (times.tolist(), channels.tolist())
    assert found["duration"] == clip.size / 8
    assert "Audio at 8000 Hz. The cochlea took" in found["heard"]
    word = found["word"]
    begin = int((times < word["begin"]).sum())
    np.testing.assert_allclose(word["times"], times[begin:] - word["begin"], atol=1e-9)
    assert word["channels"] == channels[begin:].tolist()
    assert 130 <= word["begin"] <= 190
    assert 490 <= word["duration"] <= 540
    assert word["waits"] > 20
    assert word["looks"] == -(-word["duration"] // 20) - 1
    for one in (found, word):
        part = one["times"], one["channels"]
        stream = es.EventStream.from_samples([part], n_channels=5, duration=one["duration"])
        assert es.predict(net, stream, backend="cpu").classes.tolist() == [one["answer"]]
    tape = es.simulate(net, stream, backend="cpu", precision="single")
    assert sum(tape[name].times.size for name in ("hidden1", "hidden2")) == word["spikes"]


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


def in_chromium(frame, *, dark):
    return found_in(frame, f"--blink-settings=preferredColorScheme={0 if dark else 1}")


def in_firefox(frame, *, dark):
    return found_by(firefox, frame, dark=dark)


def in_webkit(frame, *, dark):
    assert not dark
    return found_by(webkit, frame)


def seconds(*cases):
    """Cases that start a browser of whom another case tests the same."""
    thorough = pytest.mark.thorough("starts a browser, for seconds")
    return [pytest.param(*case, marks=[mark, thorough]) for *case, mark in cases]


@pytest.mark.parametrize(
    ("found_in", "width", "dark"),
    [
        pytest.param(in_chromium, 390, True, marks=CHROMIUM),
        pytest.param(in_chromium, 1280, False, marks=CHROMIUM),
        *seconds(
            (in_firefox, 320, True, FIREFOX),
            (in_firefox, 1280, False, FIREFOX),
            (in_webkit, 320, False, WEBKIT),
        ),
    ],
)
def test_in_a_browser_it_answers_as_eventsim_and_fits_the_screen(
    exported, clip, found_in, width, dark
):
    net, data, written = exported
    frame = written.file.with_name("frame.html")
    texts = {"refused": json.dumps([*REFUSED]), "texts": json.dumps(TEXTS)}
    frame.write_text(FRAME.format(width=width, clip=base64.b64encode(wav(clip)).decode(), **texts))
    found = found_in(frame, dark=dark)
    check_audio(found["audio"], net, clip)
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
    for content, mine in zip(TEXTS, found["files"], strict=True):
        place = written.file.with_name("some.csv")
        place.write_text(content, newline="")
        theirs = text.read(place, otherwise=CAMERA).stream()[0]
        assert mine["times"] == theirs.times.tolist()
        assert mine["channels"] == theirs.channels.tolist()
        assert mine["duration"] == theirs.duration[0]
    assert found["refused"] == [*REFUSED.values()]


ALLOWED = "--use-fake-ui-for-media-stream"
TOLD = "document.getElementById('told').textContent"
HEARD = "document.getElementById('heard').textContent"


# Texts with less contrast than 4.5 to what they stand on (WCAG 2, level AA).
PALE = """(() => {
  const rgb = text => text.match(/[\\d.]+/g).map(Number);
  const light = text => rgb(text).slice(0, 3).map(v => v / 255).map(
    v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4
  ).reduce((sum, v, k) => sum + v * [0.2126, 0.7152, 0.0722][k], 0.05);
  const ground = e => {
    const found = getComputedStyle(e || document.documentElement).backgroundColor;
    return !e || rgb(found)[3] !== 0 ? found : ground(e.parentElement);
  };
  return [...document.body.querySelectorAll("*")].filter(e => e.checkVisibility()
    && !e.disabled && [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())
  ).map(e => [getComputedStyle(e).color, ground(e), e.outerHTML.slice(0, 80)]
  ).filter(([ink, paper]) => {
    const [low, high] = [light(ink), light(paper)].sort((a, b) => a - b);
    return high / low < 4.5;
  });
})()"""


@pytest.mark.thorough("speaks to a browser in real time, for seconds")
@pytest.mark.parametrize(
    ("opened", "width"),
    [
        pytest.param(lambda page: opened(page, phone=320), 320, marks=CHROMIUM),
        pytest.param(lambda page: firefox(page, dark=True), NARROWEST, marks=FIREFOX),
    ],
    ids=("chromium", "firefox"),
)
def test_a_file_on_a_phone_in_the_dark_answers_and_can_be_read(exported, opened, width):
    net, data, written = exported
    with opened(written.file) as value:
        until(lambda: value("live.ready.then(() => 1)"))
        assert value("location.protocol") == "file:"
        assert value("matchMedia('(prefers-color-scheme: dark)').matches")
        value("document.getElementById('speed').value = '0'")
        value("document.querySelectorAll('#recordings button')[1].click()")
        told = until(lambda: value(TOLD))
        answer = es.predict(net, data.stream[1:2], backend="cpu").names[0]
        assert f"Answer: {answer}. It was: up." in told
        value("document.getElementById('microphone').click()")
        assert until(lambda: "cannot" in value(HEARD))
        assert value("innerWidth") == width
        assert value("document.documentElement.scrollWidth") <= width
        assert value("document.body.innerText.length") > 300
        assert value(PALE) == []


@CHROMIUM
@pytest.mark.thorough("speaks to a browser in real time, for seconds")
def test_a_microphone_is_heard_word_by_word(exported, clip, tmp_path):
    spoken = tmp_path / "spoken.wav"  # again and again
    spoken.write_bytes(wav(np.concatenate([clip, np.zeros(4000, "<i2")])))
    device = ("--use-fake-device-for-media-stream", f"--use-file-for-fake-audio-capture={spoken}")
    with opened(exported[2].file, ALLOWED, *device) as value:
        until(lambda: value("live.ready.then(() => 1)"))
        value("document.getElementById('microphone').click()")
        until(lambda: "Listening at 8000 Hz." in value(HEARD))
        until(lambda: "From a block of 16.0 ms" in value(TOLD))
        assert re.match("Answer: (down <b>|up).", value(TOLD))
        value("document.getElementById('microphone').click()")
        assert value(HEARD) == "The microphone is off."


DENIED = ("--use-fake-device-for-media-stream", "--deny-permission-prompts")


@pytest.mark.thorough("speaks to a browser in real time, for seconds")
@pytest.mark.crossed("browsers differ in how they say it", test=0, all=None)
@pytest.mark.parametrize(
    ("opened", "words"),
    [
        pytest.param(lambda page: opened(page, ALLOWED), "there is none", marks=CHROMIUM),
        pytest.param(lambda page: opened(page, *DENIED), "its use was not allowed", marks=CHROMIUM),
        pytest.param(firefox, "there is none", marks=FIREFOX),
        pytest.param(
            lambda page: firefox(
                page, media_navigator_streams_fake=True, permissions_default_microphone=2
            ),
            "its use was not allowed",
            marks=FIREFOX,
        ),
        pytest.param(webkit, "there is none", marks=WEBKIT),
    ],
)
def test_without_a_microphone_the_page_says_so(exported, opened, words):
    with opened(exported[2].file) as value:
        until(lambda: value("live.ready.then(() => 1)"))
        value("document.getElementById('microphone').click()")
        assert until(lambda: "cannot" in value(HEARD))
        assert value(HEARD) == f"The microphone cannot be used: {words}."


@CHROMIUM
@pytest.mark.thorough("waits for seconds for a browser")
def test_a_browser_that_does_not_start_its_sound_is_told(exported):
    device = "--use-fake-device-for-media-stream"
    with opened(exported[2].file, ALLOWED, device) as value:
        until(lambda: value("live.ready.then(() => 1)"))
        value("AudioContext.prototype.resume = () => new Promise(() => {})")
        value("document.getElementById('microphone').click()")
        assert until(lambda: "cannot" in value(HEARD))
        assert "this browser does not start its sound" in value(HEARD)


@CHROMIUM
@pytest.mark.thorough("opens a browser, for a second")
def test_a_microphone_is_opened_once_and_given_back_where_it_cannot_be_used(exported):
    with opened(exported[2].file) as value:
        until(lambda: value("live.ready.then(() => 1)"))
        value("""
            window.opened = [], window.stopped = 0, window.allow = null;
            const stream = { getTracks: () => [{ stop: () => { window.stopped += 1; } }] };
            navigator.mediaDevices.getUserMedia = () => new Promise(allow => {
              window.opened.push(window.allow = () => allow(stream));
            });
            window.AudioContext = class { constructor() { throw new Error("there is no sound"); } };
            for (let k = 0; k < 2; k += 1) document.getElementById("microphone").click();
        """)
        assert value("window.opened.length") == 1
        value("window.allow()")
        assert until(lambda: "cannot" in value(HEARD))
        assert value(HEARD) == "The microphone cannot be used: there is no sound."
        assert value("window.stopped") == 1
        value("document.getElementById('microphone').click()")
        assert value("window.opened.length") == 2


def test_without_recordings_there_is_no_page(exported, tmp_path):
    net, data, _ = exported
    with pytest.raises(ParameterError, match="there are no recordings"):
        es.export_web(net, tmp_path, recordings=data.stream[:0])


def test_a_page_without_audio_says_why_and_one_of_other_channels_is_refused(exported, tmp_path):
    net, data, with_audio = exported
    written = es.export_web(net, tmp_path, recordings=data, audio="nobody knows the cochlea")
    text = written.file.read_text("utf-8")
    assert "Not in this page: audio, since nobody knows the cochlea." in text
    assert 'id="microphone"' not in text
    assert (written.audio, written.no_audio) == (False, "nobody knows the cochlea")
    assert (with_audio.audio, with_audio.no_audio) == (True, None)
    with pytest.raises(ParameterError, match="the cochlea has 64 channels, expected 5"):
        es.export_web(
            net, tmp_path, recordings=data, audio=CochleaEncoder(streaming=True).tables(8000)
        )

"""The picture of README.md: ``python docs/readme_picture.py`` writes docs/_static/readme.png.

Left what goes in, in the middle what the network makes of it, right the voltage of one neuron: an
exact curve between its spikes, at whose crossings of the threshold there is no grid.
"""

import sys
from io import BytesIO
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

import eventsim as es

PLACE = Path(__file__).parent / "_static" / "readme.png"


def run() -> tuple[es.Network, es.EventStream, es.SpikeTape]:
    """A wave over 64 channels, and a network that fires on it."""
    rng = np.random.default_rng(3)
    times = np.sort(rng.uniform(0.0, 200.0, 700))
    centre = 32.0 + 24.0 * np.sin(times / 200.0 * 2.0 * np.pi)
    channels = np.clip(np.rint(rng.normal(centre, 5.0)), 0, 63).astype(int)
    stream = es.EventStream(times, channels, [0, 700], n_channels=64, duration=200.0)
    net = es.calibrate(es.scsr(64, (60, 40), 10, seed=1), stream, target_hz=25.0)
    return net, stream, es.simulate(net, stream)


def draw() -> Figure:
    """The three panels."""
    net, stream, tape = run()
    figure = Figure(figsize=(10.0, 3.0), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    es.plot.stream(stream, ax=left)
    es.plot.raster(tape, populations=["hidden1", "hidden2"], ax=middle)
    busiest = int(np.argmax(tape["hidden2"].counts()[0]))
    es.plot.voltages(net, tape, "hidden2", neurons=[busiest], ax=right)
    for axes, title in ((left, "events"), (middle, "spikes"), (right, "voltage of one neuron")):
        axes.set_title(title, fontsize=10)
    return figure


def main(place: Path) -> None:
    """Write the picture."""
    whole = BytesIO()
    draw().savefig(whole, dpi=120)
    with Image.open(whole) as image:  # a few colours: a third of the size
        image.convert("RGB").quantize(64).save(place, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else PLACE)

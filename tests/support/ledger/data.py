"""Small data of every kind, drawn from fixed seeds and written without the product."""

import csv
import wave
from pathlib import Path

import h5py
import numpy as np

from tests.support import aedat

WORDS = ("yes", "no", "stop")
DIGITS = "o12"


def make(folder: Path) -> None:
    """All files of the rows, below ``folder``."""
    for number, kind in enumerate((classes, clock, values, ear, camera, sounds, strings, live)):
        kind(folder, np.random.default_rng(number))
    (folder / "mine.toml").write_text(CHIP)


def recording(rng, word, *, channels=12, duration=120.0):
    """Times in ms and channels: a word has its own third of the channels, rising or falling."""
    n = int(rng.integers(40, 60))
    times = np.sort(rng.uniform(2.0, duration - 2.0, n))
    third = channels // len(WORDS)
    own = word * third + (times / duration * third).astype(int)
    return times, np.where(rng.uniform(size=n) < 0.8, own, rng.integers(0, channels, n))


def table(path, rows):
    with path.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


def events(path, times, channels, header="time_ms,channel"):
    np.savetxt(path, np.c_[times, channels], "%.4f,%d", header=header, comments="")


def classes(folder, rng):
    """36 recordings of three words by six speakers, one of whom is no more than a name."""
    place = folder / "words"
    place.mkdir()
    rows = [("file", "label", "speaker")]
    for k in range(36):
        events(place / f"{k}.csv", *recording(rng, k % 3))
        rows.append((f"{k}.csv", WORDS[k % 3], f"speaker{k // 3 % 6}"))
    table(place / "labels.csv", rows)
    (place / "damaged.csv").write_text("time_ms,channel\n1.5,?\n")
    table(place / "damaged-labels.csv", rows[:9] + [("damaged.csv", "no", "speaker1")])


def clock(folder, rng):
    """Recordings of one session: the times are a clock's, in seconds, and the unit is unsaid."""
    place = folder / "session"
    place.mkdir()
    for k in range(6):
        times, channels = recording(rng, k % 3)
        events(place / f"{k}.csv", 37250.0 + 500.0 * k + times, channels, "time,channel")
    table(
        place / "labels.csv", [("file", "label"), *((f"{k}.csv", WORDS[k % 3]) for k in range(6))]
    )


def values(folder, rng):
    """A signal as events up and down, and its values every 20 ms; and one value at the end."""
    place = folder / "signals"
    place.mkdir()
    rows, ends = [("file", "split", "time_ms", "signal")], [("file", "group", "level", "slope")]
    time = np.arange(0.0, 300.0)
    for k in range(24):
        signal = rng.normal() * np.sin(time / rng.uniform(15, 40) + rng.uniform(0, 6.28))
        level = np.floor(signal / 0.15)
        steps = np.diff(level)
        at = np.flatnonzero(steps)
        events(place / f"{k}.csv", time[at] + 0.25, (steps[at] < 0).astype(int))
        part = "train" if k < 18 else "test"
        asked = range(40, 300, 20)
        rows += [(f"{k}.csv", part, t, f"{signal[t]:.5f}") for t in asked]
        ends.append(
            (f"{k}.csv", f"g{k % 4}", f"{signal[-1]:.5f}", f"{signal[-1] - signal[-9]:.5f}")
        )
    table(place / "targets.csv", rows)
    table(place / "ends.csv", ends)


def ear(folder, rng):
    """A cochlea of two ears with 64 channels, as jAER writes it."""
    times = np.sort(rng.integers(0, 400_000, 900))
    address = rng.integers(0, 256, 900)  # ear, channel, polarity
    pairs = zip(address.tolist(), (times + 5_000_000).tolist(), strict=True)
    data = aedat.jaer(pairs, header=aedat.HEADER_2 + aedat.END_2)
    (folder / "ear.aedat").write_bytes(data)


def camera(folder, rng):
    """Discs that move right or left before a camera of 12 x 10 pixels: arrays of x, y, p and t."""
    for name, sign in (("right", 1), ("left", -1)):
        (folder / "camera" / name).mkdir(parents=True)
        for k in range(8):
            t = np.sort(rng.integers(0, 150_000, 300))
            angle = rng.uniform(0, 2 * np.pi, t.size)
            centre = 6 + sign * (t / 150_000 - 0.5) * 6
            x, y = (centre + 2 * np.cos(angle)).astype(int), (5 + 2 * np.sin(angle)).astype(int)
            p = (sign * np.cos(angle) > 0).astype(int)
            np.savez(folder / "camera" / name / f"{k}.npz", t=t, x=x, y=y, p=p)
    table(folder / "camera.csv", [("t_us", "x", "y", "p"), *np.c_[t, x, y, p].tolist()])


def sounds(folder, rng):
    """Tones of two pitches, 8 kHz, a folder for each."""
    for name, pitch in (("low", 400.0), ("high", 1600.0)):
        (folder / "tones" / name).mkdir(parents=True)
        for k in range(5):
            at = np.arange(2000) / 8000.0
            swell = np.sin(np.pi * at / 0.25)
            tone = swell * np.sin(2 * np.pi * pitch * rng.uniform(0.9, 1.1) * at)
            noise = 0.02 * rng.normal(size=at.size)
            with wave.open(str(folder / "tones" / name / f"{k}.wav"), "wb") as file:
                file.setparams((1, 2, 8000, 0, "NONE", ""))
                file.writeframes(np.int16(9000 * (tone + noise)).tobytes())


def strings(folder, rng):
    """Strings of one to three words in the layout of N-TIDIGITS18."""
    with h5py.File(folder / "digits.hdf5", "w") as file:
        for half, speakers in (("train", ("aa", "bb", "cc")), ("test", ("dd", "ee"))):
            said = [f"man-{s}-{t}-{d}" for s in speakers for t in "ab" for d in spoken(rng)]
            file[f"{half}_labels"] = np.array(said, "S")
            for key in said:
                words = key.rpartition("-")[2]
                parts = [recording(rng, DIGITS.index(w), channels=60) for w in words]
                times = np.concatenate([130.0 * k + t for k, (t, _) in enumerate(parts)])
                file[f"{half}_timestamps/{key}"] = times / 1000.0
                file[f"{half}_addresses/{key}"] = np.concatenate([c for _, c in parts])


def spoken(rng):
    """The three words alone, and two different strings of them."""
    return [*DIGITS, "o1", "".join(DIGITS[k] for k in rng.permutation(3))]


def live(folder, rng):
    """Four words as a sensor sends them: pauses of 200 ms, an event that is late, another twice."""
    rows = []
    for k in range(4):
        times, channels = recording(rng, k % 3)
        rows += zip((320.0 * k + times).round(4).tolist(), channels.tolist(), strict=True)
    rows[7], rows[8] = rows[8], rows[7]
    table(folder / "live.csv", [*rows[:60], rows[59], *rows[60:]])


CHIP = """
format = "eventsim-chip"
version = 1
name = "mine"
title = "My chip"
kind = "chip"
source = "made up"
step_ms = 1.0
[limits]
cores = 16
mesh = [4, 4]
cores_per_tile = 1
neurons_per_core = 8
[formats]
weight_bits = 6
[energy.synaptic_event]
value = 12.5
unit = "pJ"
status = "measured"
source = "made up"
[energy.hop_ew]
value = 2.0
unit = "pJ"
status = "simulated"
source = "made up"
"""

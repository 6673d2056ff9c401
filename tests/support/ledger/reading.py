"""Reads the numbers of what a command printed or wrote, under keys that stay the same.

A *line* of text is its words, with ``#`` for each number, and these numbers as they were printed.
A *value* of JSON or of an array stands under its path. What no two runs share is left out by name:
``leave_out`` in ``rows.toml``.
"""

import csv
import hashlib
import io
import json
import re
import zipfile
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

import h5py
import numpy as np

NUMBER = re.compile(
    r"(?<![\w.])[-+−]?(?:\d{1,3}(?:,\d{3})+(?![\d,])|\d+)(?:\.\d+)?(?:e[-+]?\d+)?(?![\d])", re.I
)
MANY = 24  # numbers of a list that are kept one by one
LONG = 400  # lines of a text that are
NAMES = ("name", "chip", "condition", "population", "projection")  # keys that name a table's row


@dataclass
class Numbers:
    """The lines and values of one row, by source."""

    lines: dict[str, list[list]] = field(default_factory=dict)
    values: dict[str, dict[str, str]] = field(default_factory=dict)


class Reader:
    """Fills :class:`Numbers`, with what ``leave_out`` names left out."""

    def __init__(self, leave_out, folder):
        self.keys = re.compile("|".join(leave_out["keys"]))
        self.unread = re.compile("|".join(leave_out["lines"]))
        self.words = re.compile(
            "|".join([rf"{re.escape(str(folder))}[\w./~-]*", *leave_out["words"]])
        )
        self.found = Numbers()

    def text(self, source, text):
        lines = []
        for line in text.splitlines():
            line = " ".join(re.sub(r"[│┃─━┏┓┡┩└┘┌┐├┤┼╇╭╮╰╯|]+", " ", line).split())
            if not self.unread.search(line):
                line = self.words.sub("~", line)
                numbers = [n.replace(",", "") for n in NUMBER.findall(line)]
                if numbers:
                    lines.append([NUMBER.sub("#", line), numbers])
        if len(lines) > LONG:
            self.values(source, {"lines": [n for _, numbers in lines for n in numbers]})
        elif lines:
            self.found.lines[source] = lines

    def values(self, source, content):
        self.found.values.setdefault(source, {}).update(self._flat(content, ""))

    def _flat(self, content, path):
        if isinstance(content, dict):
            for key, value in content.items():
                if not self.keys.fullmatch(str(key)):
                    yield from self._flat(value, f"{path}.{key}")
        elif isinstance(content, np.ndarray) or is_long(content):
            yield from ((f"{path}.{key}", value) for key, value in summary(content).items())
        elif isinstance(content, list):
            tables = [one if isinstance(one, dict) else {} for one in content]
            names = [next((str(one[k]) for k in NAMES if k in one), "") for one in tables]
            unique = all(names) and len(set(names)) == len(names)
            for k, value in enumerate(content):
                yield from self._flat(value, f"{path}[{names[k] if unique else k}]")
        elif isinstance(content, str):
            yield from self._words(content, path)
        else:
            yield path, json.dumps(content)

    def _words(self, content, path):
        """A word is a value, such as the answer; of a sentence the numbers are."""
        word = self.words.sub("~", content)
        if (inner := parsed(content)) is not None:
            yield from self._flat(inner, path)
        elif re.fullmatch(r"[^\s/]{0,40}", word):
            yield path, word
        elif found := NUMBER.findall(word):
            yield path, " ".join(found)

    def output(self, source, text):
        """What a command printed: one JSON object, one on every line, or text."""
        for read in (json.loads, lambda t: [json.loads(line) for line in t.splitlines()]):
            try:
                content = read(text)
            except ValueError:
                continue
            if isinstance(content, list):
                content = {str(k): one for k, one in enumerate(content)}
            if isinstance(content, dict) and content:
                return self.values(source, content)
        return self.text(source, text)

    def file(self, name, path: Path):
        kind = path.suffix
        if kind == ".csv":
            rows = csv.DictReader(io.StringIO(path.read_text()))
            self.values(name, {str(k): row for k, row in enumerate(rows)})
        elif kind in (".json", ".jsonl", ".txt", ".md", ".toml"):
            self.output(name, path.read_text())
        elif kind == ".html":
            page = Page()
            page.feed(path.read_text())
            self.text(name, "".join(page.parts))
            self.values(name, {"pictures": page.pictures})
        elif kind == ".npz" and zipfile.is_zipfile(path):
            with np.load(path, allow_pickle=False) as arrays:
                self.values(name, {key: plain(arrays[key]) for key in arrays.files})
        elif kind in (".h5", ".nir", ".hdf5"):
            with h5py.File(path) as file:
                self.values(name, dict(datasets(file)))
        elif kind in (".c", ".h"):
            self.values(name, {"numbers": NUMBER.findall(path.read_text()) or [0]})


def plain(array):
    """A single entry, or notes of JSON, as itself; all else as an array."""
    array = np.asarray(array)
    if array.dtype == np.uint8 and array.tobytes()[:1] == b"{":
        return array.tobytes().decode()
    one = array.reshape(-1)[0] if array.size == 1 else array
    one = one.decode() if isinstance(one, bytes) else one
    return one.item() if isinstance(one, np.generic) else one


def datasets(file):
    """Every data set and attribute of an HDF5 file, by its path."""
    found = [(f"@{key}", plain(value)) for key, value in file.attrs.items()]

    def visit(name, item):
        found.extend((f"{name}@{key}", plain(value)) for key, value in item.attrs.items())
        if isinstance(item, h5py.Dataset):
            found.append((name, plain(item[()])))

    file.visititems(visit)
    return found


def parsed(content):
    """The object or list that a string is, if it is."""
    try:
        return json.loads(content) if content[:1] in ("{", "[") else None
    except ValueError:
        return None


def is_long(content):
    """Whether it is a list of many numbers or words, not of tables."""
    many = isinstance(content, list) and len(content) > MANY
    return many and not any(isinstance(one, dict) for one in content)


def summary(content):
    """Shape, hash and a few numbers of an array or of a long list."""
    try:
        array = np.asarray(content)
    except ValueError:  # rows of several lengths
        array = np.array([json.dumps(one) for one in content])
    if array.dtype.kind not in "biuf":
        return {
            "n": str(array.size),
            "hash": digest(json.dumps(array.tolist(), default=str).encode()),
        }
    shown = {"shape": f"{array.dtype}{list(array.shape)}", "hash": digest(array.tobytes())}
    if array.size:
        real = array.astype(np.float64)
        shown |= {name: repr(float(getattr(real, name)())) for name in ("sum", "min", "max")}
    return shown


def digest(raw):
    return hashlib.sha256(raw).hexdigest()[:12]


class Page(HTMLParser):
    """The text of a page, a line for every block or row; pictures are counted."""

    BREAKS = re.compile("p|div|tr|li|h1|h2|h3|h4|figure|figcaption|section|table|details|dt|pre")
    UNREAD = re.compile("script|style|svg|title")

    def __init__(self):
        super().__init__()
        self.parts, self.pictures, self.depth, self.verbatim = [], 0, 0, False

    def handle_starttag(self, tag, attrs):
        self.pictures += tag in ("svg", "img")
        self.depth += bool(self.UNREAD.fullmatch(tag))
        self.verbatim = tag == "pre"
        self.parts.append("\n" if self.BREAKS.fullmatch(tag) else " ")

    def handle_endtag(self, tag):
        self.depth -= bool(self.UNREAD.fullmatch(tag))

    def handle_data(self, data):
        if not self.depth:
            self.parts.append(data if self.verbatim else data.replace("\n", " "))

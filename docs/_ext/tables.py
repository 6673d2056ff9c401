"""Tables of the reference, made from the program before the pages are read.

Settings from the fields of their classes and what the docstrings say of them, chips, recipes and
tasks from their files, versions of file formats from the constants that the readers compare with.
The pages include the tables; nothing is written twice.
"""

import importlib
import inspect
import math
import re
import textwrap
import tomllib
from collections.abc import Iterator
from dataclasses import MISSING, fields, is_dataclass
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from commands import escaped, keep
from sphinx.application import Sphinx

FOLDER = "reference/generated"
# File, format, version, what is written, who writes it, where the layout is described.
FORMATS: tuple[tuple[str, str, str, str, str], ...] = (
    ("stream, `.npz`", "eventsim-stream", "eventsim.events.stream:STREAM_VERSION",
     "{meth}`EventStream.save <eventsim.EventStream.save>`", "eventsim.events.stream"),
    ("streams and data sets, `.h5`", "eventsim-events", "eventsim.events.stored:STORED_VERSION",
     "{func}`eventsim.events.write_stored`, {meth}`Dataset.save <eventsim.events.Dataset.save>`, "
     "`eventsim data import`", "eventsim.events.stored"),
    ("spike tape, `.npz`", "eventsim-tape", "eventsim.events.tape:TAPE_VERSION",
     "{meth}`SpikeTape.save <eventsim.SpikeTape.save>`", "eventsim.events.tape"),
    ("network, `.npz`", "eventsim-network", "eventsim.network.forms:NETWORK_VERSION",
     "{meth}`Network.save <eventsim.Network.save>`",
     "{meth}`Network.to_arrays <eventsim.Network.to_arrays>`"),
    ("checkpoint, `.npz`", "eventsim-checkpoint", "eventsim.train.checkpoint:CHECKPOINT_VERSION",
     "{func}`eventsim.train.train`", "eventsim.train.checkpoint"),
    ("settings of a run, `run.json`", "eventsim-run", "eventsim.train.folder:VERSION",
     "{func}`eventsim.train.train`, `eventsim train`", "eventsim.train.folder"),
    ("recipe, `.toml`", "eventsim-recipe", "eventsim.experiment.reading:VERSION", "you",
     "eventsim.experiment.recipe"),
    ("task, `.toml`", "eventsim-task", "eventsim.experiment.reading:VERSION", "you",
     "eventsim.experiment.recipe"),
    ("chip, `.toml`", "eventsim-chip", "eventsim.chips.load:VERSION", "you", "eventsim.chips.load"),
    ("conformance case, `.json`", "eventsim-conformance-case", "eventsim.conformance.case:VERSION",
     "you", "eventsim.conformance.case"),
    ("mapping, `.json`", "eventsim-mapping", "eventsim.mapping.mapping:VERSION",
     "{meth}`Mapping.save <eventsim.mapping.Mapping.save>`",
     "{meth}`Mapping.to_dict <eventsim.mapping.Mapping.to_dict>`"),
    ("measured sweep, `frontier.json`", "eventsim-frontier", "eventsim.frontier.write:VERSION",
     "{func}`eventsim.frontier.write_frontier`, `eventsim frontier`", "eventsim.frontier.write"),
    ("NIR graph, `.nir`", "`eventsim_format` in the metadata",
     "eventsim.network.nir.package:FORMAT", "{func}`eventsim.network.nir.write_nir`",
     "eventsim.network.nir"),
)  # fmt: skip


_ENTRY = re.compile(r"^(\w+(?:, \w+)*)\n((?:    .*\n|\n)+)", re.MULTILINE)
_ROLE = re.compile(r":\w+:`~?(?:[\w.]*\.)?([\w()]+)`")


def settings(kind: type) -> str:
    """Table of the fields of a class of settings: key, values and default, meaning."""
    from eventsim.entries import hints_of

    hints, texts = hints_of(kind), attribute_texts(kind)
    rows = [
        (
            f"`{field.name}`",
            f"{values(hints[field.name])}<br>default: {default(field)}",
            _meaning(kind, field.name),
        )
        for field in fields(kind)
        if field.name not in ("kind", "place")  # what chose the table, and where it stands
    ]
    if not any(texts.values()):
        return table(("key", "values"), [row[:2] for row in rows])
    return table(("key", "values", "meaning"), rows)


def _meaning(kind: type, name: str) -> str:
    """What the docstring says of a field, or that of the class to which it points."""
    text = attribute_texts(kind).get(name, "")
    other = re.fullmatch(r"As in (\w+)\.", text)
    home = importlib.import_module(kind.__module__)
    return _meaning(getattr(home, other[1]), name) if other else escaped(text)


def attribute_texts(kind: type) -> dict[str, str]:
    """What the docstring of a class says of every field, in one line each."""
    doc = inspect.cleandoc(kind.__doc__ or "") + "\n"
    section = doc.partition("Attributes\n----------\n")[2]
    section = re.split(r"\n\w+\n-{3,}\n", section)[0]
    found: dict[str, str] = {}
    for names, text in _ENTRY.findall(section):
        plain = _ROLE.sub(r"\1", " ".join(textwrap.dedent(text).split()))
        found |= dict.fromkeys(names.split(", "), plain.replace("``", ""))
    return found


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A table in Markdown."""
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def values(hint: Any) -> str:
    """What a setting may be, in words."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Annotated:
        bare, *marks = inner
        told = next((mark for mark in marks if isinstance(mark, str)), None)
        return escaped(told) if told else values(bare) + "".join(map(bounds, marks))
    if origin is Literal:
        return ", ".join(f"`{one}`" for one in inner)
    if origin is tuple:
        parts = inner[:1] if inner[-1] is ... else inner
        inside = "; ".join(dict.fromkeys(values(part) for part in parts))
        return f"list of {inside}" if inner[-1] is ... else f"{len(parts)} of {inside}"
    if origin in (Union, type(int | str)):
        return " or ".join(
            f"[{_kind(one)}](#settings-{one.__name__.lower()})"
            if is_dataclass(one)
            else values(one)
            for one in inner
        ).replace("NoneType", "none")
    if is_dataclass(hint):
        return f"[table](#settings-{hint.__name__.lower()})"
    if origin is not None:
        return "table"
    words = {bool: "true, false", str: "text", int: "whole number", float: "number"}
    return words.get(hint, "none" if hint is type(None) else getattr(hint, "__name__", str(hint)))


def _kind(loss: Any) -> str:
    """The name under which one of several tables is chosen."""
    return f"`{getattr(loss, 'kind', loss.__name__)}`"


def bounds(mark: Any, before: str = ", ") -> str:
    """Limits of a number, each behind ``before``."""
    signs = (("gt", ">"), ("ge", "≥"), ("lt", "<"), ("le", "≤"))
    found = [(sign, getattr(mark, name, None)) for name, sign in signs]
    return "".join(
        f"{before}{escaped(sign)} {limit:g}"
        for sign, limit in found
        if limit is not None and math.isfinite(limit)
    )


def default(field: Any) -> str:
    """The default of a field, as one writes it in TOML."""
    if field.default is not MISSING:
        value = field.default
    elif field.default_factory is not MISSING:
        value = field.default_factory()
    else:
        return "must be given"
    if is_dataclass(value):
        return _kind(type(value)) if hasattr(value, "kind") else "its own"
    if value is None:
        return "none"
    if value in ((), {}, ""):
        return "empty"
    if isinstance(value, tuple):
        return ", ".join(f"`{one}`" for one in value)
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def settings_sections() -> Iterator[tuple[str, str]]:
    """Name and table of every class of settings that a page shows."""
    from eventsim import chips, experiment, train

    kinds: tuple[type, ...] = (
        train.TrainConfig, train.LearningRates, train.Augmentation, train.SpiKL,
        train.ActivityCost, train.SparseTraining, train.QuantisedTraining,
        train.AdamSettings, train.IntegralLoss, train.MaximumLoss, train.LastLoss,
        train.FirstSpikeLoss, train.SpikeCountLoss, train.SpikeTrainLoss, train.WordsLoss,
        train.ValuesLoss,
        experiment.NetworkSettings, experiment.DataSettings, experiment.Condition,
        chips.Limits, chips.Formats, chips.Quantity,
    )  # fmt: skip
    for kind in kinds:
        yield f"settings_{kind.__name__.lower()}", settings(kind)


def chip_figures() -> str:
    """Every chip and technology: limits, formats and figures, with status and source."""
    from eventsim.chips import chip_names, load_chip

    return "\n\n".join(_chip(load_chip(name)) for name in chip_names()) + "\n"


def _limit(value: Any) -> str:
    """A limit or format: a number, several of them, or words."""
    if isinstance(value, tuple):
        return " × ".join(map(str, value))
    return escaped(value) if isinstance(value, str) else f"{value:,}"


def _chip(chip: Any) -> str:
    step = "no time step" if chip.step_ms is None else f"time step {chip.step_ms:g} ms"
    lines = [f"(chip-{chip.name})=", f"## `{chip.name}`: {chip.title}",
             f"{chip.kind.capitalize()}, {step}. {escaped(_flat(chip.source))}"]  # fmt: skip
    for title, given in (("Limits", chip.limits), ("Formats", chip.formats)):
        if given is None:
            continue
        known = {f.name: getattr(given, f.name) for f in fields(given) if f.name != "source"}
        cells = [(f"`{key}`", _limit(one)) for key, one in known.items() if one is not None]
        if cells:
            lines += [f"**{title}.** {escaped(_flat(given.source))}", table(("", ""), cells)]
    for title, terms in (("Energies and powers", chip.energy), ("Latencies", chip.latency)):
        rows = [
            (f"`{name}`", f"{one.value:,g} {one.unit}", one.status, escaped(_flat(one.source))
             + (f" Includes {', '.join(f'`{more}`' for more in one.includes)}."
                if one.includes else ""))
            for name, one in terms.items()
        ]  # fmt: skip
        if rows:
            lines += [f"**{title}**", table(("figure", "value", "status", "source"), rows)]
    return "\n\n".join(lines)


def _flat(text: str) -> str:
    return " ".join(text.split())


def toml_files(folder: str) -> str:
    """Recipes or tasks: title, what it is about, and the file."""
    found = []
    for file in sorted(files("eventsim.experiment").joinpath(folder).iterdir(), key=str):
        if not file.name.endswith(".toml"):
            continue
        text = file.read_text(encoding="utf-8")
        values_of = tomllib.loads(text)
        about = escaped(_flat(values_of.get("about", "")))
        found.append(
            f"## `{values_of['name']}`\n\n**{escaped(values_of['title'])}.** {about}\n\n"
            f":::{{dropdown}} The file\n```toml\n{text.rstrip()}\n```\n:::\n"
        )
    return "\n".join(found)


def formats() -> str:
    """File formats with their versions."""
    rows = []
    for what, name, version, writer, home in FORMATS:
        module, constant = version.split(":")
        number = getattr(importlib.import_module(module), constant)
        name = name if name.startswith("`") else f"`{name}`"
        layout = home if home.startswith("{") else f"{{mod}}`{home}`"
        rows.append((what, name, str(number), writer, layout))
    return table(("file", "kind or format", "version", "written by", "layout"), rows)


def support_matrix() -> str:
    """A table an axis: capabilities, and what each does with each feature."""
    from eventsim.matrix import matrix

    marks, found = {"runs": "", "refuses": "refuses", "bound": "bound"}, matrix()
    text = ""
    for axis, features in found.axes.items():
        rows = []
        for row in found.capabilities.values():
            rules = [row.rule(found.with_implied({name: name})) for name in features]
            if axis in row.axes:
                cells = (marks["runs" if rule is None else rule.says] for rule in rules)
                rows.append((row.title, *cells))
        if rows:
            text += f"\n## {axis.capitalize()}\n\n" + table(("", *features.values()), rows)
    return text + "\n## Rules\n\n" + table(("capability", "with", "says", "why"), _rules())


def _rules() -> list[tuple[str, ...]]:
    from eventsim.matrix import matrix

    found = matrix()
    return [
        (
            row.title,
            " and ".join(found.titles[name] for name in rule.has)
            + "".join(f", not {found.titles[name]}" for name in rule.unless),
            rule.says,
            escaped(rule.why.format_map(found.titles)),
        )
        for row in found.capabilities.values()
        for rule in row.rules
    ]


def measures() -> str:
    """The glossary of measures."""
    from eventsim.measures import measures as glossary

    rows = [
        (f"**{one.name}**", one.unit or "-", escaped(one.counts), escaped(one.leaves_out) or "-",
         escaped(one.neurobench) or "-", ", ".join(f"`{key}`" for key in one.keys))
        for one in glossary().values()
    ]  # fmt: skip
    columns = ("measure", "unit", "what is counted", "not in it", "NeuroBench", "in files")
    return table(columns, rows)


def write(app: Sphinx) -> None:
    """Write every table; those that are right already are left."""
    texts = dict(settings_sections())
    texts["matrix"] = support_matrix()
    texts |= {"chips": chip_figures(), "formats": formats(), "measures": measures()}
    texts |= {name: toml_files(name) for name in ("recipes", "tasks")}
    folder = Path(app.srcdir) / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        keep(folder / f"{name}.txt", text)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the step."""
    app.connect("builder-inited", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

"""The HTML page of a report: one file, nothing loaded from elsewhere."""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from eventsim.report.record import RunRecord


@dataclass(frozen=True)
class Picture:
    """A picture of the page.

    Attributes
    ----------
    file
        Name of its PNG file.
    title, text
        Heading, and the sentence that tells how to read it.
    content
        Of the PNG file.
    width
        Width of the picture on the page, in percent.
    """

    file: str
    title: str
    text: str
    content: bytes
    width: int = 100


def render(record: RunRecord, pictures: Sequence[Picture]) -> str:
    """The whole page."""
    style = Path(__file__).with_name("page.css").read_text(encoding="utf-8")
    parts = [
        _headline(record),
        _tiles(record),
        *(_section(picture) for picture in pictures),
        _epochs(record),
        _settings(record),
    ]
    about = f"<p>{escape(record.about)}</p>" if record.about else ""
    version = f"eventsim {escape(record.version)}" if record.version else "eventsim"
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(record.title)}: eventsim report</title>
<style>
{style}</style>
</head>
<body>
<main>
<header><h1>{escape(record.title)}</h1>{about}</header>
{"".join(parts)}
<footer>Written by {version}. All numbers on held-out data unless stated otherwise.</footer>
</main>
</body>
</html>
"""


def percent(share: float) -> str:
    """A share in [0, 1] as people read it."""
    return f"{100.0 * share:.1f} %"


def duration(seconds: float) -> str:
    """A duration as people read it."""
    if seconds < 300.0:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60.0)
    return f"{minutes} min" if minutes < 120 else f"{seconds / 3600.0:.1f} h"


def _headline(record: RunRecord) -> str:
    last = record.last
    items = [
        _item(
            percent(last.evaluation.accuracy),
            f"held-out accuracy, last epoch ({last.epoch}), {last.evaluation.n_samples} recordings",
        )
    ]
    if record.selected is not None:
        text = f"held-out accuracy of the epoch that validation chose ({record.selected.epoch})"
        items.append(_item(percent(record.selected.evaluation.accuracy), text))
    if record.guess is not None:
        text = "a guess: always the commonest training class"
        items.append(_item(percent(record.guess), text, kind="guess"))
    return f'<div class="headline">{"".join(items)}</div>'


def _tiles(record: RunRecord) -> str:
    tiles = {
        "loss on held-out data": f"{record.last.evaluation.loss:.4f}",
        "spikes per neuron and second": f"{record.mean_rate:.1f}",
        "synaptic events per recording": f"{record.synaptic_events:,.0f}",
        "trained parameters": f"{record.n_parameters:,}",
        "of the network: weights": f"{record.n_weights:,}",
        "training time": duration(record.seconds),
        "epochs": f"{len(record.history)}",
        "seed": f"{record.config.seed}",
    }
    return f'<div class="tiles">{"".join(_item(v, k) for k, v in tiles.items())}</div>'


def _item(value: str, label: str, *, kind: str = "") -> str:
    opening = f'<div class="{kind}">' if kind else "<div>"
    return (
        f'{opening}<div class="value">{escape(value)}</div>'
        f'<div class="label">{escape(label)}</div></div>'
    )


def _section(picture: Picture) -> str:
    data = base64.b64encode(picture.content).decode("ascii")
    return f"""
<section>
<h2>{escape(picture.title)}</h2>
<p>{escape(picture.text)}</p>
<figure><img src="data:image/png;base64,{data}" style="width:{picture.width}%"
 alt="{escape(picture.title)}. {escape(picture.text)}"></figure>
</section>"""


def _epochs(record: RunRecord) -> str:
    columns: Mapping[str, str] = {
        "epoch": "epoch",
        "loss": "loss",
        "accuracy": "accuracy",
        "validation_loss": "validation loss",
        "validation_accuracy": "validation accuracy",
        "gradient_norm": "gradient norm",
        "clipped_steps": "clipped steps",
        "grazes": "grazing spikes",
        "synaptic_events_per_sample": "synaptic events per sample",
        "seconds": "seconds",
    }
    used = [key for key in columns if key in record.history[0]]
    head = "".join(f'<th class="number">{escape(columns[key])}</th>' for key in used)
    rows = "".join(
        "<tr>" + "".join(f'<td class="number">{_cell(line[key])}</td>' for key in used) + "</tr>"
        for line in record.history
    )
    return (
        '\n<details><summary>Every epoch</summary><div class="scroll"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div></details>"
    )


def _cell(value: float) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.0f}" if abs(value) >= 1000.0 else f"{value:.4g}"


def _settings(record: RunRecord) -> str:
    populations = "".join(
        f'<tr><td>{escape(p.name)}</td><td>{p.kind}</td><td class="number">{p.size}</td></tr>'
        for p in record.net_after.populations.values()
    )
    projections = "".join(
        f"<tr><td>{escape(name)}</td><td>{p.kind}</td>"
        f'<td class="number">{p.values.size:,}</td></tr>'
        for name, p in record.net_after.projections.items()
    )
    command = f"<pre>{escape(record.command)}</pre>" if record.command else ""
    config = escape(json.dumps(record.config.to_dict(), indent=2))
    return f"""
<details open><summary>Command, version, settings</summary>
{command}
<p>eventsim {escape(record.version)}, seed {record.config.seed}</p>
<div class="scroll"><table><thead><tr><th>network</th><th>kind</th>
<th class="number">neurons or weights</th></tr></thead>
<tbody>{populations}{projections}</tbody></table></div>
<pre>{config}</pre>
</details>"""

"""The HTML page of a training run: one file, nothing loaded from elsewhere."""

import json
from collections.abc import Sequence

from eventsim.report import html
from eventsim.report.html import Picture
from eventsim.report.numbers import duration, general, percent
from eventsim.report.record import RunRecord
from eventsim.report.tables import Table

_EPOCH_COLUMNS = {
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


def render(record: RunRecord, pictures: Sequence[Picture]) -> str:
    """The whole page."""
    written = f"eventsim {record.version}" if record.version else "eventsim"
    return html.document(
        record.title,
        "".join(
            [
                html.header(record.title, record.about),
                headline(record),
                _tiles(record),
                *(_section(picture) for picture in pictures),
                epochs(record),
                settings(record),
            ]
        ),
        footer=f"Written by {written}. All numbers on held-out data unless stated otherwise.",
    )


def headline(record: RunRecord) -> str:
    """Accuracies, the first thing that anyone asks for."""
    last = record.last
    items = [
        html.item(
            percent(last.evaluation.accuracy),
            f"{record.part} accuracy, last epoch ({last.epoch}), "
            f"{last.evaluation.n_samples} recordings",
        )
    ]
    if record.selected is not None:
        text = (
            f"{record.part} accuracy of the epoch that validation chose ({record.selected.epoch})"
        )
        items.append(html.item(percent(record.selected.evaluation.accuracy), text))
    if record.guess is not None:
        text = "a guess: always the commonest training class"
        items.append(html.item(percent(record.guess), text, kind="guess"))
    return f'<div class="headline">{"".join(items)}</div>'


def _tiles(record: RunRecord) -> str:
    return html.tiles(
        {
            "loss on held-out data": f"{record.last.evaluation.loss:.4f}",
            "spikes per neuron and second": f"{record.mean_rate:.1f}",
            "synaptic events per recording": f"{record.synaptic_events:,.0f}",
            "trained parameters": f"{record.n_parameters:,}",
            "of the network: weights": f"{record.n_weights:,}",
            "training time": duration(record.seconds),
            "epochs": f"{len(record.history)}",
            "seed": f"{record.config.seed}",
        }
    )


def _section(picture: Picture) -> str:
    name = picture.file.partition(".")[0]
    text = html.paragraph(picture.text)
    return html.section(
        name, picture.title, text, f'<figure class="whole">{html.image(picture)}</figure>'
    )


def epochs(record: RunRecord) -> str:
    """Metrics of every epoch, behind a click."""
    used = [key for key in _EPOCH_COLUMNS if key in record.history[0]]
    rows = [[general(line[key]) for key in used] for line in record.history]
    columns = [_EPOCH_COLUMNS[key] for key in used]
    return html.details("Every epoch", html.table(Table("", columns, rows, numbers=0)))


def settings(record: RunRecord, *, opened: bool = True) -> str:
    """Command, version, network and settings of the training."""
    net = record.net_after
    rows: list[list[str]] = [[p.name, p.kind, f"{p.size:,}"] for p in net.populations.values()]
    rows += [[name, p.kind, f"{p.values.size:,}"] for name, p in net.projections.items()]
    return html.details(
        "Command, version, settings",
        html.code(record.command),
        html.paragraph(f"eventsim {record.version}, seed {record.config.seed}"),
        html.table(Table("", ["network", "kind", "neurons or weights"], rows, numbers=2)),
        html.code(json.dumps(record.config.to_dict(), indent=2)),
        opened=opened,
    )

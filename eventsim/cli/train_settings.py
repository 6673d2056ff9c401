"""Settings of a training as they are typed: options, ``--set`` and a file of ``--config``."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eventsim.cli.options import with_precision
from eventsim.entries import parse_word, read_json, read_toml, shown
from eventsim.errors import ParameterError
from eventsim.train import TrainConfig
from eventsim.train.folder import FORMAT


@dataclass(frozen=True, kw_only=True)
class TypedTraining:
    """What was typed of data, network and training; absent keys were not given."""

    data: str | None
    file: Path | None
    test_data: Path | None
    chosen: Mapping[str, Any]
    network: Mapping[str, Any]
    training: Mapping[str, Any]
    tables: Mapping[str, Mapping[str, Any]]
    bip: bool | None
    lr: float | None
    assigned: tuple[str, ...]
    config_file: Path | None
    init: Path | None


def config_of(asked: TypedTraining, base: Mapping[str, Any]) -> TrainConfig:
    """Settings of the base, then of the file, then of the options."""
    values = dict(base)
    if asked.config_file is not None:
        values |= read_config_file(asked.config_file)
    values |= with_precision(asked.training)
    for name, given in asked.tables.items():
        values[name] = {**values[name], **given}
    if asked.bip is False:
        values["bip"] = []
    elif asked.bip and not values["bip"]:
        values["bip"] = list(TrainConfig().bip)
    if asked.lr is not None:
        values["rates"] = {**values["rates"], "weights": asked.lr}
    for text in asked.assigned:
        assign(values, text)
    return TrainConfig.from_dict(values)


def assign(values: dict[str, Any], text: str) -> None:
    """Set one key, ``key=value`` or ``group.key=value``, whose value is JSON or a plain word."""
    path, equals, given = text.partition("=")
    if not equals or not path:
        raise ParameterError(f"--set {shown(text)}: expected KEY=VALUE, such as gain=10.")
    value = parse_word(given, f"--set {shown(text)}", ParameterError)
    group, dot, key = path.strip().partition(".")
    if not dot:
        values[group] = value
        return
    if group == "loss" and isinstance(values[group], str):
        values[group] = {"kind": values[group]}
    if not isinstance(values.get(group), Mapping):
        known = [name for name, held in values.items() if isinstance(held, Mapping)]
        raise ParameterError(
            f"--set {shown(text)}: {shown(group)} is no group of keys, expected one of {known}."
        )
    values[group] = {**values[group], key: value}


def read_config_file(path: Path) -> dict[str, Any]:
    """TrainConfig keys of a TOML or JSON file, or of the run.json of a run."""
    read = read_toml if path.suffix == ".toml" else read_json
    values = read(path, f"--config {path}", ParameterError)
    if not isinstance(values, Mapping):
        raise ParameterError(f"--config {path}: expected a table of TrainConfig keys.")
    if values.get("format") != FORMAT:
        return dict(values)
    return TrainConfig.of_run(values["train"]).to_dict()

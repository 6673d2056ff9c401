"""Settings of a training as they are typed: options, ``--set`` and a file of ``--config``."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from eventsim.checks import known
from eventsim.cli import completion
from eventsim.cli import options as opt
from eventsim.cli.checks import one_alone, value_of
from eventsim.cli.events import find_network
from eventsim.cli.fields import Table, fields_of
from eventsim.entries import read_json, read_toml, shown
from eventsim.errors import ParameterError
from eventsim.network import Network
from eventsim.runs.data import DataSettings
from eventsim.runs.networks import NetworkSettings
from eventsim.train import ActivityCost, QuantisedTraining, SparseTraining, TrainConfig
from eventsim.train.config import Intrinsic
from eventsim.train.folder import FORMAT

DIVISION = ("encoder", "divide", "test_fraction", "test_group", "division_seed")
CHOSEN = (*DIVISION, "round_times")  # of the recordings, beside which they are


@dataclass(frozen=True, kw_only=True)
class TypedTraining:
    """Typed settings of data, network and training."""

    data: Annotated[
        str | None,
        typer.Argument(
            metavar="DATA",
            help="Name of a data set (see: eventsim data list), or a file with labels: .h5 of "
            "eventsim data import, HDF5 in the layout of N-TIDIGITS18 or of SHD. Not needed with "
            "--resume.",
            autocompletion=completion.complete_data,
        ),
    ] = None
    file: opt.FileOption = None
    test_data: opt.TestDataOption = None
    round_times: opt.RoundTimesOption = None
    loss: str | None = opt.option(
        None,
        "Loss. Of a readout: cross_entropy (default; of its weighted integral), "
        "cross_entropy_maximum, cross_entropy_last. Of a spiking output: first_spike, "
        "spike_count, van_rossum. ctc: strings of words. mean_squared_error: regression (data "
        "import --targets).",
        rich_help_panel="Training",
    )
    bip: bool | None = opt.option(
        None,
        "Train neuron parameters as well as weights; choose them by --set bip=[..].",
        "--bip/--no-bip",
        rich_help_panel="Training",
    )
    lr: float | None = opt.option(None, "Learning rate of the weights.", rich_help_panel="Training")
    assigned: list[str] | None = opt.option(
        None,
        "Any other setting (eventsim schema train), such as near_miss_strength=0.3, "
        "rates.delays=0.1 or augmentation.jitter=3; repeat for more.",
        "--set",
        metavar="KEY=VALUE",
        rich_help_panel="Training",
    )
    config: Path | None = opt.option(
        None,
        "TOML or JSON file of TrainConfig keys, or run.json of a run. Options take precedence.",
        rich_help_panel="Training",
    )
    init: Path | None = opt.option(
        None,
        "Start from this network, a file or the folder of a run, instead of a new one.",
        metavar="NET",
        autocompletion=completion.complete_net,
    )
    quantise: Annotated[
        Table,
        fields_of(QuantisedTraining, "chip", "bits", "begin", panel="Costs", prefix="quantise_"),
    ]
    sparse: Annotated[
        Table, fields_of(SparseTraining, "sparsity", "fan_in", "rewire", panel="Costs")
    ]
    activity: Annotated[
        Table, fields_of(ActivityCost, "target", "chip", panel="Costs", prefix="activity_")
    ]
    train: Annotated[
        Table,
        fields_of(
            TrainConfig, "epochs", "patience", "patience_by", "batch_size", "seed", "validate",
            "shards", "train_delays", "max_delay", "dale", "backend", "precision", panel="Training",
        ),
    ]  # fmt: skip
    network: Annotated[
        Table,
        fields_of(
            NetworkSettings, "model", "hidden", "self_recurrent", "skip", "tau_mem", "tau_syn",
            "tau_mem_range", "forward_delays", "output_delays", "skip_to_readout", "output_maps",
            "kernel", "stride", "lateral", "probability", "in_degree", "scale", "lateral_gain",
            "inhibitory", "delays", "adaptation", "tau_adaptation", "neuron", panel="Network",
        ),
    ]  # fmt: skip
    division: Annotated[Table, fields_of(DataSettings, *DIVISION, panel="Data")]

    @property
    def chosen(self) -> Table:
        """Typed settings of the recordings."""
        more = {} if self.round_times is None else {"round_times": self.round_times}
        return {**self.division, **more}


def config_of(asked: TypedTraining, base: Mapping[str, Any]) -> TrainConfig:
    """Settings of the base, then of the file, then of the options."""
    values = dict(base)
    if asked.config is not None:
        values |= read_config_file(asked.config)
    if asked.train.get("backend") == "reference":  # it has no single precision
        values["precision"] = "double"
    values |= asked.train
    values |= {} if asked.loss is None else {"loss": asked.loss}
    for name in ("activity", "sparse", "quantise"):
        values[name] = {**values[name], **getattr(asked, name)}
    if asked.bip is False:
        values["bip"] = []
    elif asked.bip and not values["bip"]:
        values["bip"] = list(TrainConfig().bip)
    if asked.lr is not None:
        values["rates"] = {**values["rates"], "weights": asked.lr}
    for text in asked.assigned or ():
        assign(values, text)
    return TrainConfig.from_dict(values)


def network_of(asked: TypedTraining) -> tuple[NetworkSettings | None, Network | None]:
    """Settings of a new network, or the network that the run starts from."""
    if asked.init is None:
        return NetworkSettings.from_options(asked.network, called=opt.option_name), None
    for name in asked.network:
        one_alone(True, "--init", opt.option_name(name), "the network has its shape")
    return None, find_network(asked.init)


def own_bip(network: NetworkSettings | None) -> tuple[Intrinsic, ...]:
    """Parameters of a kind of neuron that are trained beside the usual ones."""
    if network is None:
        return ()
    adaptive: tuple[Intrinsic, ...] = ("adaptation", "tau_adaptation")
    found = adaptive if network.adaptation > 0.0 else ()
    return found if network.neuron == "lif" else (*found, "neuron")


def assign(values: dict[str, Any], text: str) -> None:
    """Set one key, ``key=value`` or ``group.key=value``, whose value is JSON or a plain word."""
    path, value = value_of("--set", text)
    group, dot, key = path.partition(".")
    if not dot:
        values[group] = value
        return
    if group == "loss" and isinstance(values[group], str):
        values[group] = {"kind": values[group]}
    if not isinstance(values.get(group), Mapping):
        groups = [name for name, held in values.items() if isinstance(held, Mapping)]
        known(f"--set {shown(text)}", "group of keys", group, groups, error=ParameterError)
    values[group] = {**values[group], key: value}


def read_config_file(path: Path) -> dict[str, Any]:
    """TrainConfig keys of a TOML or JSON file, or of the run.json of a run."""
    read = read_toml if path.suffix == ".toml" else read_json
    values = read(path, f"--config {path}", ParameterError)
    if not isinstance(values, Mapping):
        raise ParameterError(f"--config {path}", "", "a table of TrainConfig keys")
    if values.get("format") != FORMAT:
        return dict(values)
    return TrainConfig.from_dict(values["train"]).to_dict()

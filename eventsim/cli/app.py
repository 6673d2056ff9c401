"""The commands and their options. What they do is imported when they run: ``--help`` is quick.

Typer reads the options from the functions' parameters, so a command has as many parameters as
options.
"""

import shlex
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from eventsim.arrays import Precision
from eventsim.cli.conformance import conformance_command
from eventsim.cli.cost_app import cost
from eventsim.cli.data_app import data_app
from eventsim.cli.exchange_app import export_command, import_command
from eventsim.cli.experiment_app import experiment_app
from eventsim.cli.gradcheck import gradcheck_command
from eventsim.cli.map_app import map_command
from eventsim.cli.options import (
    BackendOption,
    DownloadOption,
    FileOption,
    JsonOption,
    NetArgument,
    SamplesOption,
    SensorOption,
    SplitOption,
    ThreadsOption,
)
from eventsim.cli.report_app import report
from eventsim.cli.schema import schema_command
from eventsim.cli.terminal import Guarded, emit_json, guarded

app = typer.Typer(
    cls=Guarded,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Spiking neural networks in exact event time.\n\n"
    "Begin with: [bold]eventsim demo[/bold] (trains on spoken digits, writes a report) and "
    "[bold]eventsim gradcheck[/bold] (proves that gradients are right).",
)
app.add_typer(data_app, name="data")
app.add_typer(experiment_app, name="experiment")
app.command("export", rich_help_panel="Use")(export_command)
app.command("import", rich_help_panel="Use")(import_command)
app.command(rich_help_panel="Use")(cost)
app.command("map", rich_help_panel="Use")(map_command)
app.command(rich_help_panel="Use")(report)
app.command("schema", rich_help_panel="Use")(schema_command)


def _version(wanted: bool) -> None:
    if wanted:
        import eventsim

        typer.echo(f"eventsim {eventsim.__version__}")
        raise typer.Exit()


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    del version


@app.command(rich_help_panel="Learn")
def train(
    data: Annotated[
        str | None,
        typer.Argument(
            metavar="DATA",
            help="Name of a data set (see: eventsim data list), or a file with labels: .h5 of "
            "eventsim data import, HDF5 in the layout of N-TIDIGITS18 or of SHD. Not needed with "
            "--resume.",
        ),
    ] = None,
    file: FileOption = None,
    test_data: Annotated[
        Path | None,
        typer.Option(
            "--test-data",
            metavar="FILE",
            help="Another file of eventsim data import for the test. Without it the file says what "
            "is tested, or 20 % of every class are.",
        ),
    ] = None,
    download: DownloadOption = False,
    model: Annotated[
        Literal["scsr", "rsnn", "convolutional"] | None,
        typer.Option(
            "--model",
            help="scsr (default): skip connections and self-recurrence. rsnn: lateral connections "
            "between the neurons of a population. convolutional: shared weights along the "
            "channels, --hidden 24 and --forward-delays 0:170 unless you say otherwise; goes with "
            "--loss cross_entropy_maximum and --set tail=200.",
        ),
    ] = None,
    hidden: Annotated[
        list[int] | None,
        typer.Option(
            "--hidden",
            min=1,
            help="Neurons of a hidden population, convolutional: its maps; repeat for more.",
        ),
    ] = None,
    output_maps: Annotated[
        int | None,
        typer.Option("--output-maps", min=1, help="convolutional: maps of the readout; 30."),
    ] = None,
    kernel: Annotated[
        list[int] | None,
        typer.Option(
            "--kernel",
            min=1,
            help="convolutional: places of a spiking neuron's, then of a readout's; 9 and 5.",
        ),
    ] = None,
    stride: Annotated[
        list[int] | None,
        typer.Option("--stride", min=1, help="convolutional: likewise. 2 and 2."),
    ] = None,
    self_recurrent: Annotated[
        bool | None,
        typer.Option(
            "--self-recurrent/--no-self-recurrent",
            help="scsr, convolutional: neurons feed back on themselves.",
        ),
    ] = None,
    skip: Annotated[
        bool | None,
        typer.Option("--skip/--no-skip", help="scsr: populations receive from all earlier ones."),
    ] = None,
    lateral: Annotated[
        Literal["dense", "random", "ring", "sheet"] | None,
        typer.Option(
            "--lateral", help="rsnn: from all others (default), from some, or from near ones."
        ),
    ] = None,
    probability: Annotated[
        float | None, typer.Option("--probability", help="Of a random lateral connection; 0.1.")
    ] = None,
    in_degree: Annotated[
        int | None,
        typer.Option("--in-degree", min=1, help="Or: random lateral sources of every neuron."),
    ] = None,
    scale: Annotated[
        float | None,
        typer.Option("--scale", help="Of ring and sheet, in distances between neighbours; 8."),
    ] = None,
    inhibitory: Annotated[
        float | None,
        typer.Option(
            "--inhibitory",
            help="rsnn: this fraction of neurons only inhibits, the others only excite.",
        ),
    ] = None,
    delays: Annotated[
        str | None,
        typer.Option(
            "--delays",
            metavar="MS",
            help="rsnn: of lateral synapses, one for all (default 1) or a range, such as 1:3.",
        ),
    ] = None,
    forward_delays: Annotated[
        str | None,
        typer.Option(
            "--forward-delays",
            metavar="MS",
            help="Of connections to later hidden populations, one for all (default 0) or a range, "
            "such as 0:150: then every source has its own. Goes well with --set tail=150.",
        ),
    ] = None,
    output_delays: Annotated[
        str | None,
        typer.Option(
            "--output-delays",
            metavar="MS",
            help="scsr: of connections to a readout, likewise. Goes well with "
            "--loss cross_entropy_maximum.",
        ),
    ] = None,
    tau_mem: Annotated[
        float | None, typer.Option("--tau-mem", help="Initial membrane time constant, ms.")
    ] = None,
    tau_syn: Annotated[
        float | None, typer.Option("--tau-syn", help="Initial synaptic time constant, ms.")
    ] = None,
    bip: Annotated[
        bool | None,
        typer.Option("--bip/--no-bip", help="Train the neurons' parameters, not only weights."),
    ] = None,
    bip_parameters: Annotated[
        str | None,
        typer.Option("--bip-parameters", metavar="NAMES", help="Which, e.g. tau_mem,tau_syn."),
    ] = None,
    train_delays: Annotated[
        bool | None, typer.Option("--train-delays/--no-train-delays", help="Train delays too.")
    ] = None,
    max_delay: Annotated[
        float | None, typer.Option("--max-delay", help="Largest delay that may be learned, ms.")
    ] = None,
    dale: Annotated[
        bool | None,
        typer.Option(
            "--dale/--no-dale",
            help="Weights between spiking neurons keep the sign of their source neuron; needs "
            "--inhibitory.",
        ),
    ] = None,
    loss: Annotated[
        str | None,
        typer.Option(
            "--loss",
            help="cross_entropy (default; of the readout's weighted integral), "
            "cross_entropy_maximum, cross_entropy_last; of a spiking output first_spike, "
            "spike_count, van_rossum; ctc for strings of words.",
        ),
    ] = None,
    assign: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Any other key of TrainConfig, such as near_miss_strength=0.3 or "
            "augmentation.jitter=3; repeat for more.",
        ),
    ] = None,
    epochs: Annotated[int | None, typer.Option("--epochs", min=1)] = None,
    batch_size: Annotated[int | None, typer.Option("--batch-size", min=1)] = None,
    shards: Annotated[
        int | None,
        typer.Option(
            "--shards",
            min=1,
            help="Parts of a batch that several processes share; at least one per process.",
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            "--seed", min=0, help="Of initial weights, validation part, order of batches."
        ),
    ] = None,
    lr: Annotated[float | None, typer.Option("--lr", help="Learning rate of the weights.")] = None,
    delay_lr: Annotated[
        float | None, typer.Option("--delay-lr", help="Learning rate of delays, ms per step.")
    ] = None,
    backend: BackendOption = None,
    precision: Annotated[Precision | None, typer.Option("--precision")] = None,
    config: Annotated[
        Path | None,
        typer.Option("--config", help="TOML or JSON of TrainConfig keys; options go before it."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FOLDER", help="Of the run; runs/DATA by default."),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Continue the run in --out to the same final numbers; with --epochs, to more "
            "epochs than it had.",
        ),
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the run in --out, or in runs/DATA.")
    ] = False,
    init: Annotated[
        Path | None,
        typer.Option(
            "--init",
            metavar="NET",
            help="Start from this network, a file or the folder of a run, instead of a new one.",
        ),
    ] = None,
    distributed: Annotated[
        bool | None,
        typer.Option(
            "--distributed/--no-distributed",
            help="Processes started by torchrun, mpirun or srun train one network together, each "
            "on a GPU of its own; or one network each.",
        ),
    ] = None,
    threads: ThreadsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Train a spiking network to classify recordings, test it, and write a report.

    A part of the training data is held out for validation; test data is used only after the end.

    --resume --epochs extends a run. The learning rate falls over all epochs of a run, and the
    finished epochs have followed that of the former number: the numbers are not those of a run of
    so many epochs from the start.

    With --distributed the numbers depend on --shards, not on how many processes there are: a run
    can be resumed with another number of them.

    [bold]Examples[/bold]

    eventsim train spoken_digits --hidden 128 --hidden 128 --epochs 20

    eventsim train fsdd --no-bip --no-self-recurrent --seed 1 --out runs/plain

    eventsim train --resume --out runs/plain

    eventsim train mine.h5 --test-data later.h5

    eventsim train --resume --epochs 60 --out runs/plain

    eventsim train spoken_digits --init runs/plain --lr 0.001 --out runs/tuned

    eventsim train fsdd --model rsnn --lateral random --inhibitory 0.2 --dale --delays 1:5

    eventsim train fsdd --loss cross_entropy_maximum --set gain=5 --set augmentation.jitter=3

    torchrun --nproc-per-node 4 --no-python eventsim train fsdd --distributed --shards 8
    """
    from eventsim.cli import train_command as command
    from eventsim.cli.options import read_delays

    network = command.given(
        model=model,
        hidden=tuple(hidden) if hidden else None,
        output_maps=output_maps,
        kernel=tuple(kernel) if kernel else None,
        stride=tuple(stride) if stride else None,
        self_recurrent=self_recurrent,
        skip=skip,
        lateral=lateral,
        probability=probability,
        in_degree=in_degree,
        scale=scale,
        inhibitory=inhibitory,
        delays=read_delays("--delays", delays),
        forward_delays=read_delays("--forward-delays", forward_delays),
        output_delays=read_delays("--output-delays", output_delays),
        tau_mem=tau_mem,
        tau_syn=tau_syn,
    )
    settings = command.given(
        loss=loss,
        epochs=epochs,
        batch_size=batch_size,
        shards=shards,
        train_delays=train_delays,
        max_delay=max_delay,
        dale=dale,
        seed=seed,
        backend=backend,
        precision=precision,
    )
    chosen = command.Choice(
        data=data,
        file=file,
        test_data=test_data,
        network=network,
        config=settings,
        assigned=tuple(assign or ()),
        bip=bip,
        bip_parameters=bip_parameters,
        rates=command.given(weights=lr, delays=delay_lr),
        config_file=config,
        init=init,
        command=_typed(),
    )
    start = command.Start(
        resume=resume,
        overwrite=overwrite,
        download=download,
        distributed=distributed,
        threads=threads,
    )
    command.run(chosen, out, start, as_json=as_json)


@app.command(rich_help_panel="Learn")
def demo(
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER")] = Path("runs/demo"),
    epochs: Annotated[int | None, typer.Option("--epochs", min=1)] = None,
    seed: Annotated[int | None, typer.Option("--seed", min=0)] = None,
    threads: ThreadsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make spoken digits, train a ScSr-SNN with BIP on them, write a report. A few minutes.

    The digits are spoken by eSpeak NG; test recordings are of voices that were never heard in
    training. If the folder holds a demo that was stopped, it goes on; if it holds a finished one,
    a new folder is taken.

    [bold]Example[/bold]

    eventsim demo --out runs/demo
    """
    from eventsim.cli import train_command as command

    command.set_threads(threads, None)
    command.run_demo(out, epochs=epochs, seed=seed, as_json=as_json)


@app.command(rich_help_panel="Use")
def evaluate(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="Folder of a finished run, or a network file.")
    ],
    data: Annotated[
        str | None,
        typer.Argument(
            metavar="DATA",
            help="Data set, or file with labels; the run's own by default.",
        ),
    ] = None,
    file: FileOption = None,
    split: SplitOption = "test",
    which: Annotated[
        Literal["last", "selected", "initial"],
        typer.Option("--network", help="After the last epoch, chosen by validation, or untrained."),
    ] = "last",
    backend: BackendOption = None,
    threads: ThreadsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Accuracy, loss, confusion matrix, spike rates and synaptic events of a trained network.

    [bold]Examples[/bold]

    eventsim evaluate runs/demo

    eventsim evaluate runs/demo --network selected --json

    eventsim evaluate net.npz fsdd
    """
    from eventsim.cli import use_commands as command

    command.set_threads(threads, backend)
    found = command.evaluate_run(
        run, data, command.Reading(file=file, split=split), which=which, backend=backend
    )
    emit_json(found) if as_json else command.show_evaluation(found)


@app.command(rich_help_panel="Use")
def simulate(
    net: NetArgument,
    events: Annotated[
        str,
        typer.Argument(
            metavar="EVENTS",
            help="A data set, or a file of events: .h5, .npz, text, AEDAT, NIR.",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="TAPE", help="Write all spikes to this .npz file."),
    ] = None,
    split: SplitOption = "test",
    sensor: SensorOption = None,
    samples: SamplesOption = None,
    backend: BackendOption = None,
    precision: Annotated[Precision, typer.Option("--precision")] = "double",
    threads: ThreadsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run a network on events: spikes and synaptic events by population, and the time it took.

    A trained network runs on after every recording as in training, and its answers are shown.

    [bold]Examples[/bold]

    eventsim simulate runs/demo spoken_digits --samples 10 --out tape.npz

    eventsim simulate net.npz events.npz --backend reference
    """
    from eventsim.cli import use_commands as command

    command.set_threads(threads, backend)
    reading = command.Reading(split=split, sensor=sensor)
    stream = command.find_stream(net, events, reading, samples=samples)
    found = command.simulate_events(
        net, stream, out=out, backend=backend or "auto", precision=precision
    )
    emit_json(found) if as_json else command.show_simulation(found)


app.command("gradcheck", rich_help_panel="Prove")(gradcheck_command)
app.command("conformance", rich_help_panel="Prove")(conformance_command)


def _typed() -> str:
    return shlex.join(["eventsim", *sys.argv[1:]])


def run(arguments: list[str]) -> Any:
    """As the console script, for the given arguments; raises SystemExit."""
    return guarded(lambda: app(arguments))

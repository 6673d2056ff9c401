import numpy as np
import pytest

import eventsim as es
from eventsim.chips import load_chip
from eventsim.energy import Widths, dense_pair
from eventsim.mapping import compare_mappings, congestion, quantisation_study
from eventsim.mapping.mapping import filled_less
from eventsim.report.priced import places_on, priced, priced_over_time
from eventsim.report.record import (
    Checked,
    ChipMapping,
    OverTime,
    Priced,
    Report,
    RunRecord,
    firing_rates,
)
from eventsim.train import TrainConfig, decision_over_time, evaluate, train
from eventsim.train.latency import SHARES
from tests.unit.report.pages import whole_page
from tests.unit.train.task import small_net, two_patterns


@pytest.fixture(scope="session")
def record(tmp_path_factory):
    """A short run of two epochs, tested on other recordings."""
    config = TrainConfig(
        epochs=2, batch_size=8, validation_fraction=0.25, backend="cpu", precision="double"
    )
    net, test = small_net(), two_patterns(10, seed=9)
    result = train(net, two_patterns(16), config, tmp_path_factory.mktemp("run"))
    return RunRecord(
        title="Two <patterns>",
        net_before=net,
        net_after=result.net,
        test=test,
        last=Checked(2, evaluate(result.net, test, config)),
        selected=Checked(result.selected["epoch"], evaluate(result.selected_net, test, config)),
        config=config,
        history=result.history,
        command="eventsim train two --seed 0",
        version="9.8.7",
        guess=0.5,
        about="Poisson patterns.",
    )


@pytest.fixture(scope="session")
def joint(record):
    """The run of ``record``, priced on two chips, mapped onto one, with one number of bits."""
    net, stream = record.net_after, record.test.stream
    tape = es.simulate(net, stream, backend="cpu")
    loihi, technology = filled_less(load_chip("loihi"), 2), load_chip("45nm")
    compared = compare_mappings(net, tape, loihi, method="refined")
    chips, how = [technology, loihi], {"step_ms": None, "widths": Widths()}
    places = places_on(net, tape, chips, {"loihi": compared.best})
    costs, fits = priced(net, tape, chips, places=places, **how)
    study = quantisation_study(net, stream, loihi, bits=(3,), backend="cpu", score=lambda _net: 0.5)
    return Report(
        title=record.title,
        about="Poisson patterns.",
        version="9.8.7",
        data="two patterns, test part",
        command="eventsim report two --map loihi",
        net=net,
        stream=stream,
        rates=firing_rates(tape),
        run=record,
        priced=Priced(costs, dense_pair(net, stream, frame_ms=10.0), fits),
        over_time=_over_time(net, tape, record.test.labels, chips, places=places, **how),
        mappings={loihi.title: ChipMapping(compared, congestion(net, tape, compared.best))},
        studies={loihi.title: study},
    )


def _over_time(net, tape, labels, chips, **how):
    times, priced_at = SHARES * tape.stream.duration[:, None], np.array([49, 99])
    return OverTime(
        shares=SHARES,
        decided=decision_over_time(net, tape, times),
        labels=labels,
        priced_at=priced_at,
        costs=priced_over_time(net, tape, chips, times[:, priced_at], **how),
        margin=0.2,
    )


@pytest.fixture(scope="session")
def joint_html(joint):
    """The page of ``joint``, drawn once."""
    return whole_page(joint, drawn=True)

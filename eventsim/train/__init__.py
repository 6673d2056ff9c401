"""Training: losses, regularisers, optimiser, augmentation, the loop and its checkpoints.

The package can be called: ``eventsim.train(net, data, config)`` is :func:`eventsim.train.train`.

A run: ``loop`` goes through epochs, ``step`` through a batch by a ``method``, ``optimiser`` moves
what ``groups`` chose, in the vector of ``layout``. It is decided by ``config`` and begun by
``calibration``; its random numbers are ``draws``, its state is a ``checkpoint`` with ``sums``, in a
``folder``.
Several processes share it by ``parallel``, ``launch`` and ``mpi``. ``parts`` divides the data.

Losses: ``losses``, ``readouts``, ``spiking``, ``ctc`` (with ``decode``) and ``values``, with
``softmax`` and ``onset`` below them and ``loss_settings`` above. What is asked besides of a batch:
``augment``, ``regularise``, ``near_miss``, ``activity``, ``dale``, ``intrinsic``; of the network:
``sparse`` with ``reconnect``, and ``quantised``.

Afterwards: ``choice`` and ``prediction`` answer, ``evaluation`` counts, ``latency`` says when;
``regression`` is for values in place of classes.
Watched it is by ``progress``, ``log``, ``loggers``, ``silence``, ``counting`` and ``interrupt``.
"""

import sys
from inspect import Signature, signature
from types import ModuleType

from eventsim.adjoint import backward as gradient  # its old name
from eventsim.events import Dataset, stratified_split
from eventsim.network import Network
from eventsim.train import loggers
from eventsim.train.activity import ActivityCost
from eventsim.train.augment import Augmentation, augment
from eventsim.train.calibration import Calibration, calibrate
from eventsim.train.checkpoint import save_network
from eventsim.train.config import TrainConfig
from eventsim.train.ctc import CTC
from eventsim.train.decode import beam_strings, greedy_strings, label_error_rate
from eventsim.train.evaluation import Evaluation, evaluate
from eventsim.train.groups import select
from eventsim.train.intrinsic import SpiKL
from eventsim.train.latency import (
    DecisionOverTime,
    EarlyExit,
    decision_over_time,
    predict_over_time,
)
from eventsim.train.loop import Callback, TrainEvent, TrainResult, train
from eventsim.train.loss_settings import (
    FirstSpikeLoss,
    IntegralLoss,
    LastLoss,
    MaximumLoss,
    SpikeCountLoss,
    SpikeTrainLoss,
    ValuesLoss,
    WordsLoss,
)
from eventsim.train.losses import CrossEntropy, FirstSpike, SumOfLosses, VanRossum
from eventsim.train.method import Exact
from eventsim.train.near_miss import NearMiss
from eventsim.train.optimiser import AdamSettings, AdamW, LearningRates, schedule
from eventsim.train.parallel import ProcessGroup, connect
from eventsim.train.prediction import Prediction, predict
from eventsim.train.quantised import QuantisedTraining
from eventsim.train.readouts import VoltageCrossEntropy
from eventsim.train.regression import (
    RegressionConfig,
    RegressionEvaluation,
    RegressionResult,
    evaluate_regression,
    regress,
)
from eventsim.train.regularise import RateBand, lift_silent
from eventsim.train.sparse import SparseTraining, prune, remove_idle
from eventsim.train.spiking import ClassTrains, SpikeCount
from eventsim.train.values import MeanSquaredError

__all__ = [
    "WordsLoss", "SpikeTrainLoss", "SpikeCountLoss", "MaximumLoss", "LastLoss", "IntegralLoss",
    "ValuesLoss", "FirstSpikeLoss", "ActivityCost", "CTC", "AdamSettings", "AdamW",
    "Augmentation", "Calibration", "Callback", "ClassTrains", "CrossEntropy",
    "DecisionOverTime", "EarlyExit", "Evaluation", "Exact", "FirstSpike", "LabelledEvents",
    "LearningRates", "MeanSquaredError", "NearMiss", "Prediction", "ProcessGroup",
    "QuantisedTraining", "RateBand", "RegressionConfig", "RegressionEvaluation",
    "RegressionResult", "SparseTraining", "SpikeCount", "SpiKL", "StoredLabelledEvents",
    "SumOfLosses", "TrainConfig", "TrainEvent", "TrainResult", "VanRossum",
    "VoltageCrossEntropy", "augment", "beam_strings", "calibrate", "connect",
    "decision_over_time", "evaluate", "evaluate_regression", "gradient", "greedy_strings",
    "label_error_rate", "lift_silent", "load_network", "loggers", "predict",
    "predict_over_time", "prune", "regress", "remove_idle", "save_network", "schedule",
    "select", "stratified_split", "train",
]  # fmt: skip

# Old names: of Network.load, and of Dataset.
load_network = Network.load
LabelledEvents = Dataset
StoredLabelledEvents = Dataset


class _Callable(ModuleType):
    """The package, called as its function :func:`train` is."""

    __call__ = staticmethod(train)

    @property
    def __signature__(self) -> Signature:
        return signature(train)


sys.modules[__name__].__class__ = _Callable

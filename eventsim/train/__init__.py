"""Training: losses, regularisers, optimiser, augmentation, the loop and its checkpoints."""

from eventsim.train.augment import Augmentation, augment
from eventsim.train.checkpoint import load_network, save_network
from eventsim.train.config import TrainConfig
from eventsim.train.data import LabelledEvents, StoredLabelledEvents, stratified_split
from eventsim.train.evaluation import Evaluation, evaluate
from eventsim.train.gradient import gradient
from eventsim.train.intrinsic import SpiKL
from eventsim.train.loop import TrainEvent, TrainResult, train
from eventsim.train.losses import CrossEntropy, FirstSpike, SumOfLosses, VanRossum
from eventsim.train.optimiser import AdamSettings, AdamW, LearningRates, schedule, select
from eventsim.train.parallel import ProcessGroup, connect
from eventsim.train.progress import RichProgress
from eventsim.train.regularise import RateBand, lift_silent

__all__ = [
    "AdamSettings",
    "AdamW",
    "Augmentation",
    "CrossEntropy",
    "Evaluation",
    "FirstSpike",
    "LabelledEvents",
    "LearningRates",
    "ProcessGroup",
    "RateBand",
    "RichProgress",
    "SpiKL",
    "StoredLabelledEvents",
    "SumOfLosses",
    "TrainConfig",
    "TrainEvent",
    "TrainResult",
    "VanRossum",
    "augment",
    "connect",
    "evaluate",
    "gradient",
    "lift_silent",
    "load_network",
    "save_network",
    "schedule",
    "select",
    "stratified_split",
    "train",
]

"""Connected digits: strings of spoken digits by connectionist temporal classification.

Method   Strings of one to five digits of one voice of eSpeak NG (data set spoken_digits, layout of
         N-TIDIGITS18), 50 to 200 ms of silence between them: 1,200 of 60 voices to train, 400 of
         15 other voices to test. ScSr + BIP (128-128, forward delays of 0 to 150 ms) on the events
         in exact time; a convolutional network (24 maps, 30 of its readout, forward delays of 0 to
         350 ms) whose linear decision answers in every frame, likewise; and a GRU of a third more
         parameters than the first on frames of 10 ms, by PyTorch. All with the CTC loss at frames
         of 10 ms, the blank at its share of them at first, as many epochs, batches of 32, the same
         share of events dropped and the same warps of time, one epoch of warm-up and a cosine to
         zero. The convolutional network has the settings of its recipe besides: channels moved and
         stretched, rates and averaged weights. The learning rate of each is the best of four on
         twelve voices held out of the sixty (--search, one seed; 40 epochs, of the convolutional
         network 20); so are the longest delays of the convolutional network, see
         results/defaults.md. Greedy answers, last epoch, one thread. Labels to insert, delete or
         replace per label ("label error"), strings that are wholly right, operations per string
         (synaptic events; multiplications of the GRU and of the decision), CPU seconds of training.
         Needs the extras demo, and torch for the GRU.
         python -m bench.suite.connected [--seeds N] [--epochs N] [--condition NAME]
         python -m bench.suite.connected --search --epochs 40 --seeds 1
Answer   see results/connected.jsonl and docs/benchmarks.md.
"""

import math
import time
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np

import eventsim as es
from bench.harness import parser, report
from bench.macro.epoch_peers import pace
from eventsim import datasets
from eventsim.clocked.bins import bin_events
from eventsim.engine.contract.registry import set_threads
from eventsim.events import Dataset
from eventsim.network import convolutional
from eventsim.network.answer import count_frames, words_of
from eventsim.train import Augmentation, LearningRates, TrainConfig
from eventsim.train.augment import augment
from eventsim.train.calibration import blank_logit
from eventsim.train.counting import count_trained
from eventsim.train.ctc import FrameLogits
from eventsim.train.decode import greedy_strings, label_error_rate, strings_of
from eventsim.train.loss_settings import WordsLoss

SIZES = {"train": 1200, "test": 400}
# Learning rates that were looked at, and those that had the fewest errors on voices held out.
OURS = (0.005, 0.01, 0.02, 0.04)
RATES = {"scsr_bip": OURS, "convolution": OURS, "gru": (0.002, 0.005, 0.01, 0.02)}
CHOSEN = {"scsr_bip": 0.01, "convolution": 0.02, "gru": 0.02}
HELD_OUT = 5  # every fifth voice, for validation
MOST, GAPS = 5, (50.0, 200.0)  # digits of a string, and ms between them
FRAME = 10.0  # ms
AUGMENTATION = Augmentation(drop=0.1, time_scale=0.1)
BATCH = 32

Row = dict[str, Any]


def strings(split: str, size: int, *, validation: bool | None = None) -> Dataset:
    """Strings of the digits that the voices of a split say; single digits are the first classes.

    Of the voices held out for ``validation``, of the others, or (None) of all.
    """
    digits = datasets.load("spoken_digits", split=split)
    assert digits.groups is not None
    rng = np.random.default_rng([0, list(SIZES).index(split)])
    by_voice = [np.flatnonzero(digits.groups == one) for one in np.unique(digits.groups)]
    if validation is not None:
        kept = np.arange(len(by_voice)) % HELD_OUT == 0
        by_voice = [by_voice[k] for k in np.flatnonzero(kept == validation)]
    samples, said, durations = [], [], []
    for _ in range(size):
        voice = by_voice[rng.integers(len(by_voice))]
        parts, at = [], 0.0
        chosen = rng.choice(voice, rng.integers(1, MOST + 1))
        for k in chosen:
            t, c = digits.stream.sample(k)
            parts.append((t + at, c))
            at += digits.stream.duration[k] + rng.uniform(*GAPS)
        samples.append(tuple(np.concatenate(columns) for columns in zip(*parts, strict=True)))
        said.append(" ".join(digits.class_names[label] for label in digits.labels[chosen]))
        durations.append(at)
    longer = sorted(set(said) - set(digits.class_names))
    names = (*digits.class_names, *longer)
    stream = es.EventStream.from_samples(
        samples, n_channels=digits.stream.n_channels, duration=durations
    )
    number = {name: k for k, name in enumerate(names)}
    return Dataset(stream, np.array([number[text] for text in said]), names)


def scsr_bip(training: Dataset, test: Dataset, seed: int, epochs: int, rate: float) -> Row:
    """Skips and self-recurrence, in exact time."""
    net = es.scsr(
        training.stream.n_channels,
        (128, 128),
        len(words_of(training.class_names)) + 1,  # the last is the blank
        tau_syn=10.0,
        forward_delays=(0.0, 150.0),
        seed=seed,
    )
    config = replace(
        _settings(seed, epochs),
        tail=150.0,
        rates=LearningRates(weights=rate, taus=0.2 * rate, intrinsic=0.1 * rate),
    )
    return {"title": "ScSr + BIP, exact time"} | _run(net, training, test, config)


def convolution(training: Dataset, test: Dataset, seed: int, epochs: int, rate: float) -> Row:
    """A convolution over channels behind another, and a decision in every frame, likewise."""
    net = convolutional(
        training.stream.n_channels,
        (24,),
        len(words_of(training.class_names)) + 1,
        output_maps=30,
        forward_delays=(0.0, 350.0),  # as long as a digit
        seed=seed,
    )
    config = replace(
        _settings(seed, epochs),
        tail=380.0,
        averaged=0.6,
        rate_strength=1e-5,
        rates=LearningRates(weights=rate, taus=rate, intrinsic=0.25 * rate),
        augmentation=replace(AUGMENTATION, channel_shift=2, channel_scale=0.1),
    )
    return {"title": "Convolutional, exact time"} | _run(net, training, test, config)


def _settings(seed: int, epochs: int) -> TrainConfig:
    """What networks in exact time have in common."""
    return TrainConfig(
        epochs=epochs,
        batch_size=BATCH,
        seed=seed,
        loss=WordsLoss(interval=FRAME),
        validation_fraction=0.0,
        clip_norm=100.0,  # a gradient is a sum over the labels of a string, some 20 long
        augmentation=AUGMENTATION,
    )


def _run(net: es.Network, training: Dataset, test: Dataset, config: TrainConfig) -> Row:
    """Train a network in exact time, and ask it."""
    began = time.process_time()
    found = es.train(net, training, config)
    seconds = time.process_time() - began
    asked = es.evaluate(found.net, test, config)
    operations = sum(asked.synaptic_events.values())
    if net.decision is not None:
        frames = count_frames(test.stream.duration + config.tail, FRAME)
        operations += net.decision.weights.size * float(frames.mean())
    return {
        "label_error_rate": asked.label_error_rate,
        "accuracy": asked.accuracy,
        "operations": operations,
        "parameters": count_trained(found.net, config),
        "cpu_seconds": round(seconds, 1),
    }


def gru(training: Dataset, test: Dataset, seed: int, epochs: int, rate: float) -> Row:
    """Two layers of 64 gated units on frames, by PyTorch; the gradient is clipped at 1.

    As ours, it begins where the blank has its share of the frames; its other logits are near zero.
    """
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(seed)
    n_words, n = len(words_of(training.class_names)), training.stream.n_channels
    size = 64
    layer, last = torch.nn.GRU(n, size, num_layers=2), torch.nn.Linear(size, n_words + 1)
    parameters = [*layer.parameters(), *last.parameters()]
    loss_of = torch.nn.CTCLoss(blank=n_words, zero_infinity=True)
    adam = torch.optim.Adam(parameters, lr=rate)
    each = -(-len(training) // BATCH)
    schedule = torch.optim.lr_scheduler.LambdaLR(adam, lambda k: pace(k, each, epochs))
    rng, texts = np.random.default_rng(seed), strings_of(training.class_names)
    n_frames = int(np.ceil(training.stream.duration / FRAME).sum())
    n_labels = sum(len(texts[k]) for k in training.labels)
    with torch.no_grad():
        last.bias[n_words] = blank_logit(n_words, n_frames, n_labels)

    def logits(stream: es.EventStream) -> tuple[Any, Any]:
        binned = bin_events(stream, FRAME)
        frames = torch.from_numpy(np.log1p(binned.counts).astype(np.float32))
        return last(layer(frames)[0]), torch.from_numpy(binned.steps)

    began = time.process_time()
    for _ in range(epochs):
        for index in training.stream.batches(BATCH, order=rng.permutation(len(training))):
            stream = augment(training.stream[index], AUGMENTATION, rng=rng)
            scores, steps = logits(stream)
            targets = [torch.tensor(texts[k]) for k in training.labels[index]]
            lengths = torch.tensor([len(one) for one in targets])
            value = loss_of(scores.log_softmax(2), torch.cat(targets), steps, lengths)
            adam.zero_grad()
            value.backward()
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            adam.step()
            schedule.step()
    seconds = time.process_time() - began
    found, right, frames = [], [], 0
    own = strings_of(test.class_names)
    with torch.no_grad():
        for index in test.stream.batches(BATCH):
            scores, steps = logits(test.stream[index])
            frames += int(steps.sum())
            found += greedy_strings(FrameLogits(scores.numpy().transpose(1, 0, 2), steps.numpy()))
            right += [own[k] for k in test.labels[index]]
    weights = sum(p.numel() for p in parameters if p.dim() > 1)
    return {
        "title": "GRU, frames of 10 ms",
        "label_error_rate": label_error_rate(found, right),
        "accuracy": sum(a == b for a, b in zip(found, right, strict=True)) / len(right),
        "operations": weights * frames / len(test),
        "parameters": sum(p.numel() for p in parameters),
        "cpu_seconds": round(seconds, 1),
    }


CONDITIONS = {"scsr_bip": scsr_bip, "convolution": convolution, "gru": gru}


def main() -> None:
    """One row per run."""
    words = parser(__doc__ or "")
    words.add_argument("--seeds", type=int, default=3)
    words.add_argument("--epochs", type=int, default=60)
    words.add_argument("--size", type=float, default=1.0, help="share of the strings")
    words.add_argument("--condition", action="append", choices=list(CONDITIONS))
    words.add_argument("--seed", type=int, help="this one alone")
    words.add_argument("--search", action="store_true", help="all rates, on voices held out")
    words.add_argument("--rate", type=float, help="this one alone")
    options = words.parse_args()
    set_threads(1)
    sizes = {split: math.ceil(options.size * size) for split, size in SIZES.items()}
    if options.search:
        training = strings("train", sizes["train"], validation=False)
        asked = strings("train", sizes["test"], validation=True)
    else:
        training, asked = (strings(split, n) for split, n in sizes.items())
    for name in options.condition or CONDITIONS:
        rates = RATES[name] if options.search else (CHOSEN[name],)
        if options.rate is not None:
            rates = (options.rate,)
        seeds = range(options.seeds) if options.seed is None else (options.seed,)
        for rate, seed in product(rates, seeds):
            row = CONDITIONS[name](training, asked, seed, options.epochs, rate)
            about = {"bench": "connected", "condition": name, "seed": seed, "rate": rate}
            about |= {"search": options.search, "epochs": options.epochs, "strings": len(training)}
            report([about | row], options)


if __name__ == "__main__":
    main()

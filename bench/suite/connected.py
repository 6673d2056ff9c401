"""Connected digits: strings of spoken digits by connectionist temporal classification.

Method   Strings of one to five digits of one voice of eSpeak NG (data set spoken_digits, layout of
         N-TIDIGITS18), 50 to 200 ms of silence between them: 1,200 of 60 voices to train, 400 of
         15 other voices to test. ScSr + BIP (128-128, forward delays of 0 to 150 ms) on the events
         in exact time, and a GRU of a third more parameters on frames of 10 ms, by PyTorch, both
         with the CTC loss at frames of 10 ms, the blank at its share of them at first, as many
         epochs, batches of 32, the same events dropped, one epoch of warm-up and a cosine to zero.
         The learning rate of each is the best of four on twelve voices held out of the sixty
         (--search, 40 epochs, one seed). Greedy answers, last epoch, one thread. Labels to insert,
         delete or replace per label ("label error"), strings that are wholly right, operations per
         string (of the GRU multiplications), CPU seconds of training. Needs the extras demo, and
         torch for the GRU.
         python -m bench.suite.connected [--seeds N] [--epochs N] [--condition scsr_bip|gru]
         python -m bench.suite.connected --search --epochs 40 --seeds 1
Answer   see results/connected.jsonl and docs/benchmarks.md.
"""

import math
import time
from itertools import product
from typing import Any

import numpy as np

import eventsim as es
from bench.harness import parser, report
from eventsim import datasets
from eventsim.clocked.bins import bin_events
from eventsim.engine.registry import set_threads
from eventsim.events import Dataset
from eventsim.network.answer import words_of
from eventsim.train import Augmentation, LearningRates, TrainConfig
from eventsim.train.augment import augment
from eventsim.train.calibration import blank_logit
from eventsim.train.ctc import FrameLogits
from eventsim.train.decode import greedy_strings, label_error_rate, strings_of
from eventsim.train.loss_settings import WordsLoss

SIZES = {"train": 1200, "test": 400}
# Learning rates that were looked at, and those that had the fewest errors on voices held out.
RATES = {"scsr_bip": (0.005, 0.01, 0.02, 0.04), "gru": (0.002, 0.005, 0.01, 0.02)}
CHOSEN = {"scsr_bip": 0.01, "gru": 0.02}
HELD_OUT = 5  # every fifth voice, for validation
MOST, GAPS = 5, (50.0, 200.0)  # digits of a string, and ms between them
FRAME = 10.0  # ms
AUGMENTATION = Augmentation(drop=0.1, time_scale=0.1)
BATCH = 32


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


def scsr_bip(
    training: Dataset, test: Dataset, seed: int, epochs: int, rate: float
) -> dict[str, Any]:
    """Our network, in exact time."""
    words = words_of(training.class_names)
    net = es.scsr(
        training.stream.n_channels,
        (128, 128),
        len(words) + 1,  # the last is the blank
        tau_syn=10.0,
        forward_delays=(0.0, 150.0),
        seed=seed,
    )
    config = TrainConfig(
        epochs=epochs,
        batch_size=BATCH,
        seed=seed,
        loss=WordsLoss(interval=FRAME),
        tail=150.0,
        validation_fraction=0.0,
        rates=LearningRates(weights=rate, taus=0.2 * rate, intrinsic=0.1 * rate),
        clip_norm=100.0,  # a gradient is a sum over the labels of a string, some 20 long
        augmentation=AUGMENTATION,
    )
    began = time.process_time()
    found = es.train(net, training, config)
    seconds = time.process_time() - began
    asked = es.evaluate(found.net, test, config)
    trained = [k for k in found.net.parameters() if k.rpartition(".")[2] in config.trained()]
    return {
        "title": "ScSr + BIP, exact time",
        "label_error_rate": asked.label_error_rate,
        "accuracy": asked.accuracy,
        "operations": sum(asked.synaptic_events.values()),
        "parameters": sum(found.net.parameters()[key].size for key in trained),
        "cpu_seconds": round(seconds, 1),
    }


def gru(training: Dataset, test: Dataset, seed: int, epochs: int, rate: float) -> dict[str, Any]:
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
    schedule = torch.optim.lr_scheduler.LambdaLR(
        adam, lambda k: min((k + 1) / each, 0.5 * (1.0 + math.cos(math.pi * k / (each * epochs))))
    )
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


CONDITIONS = {"scsr_bip": scsr_bip, "gru": gru}


def main() -> None:
    """One row per run."""
    words = parser(__doc__ or "")
    words.add_argument("--seeds", type=int, default=3)
    words.add_argument("--epochs", type=int, default=60)
    words.add_argument("--size", type=float, default=1.0, help="share of the strings")
    words.add_argument("--condition", action="append", choices=list(CONDITIONS))
    words.add_argument("--search", action="store_true", help="all rates, on voices held out")
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
        for rate, seed in product(rates, range(options.seeds)):
            row = CONDITIONS[name](training, asked, seed, options.epochs, rate)
            about = {"bench": "connected", "condition": name, "seed": seed, "rate": rate}
            about |= {"search": options.search, "epochs": options.epochs, "strings": len(training)}
            report([about | row], options)


if __name__ == "__main__":
    main()

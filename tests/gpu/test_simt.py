"""The stand-in itself: what it runs, what it refuses, what the sanitizers see through it."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tests.support.simt import HostDevice, build, source, why_not
from tests.support.simt.exercise import run_program
from tests.support.simt.meetings import TEXT, meet, meetings

pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))

RACES = ["no_barrier", "shuffle_orders_nothing", "race_between_barriers", "blocks_meet_nowhere"]
CLEAN = ["alone", "block_sum", "through_a_macro", "votes", "warp_values", "warp_order"]
SEEDS = [0, 1, 7]


@pytest.fixture(params=SEEDS, ids=lambda seed: f"seed {seed}")
def device(request):
    return meetings(request.param)


def test_barriers_and_shared_memory_add_up_a_block(device):
    sums = meet(device, "block_sum", blocks=3, threads=64)
    expected = np.arange(3 * 64.0).reshape(3, 64).sum(axis=1)
    assert np.array_equal(sums, np.repeat(expected, 64))


def test_votes_of_a_block_count_its_threads(device):
    assert np.array_equal(meet(device, "votes", threads=64), np.full(128, 1032.0))


def test_warp_collectives_exchange_values(device):
    lane = np.tile(np.arange(32), 4)
    expected = 50 + np.where(lane % 2, -10, 10) + np.where(lane < 2, 300 + 10 * lane, 10 * lane)
    expected = expected + np.where(lane == 31, 0, 10 * lane) + 3000 + 3000000 + 10000000
    assert np.array_equal(meet(device, "warp_values"), expected)


def test_halves_of_a_warp_meet_apart(device):
    out = meet(device, "half_a_warp", blocks=1, threads=64)
    assert np.array_equal(out, np.repeat([3.0, -1.0, 35.0, -1.0], 16))


def test_memory_written_before_syncwarp_is_read_after_it(device):
    assert np.array_equal(meet(device, "warp_order"), np.arange(128) ^ 1)


def test_shared_memory_and_empty_arrays_hold_nan_at_first(device):
    assert np.isnan(meet(device, "unset_memory")).all()
    assert (device.get(device.empty(3, np.int32)) == -1).all()


@pytest.mark.parametrize("threads", [1, 31, 33, 100, 1024])
def test_blocks_need_not_be_made_of_whole_warps(device, threads):
    out = meet(device, "through_a_macro", blocks=2, threads=threads)
    assert np.array_equal(out, np.ones(2 * threads))
    assert np.array_equal(meet(device, "alone", threads=threads), np.arange(2 * threads))


@pytest.mark.parametrize(
    ("kernel", "message"),
    [
        ("leaves_before_barrier", "has left before this __syncthreads"),
        ("two_barriers", "different __syncthreads"),
        ("not_in_own_mask", "outside its mask"),
        ("reads_outside_mask", "reads a lane outside its mask"),
        ("leaves_before_shuffle", "has left, or does not exist"),
        ("shuffle_against_barrier", "waits for a lane at __syncthreads"),
        ("two_shuffles", "different warp collectives"),
    ],
)
def test_meeting_badly_is_an_error_that_names_the_place(device, kernel, message):
    with pytest.raises(
        RuntimeError, match=f"{kernel}: .*{message}.*meetings.cu:.*block [01],0,0, thread"
    ):
        meet(device, kernel)
    assert np.array_equal(meet(device, "alone"), np.arange(128))  # the device is still good


def test_a_full_mask_in_a_part_of_a_warp_is_an_error(device):
    with pytest.raises(RuntimeError, match="does not exist"):
        meet(device, "warp_values", threads=40)


def test_a_seed_permutes_threads_and_blocks():
    orders = [meet(meetings(seed), "in_turn") for seed in (0, 1, 2, 1)]
    assert np.array_equal(orders[0], np.arange(128))
    assert not np.array_equal(orders[1], orders[2])
    assert np.array_equal(orders[1], orders[3])
    for order in orders:
        assert np.array_equal(np.sort(order), np.arange(128))
    firsts = {meet(meetings(seed), "in_turn")[64:].min() < 64 for seed in range(9)}
    assert firsts == {False, True}  # now the first block goes first, now the second


def test_kernels_without_meetings_run_without_fibers():
    meeting = source.kernels_that_meet(TEXT)
    alone = {
        "alone", "in_turn", "past_the_end", "overflow", "not_a_whole_number", "no_barrier"
    }  # fmt: skip
    assert alone.isdisjoint(meeting)
    assert {"block_sum", "through_a_macro", "votes", "half_a_warp", "two_shuffles"} <= meeting
    assert len(meeting) + len(alone) == TEXT.count("__global__")


def test_a_collective_outside_of_all_functions_gives_every_kernel_fibers():
    text = 'extern "C" __global__ void k(int* a) { x(); }\nstrange __syncthreads();'
    assert source.kernels_that_meet(text) == {"k"}
    # Mentioned by the one macro or type that the kernel mentions.
    macro = '#define M \\\n __syncwarp()\nextern "C" __global__ void k(int* a) { M; }'
    assert source.kernels_that_meet(macro) == {"k"}
    method = "struct S { void f() { __syncwarp(); } };\n__global__ void k(int* a) { S s; s.f(); }"
    assert source.kernels_that_meet(method) == {"k"}
    comment = 'extern "C" __global__ void k(int* a) { *a = 1; /* no __syncthreads(); */ }'
    assert source.kernels_that_meet(comment) == set()


def test_a_barrier_in_a_kernel_taken_to_have_none_is_an_error(monkeypatch):
    monkeypatch.setattr(
        "tests.support.simt.host_device.kernels_that_meet", lambda text: frozenset()
    )
    with pytest.raises(RuntimeError, match="taken to have no barrier"):
        meet(meetings(), "block_sum")


@pytest.mark.parametrize(
    ("grid", "block", "shared", "message"),
    [
        (1, 1025, 0, "block x: 1025"),
        (1, (32, 64), 0, "threads of a block: 2048"),
        (1, (1, 1, 65), 0, "block z"),
        (1, 0, 0, "block x: 0"),
        ((1, 65536), 32, 0, "grid y: 65536"),
        (2**31, 32, 0, "grid x"),
        (1, 32, 227 * 1024 + 1, "shared memory"),
    ],
)
def test_launches_that_no_device_takes_are_refused(device, grid, block, shared, message):
    with pytest.raises(ValueError, match=message):
        device.launch("single", "alone", grid, block, [device.zeros(1, np.float32)], shared)


def test_a_block_beyond_the_launch_bounds_is_refused(device):
    with pytest.raises(ValueError, match="threads of a block: 96, a device takes 1 to 64"):
        meet(device, "votes", threads=96)


def test_an_empty_grid_is_no_launch(device):
    device.launch("single", "alone", 0, 32, [device.zeros(1, np.float32)])


@pytest.mark.parametrize("wrong", ["host", "float64", "strided", "missing"])
def test_arguments_that_do_not_fit_are_refused(device, wrong):
    args = {
        "host": [np.zeros(32, np.float32)],
        "float64": [device.zeros(32, np.float64)],
        "strided": [device.zeros((32, 2), np.float32)[:, 0]],
        "missing": [],
    }[wrong]
    with pytest.raises(TypeError, match="alone"):
        device.launch("single", "alone", 1, 32, args)


def test_a_text_that_does_not_compile_says_where():
    text = '#line 1 "mine.cu"\nextern "C" __global__ void k(int* a) {\n    a[0] = b;\n}'
    with pytest.raises(RuntimeError, match="mine.cu:2:"):
        HostDevice(source=lambda *_: text).launch("single", "k", 1, 1, [])


def _under(flavour, seed, *kernels):
    return subprocess.run(
        [sys.executable, "-m", "tests.support.simt.meetings", flavour, str(seed), *kernels],
        env=build.sanitized_environment(flavour) | {"TSAN_OPTIONS": "halt_on_error=0:exitcode=66"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.thorough("compiles with a sanitizer")
@pytest.mark.parametrize("seed", [0, 3])
def test_thread_sanitizer_sees_races_and_nothing_else(seed):
    build.library(TEXT, "tsan")
    done = _under("tsan", seed, *CLEAN, *RACES)
    reports = {part.split()[0]: part for part in done.stderr.split("==== ")[1:]}
    assert reports.keys() == {*CLEAN, *RACES}, done.stderr
    assert [name for name in CLEAN if "WARNING" in reports[name]] == []
    assert [name for name in RACES if "data race" not in reports[name]] == []
    assert done.returncode == 66


def test_of_two_that_need_the_same_build_one_waits(tmp_path, monkeypatch):
    real, built = build._compile, []
    monkeypatch.setattr(build, "_compile", lambda *words: (built.append(words[2]), real(*words)))
    with ThreadPoolExecutor(2) as pool:
        needed = [pool.submit(build.library, TEXT, "quick", folder=tmp_path) for _ in range(2)]
        first, second = (each.result() for each in needed)
    assert first == second
    assert len(built) == len({first.parent.name, *build.RUNTIME})
    assert [path for path in tmp_path.iterdir() if path.suffix == ".lock"] == []


@pytest.mark.thorough("compiles with a sanitizer")
@pytest.mark.parametrize(
    ("kernel", "message"),
    [
        ("past_the_end", "heap-buffer-overflow"),
        ("overflow", "signed integer overflow"),
        ("not_a_whole_number", "nan is outside the range"),
    ],
)
def test_address_sanitizer_sees_overruns_and_undefined_behaviour(kernel, message):
    build.library(TEXT, "asan")
    done = _under("asan", 1, *CLEAN, kernel)
    assert done.returncode == 66
    last = done.stderr.split("==== ")[-1]
    assert last.startswith(kernel), done.stderr
    assert message in last
    assert "meetings.cu:" in last


@pytest.mark.parametrize("flavour", ["asan", "tsan"])
def test_a_program_of_runs_starts_under_a_sanitizer(flavour):
    done = run_program(["platform"], build.sanitized_environment(flavour), limit=30)
    assert (done.returncode, done.stderr) == (0, "")

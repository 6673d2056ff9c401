"""Structs that kernels take: read from the text, laid out as C lays them out, passed by value."""

from types import SimpleNamespace

import numpy as np
import pytest

from eventsim.engine.cuda import device as cuda
from eventsim.engine.cuda import roles
from tests.support.simt import HostDevice, why_not

pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))

TEXT = """#define REAL float
#define ROOM 3
constexpr int MORE = 2;

struct Mixed {
    int few;           // one; a comment
    const double* times;
    unsigned char flag;
    REAL x, y;
    long long n[ROOM][MORE];
    int* found;
};

struct Outer {
    unsigned char flag;
    Mixed inner;
};

struct Unread {
    const Mixed& inner;
};

extern "C" __global__ void layout(long long* out) {
    out[0] = sizeof(Mixed);
    out[1] = offsetof(Mixed, few);
    out[2] = offsetof(Mixed, times);
    out[3] = offsetof(Mixed, flag);
    out[4] = offsetof(Mixed, x);
    out[5] = offsetof(Mixed, y);
    out[6] = offsetof(Mixed, n);
    out[7] = offsetof(Mixed, found);
    out[8] = sizeof(Outer);
    out[9] = offsetof(Outer, inner);
}

extern "C" __global__ void taken(const int scale, const Mixed given, double* out) {
    out[0] = scale * given.few;
    out[1] = given.times[1];
    out[2] = given.flag;
    out[3] = given.x + given.y;
    out[4] = given.n[2][1];
    out[5] = given.found == nullptr;
}

extern "C" __global__ void within(const Outer given, double* out) {
    out[0] = given.flag + given.inner.few;
    out[1] = given.inner.times[0];
}
"""


@pytest.fixture(scope="module")
def device():
    return HostDevice(source=lambda *_: TEXT)


def given(device, **changed):
    times = device.asarray(np.array([1.5, 2.5]))
    values = {"few": 3, "times": times, "flag": True, "x": 0.25, "y": 2, "n": 0, "found": None}
    return SimpleNamespace(**values | changed)


def test_struct_is_laid_out_as_c_lays_it_out(device):
    struct, outer = cuda.structs(TEXT).values()
    out = device.zeros(10, np.int64)
    device.launch("single", "layout", 1, 1, [out])
    offsets = [struct.dtype.fields[field.name][1] for field in struct.fields]
    offsets += [outer.dtype.itemsize, outer.dtype.fields["inner"][1]]
    assert device.get(out).tolist() == [struct.dtype.itemsize, *offsets]
    assert [field.name for field in struct.fields if field.pointer] == ["times", "found"]


def test_fields_arrive_in_their_types_and_what_is_not_there_as_null(device):
    out = device.zeros(6, np.float64)
    device.launch("single", "taken", 1, 1, [2, given(device), out])
    assert device.get(out).tolist() == [6.0, 2.5, 1.0, 2.25, 0.0, 1.0]


def test_struct_within_a_struct_arrives(device):
    out = device.zeros(2, np.float64)
    outer = SimpleNamespace(flag=1, inner=given(device))
    device.launch("single", "within", 1, 1, [outer, out])
    assert device.get(out).tolist() == [4.0, 1.5]
    wrong = SimpleNamespace(flag=1, inner=given(device, times=np.zeros(2)))
    with pytest.raises(TypeError, match="within: given: inner: times is .*, expected a device"):
        device.launch("single", "within", 1, 1, [wrong, out])


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"times": np.zeros(2)}, r"taken: given: times is .*, expected a device array"),
        ({"found": "float"}, r"taken: given: found has dtype float32, expected int32"),
    ],
)
def test_field_of_another_type_is_refused_by_name(device, changed, message):
    if changed.get("found") == "float":
        changed = {"found": device.zeros(1, np.float32)}
    with pytest.raises(TypeError, match=message):
        device.launch("single", "taken", 1, 1, [1, given(device, **changed), None])


def test_field_that_is_missing_is_refused_by_name(device):
    incomplete = given(device)
    del incomplete.flag
    with pytest.raises(TypeError, match=r"taken: given: .* has no flag"):
        device.launch("single", "taken", 1, 1, [1, incomplete, None])


def test_text_of_the_kernels_says_how_large_its_structs_are():
    for precision in ("single", "double"):
        text = cuda.kernel_source(precision)
        declared = {name.removesuffix("Struct") for name in vars(roles) if name.endswith("Struct")}
        for struct in declared | {"QueueMemory", "WindowMemory", "StagedEvents", "StagedArrivals"}:
            size = cuda.structs(text)[struct].dtype.itemsize
            assert f"static_assert(sizeof({struct}) == {size}," in text
    assert cuda.size_of("StagedArrivals", "double") > cuda.size_of("StagedArrivals", "single")


@pytest.mark.parametrize("states", [0, 3])
def test_no_kernel_takes_more_than_it_can_be_read_by(states):
    found = cuda.signatures(cuda.kernel_source("single", states=states))
    assert max(len(parameters) for parameters in found.values()) <= 8


def test_role_becomes_a_struct_of_the_same_fields():
    text = roles.declarations()
    begin = text.index("struct Windows {")
    lines = text[begin : text.index("};", begin)].splitlines()[1:]
    fields = [line.strip().rstrip(";").split(" ")[-1] for line in lines]
    assert fields == list(roles.WindowsStruct._fields)
    declared = [line.strip().rstrip(";") for line in lines]
    for line in ("double length", "Given<REAL> by_v", "int pieces", "Bundles due", "REAL* moments"):
        assert line in declared
    assert "order" not in text[text.index("struct Tape {") :].split("};")[0]  # the host's alone


def test_types_of_arrays_are_those_of_the_declaration():
    assert roles.types_of(roles.BundlesStruct, np.float32) == [np.float64, np.int64, np.int64]
    found = roles.types_of(roles.PackedStruct, np.float32)
    assert found == [np.float64, np.int32, np.int32, np.float32, np.float32]

// The C interface of the kernels, as eventsim/engine/cpu/library.py calls it.
//
//   int eventsim_NAME_TYPE(int level, const CALL* call)    NAME of calls.hpp, TYPE float or double
//   int eventsim_NAME(int level, const CALL* call)         of those that are compiled once: common.cpp
//
// Before          the level is one of eventsim_levels_built() and eventsim_levels_of_machine().
// Returned        DONE, NO_MEMORY or NO_SUCH_LEVEL.
// Built by eventsim/kernels/build.py. Objects of the slowest level come first: of a function of the
// language's library that several levels have, linkers take the first.
#include <stddef.h>

#include "calls.hpp"
#include "dispatch.hpp"

#define EXPORT extern "C" __attribute__((visibility("default")))

#define DECLARE_AT(level, LEVEL, name) extern "C" int name##_##level(const void*);
#define CASE_AT(level, LEVEL, name) \
    case eventsim::LEVEL: return name##_##level(call);
#define ENTRY_OF(name)                                              \
    AT_EACH_LEVEL(DECLARE_AT, name)                                 \
    EXPORT int eventsim_##name(int level, const void* call) {       \
        switch (level) { AT_EACH_LEVEL(CASE_AT, name) }             \
        return eventsim::NO_SUCH_LEVEL;                             \
    }
#define ENTRY(name, Call) ENTRY_OF(name##_float) ENTRY_OF(name##_double)

KERNELS(ENTRY)

// --- What both sides must agree on --------------------------------------------------------------

EXPORT uint32_t eventsim_levels_built() { return eventsim::levels_built(); }
EXPORT uint32_t eventsim_levels_of_machine() { return eventsim::levels_of_machine(); }

#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)
#ifndef SOURCES
#define SOURCES none
#endif
EXPORT const char* eventsim_sources() { return TEXT(SOURCES); }

namespace {

// Text as long as there is room for it; the length that it would have.
class Writer {
    char* const to;
    const int64_t room;

  public:
    int64_t size = 0;
    Writer(char* to, int64_t room) : to(to), room(room) {}
    void put(char c) {
        if (size < room) to[size] = c;
        ++size;
    }
    void text(const char* s) {
        while (*s) put(*s++);
    }
    void number(uint64_t n) {
        if (n > 9) number(n / 10);
        put((char)('0' + n % 10));
    }
    void field(const char* name, uint64_t offset) {
        put(' ');
        text(name);
        put(':');
        number(offset);
    }
};

}  // namespace

#define FIELD(Struct, name) w.field(#name, offsetof(Struct, name));
#define FIELDS_1(S, a) FIELD(S, a)
#define FIELDS_2(S, a, ...) FIELD(S, a) FIELDS_1(S, __VA_ARGS__)
#define FIELDS_3(S, a, ...) FIELD(S, a) FIELDS_2(S, __VA_ARGS__)
#define FIELDS_4(S, a, ...) FIELD(S, a) FIELDS_3(S, __VA_ARGS__)
#define FIELDS_5(S, a, ...) FIELD(S, a) FIELDS_4(S, __VA_ARGS__)
#define FIELDS_6(S, a, ...) FIELD(S, a) FIELDS_5(S, __VA_ARGS__)
#define FIELDS_7(S, a, ...) FIELD(S, a) FIELDS_6(S, __VA_ARGS__)
#define FIELDS_8(S, a, ...) FIELD(S, a) FIELDS_7(S, __VA_ARGS__)
#define FIELDS_9(S, a, ...) FIELD(S, a) FIELDS_8(S, __VA_ARGS__)
#define FIELDS_10(S, a, ...) FIELD(S, a) FIELDS_9(S, __VA_ARGS__)
#define FIELDS_11(S, a, ...) FIELD(S, a) FIELDS_10(S, __VA_ARGS__)
#define FIELDS_12(S, a, ...) FIELD(S, a) FIELDS_11(S, __VA_ARGS__)
#define FIELDS_OF(k, l, m, n, o, p, q, r, s, t, u, v, FIELDS, ...) FIELDS
#define FIELDS(S, ...)                                                                          \
    FIELDS_OF(__VA_ARGS__, FIELDS_12, FIELDS_11, FIELDS_10, FIELDS_9, FIELDS_8, FIELDS_7,       \
              FIELDS_6, FIELDS_5, FIELDS_4, FIELDS_3, FIELDS_2, FIELDS_1)(S, __VA_ARGS__)

// A line with the struct's size and the offsets of its fields, which must be all that it has.
#define STRUCT(name, Struct, ...)         \
    {                                     \
        using S = eventsim::Struct;       \
        w.text(#name);                    \
        w.put(' ');                       \
        w.number(sizeof(S));              \
        FIELDS(S, __VA_ARGS__)            \
        w.put('\n');                      \
    }
// As STRUCT, for both types of a number.
#define STRUCTS(name, ...)                                                                \
    static_assert(sizeof(eventsim::name<float>) == sizeof(eventsim::name<double>), #name); \
    STRUCT(name, name<float>, __VA_ARGS__)

// What library.py writes of its own structures. Returns the length; writes what there is room for.
EXPORT int64_t eventsim_layout(char* to, int64_t room) {
    Writer w(to, room);
    w.text("interface 1 levels plain v3 v4 neon\n");  // raise it where only the meaning changes
    STRUCT(Tasks, Tasks, todo, n, n_blocks)
    STRUCT(Sources, Sources, first, time, neuron, row_start, delay, duration, n_sources, n_samples)
    STRUCT(Events, Events, offsets, times, rows, duration, heard, skip, met)
    STRUCTS(Weights, values, n_rows, width)
    STRUCTS(Neurons, par, refractory, strength, rate, size, fastest)
    STRUCTS(Standing, time, v, j, until, a, last)
    STRUCT(Spikes, Spikes, time, neuron, current, restart, starts, limits, counts, reached)
    STRUCT(Tape, Tape, offsets, time, neuron, current, restart, by_time, by_voltage, previous, through,
           before)
    STRUCTS(WayBack, bounds, middle, length, begin, adjoint, behind, asked, cause, starts)
    STRUCTS(Found, by_weight, effects, sums, own, adapted, grazes)
    STRUCTS(DenseForward, tasks, events, weights, neurons, begin, end, spikes)
    STRUCTS(DenseBackward, tasks, events, weights, neurons, tape, way, found)
    STRUCTS(Loop, start, first, last, delay, target, parts, own_weight, own_delay, n_parts)
    STRUCT(Arriving, Arriving, offsets, time, first, last, spike, cause, duration)
    STRUCTS(LoopStop, time, v, j, until, since, recent, border, idle, halvings, a, last)
    STRUCTS(LoopBack, bounds, begin, last, adjoint, behind, by_delay, n_synapses, starts)
    STRUCTS(QueueForward, tasks, arriving, loop, neurons, begin, end, spikes)
    STRUCTS(QueueBackward, tasks, arriving, loop, neurons, tape, way, found)
    STRUCT(Outputs, Outputs, rates, size)
    STRUCTS(GainTable, values, n_blocks, n_windows, rate, per_ms)
    STRUCTS(FanOut, start, target, weight, delay, n)
    STRUCT(Integrals, Integrals, values, size)
    STRUCT(IntegralsBack, IntegralsBack, bounds, seeds, by_weight, by_delay, effects, sums, size)
    STRUCT(Asked, Asked, times, n, value)
    STRUCT(AskedBack, AskedBack, times, n, by_value, bounds, asked, sums, middle, length)
    STRUCTS(EventsBack, by_weight, effects)
    STRUCT(Largest, Largest, value, time, arrival, slope)
    STRUCT(Windows, Windows, length, border, pieces)
    STRUCTS(SumBasis, by_v, by_j, width, reach)
    STRUCT(NeuronParts, NeuronParts, bounds, meeting)
    STRUCT(SynapseRows, SynapseRows, row)
    STRUCTS(LoopSums, tasks, arriving, loop, neurons, windows, basis, parts, begin, end, spikes)
    STRUCTS(LoopStretches, tasks, arriving, loop, neurons, windows, weights, rows, begin, end, spikes)
    STRUCTS(ReadoutGains, tasks, outputs, gains)
    STRUCTS(ReadoutForward, tasks, spikes, gains, weights, integrals)
    STRUCTS(ReadoutBackward, tasks, spikes, gains, weights, back)
    STRUCTS(ApartForward, tasks, spikes, gains, fan, integrals)
    STRUCTS(ApartBackward, tasks, spikes, gains, fan, back)
    STRUCTS(VoltagesForward, tasks, events, weights, neurons, asked)
    STRUCTS(VoltagesBackward, tasks, events, weights, neurons, asked, back)
    STRUCTS(LargestForward, tasks, events, weights, neurons, largest)
    STRUCT(Merged, Merged, offsets, time, row, number)
    STRUCT(Connections, Connections, offsets, time, neuron, delay, delays_of, first, each, duration,
           n_samples, found)
    STRUCT(OwnSpikes, OwnSpikes, offsets, neuron, current, restart, resistance, size)
    STRUCT(OwnAdapted, OwnAdapted, offsets, neuron, time, rate, begin, a, last, before, size)
    STRUCT(Linked, Linked, previous, current, restart, last)
    STRUCT(Rounds, Rounds, time, neuron, current, restart, round, starts, counts, n_parts)
    STRUCT(Packed, Packed, offsets, time, neuron, current, restart, resistance)
    STRUCT(MergeSources, MergeSources, tasks, sources, merged)
    STRUCT(CountArrivals, CountArrivals, tasks, connections)
    STRUCT(AdaptedBefore, AdaptedBefore, tasks, adapted)
    STRUCT(LinkSpikes, LinkSpikes, tasks, spikes, linked)
    STRUCT(PackSpikes, PackSpikes, tasks, rounds, packed)
    STRUCT(AxonWiring, AxonWiring, start, target, column, source, spikes, fan_in, selfed, n_neurons,
           n_axons)
    STRUCT(CoreHolds, CoreHolds, core_of, slots, used, neurons, axons_in, axons_out, synapses, limits,
           n_cores)
    STRUCT(Ground, Ground, column, row, x, y, at_x, at_y, n_columns, n_rows, beside)
    STRUCT(Costs, Costs, found)
    STRUCT(Wishes, Wishes, neurons, n, core, gain, most)
    STRUCT(MoveGains, MoveGains, neurons, n, n_parts, cores, n_cores, found)
    STRUCT(Swaps, Swaps, core, neurons, wishes, columns, n_neurons, members, gains, n_members, n_homes)
    STRUCT(Filling, Filling, first, end, core, found)
    STRUCT(Growing, Growing, free, before, after, price, whole, fresh, n_fresh, inside, axons, touched,
           touches, refused)
    STRUCT(NextNeurons, NextNeurons, heap, place, due)
    STRUCT(Prices, Prices, price, found)
    STRUCT(Leaving, Leaving, neurons, n, core, found)
    STRUCT(Coming, Coming, neuron, core, change, fits)
    STRUCT(CoreField, CoreField, start, other, flow, inward, column, row, x, y, at, n_cores, n_columns,
           n_rows)
    STRUCT(CoreSwaps, CoreSwaps, ones, others, n, limits, changes, costs, best)
    STRUCT(Descent, Descent, first, end, across, along, least, taken)
    STRUCT(FillCores, FillCores, tasks, wiring, holds)
    STRUCT(AxonCosts, AxonCosts, tasks, wiring, holds, ground, costs)
    STRUCT(FindGains, FindGains, tasks, wiring, holds, ground, gains)
    STRUCT(MoveAll, MoveAll, tasks, wiring, holds, ground, wishes)
    STRUCT(MoveAway, MoveAway, tasks, wiring, holds, ground, leaving)
    STRUCT(CountAlone, CountAlone, tasks, wiring, holds, leaving)
    STRUCT(MoveNeuron, MoveNeuron, tasks, wiring, holds, coming)
    STRUCT(AskCore, AskCore, tasks, wiring, holds, coming)
    STRUCT(SwapNeurons, SwapNeurons, tasks, wiring, holds, ground, swaps)
    STRUCT(FillInOrder, FillInOrder, tasks, wiring, holds, filling)
    STRUCT(FillFirstFit, FillFirstFit, tasks, wiring, holds, filling)
    STRUCT(GrowCore, GrowCore, tasks, wiring, holds, growing, next, filling)
    STRUCT(AddPrices, AddPrices, tasks, wiring, prices)
    STRUCT(SwapChanges, SwapChanges, tasks, field, swaps)
    STRUCT(AnnealCores, AnnealCores, tasks, field, swaps)
    STRUCT(DescendCores, DescendCores, tasks, field, descent)
    STRUCT(Bounds, Bounds, out_start, target, bound, n_rows, n_blocks, low, size)
    STRUCT(FindBounds, FindBounds, tasks, bounds)
    STRUCT(Sent, Sent, offsets, time, row, begin, duration)
    STRUCT(Wires, Wires, out_start, target, bound, parts, resistance, delay, n_parts, n_rows, low, size)
    STRUCTS(Returns, weight, delay, first, early)
    STRUCTS(Carried, adjoint, behind, starts)
    STRUCTS(WiresBack, by_weight, by_delay, effects, sums, own, adapted, grazes, n_parts, n_samples,
            n_events)
    STRUCTS(FaninForward, tasks, sent, wires, neurons, returns, begin, end, spikes)
    STRUCTS(FaninBackward, tasks, sent, wires, neurons, returns, tape, carried, found)
    return w.size;
}

// --- Arrays of NumPy -----------------------------------------------------------------------------

namespace {

// What ndarray.__array_struct__ holds: the array interface of NumPy, C side, version 3.
struct ArrayInterface {
    int two, nd;
    char typekind;
    int itemsize, flags;
    intptr_t *shape, *strides;
    void* data;
    void* descr;
};

constexpr int CONTIGUOUS = 0x1, ALIGNED = 0x100, NATIVE = 0x200, WRITEABLE = 0x400;

}  // namespace

// Functions of Python, of its stable interface.
struct Python {
    void* (*tuple_item)(void* tuple, intptr_t k);
    void* (*capsule_pointer)(void* capsule, const char* name);
    void* none;
};

// What an array must be: its place in a call in bytes, the kind of its numbers and their bytes, whether
// it is written to, and whether it may be missing. Twin in eventsim/engine/cpu/library.py.
struct Expected {
    int32_t at;
    char kind;
    int8_t size;
    bool out, none;
};
static_assert(sizeof(Expected) == 8, "packed by NumPy");

// Writes into a call where the arrays lie whose __array_struct__ the tuple holds, null for a None:
// asked one by one in Python, addresses take longer than a small layer. Returns n, or the number of
// the first that is not as expected. Python's lock is held.
EXPORT int64_t eventsim_addresses(const Python* python, void* tuple, const Expected* expected,
                                  int64_t n, char* call) {
    for (int64_t k = 0; k < n; ++k) {
        const Expected& e = expected[k];
        void* const item = python->tuple_item(tuple, k);
        void* data = nullptr;
        if (item != python->none) {
            const auto* const x = (const ArrayInterface*)python->capsule_pointer(item, nullptr);
            const int flags = CONTIGUOUS | ALIGNED | NATIVE | (e.out ? WRITEABLE : 0);
            if (x == nullptr || x->two != 2 || x->typekind != e.kind || x->itemsize != e.size ||
                (x->flags & flags) != flags)
                return k;
            data = x->data;
        } else if (!e.none) {
            return k;
        }
        __builtin_memcpy(call + e.at, &data, sizeof data);
    }
    return n;
}

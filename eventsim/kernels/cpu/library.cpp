// The C interface of the kernels, as eventsim/compiled/library.py calls it.
//
//   int eventsim_NAME_TYPE(int level, const CALL* call)    NAME of calls.hpp, TYPE float or double
//   int eventsim_NAME(int level, const CALL* call)         of those that are compiled once: common.cpp
//
// Before          the level is one of eventsim_levels_built() and eventsim_levels_of_machine().
// Returned        DONE, NO_MEMORY or NO_SUCH_LEVEL.
// Built by eventsim/kernels/build.py. Objects for every processor come first: of a function of the
// language's library that several objects have, linkers take the first.
#include "calls.hpp"
#include "dispatch.hpp"
#include "rounding.hpp"

#define EXPORT extern "C" __attribute__((visibility("default")))

#define DECLARE_AT(level, LEVEL, name) extern "C" int name##_##level(const void*);
#define CASE_AT(level, LEVEL, name) \
    case eventsim::LEVEL: return name##_##level(call);
#define ENTRY_OF(name)                                              \
    AT_EACH_LEVEL(DECLARE_AT, name)                                 \
    EXPORT int eventsim_##name(int level, const void* call) {       \
        const eventsim::DefaultRounding rounding;                   \
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

// Interface text, as calls.py writes it of its own roles. Raise the number where only the meaning changes.
// Functions of this name always took nothing and returned a text: libraries of other versions are asked, too.
EXPORT const char* eventsim_declared() { return "interface 1 levels v3 v4 neon\n" LAYOUT; }

// --- Arrays of NumPy -----------------------------------------------------------------------------

namespace {

// Array interface of NumPy, C side, version 3: the content of ndarray.__array_struct__.
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

// Expected array: its place in a call in bytes, the kind of its numbers and their bytes, whether it is
// written to, and whether it may be missing. Twin in eventsim/compiled/library.py.
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

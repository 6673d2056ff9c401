// Threads that share work with the one that calls, who leads: crew.cpp.
//
// The leader says what there is to do. A part is run by whoever claims it, so that the leader alone can run all,
// and nobody waits for a thread that has claimed nothing. Others wait asleep.
//
// On a busy machine they come late, or lose their processor within a part, which holds up the leader for a time
// slice, as long as tens of small works. He then runs all alone for a while, which grows with what was lost and if
// it happens again.
#pragma once
#include <stdint.h>

struct Crew;

// Runs part(work, p) for all n parts p, which may be run side by side. Only one thread at a time may lead a crew.
extern "C" void eventsim_crew_run(Crew* crew, void (*part)(void* work, int64_t p), void* work, int64_t n);

// Tell the crew that more work comes within some 10 us: threads without work then wait awake for a while.
extern "C" void eventsim_crew_expect(Crew* crew, int more);

using Kernel = int(int level, const void* call);

// The tasks of a call of `size` bytes are dealt to so many parts, which the crew runs. Returns what a kernel does.
extern "C" int eventsim_share(Crew* crew, Kernel* kernel, int level, const char* call, int64_t size, int64_t parts);

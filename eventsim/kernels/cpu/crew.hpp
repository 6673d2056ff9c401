// Threads that share work with the one that calls, who leads: crew.cpp.
//
// The leader says what there is to do. A part is run by whoever claims it, so that the leader alone can run all,
// and nobody waits for a thread that has claimed nothing. Others wait asleep.
#pragma once
#include <stdint.h>

struct Crew;

// Runs part(work, p) for all n parts p, which may be run side by side. Only one thread at a time may lead a crew.
extern "C" void crew_run(Crew* crew, void (*part)(void* work, int64_t p), void* work, int64_t n);

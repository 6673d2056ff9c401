// Rows of the tables that kernels share with Python, and the numbers with a meaning.
//
// Reference       eventsim/engine/contract/table.py; eventsim/engine/contract/job.py (RUNAWAY_PER_MS)
#pragma once
#include <stdint.h>

namespace eventsim {

// Parameters [N_PAR, neurons].
enum { SLOW, GAP, RATE_MEM, LEVEL, ALERT, PEAK, RATE_SYN, RESET, SELF, INSTANT, N_PAR };

// Adjoint states; the sums of a sample; what is found by parameter; what is carried of a threshold.
constexpr int N_STATE = 5;
enum { BY_DRIVE, BY_MEM, BY_SYN, N_SUMS };
enum { BY_LEVEL, BY_RESET, BY_REFRACTORY, BY_SELF, BY_SELF_DELAY, N_OWN };
enum { KAPPA, PRODUCT, BEHIND, N_BEHIND };

// More spikes in a ms are a run-away.
constexpr int RUNAWAY_PER_MS = 1000;

// Number of a spike of an earlier piece of the stream: beyond every limit.
constexpr int64_t EARLIER = int64_t(1) << 62;

}  // namespace eventsim

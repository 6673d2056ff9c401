/* Recordings of eventsim: the same spikes to the bit, and the same answers.
 *
 * On a computer `make test` runs it. On a board call net_test() and look at what it returns: 0 if all is
 * equal, else 1 + the number of the first recording that differs, or -1 if the build is refused.
 */
#include "../@name@.h"

#ifndef NET_TEST_QUIET
#include <stdio.h>
#endif

int net_test(void);

#define STEP 1.0 /* ms */

static net_t net;

@data@
/* The next spike that is expected of every neuron. */
static uint32_t next[SENDERS];
static long equal;

static int check_spikes(int recording) {
    net_spike s;
    while (net_poll(&net, &s) == NET_OK) {
        const uint32_t neuron = first_neuron[s.population] + s.neuron;
        const uint32_t i = next[neuron];
        ++next[neuron];
        if (i >= spike_start[(uint32_t)recording * SENDERS + neuron + 1U] || spike_time[i] != s.time) {
            return 0;
        }
        ++equal;
    }
    return 1;
}

/* Goes on to a time in steps, so that no more spikes wait to be polled than there is room for. */
static int go_on(int recording, double *now, double time) {
    int good = 1;
    while (good && *now + STEP < time) {
        *now += STEP;
        good = net_advance(&net, *now) == NET_OK && check_spikes(recording);
    }
    return good;
}

static int run_recording(int recording) {
    net_answer answer;
    uint32_t i, n;
    double now = 0.0;
    int good = 1;
    net_reset(&net);
    for (n = 0U; n < SENDERS; ++n) {
        next[n] = spike_start[(uint32_t)recording * SENDERS + n];
    }
    for (i = event_start[recording]; good && i < event_start[recording + 1]; ++i) {
        good = go_on(recording, &now, event_time[i]) &&
               net_push(&net, event_time[i], event_channel[i]) == NET_OK && check_spikes(recording);
        now = event_time[i];
    }
    good = good && go_on(recording, &now, duration[recording] + NET_TAIL) &&
           net_decide(&net, duration[recording], &answer) == NET_OK && check_spikes(recording) &&
           answer.answer == (int32_t)expected[recording] && net_lost(&net) == 0U;
    for (n = 0U; good && n < SENDERS; ++n) {
        good = next[n] == spike_start[(uint32_t)recording * SENDERS + n + 1U];
    }
    return good;
}

int net_test(void) {
    int recording;
    equal = 0;
    if (net_init(&net) != NET_OK) {
        return -1;
    }
    for (recording = 0; recording < RECORDINGS; ++recording) {
        if (!run_recording(recording)) {
            return 1 + recording;
        }
    }
    return 0;
}

#ifndef NET_TEST_QUIET
int main(void) {
    const int found = net_test();
    if (found == 0) {
        printf("%d recordings, %ld spikes: equal to the bit. RAM %lu bytes.\n", RECORDINGS, equal,
               (unsigned long)NET_RAM_BYTES);
    } else if (found < 0) {
        printf("The build is refused: compile without -ffast-math and without contraction.\n");
    } else {
        printf("Recording %d differs.\n", found - 1);
    }
    return found != 0;
}
#endif

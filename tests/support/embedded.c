/* Drives an exported network over one recording; for tests. */
#include <stdint.h>

#include "net.h"

static net_t net;

int drive_init(void) { return (int)net_init(&net); }
long drive_ram(void) { return (long)NET_RAM_BYTES; }
unsigned drive_most(unsigned stage) { return net_most(&net, stage); }
void drive_reset(void) { net_reset(&net); }
int drive_push(double time, unsigned channel) { return (int)net_push(&net, time, channel); }

/* Returns how many spikes there were, or minus the status that stopped it. */
long drive(const double *time, const int32_t *channel, long n, double duration, double *spike_time,
           int32_t *population, int32_t *neuron, long room, float *scores) {
    long found = 0, i = 0;
    double now = 0.0;
    net_spike s;
    net_answer a = {-1, {0.0F}};
    int k, status = 0;
    net_reset(&net);
    while (a.answer < 0) {
        const double next = i < n ? time[i] : duration + NET_TAIL;
        if (now + 1.0 < next) {
            now += 1.0;
            status = (int)net_advance(&net, now);
        } else if (i < n) {
            now = next;
            status = (int)net_push(&net, time[i], (uint32_t)channel[i]);
            ++i;
        } else {
            status = (int)net_decide(&net, duration, &a);
        }
        if (status != 0) {
            return -status;
        }
        for (; net_poll(&net, &s) == NET_OK; ++found) {
            if (found < room) {
                spike_time[found] = s.time;
                population[found] = s.population;
                neuron[found] = s.neuron;
            }
        }
    }
    for (k = 0; k < NET_CLASSES; ++k) {
        scores[k] = a.score[k];
    }
    scores[NET_CLASSES] = (float)a.answer;
    return net_lost(&net) == 0U ? found : -100;
}

/* @name@: a spiking network in event time, written by eventsim @version@.
 *
 * Times are in ms (double), from the start of the recording. Nothing is allocated; all state is in net_t, the
 * rest is constant. Call net_init first. No pointer may be null.
 *
 * Threads and interrupts: nothing is locked. No function may be called for a net_t while another one works on it,
 * so an interrupt puts its events into a queue of yours, and what it has interrupted pushes them. Several net_t may
 * be used at once.
 *
 * An answer while the recording goes on: copy the net_t, and let the copy decide.
 *     net_t so_far = net;  net_decide(&so_far, time, &answer);
 */
#ifndef NET_H
#define NET_H
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

@config@
typedef enum {
    NET_OK = 0,
    NET_EMPTY = 1,     /* no spike to poll */
    NET_FULL = 2,      /* a queue of arrivals is full: larger NET_ROOM needed; reset and begin anew */
    NET_LATE = 3,      /* the event is earlier than one before, or the recording has ended; not taken */
    NET_BAD_INPUT = 4, /* no such channel, a time that is negative or no number, or no net_init; not taken */
    NET_BAD_BUILD = 5, /* compiled so that numbers differ: -ffast-math, contraction, no exact fma */
    NET_RUNAWAY = 6    /* a neuron fires without end; reset and begin anew */
} net_status;

typedef struct {
    double time;
    uint16_t population; /* NET_POPULATION_.. */
    uint16_t neuron;
} net_spike;

typedef struct {
    int32_t answer; /* the class */
    float score[NET_CLASSES];
} net_answer;

/* Its fields are private. */
typedef struct {
    double now, latest, end, onset;
    double clock[NET_STAGES], sent[NET_STAGES], border[NET_STAGES];
    double when[NET_ROOM];
    double spike_time[NET_SPIKES];
#if NET_REFRACTORY
    double until[NET_NEURONS];
#endif
#if NET_ADAPTIVE
    double adaptation[NET_NEURONS], last[NET_NEURONS];
#endif
#if NET_DUES
    double at[NET_NEURONS], due[NET_NEURONS];
#endif
#if NET_LINEAR_EVENTS
    double seen[NET_NEURONS];
#endif
#if NET_COUNTS
    double since[NET_NEURONS];
#endif
#if NET_RULE_SPIKES
    double first_spike[NET_CLASSES];
    uint32_t n_spikes[NET_CLASSES];
#endif
#if NET_COUNTS
    uint32_t recent[NET_NEURONS];
#endif
#if NET_EVENTS
    float rise[NET_NEURONS];
#endif
#if NET_LINEAR
    float x[NET_STATES];
#endif
#if NET_RULE_READOUT
    float total[NET_OUTPUTS];
#endif
#if NET_RULE_MAXIMUM
    float largest[NET_OUTPUTS];
#endif
    float v[NET_NEURONS], j[NET_NEURONS];
    uint32_t head[NET_STAGES], count[NET_STAGES], most[NET_STAGES];
    uint32_t spike_head, spike_count, lost;
    NET_ROW_TYPE key[NET_ROOM];
    uint16_t spike_population[NET_SPIKES], spike_neuron[NET_SPIKES];
#if NET_LINEAR_EVENTS
    uint8_t sure[NET_NEURONS];
#endif
    uint8_t idle[NET_STAGES], busy[NET_STAGES], status, ended, crowded, heard;
} net_t;

#define NET_RAM_BYTES (sizeof(net_t))

/* Checks the build by a dozen vectors, and makes the network ready. */
net_status net_init(net_t *net);

/* The network is as at the start of a recording. */
void net_reset(net_t *net);

/* An event. Times must not descend; events of one time may come in any order. */
net_status net_push(net_t *net, double time, uint32_t channel);

/* As net_push; the time in whole microseconds, which are 71 minutes at most. */
net_status net_push_us(net_t *net, uint32_t time, uint32_t channel);

/* No event will come before this time: all spikes before it are computed. net_push leaves that to the end of
 * a stretch of four arrivals, which takes less. Of linear neurons that all hear the same they are those up to the last
 * whole piece of time, at most a half of the shortest time constant before. */
net_status net_advance(net_t *net, double time);

/* The next spike of a population, in the order in which spikes become known; NET_EMPTY if there is none.
 * Spikes that are not polled in time are dropped, the oldest first: see net_lost. */
net_status net_poll(net_t *net, net_spike *spike);

/* The recording ends after so many ms, and NET_TAIL of silence are appended; what the network answers. NET_LATE, and
 * nothing changes, if an event came behind this end. Spikes may still be polled. */
net_status net_decide(net_t *net, double duration, net_answer *answer);

/* Spikes that were dropped since the last reset, because they were not polled in time. */
uint32_t net_lost(const net_t *net);

/* The most arrivals that waited in a stage's queue since net_init; its room is NET_ROOM_<stage>. */
uint32_t net_most(const net_t *net, uint32_t stage);

/* NET_OK, or NET_BAD_BUILD. */
net_status net_selftest(void);

#ifdef __cplusplus
}
#endif
#endif

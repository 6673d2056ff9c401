/* A user's program against an exported network: what is wrong or too much is told, and changes nothing.
 *
 * Prints the line of the first thing that is otherwise, and what the network found.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "one.h"

#define EVENTS 400
#define END 100.0 /* ms */
#define PAD 64
#define NEEDS(fact)                          \
    if (!(fact)) {                           \
        printf("line %d: " #fact, __LINE__); \
        return 1;                            \
    }

typedef struct {
    unsigned char before[PAD];
    one_t net;
    unsigned char after[PAD];
} guarded;

typedef struct {
    long spikes; /* that were polled */
    double sum;  /* of their times */
    uint32_t lost;
    one_answer answer;
} outcome;

static guarded kept;
static double times[EVENTS];
static uint32_t channels[EVENTS];

static int is_whole(void) {
    int k, good = 1;
    for (k = 0; k < PAD; ++k) {
        good = good && kept.before[k] == 0xa5U && kept.after[k] == 0xa5U;
    }
    return good;
}

static void draw(void) {
    uint32_t k, x = 12345U;
    for (k = 0U; k < EVENTS; ++k) {
        x = x * 1664525U + 1013904223U;
        times[k] = floor((k + (x >> 8) / 16777216.0) * 1e3 * (END - 5.0) / EVENTS) / 1e3;
        channels[k] = (x >> 5) % ONE_CHANNELS;
    }
}

static void poll_all(outcome *found) {
    one_spike spike;
    while (one_poll(&kept.net, &spike) == ONE_OK) {
        ++found->spikes;
        found->sum += spike.time;
    }
}

/* Events before a time; with what is wrong between them, or without. */
static int run(double until, int polls, int wrong, int micro, outcome *found) {
    int k;
    memset(found, 0, sizeof *found);
    one_reset(&kept.net);
    for (k = 0; k < EVENTS && times[k] < until; ++k) {
        if (wrong) {
            NEEDS(one_push(&kept.net, times[k], ONE_CHANNELS) == ONE_BAD_INPUT)
            NEEDS(one_push(&kept.net, times[k], UINT32_MAX) == ONE_BAD_INPUT)
            NEEDS(one_push(&kept.net, -1.0, 0U) == ONE_BAD_INPUT)
            NEEDS(one_push(&kept.net, (double)NAN, 0U) == ONE_BAD_INPUT)
            NEEDS(one_advance(&kept.net, (double)INFINITY) == ONE_BAD_INPUT)
            NEEDS(one_decide(&kept.net, 0.0, &found->answer) == ONE_BAD_INPUT)
            NEEDS(one_decide(&kept.net, (double)NAN, &found->answer) == ONE_BAD_INPUT)
            if (k > 0 && times[k - 1] > 0.0) {
                NEEDS(one_push(&kept.net, times[k - 1] / 2.0, 0U) == ONE_LATE)
                NEEDS(one_advance(&kept.net, times[k - 1] / 2.0) == ONE_LATE)
                NEEDS(one_decide(&kept.net, times[k - 1] / 2.0, &found->answer) == ONE_LATE)
            }
        }
        if (micro) {
            NEEDS(one_push_us(&kept.net, (uint32_t)floor(times[k] * 1e3 + 0.5), channels[k]) == ONE_OK)
        } else {
            NEEDS(one_push(&kept.net, times[k], channels[k]) == ONE_OK)
        }
        if (polls) {
            poll_all(found);
        }
    }
    return 0;
}

static int same(const outcome *a, const outcome *b) {
    return a->spikes == b->spikes && a->lost == b->lost && fabs(a->sum - b->sum) < 1e-6 &&
           a->answer.answer == b->answer.answer &&
           memcmp(a->answer.score, b->answer.score, sizeof a->answer.score) == 0;
}

static int finish(double duration, outcome *found) {
    NEEDS(one_decide(&kept.net, duration, &found->answer) == ONE_OK)
    found->lost = one_lost(&kept.net); /* where a push makes more than the ring holds */
    poll_all(found);
    return 0;
}

static int wrong_events(const outcome *good) {
    outcome found;
    NEEDS(run(END, 1, 1, 0, &found) == 0)
    NEEDS(finish(END, &found) == 0)
    NEEDS(same(&found, good))
    NEEDS(one_push(&kept.net, 2.0 * END, 0U) == ONE_LATE)
    NEEDS(one_advance(&kept.net, 2.0 * END) == ONE_LATE)
    NEEDS(run(END, 1, 0, 1, &found) == 0)
    NEEDS(finish(END, &found) == 0)
    NEEDS(same(&found, good))
    return 0;
}

static int too_many(const outcome *good) {
    outcome found;
    one_spike spike;
    uint32_t k, taken = 0U;
    NEEDS(run(END / 2.0, 1, 0, 0, &found) == 0)
    while (one_push(&kept.net, END / 2.0, taken % ONE_CHANNELS) == ONE_OK) {
        ++taken;
        NEEDS(taken <= 8U * ONE_ROOM)
    }
    NEEDS(one_push(&kept.net, END / 2.0, 0U) == ONE_FULL)
    NEEDS(one_push(&kept.net, END, 0U) == ONE_FULL)
    NEEDS(one_advance(&kept.net, END) == ONE_FULL)
    NEEDS(one_decide(&kept.net, END, &found.answer) == ONE_FULL)
    NEEDS(is_whole())
    NEEDS(one_most(&kept.net, ONE_STAGES) == 0U)
    for (k = 0U; k < ONE_STAGES; ++k) {
        NEEDS(one_most(&kept.net, k) <= ONE_ROOM)
    }
    while (one_poll(&kept.net, &spike) == ONE_OK) {
    }
    NEEDS(run(END, 1, 0, 0, &found) == 0)
    NEEDS(finish(END, &found) == 0)
    NEEDS(same(&found, good))
    return 0;
}

/* Nobody polls. */
static int lost(const outcome *good) {
    outcome found;
    uint32_t n;
    NEEDS(run(END, 0, 0, 0, &found) == 0)
    NEEDS(one_decide(&kept.net, END, &found.answer) == ONE_OK)
    n = one_lost(&kept.net);
    poll_all(&found);
    NEEDS(found.spikes + (long)n == good->spikes + (long)good->lost)
    NEEDS(n == 0U || found.spikes == ONE_SPIKES)
    NEEDS(memcmp(found.answer.score, good->answer.score, sizeof good->answer.score) == 0)
    printf("%u lost, ", (unsigned)n);
    return 0;
}

/* A copy decides while the recording goes on. */
static int so_far(const outcome *good) {
    const double time = END / 2.0;
    one_t copy;
    outcome before, found;
    one_answer answer;
    int k;
    NEEDS(run(time, 1, 0, 0, &before) == 0)
    NEEDS(finish(time, &before) == 0)
    NEEDS(run(time, 1, 0, 0, &found) == 0)
    copy = kept.net;
    NEEDS(one_decide(&copy, time, &answer) == ONE_OK)
    NEEDS(memcmp(answer.score, before.answer.score, sizeof answer.score) == 0)
    for (k = 0; k < EVENTS; ++k) {
        if (times[k] >= time) {
            NEEDS(one_push(&kept.net, times[k], channels[k]) == ONE_OK)
            poll_all(&found);
        }
    }
    NEEDS(finish(END, &found) == 0)
    NEEDS(same(&found, good))
    return 0;
}

int main(void) {
    outcome good;
    draw();
    NEEDS(one_push(&kept.net, 1.0, 0U) == ONE_BAD_INPUT)
    NEEDS(one_advance(&kept.net, 1.0) == ONE_BAD_INPUT)
    NEEDS(one_decide(&kept.net, END, &good.answer) == ONE_BAD_INPUT)
    memset(&kept, 0xa5, sizeof kept);
    NEEDS(one_init(&kept.net) == ONE_OK)
    NEEDS(run(END, 1, 0, 0, &good) == 0)
    NEEDS(finish(END, &good) == 0)
    NEEDS(wrong_events(&good) == 0)
    NEEDS(too_many(&good) == 0)
    NEEDS(lost(&good) == 0)
    NEEDS(so_far(&good) == 0)
    NEEDS(is_whole())
    printf("%ld spikes", good.spikes);
    return 0;
}

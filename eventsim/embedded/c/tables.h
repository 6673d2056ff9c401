/* What @name@.c reads of @name@_weights.c; private. */
#ifndef NET_TABLES_H
#define NET_TABLES_H
#include "@name@.h"

/* Of a neuron, in net_par. */
enum { SLOW, GAP, RATE_MEM, LEVEL, ALERT, PEAK, RESET, SELF, N_PAR };

/* Of an output, in net_outputs, where mu is NET_FADE: rates of the weighted voltage, a, 1 / (a + mu),
 * a / (b + mu), v_leak, and the largest gain of the voltage itself. */
#define OUTPUT_PAR 7

/* How a stage runs: in stretches of arrivals; so, in windows of its least delay; arrival by arrival. And linear
 * neurons, on a grid of pieces of time and arrival by arrival. */
enum { STRETCHES, WINDOWS, EVENTS, READOUT, PIECES, LINEAR_EVENTS };

/* How the network answers: by its readout, up to COUNT. */
enum { INTEGRAL, MAXIMUM, LAST_VALUE, COUNT, FIRST };

/* Arrivals are known by a key: the row of the weights; where synapses are few, or have delays of their own,
 * the first synapse; and behind all of these the neuron whose own spike returns. */
typedef struct {
    uint32_t kind, population, members; /* populations; 0 is the input */
    uint32_t first, size;               /* neurons */
    uint32_t par;                       /* of its first neuron in net_par */
    uint32_t room_first, room;          /* of the queue of arrivals */
    uint32_t first_route, n_routes;     /* of what leads into it */
    uint32_t own, adapts;               /* key of the first return; whether thresholds adapt */
    uint32_t linear, state;             /* of linear neurons: number in net_linears, first state */
    double length;                      /* of a window, ms */
    const float *answers;               /* [size, 2 DEGREE] */
    float longest;                      /* ms from the first item of a stretch to its last, at most */
} net_stage;

/* A population's spikes become arrivals of a stage. Its weights are `values`, or by codes of 8 or 4 bits:
 * `levels`, or where resistances differ `grid` times that of the target. Synapses of a row lie together, up to a target that is marked LAST. */
typedef struct {
    uint32_t from, to, key, bits;  /* population, stage, key of the first row or synapse */
    double least;                  /* delay, ms */
    const double *delays;          /* of every neuron or synapse; null: all have the least */
    const float *values, *levels;  /* [rows, size], or [synapses] */
    const double *grid, *resistance;
    const uint8_t *codes;
    const NET_ROW_TYPE *rows;      /* of every neuron its row, NO_ROW if none; null: all in order */
    const uint32_t *synapses;      /* [neurons + 1]; null: there is a weight for every neuron */
    const uint16_t *targets;
    uint32_t apart;                /* synapses have delays of their own */
    uint32_t state, receptor;      /* of linear neurons: that an arrival raises; its number among the stage's */
} net_route;

#if NET_LINEAR
/* Linear neurons of a stage; linear_stages.c says what is in a table. Neurons of one table are equal. */
typedef struct {
    uint32_t n, bits, receptors;  /* states, powers, receptors */
    uint32_t holds, loops, stride; /* whether voltages are held; whether own spikes come back later; size of a table */
    const float *table;
    const double *times;          /* of every table: piece, refractory time, state that own spikes raise */
    const uint16_t *which;        /* table of every neuron */
    const float *own_weight;      /* null: none */
} net_linear;
#endif

#define LAST 0x8000U
#define NO_ROW ((NET_ROW_TYPE)~(NET_ROW_TYPE)0)

extern const net_stage net_stages[NET_STAGES];
extern const net_route net_routes[NET_ROUTES];
extern const uint32_t net_first[NET_POPULATIONS + 1];  /* neuron of every population; of the input none */
extern const uint32_t net_stage_of[NET_POPULATIONS + 1]; /* its first stage; several follow each other */
extern const float net_par[];
extern const float net_start[];
#if NET_LINEAR
extern const net_linear net_linears[];
#endif
#if NET_REFRACTORY
extern const double net_refractory[];
#endif
#if NET_ADAPTIVE
extern const double net_thresholds[]; /* rise and rate, by neuron */
#endif
#if NET_OWN_DELAYS
extern const double net_own_delay[];
extern const float net_own_weight[];
#endif
#if NET_RULE_READOUT
extern const float net_outputs[NET_OUTPUTS * OUTPUT_PAR];
#endif
#if NET_DECISION
extern const float net_decision[NET_OUTPUTS * NET_CLASSES];
extern const float net_bias[NET_CLASSES];
#endif
#endif

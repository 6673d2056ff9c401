/* What @name@.c reads of @name@_weights.c; private. */
#ifndef NET_TABLES_H
#define NET_TABLES_H
#include "@name@.h"

/* Of a neuron, in net_par. */
enum { SLOW, GAP, RATE_MEM, LEVEL, ALERT, PEAK, RESET, SELF, N_PAR };

/* Of an output, in net_outputs, where mu is NET_FADE: rates of the weighted voltage, a, 1 / (a + mu),
 * a / (b + mu), v_leak. */
#define OUTPUT_PAR 6

/* How a stage runs. */
enum { STRETCHES, READOUT };

typedef struct {
    uint32_t kind, population;      /* of its first member; 0 is the input */
    uint32_t first, size;           /* neurons */
    uint32_t par;                   /* of its first neuron in net_par */
    uint32_t room_first, room;      /* of the queue of arrivals */
    uint32_t first_route, n_routes; /* of what leads into it */
    float longest;                  /* ms from the first item of a stretch to its last, at most */
    const float *weights;           /* [rows, size] */
    const float *answers;           /* [size, 2 DEGREE] */
} net_stage;

/* A population's spikes become arrivals of a stage. */
typedef struct {
    uint32_t from, to, row;     /* population, stage, the row of the first neuron */
    double least;               /* delay, ms */
    const double *delays;       /* of every row; null: all have the least */
} net_route;

extern const net_stage net_stages[NET_STAGES];
extern const net_route net_routes[NET_ROUTES];
extern const uint32_t net_stage_of[];   /* by population; of the input none */
extern const float net_par[];
extern const double net_refractory[];
extern const float net_start[];
#if NET_RULE_READOUT
extern const float net_outputs[NET_OUTPUTS * OUTPUT_PAR];
#endif
#endif

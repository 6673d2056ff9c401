/* The engine of any network as WebAssembly: eventsim/embedded/wasm.py puts these lines around those of net.c.
 *
 * What is an array of known size in C is a pointer here. A network's tables lie in memory from IMAGE on; HEAD
 * is their beginning, as image.py writes it. The functions at the end are those that a page calls.
 */
#include <float.h>
#include <stddef.h>

#define memcpy __builtin_memcpy
#define memset __builtin_memset
#define NO_MEMORY 255 /* beside net_status */
#define PAGE 0x10000U

@net.h@
@tables.h@
typedef struct {
@head@
} head_t;

#define HEAD ((const head_t *)IMAGE)
@macros@
@net.c@
/* Sets the arrays of a network from a place on; where they end. */
static uint32_t lay_out(net_t *net, uint32_t at) {
@layout@
    return at;
}

static net_t now, then;
static net_spike spike;
static net_answer answer;
static uint32_t arrays[3]; /* where those of both begin, and where they end */

extern unsigned char __heap_base;

#define EXPORT(name) __attribute__((export_name(#name)))

/* Whether memory reaches up to there, after growing. */
static uint32_t reserve(uint32_t end) {
    uint32_t have = (uint32_t)__builtin_wasm_memory_size(0) * PAGE;
    return end <= have || (int)__builtin_wasm_memory_grow(0, (end - have) / PAGE + 1U) >= 0;
}

/* Makes the network ready whose tables have so many bytes. */
EXPORT(start) uint32_t start(uint32_t bytes) {
    if ((uint32_t)&__heap_base > IMAGE) {
        return NO_MEMORY;
    }
    arrays[0] = IMAGE + ((bytes + 7U) & ~7U);
    arrays[1] = lay_out(&now, arrays[0]);
    arrays[2] = lay_out(&then, arrays[1]);
    answer.score = (float *)arrays[2];
    if (!reserve(arrays[2] + NET_CLASSES * (uint32_t)sizeof(float))) {
        return NO_MEMORY;
    }
    (void)memset((void *)arrays[0], 0, arrays[1] - arrays[0]);
    now.status = (uint8_t)net_selftest();
    net_reset(&now);
    return now.status;
}

EXPORT(reset) void reset(void) { net_reset(&now); }

EXPORT(push) uint32_t push(double time, uint32_t channel) { return (uint32_t)net_push(&now, time, channel); }

EXPORT(advance) uint32_t advance_to(double time) { return (uint32_t)net_advance(&now, time); }

/* Where the next spike is, 0 if there is none. */
EXPORT(poll) const net_spike *poll(void) { return net_poll(&now, &spike) == NET_OK ? &spike : NULL; }

EXPORT(lost) uint32_t lost(void) { return net_lost(&now); }

/* Where the answer is. */
EXPORT(answer) const net_answer *answered(void) { return &answer; }

/* The recording ends after so many ms. */
EXPORT(decide) uint32_t decide(double duration) { return (uint32_t)net_decide(&now, duration, &answer); }

/* What would be answered if the recording ended after so many ms; it goes on. */
EXPORT(preview) uint32_t preview(double duration) {
    then = now;
    (void)lay_out(&then, arrays[1]);
    (void)memcpy((void *)arrays[1], (const void *)arrays[0], arrays[1] - arrays[0]);
    return (uint32_t)net_decide(&then, duration, &answer);
}

@cochlea@

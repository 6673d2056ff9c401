/* Runs NAME_test.c on a board of QEMU, and counts instructions; NAME is put in by qemu.py.
 *
 * With -icount shift=0 an instruction takes 1 ns of the board's time, and the core's timer, at 25 MHz,
 * counts every 40th. It turns after 671 million, which no call on Cortex-M4F or M7 takes.
 */
#define NET_TEST_QUIET
#include "test/@name@_test.c"

#define TICK 40U /* instructions */
#define TIMER ((volatile uint32_t *)0xe000e010U)
#define TURN 0x1000000U
#define DEEP 16384U /* words of the stack that are looked at */
#define SPARED 64U
#define PAINT 0xa5a5a5a5U

static uint64_t passed;
static uint32_t last;

/* Ticks since the start; to be asked more often than the timer turns. */
static uint64_t ticks(void) {
    const uint32_t now = TIMER[2];
    passed += (last - now) & (TURN - 1U);
    last = now;
    return passed;
}

static void host(uint32_t call, const void *given) {
    register uint32_t r0 __asm__("r0") = call;
    register const void *r1 __asm__("r1") = given;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
}

static void say(const char *name, uint64_t value) {
    char text[48];
    int at = 47, k;
    text[at] = 0;
    text[--at] = '\n';
    do {
        text[--at] = (char)('0' + (int)(value % 10U));
        value /= 10U;
    } while (value > 0U);
    text[--at] = ' ';
    for (k = 0; name[k] != 0; ++k) {
    }
    while (k > 0) {
        text[--at] = name[--k];
    }
    host(4U, text + at);
}

static uint64_t events, spikes, longest;

static void took(uint64_t since) {
    const uint64_t n = ticks() - since;
    longest = n > longest ? n : longest;
}

/* As run_recording of the test, without its checks. */
static void timed(int recording) {
    net_answer answer;
    net_spike s;
    uint32_t i;
    net_reset(&net);
    for (i = event_start[recording]; i < event_start[recording + 1]; ++i) {
        const uint64_t since = ticks();
        (void)net_push(&net, event_time[i], event_channel[i]);
        took(since);
        ++events;
        while (net_poll(&net, &s) == NET_OK) {
            ++spikes;
        }
    }
    (void)net_decide(&net, duration[recording], &answer);
    (void)ticks();
}

extern uint32_t stack_end;

/* Paints the stack below a place, but what this function takes of it. */
static void paint(const uint32_t *top) {
    volatile uint32_t *at;
    for (at = &stack_end - DEEP; at < top - SPARED; ++at) {
        *at = PAINT;
    }
}

/* How many bytes below that place have been used since. */
static uint32_t used(const uint32_t *top) {
    const volatile uint32_t *at = &stack_end - DEEP;
    while (*at == PAINT) {
        ++at;
    }
    return (uint32_t)(top - at) * 4U;
}

int main(void) {
    const int found = net_test();
    const uint32_t *const top = __builtin_frame_address(0);
    int recording;
    uint64_t start;
    paint(top);
    TIMER[1] = TURN - 1U;
    TIMER[2] = 0U;
    TIMER[0] = 5U;
    last = TIMER[2];
    start = ticks();
    for (recording = 0; recording < RECORDINGS; ++recording) {
        timed(recording);
    }
    say("instructions", (ticks() - start) * TICK);
    say("longest", longest * TICK);
    say("stack", used(top));
    say("events", events);
    say("spikes", (uint64_t)equal);
    say("recordings", RECORDINGS);
    say("differs", (uint64_t)(uint32_t)found);
    return 0;
}

void begin(void) {
#if defined(__ARM_FP)
    *(volatile uint32_t *)0xe000ed88U |= 0xf00000U; /* the floating-point unit may be used */
#endif
    (void)main();
    host(0x18U, (const void *)0x20026U);
    for (;;) {
    }
}

__attribute__((section(".vectors"), used)) static void *const vectors[] = {&stack_end, (void *)begin};

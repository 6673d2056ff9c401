/* Audio to events: datasets/encoders/live_cochlea.py, sample by sample, with the same operations in the same
 * order, none of them an fma. What depends on parameters and sample rate comes as data: see cochlea.py.
 */
#define SUMS 8U       /* partial sums of a mean, as NumPy has them */
#define IN_BLOCK 64U  /* events of a channel in a block, at most */
#define AT_ONCE 4096U /* samples that audio_push takes */

/* What Python makes, all of it double: the head, thresholds of all channels, then of every filter its gain,
 * and real and imaginary part of its pole. */
typedef struct {
    double channels, filters, order, block, frame_blocks, width;
    double emphasis, level, level_min, active, loudness_keep;
    double root, inhibition, inhibition_keep, floor, gain, dead_time, rate, ms;
    double rest[];
} cochlea_t;

typedef struct {
    double time;
    uint32_t channel, unused;
} heard_t;

typedef struct {
    double level, squares, blocks, last, frames, *in;
    double *state, *low_pass, *spread, *sum, *drive, *mean; /* [filters, order, 2], then all [channels] */
    double *block;                                          /* [samples] */
    heard_t *out;
    uint32_t filled, found, room;
} ear_t;

static const cochlea_t *COCHLEA;
static ear_t ear;

/* Sum of up to 128 values, as NumPy adds them. */
static double sum_of(const double *x, uint32_t n) {
    double r[SUMS], all = -0.0;
    uint32_t i, k;
    if (n < SUMS) {
        for (i = 0; i < n; ++i) {
            all += x[i];
        }
        return all;
    }
    for (k = 0; k < SUMS; ++k) {
        r[k] = x[k];
    }
    for (i = SUMS; i + SUMS <= n; i += SUMS) {
        for (k = 0; k < SUMS; ++k) {
            r[k] += x[i + k];
        }
    }
    all = ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]));
    for (; i < n; ++i) {
        all += x[i];
    }
    return all;
}

/* Divides a block by the loudness before it, which then follows. */
static void level_block(uint32_t n) {
    double *x = ear.block, *square = ear.drive, scale;
    uint32_t i;
    scale = ear.level > COCHLEA->level_min ? ear.level : COCHLEA->level_min;
    for (i = 0; i < n; ++i) {
        square[i] = x[i] * x[i];
        x[i] /= scale;
    }
    ear.squares += sum_of(square, n) / (double)n;
    ear.blocks += 1.0;
    if (ear.blocks == COCHLEA->frame_blocks) {
        double power = ear.squares / COCHLEA->frame_blocks, before = ear.level * ear.level;
        if (power >= before * COCHLEA->active) {
            ear.level = __builtin_sqrt(COCHLEA->loudness_keep * before + (1.0 - COCHLEA->loudness_keep) * power);
        }
        ear.squares = ear.blocks = 0.0;
    }
}

/* A block through the filter of a channel, rectified and compressed, into drive. */
static void filter_block(uint32_t channel, const double *filter, uint32_t n) {
    uint32_t order = (uint32_t)COCHLEA->order, i, k;
    double *at = ear.state + channel * order * 2U;
    for (i = 0; i < n; ++i) {
        double re = ear.block[i], im = 0.0;
        for (k = 0; k < order; ++k) {
            double y_re = at[2U * k] + filter[0] * re, y_im = at[2U * k + 1U] + filter[0] * im;
            at[2U * k] = -(filter[1] * y_re - filter[2] * y_im);
            at[2U * k + 1U] = -(filter[1] * y_im + filter[2] * y_re);
            re = y_re;
            im = y_im;
        }
        re = 2.0 * re;
        re = re > 0.0 ? re : 0.0;
        ear.drive[i] = COCHLEA->root != 0.0 ? __builtin_sqrt(re) : re;
    }
}

/* The unit of a channel takes the drive of a block; 0 if its events are too many. */
static uint32_t fire_block(uint32_t channel, double theta, uint32_t n) {
    double less = COCHLEA->inhibition * ear.spread[channel];
    uint32_t i;
    for (i = 0; i < n; ++i) {
        double d = COCHLEA->gain * ((ear.drive[i] - less) / theta - COCHLEA->floor), low, high, level;
        d = d > 0.0 ? d : 0.0;
        d = d / (1.0 + COCHLEA->dead_time * d);
        low = ear.sum[channel] / COCHLEA->rate;
        ear.sum[channel] += d;
        high = ear.sum[channel] / COCHLEA->rate;
        for (level = __builtin_floor(low) + 1.0; level <= high; level += 1.0) {
            uint32_t at = ear.found;
            double time = ((ear.frames + i) + (level - low) / (high - low)) * COCHLEA->ms;
            if (at == ear.room) {
                return 0;
            }
            ear.found += 1U;
            ear.out[at].time = time;
            ear.out[at].channel = channel;
        }
    }
    return 1;
}

/* Events from a place on by time and channel. */
static void sort_from(uint32_t first) {
    uint32_t i, k;
    for (i = first + 1U; i < ear.found; ++i) {
        heard_t one = ear.out[i];
        for (k = i; k > first && (ear.out[k - 1U].time > one.time ||
                                  (ear.out[k - 1U].time == one.time && ear.out[k - 1U].channel > one.channel)); --k) {
            ear.out[k] = ear.out[k - 1U];
        }
        ear.out[k] = one;
    }
}

/* What the neighbours of every channel have just done, for the next block. */
static void spread_block(uint32_t channels) {
    uint32_t width = (uint32_t)COCHLEA->width, before = width / 2U, c, k;
    double keep = COCHLEA->inhibition_keep, all = 0.0;
    for (c = 0; c < channels; ++c) {
        double recent = ear.low_pass[c] + (1.0 - keep) * ear.mean[c];
        ear.low_pass[c] = keep * recent;
        ear.mean[c] = recent;
    }
    for (k = 0; k < width; ++k) {
        uint32_t at = k < before ? 0U : k - before;
        all += ear.mean[at < channels ? at : channels - 1U];
    }
    for (c = 0; c < channels; ++c) {
        if (c) {
            uint32_t in = c + width - before - 1U, out = c - 1U < before ? 0U : c - 1U - before;
            all += ear.mean[in < channels ? in : channels - 1U] - ear.mean[out];
        }
        ear.spread[c] = all / (double)width;
    }
}

static uint32_t hear_block(uint32_t n) {
    uint32_t channels = (uint32_t)COCHLEA->channels, filters = (uint32_t)COCHLEA->filters, c, first = ear.found;
    uint32_t silent = channels - filters; /* the highest, above half the sample rate */
    const double *theta = COCHLEA->rest, *filter = theta + channels;
    level_block(n);
    for (c = 0; c < channels; ++c) {
        if (c < silent) {
            (void)memset(ear.drive, 0, n * sizeof(double));
        } else {
            filter_block(c - silent, filter + 3U * (c - silent), n);
        }
        ear.mean[c] = sum_of(ear.drive, n) / (double)n;
        if (!fire_block(c, theta[c], n)) {
            return NET_FULL;
        }
    }
    sort_from(first);
    spread_block(channels);
    ear.frames += n;
    return NET_OK;
}

static double *next_of(uint32_t *at, uint32_t n) {
    double *here = (double *)*at;
    *at += n * (uint32_t)sizeof(double);
    return here;
}

/* Where a cochlea of so many bytes is to be written, behind the network; 0 if there is no memory. */
EXPORT(audio_place) uint32_t audio_place(uint32_t bytes) {
    uint32_t at = (arrays[2] + NET_CLASSES * (uint32_t)sizeof(float) + 7U) & ~7U;
    return reserve(at + bytes) ? at : 0U;
}

/* The cochlea of so many bytes there is ready, before any audio. */
EXPORT(audio_start) uint32_t audio_start(uint32_t place, uint32_t bytes) {
    uint32_t at = place + bytes, channels, block;
    COCHLEA = (const cochlea_t *)place;
    channels = (uint32_t)COCHLEA->channels;
    block = (uint32_t)COCHLEA->block;
    (void)memset(&ear, 0, sizeof ear);
    ear.level = COCHLEA->level;
    ear.room = (AT_ONCE / block + 1U) * channels * (block < IN_BLOCK ? block : IN_BLOCK);
    ear.in = next_of(&at, AT_ONCE);
    ear.state = next_of(&at, (uint32_t)(COCHLEA->filters * COCHLEA->order) * 2U);
    ear.low_pass = next_of(&at, channels);
    ear.spread = next_of(&at, channels);
    ear.sum = next_of(&at, channels);
    ear.mean = next_of(&at, channels);
    ear.drive = next_of(&at, block);
    ear.block = next_of(&at, block);
    ear.out = (heard_t *)at;
    if (!reserve(at + ear.room * (uint32_t)sizeof(heard_t))) {
        return NO_MEMORY;
    }
    (void)memset((void *)(place + bytes), 0, at - place - bytes);
    return NET_OK;
}

/* Where the next samples are to be written, at most AT_ONCE, full scale 1. */
EXPORT(audio_in) double *audio_in(void) { return ear.in; }

/* Where the events are that the last audio_push found, and how many. */
EXPORT(audio_out) const heard_t *audio_out(void) { return ear.out; }
EXPORT(audio_found) uint32_t audio_found(void) { return ear.found; }

/* Hears so many samples; what does not fill a block of a ms waits for the next ones. */
EXPORT(audio_push) uint32_t audio_push(uint32_t n) {
    uint32_t i, block = (uint32_t)COCHLEA->block;
    ear.found = 0;
    for (i = 0; i < n; ++i) {
        ear.block[ear.filled] = ear.in[i] - COCHLEA->emphasis * ear.last;
        ear.last = ear.in[i];
        ear.filled += 1U;
        if (ear.filled == block) {
            uint32_t status = hear_block(block);
            ear.filled = 0;
            if (status != NET_OK) {
                return status;
            }
        }
    }
    return NET_OK;
}

#include "tests/cuda/block.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/cuda/copies.h"
#include "tests/cuda/fiber.h"
#include "tests/cuda/shared.h"

namespace kd_sim
{

block running;
thread *self;

static fiber program; /* the stack that a launch was called on */
static fiber *idle[THREADS_MAX];
static unsigned n_idle;
static body_fn call_body;
static void *body_of_call;

void die(const char *format, ...)
{
    fprintf(stderr, "kd_sim: %s, block (%u, %u, %u), ", running.kernel, running.index.x,
            running.index.y, running.index.z);
    if (self)
        fprintf(stderr, "thread %u: ", self->number);
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    abort();
}

/* ---- schedules */

enum order { FORWARD, REVERSE, RANDOM };

static enum order order;
static bool is_chosen;
static uint64_t seed, dice;
static unsigned last_warp;

void set_schedule(const char *text)
{
    static const char *const names[] = {"forward", "reverse", "random"};
    is_chosen = true;
    for (int i = 0; i < 3; i++) {
        size_t length = strlen(names[i]);
        if (strncmp(text, names[i], length) != 0 || (text[length] != '\0' && text[length] != ':'))
            continue;
        order = static_cast<enum order>(i);
        seed = text[length] ? strtoull(text + length + 1, NULL, 10) : 1;
        dice = seed * 0x9E3779B97F4A7C15u + 1;
        return;
    }
    fprintf(stderr, "kd_sim: schedule \"%s\": it is forward, reverse or random:SEED\n", text);
    abort();
}

static unsigned roll(unsigned n)
{
    dice ^= dice << 13;
    dice ^= dice >> 7;
    dice ^= dice << 17;
    return static_cast<unsigned>((dice >> 33) % n);
}

static unsigned lowest(unsigned bits)
{
    return static_cast<unsigned>(__builtin_ctz(bits));
}

static unsigned highest(unsigned bits)
{
    return 31u - static_cast<unsigned>(__builtin_clz(bits));
}

static unsigned any(unsigned bits)
{
    for (unsigned skip = roll(static_cast<unsigned>(__builtin_popcount(bits))); skip; skip--)
        bits &= bits - 1;
    return lowest(bits);
}

/* NULL: nobody can run. */
static thread *next_thread()
{
    if (running.warps_that_can == 0)
        return NULL;
    unsigned (*const choose[])(unsigned) = {lowest, highest, any};
    bool stays = order == RANDOM && running.can_run[last_warp] && roll(8) != 0;
    unsigned warp = stays ? last_warp : choose[order](running.warps_that_can);
    last_warp = warp;
    return &running.threads[warp * WARP + choose[order](running.can_run[warp])];
}

/* A thread's state, in which bits of its warp it also stands. */
static void become(thread *thread, enum state state)
{
    unsigned warp = thread->number / WARP, lane = 1u << thread->number % WARP;
    bool can_run = state == state::fresh || state == state::ready;
    unsigned *const sets[] = {running.can_run, running.wait, running.ended};
    const bool in[] = {can_run, state == state::waits, state == state::done};
    for (int i = 0; i < 3; i++)
        sets[i][warp] = in[i] ? sets[i][warp] | lane : sets[i][warp] & ~lane;
    if (running.can_run[warp])
        running.warps_that_can |= 1u << warp;
    else
        running.warps_that_can &= ~(1u << warp);
    thread->state = state;
}

/* ---- fibers */

static void run_threads();

static fiber *take_fiber()
{
    return n_idle ? idle[--n_idle] : fiber_new();
}

static void go_to(fiber *from, thread *to, bool last)
{
    if (!to) {
        fiber_switch(from, &program, last);
        return;
    }
    if (to->state == state::fresh) {
        to->fiber = take_fiber();
        to->state = state::ready;
        fiber_prepare(to->fiber, run_threads);
    }
    self = to;
    fiber_switch(from, to->fiber, last);
}

/* A fiber's life: a thread, and then those that have not begun yet, while it is their turn; so
 * threads that never wait cost no switch. */
static void run_threads()
{
    fiber_entered();
    for (;;) {
        thread *done = self;
        call_body(body_of_call);
        end_of_copies();
        become(done, state::done);
        running.n_done++;
        thread *next = next_thread();
        if (!next || next->state != state::fresh) {
            idle[n_idle++] = done->fiber;
            go_to(done->fiber, next, true);
        }
        next->fiber = done->fiber;
        next->state = state::ready;
        self = next;
    }
}

/* ---- waiting */

static bool same(const struct wait &a, const struct wait &b)
{
    return a.mask == b.mask && a.at.line == b.at.line && strcmp(a.what, b.what) == 0 &&
           strcmp(a.at.file, b.at.file) == 0;
}

static void release(thread *thread, uint64_t got)
{
    thread->got = got;
    become(thread, state::ready);
}

/* What a vote gives, from how many of n said yes. */
static uint64_t vote(const char *what, unsigned n_yes, unsigned n)
{
    if (strstr(what, "_or") || strstr(what, "any"))
        return n_yes > 0;
    if (strstr(what, "_and") || strstr(what, "all"))
        return n_yes == n;
    return n_yes;
}

static void release_block()
{
    unsigned n_yes = 0;
    const struct wait &first = running.threads[0].wait;
    for (unsigned i = 0; i < running.n_threads; i++) {
        thread *thread = &running.threads[i];
        if (!same(thread->wait, first)) {
            self = thread;
            die("waits in %s at %s:%d, thread 0 in %s at %s:%d", thread->wait.what,
                thread->wait.at.file, thread->wait.at.line, first.what, first.at.file,
                first.at.line);
        }
        n_yes += thread->wait.given != 0;
    }
    uint64_t result = vote(first.what, n_yes, running.n_threads);
    running.n_at_barrier = 0;
    for (unsigned i = 0; i < running.n_threads; i++)
        release(&running.threads[i], result);
}

/* A value asked of a lane outside the mask is what CUDA leaves undefined. */
static uint64_t from_lane(const thread *lanes, const thread *asks)
{
    unsigned source = static_cast<unsigned>(asks->wait.source);
    if (!(asks->wait.mask >> source & 1)) {
        self = const_cast<thread *>(asks);
        die("%s at %s:%d takes from lane %u, which is not in the mask %#x", asks->wait.what,
            asks->wait.at.file, asks->wait.at.line, source, asks->wait.mask);
    }
    return lanes[source].wait.given;
}

/* Whether `what` gives each lane the value of another. */
static bool asks_lanes(const char *what)
{
    return strncmp(what, "__shfl", 6) == 0 || strstr(what, "_matrix_sync");
}

static void release_lanes(thread *lanes, unsigned mask)
{
    const char *what = self->wait.what;
    unsigned yes = 0;
    for (unsigned rest = mask; rest; rest &= rest - 1)
        yes |= static_cast<unsigned>(lanes[lowest(rest)].wait.given != 0) << lowest(rest);
    unsigned n = static_cast<unsigned>(__builtin_popcount(mask));
    uint64_t voted = vote(what, static_cast<unsigned>(__builtin_popcount(yes)), n);
    uint64_t got[WARP];
    for (unsigned rest = mask; rest; rest &= rest - 1) {
        unsigned lane = lowest(rest);
        got[lane] = strcmp(what, "__ballot_sync") == 0 ? yes
                    : asks_lanes(what)                 ? from_lane(lanes, &lanes[lane])
                                                       : voted;
    }
    for (unsigned rest = mask; rest; rest &= rest - 1)
        release(&lanes[lowest(rest)], got[lowest(rest)]);
}

/* The one that comes last lets the others go. */
static void meet_lanes()
{
    unsigned mask = self->wait.mask, warp = self->number / WARP, lane = self->number % WARP;
    thread *lanes = &running.threads[warp * WARP];
    if (!(mask >> lane & 1))
        die("%s with the mask %#x, in which its own lane %u is not", self->wait.what, mask, lane);
    unsigned n_lanes = running.n_threads - warp * WARP;
    unsigned missing = n_lanes < WARP ? mask >> n_lanes << n_lanes : 0;
    if (missing)
        die("%s with the mask %#x, but the block has no lane %u here", self->wait.what, mask,
            lowest(missing));
    if (mask & running.ended[warp])
        die("%s with the mask %#x, but lane %u has ended", self->wait.what, mask,
            lowest(mask & running.ended[warp]));
    if (mask & ~running.wait[warp])
        return;
    for (unsigned rest = mask; rest; rest &= rest - 1)
        if (!same(lanes[lowest(rest)].wait, self->wait))
            return; /* it may yet come; if not, nobody can run any more */
    release_lanes(lanes, mask);
}

/* Everybody waits, and nobody for the same: what does the first one wait for? */
[[noreturn]] static void die_of_deadlock()
{
    for (unsigned i = 0; i < running.n_threads; i++) {
        self = &running.threads[i];
        if (self->state != state::waits)
            continue;
        if (self->wait.mask == 0)
            die("deadlock: __syncthreads at %s:%d is reached by %u of %u threads, and %u have "
                "ended",
                self->wait.at.file, self->wait.at.line, running.n_at_barrier, running.n_threads,
                running.n_done);
        die("deadlock: %s at %s:%d with the mask %#x (divergent: not all of its lanes wait there)",
            self->wait.what, self->wait.at.file, self->wait.at.line, self->wait.mask);
    }
    self = NULL;
    die("deadlock, and nobody waits");
}

uint64_t wait_for(const struct wait &wait)
{
    thread *me = self;
    me->wait = wait;
    become(me, state::waits);
    if (wait.mask)
        meet_lanes();
    else if (++running.n_at_barrier == running.n_threads)
        release_block();
    thread *next = next_thread();
    if (!next)
        die_of_deadlock();
    if (next == me)
        return me->got;
    go_to(me->fiber, next, false);
    return me->got;
}

/* ---- barriers that are left out */

static char dropped_file[256];
static int dropped_line;
static void (*watcher)(place at);

void watch_barriers(void (*reached)(place at))
{
    watcher = reached;
}

void drop_barrier(const char *where)
{
    dropped_line = 0;
    const char *colon = where ? strrchr(where, ':') : NULL;
    if (!colon)
        return;
    snprintf(dropped_file, sizeof dropped_file, "%.*s", static_cast<int>(colon - where), where);
    dropped_line = atoi(colon + 1);
}

bool is_dropped(place at)
{
    if (watcher)
        watcher(at);
    if (at.line != dropped_line)
        return false;
    size_t length = strlen(at.file), wanted = strlen(dropped_file);
    return length >= wanted && strcmp(at.file + length - wanted, dropped_file) == 0;
}

/* ---- a launch */

static void check_sizes(dim3 grid, dim3 size)
{
    uint64_t n = static_cast<uint64_t>(size.x) * size.y * size.z;
    if (n == 0 || n > THREADS_MAX || size.z > 64)
        die("a block of %u x %u x %u threads (1 to %d, at most 64 deep)", size.x, size.y, size.z,
            THREADS_MAX);
    if (grid.x == 0 || grid.y == 0 || grid.z == 0 || grid.x > INT32_MAX || grid.y > 65535 ||
        grid.z > 65535)
        die("a grid of %u x %u x %u blocks (1 to 2^31 - 1, 65535 and 65535)", grid.x, grid.y,
            grid.z);
}

static void run_block()
{
    running.number++;
    running.n_done = running.n_at_barrier = 0;
    for (unsigned i = 0; i < running.n_threads; i++) {
        thread *thread = &running.threads[i];
        thread->fiber = NULL;
        thread->number = i;
        become(thread, state::fresh);
        thread->index = {i % running.size.x, i / running.size.x % running.size.y,
                         i / (running.size.x * running.size.y)};
    }
    go_to(&program, next_thread(), false);
    self = NULL;
    if (running.n_done != running.n_threads)
        die_of_deadlock();
}

static void choose_from_environment()
{
    const char *schedule = getenv("KATYDID_SIM_SCHEDULE");
    if (!is_chosen)
        set_schedule(schedule ? schedule : "forward");
    static bool asked;
    if (!asked && dropped_line == 0)
        drop_barrier(getenv("KATYDID_SIM_DROP_BARRIER"));
    asked = true;
}

/* Random: in order, but from any of them on. */
static uint64_t block_at(uint64_t i, uint64_t n)
{
    if (order == FORWARD)
        return i;
    if (order == REVERSE)
        return n - 1 - i;
    return (i + seed) % n;
}

void run_grid(const char *kernel, dim3 grid, dim3 size, size_t dynamic_bytes, body_fn call,
              void *body)
{
    choose_from_environment();
    self = NULL;
    running.kernel = kernel;
    running.index = {0, 0, 0};
    check_sizes(grid, size);
    running.grid = grid;
    running.size = size;
    running.n_threads = size.x * size.y * size.z;
    call_body = call;
    body_of_call = body;
    uint64_t n = static_cast<uint64_t>(grid.x) * grid.y * grid.z;
    for (uint64_t i = 0; i < n; i++) {
        uint64_t at = block_at(i, n);
        running.index = {static_cast<unsigned>(at % grid.x),
                         static_cast<unsigned>(at / grid.x % grid.y),
                         static_cast<unsigned>(at / grid.x / grid.y)};
        running.dynamic = dynamic_new(dynamic_bytes);
        running.shared_bytes = 0;
        if (dynamic_bytes)
            shared_begin(running.dynamic, dynamic_bytes);
        run_block();
        dynamic_free(running.dynamic);
    }
    running.dynamic = NULL;
}

} // namespace kd_sim

/* nccl_seats.h - how the ranks of nccl_standin.c bring each other their values: through memory that
 * all of them map, in which each has a seat. A piece of an op is posted at each seat, then taken
 * from all of them by each rank. Nothing blocks. */
#ifndef KD_TESTS_CUDA_NCCL_SEATS_H
#define KD_TESTS_CUDA_NCCL_SEATS_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

enum { SEAT_BYTES = 1 << 14, MAX_OPS = 64 };

struct seat {
    atomic_llong n_posted,
        n_taken;             /* pieces: that lie here or did; that this rank has taken from all */
    unsigned long long call; /* what the piece belongs to */
    alignas(64) char bytes[SEAT_BYTES];
};

struct room {
    atomic_int n_joined, n_left;
    struct seat seats[];
};

/* What every call is made of: n elements of every rank are summed, or those of the root copied, to
 * the root or to all. */
struct op {
    const char *from;
    char *to;
    size_t bytes;
    int type;
    int root;        /* of what is copied */
    bool is_sum;     /* else a copy */
    bool is_for_all; /* a sum goes to all, else to the root */
};

/* Ops that are issued together, one after the other. */
struct run {
    struct op ops[MAX_OPS];
    int n_ops, op_at;
    size_t op_bytes; /* of the running one, done */
    bool is_begun, has_posted;
    bool is_captured; /* a graph has it, on all ranks or on none */
};

/* One rank's view of the room. */
struct seats {
    struct room *room; /* borrowed */
    int rank, size;
    long long n_pieces; /* that this rank has been through */
};

/* Goes on as far as it can: an enum of NCCL's results; INVALID_USAGE: the ranks' calls differ. What
 * the run is made of stays, to be run again. */
int kd_seats_run(struct seats *seats, struct run *run);

#endif

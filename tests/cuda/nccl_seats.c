#include "tests/cuda/nccl_seats.h"

#include <string.h>

#include "kernels/cuda/nccl_abi.h"
#include "tests/cuda/standin.h"

static size_t piece_of(const struct run *run)
{
    size_t left = run->ops[run->op_at].bytes - run->op_bytes;
    return left < SEAT_BYTES ? left : SEAT_BYTES;
}

/* Nothing of a piece's seat may change before all ranks have taken the piece before. */
static bool all_have_taken(const struct seats *seats)
{
    for (int rank = 0; rank < seats->size; rank++)
        if (atomic_load(&seats->room->seats[rank].n_taken) < seats->n_pieces)
            return false;
    return true;
}

static bool all_have_posted(const struct seats *seats)
{
    for (int rank = 0; rank < seats->size; rank++)
        if (atomic_load(&seats->room->seats[rank].n_posted) <= seats->n_pieces)
            return false;
    return true;
}

static unsigned long long name_of(const struct run *run)
{
    const struct op *op = &run->ops[run->op_at];
    return (unsigned long long)run->is_captured << 63 | (unsigned long long)op->bytes << 16 |
           (unsigned)op->root << 8 | (unsigned)op->type << 2 | (unsigned)op->is_sum << 1 |
           op->is_for_all;
}

static void post(struct seats *seats, struct run *run)
{
    const struct op *op = &run->ops[run->op_at];
    struct seat *seat = &seats->room->seats[seats->rank];
    if (op->is_sum || op->root == seats->rank) {
        kd_standin_call("kd_sim_open_memory");
        memcpy(seat->bytes, op->from + run->op_bytes, piece_of(run));
        kd_standin_call("kd_sim_close_memory");
    }
    seat->call = name_of(run);
    atomic_store(&seat->n_posted, seats->n_pieces + 1);
    run->has_posted = true;
}

#define DEFINE_SUM(type)                                                                           \
    static void sum_##type(const struct seats *seats, char *to, size_t bytes)                      \
    {                                                                                              \
        for (size_t at = 0; at < bytes; at += sizeof(type)) {                                      \
            type sum = 0, value;                                                                   \
            for (int rank = 0; rank < seats->size; rank++) {                                       \
                memcpy(&value, seats->room->seats[rank].bytes + at, sizeof value);                 \
                sum += value;                                                                      \
            }                                                                                      \
            memcpy(to + at, &sum, sizeof sum);                                                     \
        }                                                                                          \
    }
DEFINE_SUM(float)
DEFINE_SUM(double)

static bool ranks_agree(const struct seats *seats)
{
    for (int rank = 1; rank < seats->size; rank++)
        if (seats->room->seats[rank].call != seats->room->seats[0].call)
            return false;
    return true;
}

static void take(struct seats *seats, struct run *run)
{
    const struct op *op = &run->ops[run->op_at];
    size_t bytes = piece_of(run);
    char *to = op->to + run->op_bytes;
    kd_standin_call("kd_sim_open_memory");
    if (!op->is_sum)
        memcpy(to, seats->room->seats[op->root].bytes, bytes);
    else if (op->is_for_all || op->root == seats->rank)
        (op->type == KD_NCCL_FLOAT ? sum_float : sum_double)(seats, to, bytes);
    kd_standin_call("kd_sim_close_memory");
    run->op_bytes += bytes;
    run->has_posted = false;
    seats->n_pieces++;
    atomic_store(&seats->room->seats[seats->rank].n_taken, seats->n_pieces);
}

/* One piece of the running op, or what keeps it. */
static int go_on(struct seats *seats, struct run *run)
{
    if (!run->has_posted && !all_have_taken(seats))
        return KD_NCCL_IN_PROGRESS;
    if (!run->has_posted)
        post(seats, run);
    if (!all_have_posted(seats))
        return KD_NCCL_IN_PROGRESS;
    if (!ranks_agree(seats))
        return KD_NCCL_INVALID_USAGE;
    take(seats, run);
    if (run->op_bytes == run->ops[run->op_at].bytes) {
        run->op_at++;
        run->op_bytes = 0;
    }
    return KD_NCCL_SUCCESS;
}

int kd_seats_run(struct seats *seats, struct run *run)
{
    int result = KD_NCCL_SUCCESS;
    while (result == KD_NCCL_SUCCESS && run->op_at < run->n_ops)
        result = go_on(seats, run);
    if (result == KD_NCCL_SUCCESS)
        run->op_at = 0;
    return result;
}

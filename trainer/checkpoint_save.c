/* checkpoint_save.c - a checkpoint is written: rank 0 makes the file, all ranks fill it, rank 0
 * commits. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "trainer/checkpoint.h"
#include "trainer/checkpoint_folder.h"
#include "trainer/common_file.h"
#include "trainer/file_io.h"
#include "trainer/xxh64.h"

/* Floats that go from a rank to rank 0, or from a device to the host, at once. */
enum { STAGE = 1 << 18 };

/* An XXH64, as numbers that can be summed over the ranks: all are 0 where a rank does not know
 * it. */
struct sum {
    double known, high, low; /* the upper and the lower 32 bits */
};

struct saving {
    const struct kd_checkpoint_place *place;
    struct kd_comm *comm;
    struct kd_arena arenas[KD_N_ARENAS];
    int n_arenas;
    struct kd_safetensors_head head; /* rank 0's; the others know n, n_data and n_chunks */
    char *path, *temporary;
    int fd; /* -1: none */
    bool is_common;
    struct sum *sums; /* one a chunk */
};

static bool is_root(const struct saving *saving)
{
    return saving->comm->rank == 0;
}

/* Does this rank write? */
static bool is_writer(const struct saving *saving)
{
    return is_root(saving) || saving->is_common;
}

/* This writer's share of n things. */
static void share_of(const struct saving *saving, int64_t n, int64_t *begin, int64_t *end)
{
    *begin = 0;
    *end = n;
    if (saving->is_common)
        kd_comm_share(saving->comm, n, begin, end);
}

/* ---- what stays */

/* Those that are still there and older, then this one. */
static void list_kept(const struct kd_checkpoint_place *place,
                      const struct kd_training_state *state, struct kd_training_state *next)
{
    struct kd_kept this = {.step = state->step,
                           .score = state->scored_step == state->step ? state->score : NAN};
    for (size_t i = 0; i < state->kept.n; i++) {
        char *path = kd_checkpoint_path(place->folder, state->kept.items[i].step);
        if (state->kept.items[i].step < state->step && access(path, F_OK) == 0)
            kd_arr_push(&next->kept, state->kept.items[i]);
        free(path);
    }
    kd_arr_push(&next->kept, this);
}

/* ---- the file is made (rank 0) */

static void make_head(struct saving *saving, const struct kd_plan *plan,
                      const struct kd_training_state *state)
{
    KD_ARR(struct kd_named_tensor) tensors = {0};
    for (int a = 0; a < saving->n_arenas; a++)
        for (int i = 0; i < kd_arena_n_tensors(&saving->arenas[a], plan); i++) {
            int64_t offset;
            kd_arr_push(&tensors, kd_arena_tensor_at(&saving->arenas[a], plan, i, &offset));
        }
    char *text = kd_training_state_text(state);
    kd_safetensors_head_make(&saving->head, tensors.items, (int)tensors.n, text);
    free(text);
    kd_arr_release(&tensors);
}

static int make_file(struct saving *saving, struct kd_error *err)
{
    if (kd_folder_make(saving->place->folder, err) < 0)
        return kd_error_prefix(err, "the checkpoint");
    kd_checkpoint_drop_leavings(saving->place->folder);
    saving->fd = open(saving->temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (saving->fd < 0)
        return kd_fail_errno(err, "%s: cannot create the checkpoint", saving->temporary);
    return kd_file_reserve(saving->fd, saving->temporary, saving->head.n + saving->head.n_data,
                           err);
}

/* The others are told what they need, and open the file where they can. -1 on every rank. */
static int begin(struct saving *saving, const struct kd_plan *plan,
                 const struct kd_training_state *state, struct kd_error *err)
{
    struct kd_comm *comm = saving->comm;
    if (is_root(saving))
        make_head(saving, plan, state);
    bool failed = is_root(saving) && make_file(saving, err) < 0;
    if (kd_comm_any_failed(comm, failed, err))
        return -1;
    int64_t sizes[] = {saving->head.n, saving->head.n_data, saving->head.n_chunks};
    comm->backend->broadcast(comm, 0, sizes, sizeof sizes);
    saving->head.n = sizes[0], saving->head.n_data = sizes[1], saving->head.n_chunks = sizes[2];
    saving->is_common = !saving->place->rank_0_alone &&
                        kd_common_file_open(comm, saving->temporary, O_RDWR, &saving->fd);
    return 0;
}

/* ---- the values */

/* Bytes [from, from + n) of the data, which lie in one chunk; its checksum is made while they are
 * in the cache, if they are all of it. */
static int write_piece(struct saving *saving, const char *bytes, int64_t from, int64_t n,
                       struct kd_error *err)
{
    const struct kd_safetensors_head *head = &saving->head;
    if (kd_file_write_at(saving->fd, saving->temporary, head->n + from, bytes, n, err) < 0)
        return -1;
    if (from % KD_CHUNK_BYTES == 0 && (n == KD_CHUNK_BYTES || from + n == head->n_data)) {
        uint64_t sum = kd_xxh64(bytes, (size_t)n, 0);
        saving->sums[from / KD_CHUNK_BYTES] =
            (struct sum){1, (double)(sum >> 32), (double)(sum & UINT32_MAX)};
    }
    return 0;
}

/* Values that are number at, at + 1, ... of the data. The disk may begin with them at once: fsync
 * then has less to wait for. A small part would only be one more order to the disk. */
static int write_values(struct saving *saving, const float *values, int64_t at, int64_t n_values,
                        struct kd_error *err)
{
    const char *bytes = (const char *)values;
    int64_t begin = at * (int64_t)sizeof *values, end = begin + n_values * (int64_t)sizeof *values;
    for (int64_t i = begin, n; i < end; i += n) {
        int64_t left = KD_CHUNK_BYTES - i % KD_CHUNK_BYTES;
        n = left < end - i ? left : end - i;
        if (write_piece(saving, bytes + (i - begin), i, n, err) < 0)
            return -1;
    }
    if (end - begin >= KD_CHUNK_BYTES)
        sync_file_range(saving->fd, saving->head.n + begin, end - begin, SYNC_FILE_RANGE_WRITE);
    return 0;
}

/* What `rank` holds of the arena goes to rank 0, which writes it; all ranks take part. A failure
 * ends the writing, not the sending. */
static int receive_part(struct saving *saving, const struct kd_arena *arena, int rank, int64_t at,
                        struct kd_error *err)
{
    struct kd_comm *comm = saving->comm;
    int64_t first, end;
    int status = 0;
    float *stage = KD_NEW_ARRAY(float, STAGE);
    kd_comm_share_of(rank, comm->size, arena->n, &first, &end);
    for (int64_t i = first, n; i < end; i += n) {
        n = end - i < STAGE ? end - i : STAGE;
        if (comm->rank == rank)
            kd_plan_read(arena->plan, stage, arena->values + (i - arena->begin), n);
        comm->backend->broadcast(comm, rank, stage, n * (int64_t)sizeof *stage);
        if (is_root(saving) && status == 0)
            status = write_values(saving, stage, at + i, n, err);
    }
    free(stage);
    return status;
}

/* Values [first, end) of the arena, which this rank holds; from a device piece by piece, which end
 * where chunks do. */
static int write_held(struct saving *saving, const struct kd_arena *arena, int64_t at,
                      int64_t first, int64_t end, struct kd_error *err)
{
    int status = 0;
    if (kd_arena_in_place(arena, first))
        return write_values(saving, kd_arena_view(arena, first, end, NULL), at + first, end - first,
                            err);
    float *stage = KD_NEW_ARRAY(float, STAGE);
    for (int64_t i = first, n; i < end && status == 0; i += n) {
        n = STAGE - (at + i) % STAGE;
        n = n < end - i ? n : end - i;
        status = write_values(saving, kd_arena_view(arena, i, i + n, stage), at + i, n, err);
    }
    free(stage);
    return status;
}

static int write_arena(struct saving *saving, const struct kd_arena *arena, int64_t at,
                       struct kd_error *err)
{
    int status = 0;
    if (arena->is_sharded && !saving->is_common) {
        for (int rank = 0; rank < saving->comm->size; rank++)
            if (receive_part(saving, arena, rank, at, err) < 0)
                status = -1;
        return status;
    }
    int64_t first, end;
    share_of(saving, arena->n, &first, &end);
    return is_writer(saving) ? write_held(saving, arena, at, first, end, err) : 0;
}

static int write_arenas(struct saving *saving, struct kd_error *err)
{
    int64_t at = 0;
    int status = 0;
    saving->sums = KD_NEW_ARRAY(struct sum, (size_t)saving->head.n_chunks + 1);
    for (int a = 0; a < saving->n_arenas; a++) {
        if (write_arena(saving, &saving->arenas[a], at, err) < 0)
            status = -1;
        at += saving->arenas[a].n;
    }
    return kd_comm_any_failed(saving->comm, status < 0, err) ? -1 : 0;
}

/* ---- the checksums */

/* Who wrote a whole chunk has made its sum. Those that several ranks wrote, or that lie in two
 * arenas, rank 0 reads again: a few for each rank and arena. */
static int complete_sums(const struct saving *saving, uint64_t *sums, struct kd_error *err)
{
    const struct kd_safetensors_head *head = &saving->head;
    for (int64_t i = 0; i < head->n_chunks; i++) {
        const struct sum *sum = &saving->sums[i];
        sums[i] = (uint64_t)sum->high << 32 | (uint64_t)sum->low;
        if (sum->known == 0 && kd_chunk_sums(saving->fd, saving->temporary, head->n, head->n_data,
                                             i, i + 1, sums, err) < 0)
            return -1;
    }
    return 0;
}

static void collect_sums(struct saving *saving)
{
    int64_t n = saving->head.n_chunks * (int64_t)(sizeof *saving->sums / sizeof(double));
    if (saving->comm->size > 1)
        saving->comm->backend->sum_doubles(saving->comm, &saving->sums->known, n);
}

/* ---- the commit (rank 0) */

static int commit(struct saving *saving, struct kd_error *err)
{
    if (kd_file_write_at(saving->fd, saving->temporary, 0, saving->head.bytes, saving->head.n,
                         err) < 0)
        return -1;
    if (fsync(saving->fd) < 0)
        return kd_fail_errno(err, "%s: cannot write the checkpoint through to the disk",
                             saving->temporary);
    if (rename(saving->temporary, saving->path) < 0)
        return kd_fail_errno(err, "%s: cannot give the checkpoint its name", saving->path);
    return kd_folder_sync(saving->place->folder, err);
}

/* Rank 0 alone may fail. */
static int finish(struct saving *saving, struct kd_checkpoint_file *file, struct kd_error *err)
{
    collect_sums(saving);
    if (!is_root(saving))
        return 0;
    uint64_t *sums = KD_NEW_ARRAY(uint64_t, (size_t)saving->head.n_chunks + 1);
    int status = complete_sums(saving, sums, err);
    if (status == 0) {
        snprintf(file->path, sizeof file->path, "%s", saving->path);
        file->bytes = saving->head.n + saving->head.n_data;
        kd_safetensors_head_seal(&saving->head, sums, file->digest);
        status = commit(saving, err);
    }
    free(sums);
    return status;
}

/* ---- the whole */

/* A temporary file of ours is removed: a full disk should not stay fuller for it. */
static void end(struct saving *saving, int status)
{
    if (saving->fd >= 0) {
        close(saving->fd);
        if (status < 0 && is_root(saving))
            unlink(saving->temporary);
    }
    kd_safetensors_head_release(&saving->head);
    free(saving->sums);
    free(saving->path);
    free(saving->temporary);
}

int kd_checkpoint_save(const struct kd_checkpoint_place *place, struct kd_plan *plan,
                       struct kd_training_state *state, const struct kd_keeping *keeping,
                       struct kd_checkpoint_file *file, struct kd_error *err)
{
    struct kd_training_state next = *state;
    struct saving saving = {.place = place, .comm = place->comm, .fd = -1};
    saving.path = kd_checkpoint_path(place->folder, state->step);
    saving.temporary = kd_format("%s.tmp", saving.path);
    saving.n_arenas = kd_arenas_of(plan, state->n_slots, saving.arenas);
    memset(&next.kept, 0, sizeof next.kept);
    if (is_root(&saving)) {
        list_kept(place, state, &next);
        next.kept.n = kd_keeping_apply(keeping, next.kept.items, next.kept.n);
    }
    int status = begin(&saving, plan, &next, err);
    if (status == 0)
        status = write_arenas(&saving, err);
    if (status == 0)
        status = finish(&saving, file, err);
    if (status == 0 && is_root(&saving)) {
        kd_checkpoint_drop_others(place->folder, next.kept.items, next.kept.n);
        kd_arr_release(&state->kept);
        state->kept = next.kept;
    } else {
        kd_arr_release(&next.kept);
    }
    end(&saving, status);
    return status;
}

#include "trainer/checkpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/log.h"
#include "coordinator/base/mem.h"
#include "trainer/checkpoint_folder.h"
#include "trainer/common_file.h"
#include "trainer/models/plan_update.h"

enum { STAGE = 1 << 18 }; /* floats that rank 0 gives to all, or that go to a device, at once */

/* ---- opening */

static int open_on_others(struct kd_checkpoint *checkpoint, const char *path, int fd,
                          struct kd_error *err)
{
    if (checkpoint->comm->rank == 0 || !checkpoint->is_common)
        return 0;
    return kd_safetensors_open_fd(fd, path, &checkpoint->file, err);
}

static int check_share(const struct kd_checkpoint *checkpoint, struct kd_error *err)
{
    int64_t first = 0, end = checkpoint->file.n_chunks;
    if (checkpoint->is_common)
        kd_comm_share(checkpoint->comm, checkpoint->file.n_chunks, &first, &end);
    else if (checkpoint->comm->rank > 0)
        return 0;
    return kd_safetensors_check(&checkpoint->file, first, end, err);
}

/* The same path on every rank. */
static int open_path(const struct kd_checkpoint_place *place, const char *path,
                     struct kd_checkpoint *checkpoint, struct kd_error *err)
{
    struct kd_comm *comm = place->comm;
    bool failed = comm->rank == 0 && kd_safetensors_open(path, &checkpoint->file, err) < 0;
    if (kd_comm_any_failed(comm, failed, err))
        return -1;
    int fd = comm->rank == 0 ? checkpoint->file.fd : -1;
    checkpoint->is_common = !place->rank_0_alone && kd_common_file_open(comm, path, O_RDONLY, &fd);
    failed = open_on_others(checkpoint, path, fd, err) < 0 || check_share(checkpoint, err) < 0;
    return kd_comm_any_failed(comm, failed, err) ? -1 : 0;
}

int kd_checkpoint_open(const struct kd_checkpoint_place *place, const char *path,
                       struct kd_checkpoint *checkpoint, struct kd_error *err)
{
    *checkpoint = (struct kd_checkpoint){.comm = place->comm};
    char *same = kd_comm_wait_text(place->comm, place->comm->rank == 0 ? path : NULL);
    int status = open_path(place, same, checkpoint, err);
    free(same);
    if (status < 0)
        kd_checkpoint_release(checkpoint);
    return status;
}

void kd_checkpoint_release(struct kd_checkpoint *checkpoint)
{
    kd_safetensors_release(&checkpoint->file);
}

static void warn_of(const struct kd_error *problem, int64_t n_before)
{
    if (n_before > 0)
        kd_warn("%s; the checkpoint before it is tried", problem->text);
    else
        kd_warn("%s; there is no checkpoint before it", problem->text);
}

/* names[n] are rank 0's; n is every rank's. */
static int open_one_of(const struct kd_checkpoint_place *place, struct dirent **names, int64_t n,
                       struct kd_checkpoint *checkpoint)
{
    bool is_root = place->comm->rank == 0;
    for (int64_t i = n - 1; i >= 0; i--) {
        struct kd_error problem;
        char *path = is_root ? kd_format("%s/%s", place->folder, names[i]->d_name) : NULL;
        int status = kd_checkpoint_open(place, path, checkpoint, &problem);
        free(path);
        if (status == 0)
            return 1;
        if (is_root)
            warn_of(&problem, i);
    }
    return 0;
}

int kd_checkpoint_open_newest(const struct kd_checkpoint_place *place,
                              struct kd_checkpoint *checkpoint, struct kd_error *err)
{
    struct kd_comm *comm = place->comm;
    struct dirent **names = NULL;
    int n_names = comm->rank == 0 ? kd_checkpoint_list(place->folder, &names) : 0;
    bool failed = n_names < 0 && errno != ENOENT;
    if (failed)
        kd_fail_errno(err, "%s: cannot list the checkpoint folder", place->folder);
    if (kd_comm_any_failed(comm, failed, err))
        return -1;
    int64_t n = n_names > 0 ? n_names : 0;
    comm->backend->broadcast(comm, 0, &n, sizeof n);
    int found = open_one_of(place, names, n, checkpoint);
    kd_checkpoint_free_list(names, n_names);
    return found;
}

/* ---- does it fit? (rank 0) */

/* Every tensor of the arena is there, in its shape. */
static int check_arena(const struct kd_safetensors *file, const struct kd_arena *arena,
                       const struct kd_plan *plan, struct kd_error *err)
{
    for (int i = 0; i < kd_arena_n_tensors(arena, plan); i++) {
        int64_t at, offset;
        struct kd_named_tensor tensor = kd_arena_tensor_at(arena, plan, i, &offset);
        if (kd_safetensors_find(file, &tensor, &at, err) < 0)
            return -1;
    }
    return 0;
}

static bool is_in(const struct kd_arena *arena, const struct kd_plan *plan, const char *name)
{
    for (int i = 0; i < kd_arena_n_tensors(arena, plan); i++) {
        int64_t offset;
        struct kd_named_tensor tensor = kd_arena_tensor_at(arena, plan, i, &offset);
        if (strcmp(tensor.name, name) == 0)
            return true;
    }
    return false;
}

/* And no weights or statistics beyond them: the model would be a smaller one that happens to have
 * the same beginning. */
static int check_no_more(const struct kd_safetensors *file, const struct kd_arena *arenas, int n,
                         const struct kd_plan *plan, struct kd_error *err)
{
    const char *name;
    const json_t *entry;
    json_object_foreach((json_t *)file->header, name, entry)
    {
        bool known =
            !kd_arena_has_name(KD_ARENA_PARAMETERS, name) || strcmp(name, "__metadata__") == 0;
        for (int a = 0; a < n && !known; a++)
            known = is_in(&arenas[a], plan, name);
        if (!known)
            return kd_fail(err, "it is of another model: it has %s, which this model has not",
                           name);
    }
    return 0;
}

static bool has_average(const struct kd_safetensors *file)
{
    const char *name;
    const json_t *entry;
    json_object_foreach(file->header, name, entry)
    {
        if (kd_arena_has_name(KD_ARENA_AVERAGE, name))
            return true;
    }
    return false;
}

static bool is_same_optimizer(const struct kd_safetensors *file,
                              const struct kd_training_state *state)
{
    const char *optimizer = json_string_value(json_object_get(file->state, "optimizer"));
    return optimizer && strcmp(optimizer, state->optimizer) == 0;
}

/* *mask gets a bit for each of the arenas that is to be read. */
static int choose_arenas(const struct kd_checkpoint *checkpoint, const struct kd_arena *arenas,
                         int n, const struct kd_plan *plan, const struct kd_training_state *state,
                         int64_t *mask, struct kd_error *err)
{
    const struct kd_safetensors *file = &checkpoint->file;
    const bool wanted[KD_N_ARENAS] = {
        [KD_ARENA_PARAMETERS] = true,
        [KD_ARENA_SLOT_0] = is_same_optimizer(file, state),
        [KD_ARENA_SLOT_1] = is_same_optimizer(file, state),
        [KD_ARENA_AVERAGE] = has_average(file),
        [KD_ARENA_STATISTICS] = true,
    };
    *mask = 0;
    for (int a = 0; a < n; a++) {
        if (!wanted[arenas[a].kind])
            continue;
        if (check_arena(file, &arenas[a], plan, err) < 0)
            return -1;
        *mask |= 1 << a;
    }
    return check_no_more(file, arenas, n, plan, err);
}

/* ---- reading */

struct part {
    const struct kd_arena *arena;
    struct kd_named_tensor tensor;
    int64_t offset, n; /* of the tensor, in the arena */
};

/* Values [begin, end) of the tensor that lie in what this rank holds. */
static bool held_part(const struct part *part, int64_t *begin, int64_t *end)
{
    int64_t low = part->arena->begin - part->offset, high = part->arena->end - part->offset;
    *begin = *begin > low ? *begin : low;
    *end = *end < high ? *end : high;
    return *begin < *end;
}

/* Rank 0 reads for all. */
static int read_for_all(const struct kd_checkpoint *checkpoint, const struct part *part,
                        float *stage, struct kd_error *err)
{
    struct kd_comm *comm = checkpoint->comm;
    int status = 0;
    for (int64_t at = 0, n; at < part->n; at += n) {
        n = part->n - at < STAGE ? part->n - at : STAGE;
        int64_t begin = at, end = at + n;
        if (comm->rank == 0 && status == 0)
            status = kd_safetensors_read(&checkpoint->file, &part->tensor, at, at + n, stage, err);
        comm->backend->broadcast(comm, 0, stage, n * (int64_t)sizeof *stage);
        if (held_part(part, &begin, &end))
            kd_arena_write(part->arena, part->offset + begin, part->offset + end,
                           stage + (begin - at));
    }
    return status;
}

/* Straight into the arena, where the host may write there. */
static int read_own(const struct kd_checkpoint *checkpoint, const struct part *part, float *stage,
                    struct kd_error *err)
{
    const struct kd_safetensors *file = &checkpoint->file;
    int64_t begin = 0, end = part->n;
    if (!held_part(part, &begin, &end))
        return 0;
    float *place = kd_arena_in_place(part->arena, part->offset + begin);
    if (place)
        return kd_safetensors_read(file, &part->tensor, begin, end, place, err);
    for (int64_t i = begin, n; i < end; i += n) {
        n = end - i < STAGE ? end - i : STAGE;
        if (kd_safetensors_read(file, &part->tensor, i, i + n, stage, err) < 0)
            return -1;
        kd_arena_write(part->arena, part->offset + i, part->offset + i + n, stage);
    }
    return 0;
}

static int read_arena(const struct kd_checkpoint *checkpoint, const struct kd_arena *arena,
                      const struct kd_plan *plan, float *stage, struct kd_error *err)
{
    int status = 0;
    for (int i = 0; i < kd_arena_n_tensors(arena, plan); i++) {
        struct part part = {.arena = arena};
        part.tensor = kd_arena_tensor_at(arena, plan, i, &part.offset);
        part.n = kd_named_tensor_count(&part.tensor);
        int done = checkpoint->is_common ? read_own(checkpoint, &part, stage, err)
                                         : read_for_all(checkpoint, &part, stage, err);
        if (done < 0)
            status = -1;
    }
    return status;
}

static int read_arenas(const struct kd_checkpoint *checkpoint, const struct kd_arena *arenas, int n,
                       int64_t mask, const struct kd_plan *plan, struct kd_error *err)
{
    float *stage = KD_NEW_ARRAY(float, STAGE);
    int status = 0;
    for (int a = 0; a < n; a++)
        if ((mask >> a & 1) && read_arena(checkpoint, &arenas[a], plan, stage, err) < 0)
            status = -1;
    free(stage);
    return kd_comm_any_failed(checkpoint->comm, status < 0, err) ? -1 : 0;
}

static bool has_read(const struct kd_arena *arenas, int n, int64_t mask, enum kd_arena_kind kind)
{
    for (int a = 0; a < n; a++)
        if (arenas[a].kind == kind && (mask >> a & 1))
            return true;
    return false;
}

int kd_checkpoint_read_state(const struct kd_checkpoint *checkpoint,
                             struct kd_training_state *state, struct kd_error *err)
{
    if (kd_training_state_read(checkpoint->file.state, state, err) < 0)
        return -1;
    if (!is_same_optimizer(&checkpoint->file, state))
        state->updates = state->loss_scale_left_out = 0;
    return 0;
}

int kd_checkpoint_restore(const struct kd_checkpoint *checkpoint, struct kd_plan *plan,
                          struct kd_training_state *state, struct kd_error *err)
{
    struct kd_comm *comm = checkpoint->comm;
    struct kd_arena arenas[KD_N_ARENAS];
    int n = kd_arenas_of(plan, state->n_slots, arenas);
    int64_t mask = 0;
    bool is_root = comm->rank == 0;
    bool failed = is_root && (choose_arenas(checkpoint, arenas, n, plan, state, &mask, err) < 0 ||
                              kd_checkpoint_read_state(checkpoint, state, err) < 0);
    if (kd_comm_any_failed(comm, failed, err))
        return -1;
    comm->backend->broadcast(comm, 0, &mask, sizeof mask);
    if (read_arenas(checkpoint, arenas, n, mask, plan, err) < 0)
        return -1;
    if (!has_read(arenas, n, mask, KD_ARENA_AVERAGE))
        kd_plan_restart_average(plan);
    return 0;
}

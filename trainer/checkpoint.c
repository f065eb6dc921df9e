#include "trainer/checkpoint.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "coordinator/base/log.h"
#include "coordinator/base/mem.h"

static const char PATTERN[] = "checkpoint-%012" PRId64 ".safetensors";

/* ---- the folder */

static int is_checkpoint(const struct dirent *entry)
{
    int64_t step;
    int length = 0;
    return sscanf(entry->d_name, "checkpoint-%12" SCNd64 ".safetensors%n", &step, &length) == 1 &&
           length > 0 && entry->d_name[length] == '\0';
}

/* Oldest first; the caller frees with free_names. */
static int list_names(const char *folder, struct dirent ***names)
{
    *names = NULL;
    return scandir(folder, names, is_checkpoint, alphasort);
}

static void free_names(struct dirent **names, int n)
{
    for (int i = 0; i < n; i++)
        free(names[i]);
    free(names);
}

static void remove_from(const char *folder, const char *name)
{
    char *path = kd_format("%s/%s", folder, name);
    unlink(path);
    free(path);
}

/* Steps can go down: a checkpoint of another batch size, or the one before a damaged one, was gone on from. What lies
 * beyond belongs to a line that was left, and would count as newest for ever. */
static void drop_beyond(const char *folder, int64_t step)
{
    struct dirent **names;
    int n = list_names(folder, &names);
    for (int i = 0; i < n; i++) {
        int64_t at = 0;
        if (sscanf(names[i]->d_name, "checkpoint-%12" SCNd64, &at) == 1 && at > step)
            remove_from(folder, names[i]->d_name);
    }
    free_names(names, n);
}

static int is_leaving(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);
    return strncmp(entry->d_name, "checkpoint-", 11) == 0 && length > 4 &&
           strcmp(entry->d_name + length - 4, ".tmp") == 0;
}

/* A writer that was killed leaves its temporary file; rank 0 is the only writer. */
static void drop_leavings(const char *folder)
{
    struct dirent **names = NULL;
    int n = scandir(folder, &names, is_leaving, alphasort);
    for (int i = 0; i < n; i++)
        remove_from(folder, names[i]->d_name);
    free_names(names, n);
}

static void keep_newest(const char *folder, int64_t keep)
{
    struct dirent **names;
    int n = list_names(folder, &names);
    for (int i = 0; i < n - keep; i++) {
        remove_from(folder, names[i]->d_name);
    }
    free_names(names, n);
}

void kd_checkpoint_clear(const char *folder)
{
    keep_newest(folder, 0);
}

static int make_folder(const char *folder, struct kd_error *err)
{
    char *path = kd_strdup(folder);
    for (char *slash = strchr(path + 1, '/');; slash = strchr(slash + 1, '/')) {
        if (slash)
            *slash = '\0';
        if (mkdir(path, 0755) < 0 && errno != EEXIST) {
            kd_fail_errno(err, "%s: cannot create the checkpoint folder", path);
            free(path);
            return -1;
        }
        if (!slash)
            break;
        *slash = '/';
    }
    free(path);
    return 0;
}

/* ---- tensors */

static struct kd_named_tensor named(const struct kd_plan *plan, int i, int slot)
{
    struct kd_plan_tensor tensor = kd_plan_tensor_at(plan, i);
    struct kd_named_tensor result = {.n_dims = tensor.n_dims};
    memcpy(result.shape, tensor.shape, sizeof result.shape);
    if (slot < 0)
        snprintf(result.name, sizeof result.name, "%s", tensor.name);
    else
        snprintf(result.name, sizeof result.name, "optimizer.%d.%s", slot, tensor.name);
    return result;
}

static float *values_of(struct kd_plan *plan, int i, int slot)
{
    float *arena = slot < 0 ? kd_plan_parameters(plan) : kd_plan_state(plan, slot);
    return arena + kd_plan_tensor_at(plan, i).offset;
}

static struct kd_named_tensor *all_tensors(struct kd_plan *plan, int n_slots, int *n)
{
    int n_each = kd_plan_n_tensors(plan);
    *n = n_each * (1 + n_slots);
    struct kd_named_tensor *tensors = KD_NEW_ARRAY(struct kd_named_tensor, (size_t)*n);
    for (int slot = -1, at = 0; slot < n_slots; slot++)
        for (int i = 0; i < n_each; i++, at++) {
            tensors[at] = named(plan, i, slot);
            tensors[at].values = values_of(plan, i, slot);
        }
    return tensors;
}

/* ---- the state */

static char *state_text(const struct kd_training_state *state)
{
    const struct kd_report_window *window = &state->window;
    json_t *json = json_pack(
        "{s:I, s:I, s:s, s:s, s:[f,f,f,f,f,f], s:O}", "step", (json_int_t)state->step,
        "steps_per_epoch", (json_int_t)state->steps_per_epoch, "optimizer", state->optimizer,
        "seed", "", "window", window->loss_sum, window->n_correct, window->n_top5, window->n_seen,
        window->n_samples, window->seconds, "reports", state->reports);
    kd_assert(json != NULL);
    char seed[32]; /* as text: 64 bits do not fit JSON's numbers */
    snprintf(seed, sizeof seed, "%" PRIu64, state->seed);
    json_object_set_new(json, "seed", json_string(seed));
    char *text = json_dumps(json, JSON_COMPACT);
    json_decref(json);
    return text;
}

static int read_state(const json_t *json, struct kd_training_state *state, struct kd_error *err)
{
    json_int_t step, per_epoch;
    const char *seed;
    json_t *reports;
    struct kd_report_window *window = &state->window;
    if (json_unpack((json_t *)json, "{s:I, s:I, s:s, s:[F,F,F,F,F,F], s:o}", "step", &step,
                    "steps_per_epoch", &per_epoch, "seed", &seed, "window", &window->loss_sum,
                    &window->n_correct, &window->n_top5, &window->n_seen, &window->n_samples,
                    &window->seconds, "reports", &reports) < 0 ||
        step < 0 || per_epoch < 1 || !json_is_array(reports))
        return kd_fail(err, "its state is not of the form that this version writes");
    state->step = step;
    state->steps_per_epoch = per_epoch;
    state->seed = strtoull(seed, NULL, 10);
    state->reports = json_incref(reports);
    return 0;
}

/* ---- saving and restoring */

int kd_checkpoint_save(const char *folder, struct kd_plan *plan,
                       const struct kd_training_state *state, int64_t keep,
                       struct kd_checkpoint_file *file, struct kd_error *err)
{
    char name[64];
    snprintf(name, sizeof name, PATTERN, state->step);
    if (make_folder(folder, err) < 0)
        return -1;
    if (snprintf(file->path, sizeof file->path, "%s/%s", folder, name) >= (int)sizeof file->path)
        return kd_fail(err, "%s: the path of the checkpoint folder is too long", folder);
    int n;
    struct kd_named_tensor *tensors = all_tensors(plan, state->n_slots, &n);
    char *text = state_text(state);
    int status =
        kd_safetensors_write(file->path, tensors, n, text, &file->bytes, file->digest, err);
    free(text);
    free(tensors);
    if (status == 0) {
        drop_beyond(folder, state->step);
        drop_leavings(folder);
        keep_newest(folder, keep);
    }
    return status;
}

int kd_checkpoint_open_newest(const char *folder, struct kd_safetensors *file, struct kd_error *err)
{
    struct dirent **names;
    int n = list_names(folder, &names), found = 0;
    if (n < 0)
        return errno == ENOENT
                   ? 0
                   : kd_fail_errno(err, "%s: cannot list the checkpoint folder", folder);
    for (int i = n - 1; i >= 0 && !found; i--) {
        struct kd_error problem;
        char *path = kd_format("%s/%s", folder, names[i]->d_name);
        found = kd_safetensors_read(path, file, &problem) == 0;
        if (!found)
            kd_warn("%s; trying the checkpoint before it", problem.text);
        free(path);
    }
    free_names(names, n);
    return found;
}

static int restore_slot(const struct kd_safetensors *file, struct kd_plan *plan, int slot,
                        struct kd_error *err)
{
    for (int i = 0; i < kd_plan_n_tensors(plan); i++) {
        struct kd_named_tensor tensor = named(plan, i, slot);
        if (kd_safetensors_get(file, &tensor, values_of(plan, i, slot), err) < 0)
            return -1;
    }
    return 0;
}

int kd_checkpoint_restore(const struct kd_safetensors *file, struct kd_plan *plan,
                          struct kd_training_state *state, struct kd_error *err)
{
    const char *optimizer = json_string_value(json_object_get(file->state, "optimizer"));
    bool same = optimizer && strcmp(optimizer, state->optimizer) == 0;
    for (int slot = -1; slot < (same ? state->n_slots : 0); slot++)
        if (restore_slot(file, plan, slot, err) < 0)
            return -1;
    return read_state(file->state, state, err);
}

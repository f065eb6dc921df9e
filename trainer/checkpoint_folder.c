#include "trainer/checkpoint_folder.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "coordinator/base/mem.h"

char *kd_checkpoint_path(const char *folder, int64_t step)
{
    return kd_format("%s/checkpoint-%012" PRId64 ".safetensors", folder, step);
}

/* The step, or -1 where the name is no checkpoint's. */
static int64_t step_of(const char *name)
{
    int64_t step;
    int length = 0;
    bool is_one = sscanf(name, "checkpoint-%12" SCNd64 ".safetensors%n", &step, &length) == 1 &&
                  length > 0 && name[length] == '\0';
    return is_one ? step : -1;
}

static int is_checkpoint(const struct dirent *entry)
{
    return step_of(entry->d_name) >= 0;
}

int kd_checkpoint_list(const char *folder, struct dirent ***names)
{
    *names = NULL;
    return scandir(folder, names, is_checkpoint, alphasort);
}

void kd_checkpoint_free_list(struct dirent **names, int n)
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

static bool is_kept(const struct kd_kept *kept, size_t n, int64_t step)
{
    for (size_t i = 0; i < n; i++)
        if (kept[i].step == step)
            return true;
    return false;
}

/* Also those of a line that was left, which would count as newest for ever: steps can go down where
 * a checkpoint of another batch size, or the one before a damaged one, was gone on from. */
void kd_checkpoint_drop_others(const char *folder, const struct kd_kept *kept, size_t n)
{
    struct dirent **names;
    int n_names = kd_checkpoint_list(folder, &names);
    for (int i = 0; i < n_names; i++)
        if (!is_kept(kept, n, step_of(names[i]->d_name)))
            remove_from(folder, names[i]->d_name);
    kd_checkpoint_free_list(names, n_names);
}

static int is_leaving(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);
    return strncmp(entry->d_name, "checkpoint-", 11) == 0 && length > 4 &&
           strcmp(entry->d_name + length - 4, ".tmp") == 0;
}

void kd_checkpoint_drop_leavings(const char *folder)
{
    struct dirent **names = NULL;
    int n = scandir(folder, &names, is_leaving, alphasort);
    for (int i = 0; i < n; i++)
        remove_from(folder, names[i]->d_name);
    kd_checkpoint_free_list(names, n);
}

void kd_checkpoint_clear(const char *folder)
{
    kd_checkpoint_drop_others(folder, NULL, 0);
    kd_checkpoint_drop_leavings(folder);
}

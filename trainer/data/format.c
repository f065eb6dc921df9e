#include "trainer/data/format.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KD_DATA_FORMAT(vtable) extern const struct kd_data_format vtable;
#include "trainer/data/formats.def"
#undef KD_DATA_FORMAT

const struct kd_data_format *const kd_data_formats[] = {
#define KD_DATA_FORMAT(vtable) &vtable,
#include "trainer/data/formats.def"
#undef KD_DATA_FORMAT
    NULL,
};

const struct kd_data_format *kd_data_format_find(const char *name)
{
    for (int i = 0; kd_data_formats[i]; i++)
        if (strcmp(kd_data_formats[i]->name, name) == 0)
            return kd_data_formats[i];
    return NULL;
}

char *kd_data_path(const char *base_dir, const char *path)
{
    if (path[0] == '/' || !base_dir || !base_dir[0])
        return kd_strdup(path);
    return kd_format("%s/%s", base_dir, path);
}

void kd_data_files_release(struct kd_data_files *files)
{
    for (size_t i = 0; i < files->paths.n; i++)
        free(files->paths.items[i]);
    kd_arr_release(&files->paths);
}

static int add_folder(struct kd_data_files *files, const char *folder, const char *pattern,
                      struct kd_error *err)
{
    struct dirent **entries;
    size_t before = files->paths.n;
    int n = scandir(folder, &entries, NULL, alphasort);
    if (n < 0)
        return kd_fail_errno(err, "%s: cannot look into the folder", folder);
    for (int i = 0; i < n; i++) {
        if (entries[i]->d_name[0] != '.' && fnmatch(pattern, entries[i]->d_name, 0) == 0)
            kd_arr_push(&files->paths, kd_format("%s/%s", folder, entries[i]->d_name));
        free(entries[i]);
    }
    free(entries);
    return files->paths.n > before
               ? 0
               : kd_fail(err, "%s: no file %s is in the folder", folder, pattern);
}

static int add_path(struct kd_data_files *files, const char *base_dir, const char *given,
                    const char *pattern, struct kd_error *err)
{
    struct stat info;
    char *path = kd_data_path(base_dir, given);
    if (!pattern || stat(path, &info) < 0 || !S_ISDIR(info.st_mode)) {
        kd_arr_push(&files->paths, path); /* what is wrong with it is said when it is opened */
        return 0;
    }
    int status = add_folder(files, path, pattern, err);
    free(path);
    return status;
}

int kd_data_files_find(struct kd_data_files *files, const json_t *given, const char *base_dir,
                       const char *pattern, struct kd_error *err)
{
    const json_t *item;
    size_t i;
    *files = (struct kd_data_files){0};
    int status = 0;
    if (json_is_string(given))
        status = add_path(files, base_dir, json_string_value(given), pattern, err);
    json_array_foreach(given, i, item)
    {
        if (status == 0)
            status = add_path(files, base_dir, json_string_value(item), pattern, err);
    }
    return status;
}

int kd_data_map(const struct kd_data_source *source, const char *field, const char *pattern,
                struct kd_mapping *mapping, struct kd_error *err)
{
    struct kd_data_files files;
    int status = kd_data_files_find(&files, json_object_get(source->block, field), source->base_dir,
                                    pattern, err);
    if (status == 0)
        status = kd_mapping_open(mapping, files.paths.items, files.paths.n, err);
    kd_data_files_release(&files);
    return status;
}

static int read_all(int fd, char *bytes, size_t want, size_t *n)
{
    while (*n < want) {
        ssize_t got = read(fd, bytes + *n, want - *n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        *n += (size_t)got;
    }
    return 0;
}

int kd_data_read(const char *path, size_t max_bytes, char **bytes, size_t *n, struct kd_error *err)
{
    struct stat info;
    int status = -1;
    *bytes = NULL;
    *n = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe that nobody writes to */
    if (fd < 0)
        return kd_fail_errno(err, "%s: cannot open the data file", path);
    if (fstat(fd, &info) < 0) {
        kd_fail_errno(err, "%s: cannot look at the data file", path);
        goto out;
    }
    if (!S_ISREG(info.st_mode)) {
        kd_fail(err, "%s: is not a regular file; give the path of a data file", path);
        goto out;
    }
    size_t want = (size_t)info.st_size;
    if (max_bytes > 0 && want > max_bytes)
        want = max_bytes;
    *bytes = kd_alloc(want + 1);
    if (read_all(fd, *bytes, want, n) < 0) {
        kd_fail_errno(err, "%s: cannot read the data file", path);
        goto out;
    }
    if (*n == 0) {
        kd_fail(err, "%s: the data file is empty", path);
        goto out;
    }
    status = 0;
out:
    close(fd);
    if (status < 0) {
        free(*bytes);
        *bytes = NULL;
    }
    return status;
}

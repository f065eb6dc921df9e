#include "trainer/safetensors.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "coordinator/base/json.h"
#include "coordinator/base/mem.h"
#include "trainer/xxh64.h"

static const char PREFIX[] = "{\"__metadata__\":{\"checksum\":\"";
static const char ZEROS[] = "0000000000000000";
enum { LENGTH_BYTES = 8, DIGITS = 16 };
enum { DIGITS_AT = LENGTH_BYTES + sizeof PREFIX - 1 };

static int64_t n_values(const struct kd_named_tensor *tensor)
{
    int64_t n = 1;
    for (int i = 0; i < tensor->n_dims; i++)
        n *= tensor->shape[i];
    return n;
}

/* ---- writing */

static void add_tensor(struct kd_json *json, const struct kd_named_tensor *tensor, int64_t *at)
{
    int64_t end = *at + n_values(tensor) * (int64_t)sizeof(float);
    kd_json_key(json, tensor->name);
    kd_json_open(json, '{');
    kd_json_add_string(json, "dtype", "F32");
    kd_json_key(json, "shape");
    kd_json_open(json, '[');
    for (int i = 0; i < tensor->n_dims; i++)
        kd_json_int(json, tensor->shape[i]);
    kd_json_close(json, ']');
    kd_json_key(json, "data_offsets");
    kd_json_open(json, '[');
    kd_json_int(json, *at);
    kd_json_int(json, end);
    kd_json_close(json, ']');
    kd_json_close(json, '}');
    *at = end;
}

/* The header, padded with blanks so that the data are aligned; *n_data gets the bytes after it. */
static char *header_text(const struct kd_named_tensor *tensors, int n, const char *state,
                         size_t *n_header, int64_t *n_data)
{
    struct kd_str text = {0};
    struct kd_json json = kd_json_to(&text);
    kd_json_open(&json, '{');
    kd_json_key(&json, "__metadata__");
    kd_json_open(&json, '{');
    kd_json_add_string(&json, "checksum", ZEROS);
    kd_json_add_string(&json, "format", "katydid-1");
    kd_json_add_string(&json, "state", state);
    kd_json_close(&json, '}');
    *n_data = 0;
    for (int i = 0; i < n; i++)
        add_tensor(&json, &tensors[i], n_data);
    kd_json_close(&json, '}');
    while (text.length % LENGTH_BYTES)
        kd_str_addc(&text, ' ');
    kd_assert(strncmp(text.text, PREFIX, sizeof PREFIX - 1) == 0);
    *n_header = text.length;
    return kd_str_take(&text);
}

static char *image_of(const struct kd_named_tensor *tensors, int n, const char *state,
                      size_t *n_bytes, char digest[KD_DIGEST_TEXT])
{
    size_t n_header;
    int64_t n_data;
    char *header = header_text(tensors, n, state, &n_header, &n_data);
    *n_bytes = LENGTH_BYTES + n_header + (size_t)n_data;
    char *image = kd_alloc(*n_bytes);
    uint64_t length = n_header;
    memcpy(image, &length, LENGTH_BYTES);
    memcpy(image + LENGTH_BYTES, header, n_header);
    char *at = image + LENGTH_BYTES + n_header;
    for (int i = 0; i < n; i++) {
        size_t size = (size_t)n_values(&tensors[i]) * sizeof(float);
        memcpy(at, tensors[i].values, size);
        at += size;
    }
    free(header);
    snprintf(digest, KD_DIGEST_TEXT, "%016" PRIx64, kd_xxh64(image, *n_bytes, 0));
    memcpy(image + DIGITS_AT, digest, DIGITS);
    return image;
}

static int write_fsynced(const char *path, const char *bytes, size_t n, struct kd_error *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        return kd_fail_errno(err, "%s: cannot create the checkpoint", path);
    int status = 0;
    while (n > 0 && status == 0) {
        ssize_t done = write(fd, bytes, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            status = kd_fail_errno(err, "%s: cannot write the checkpoint", path);
        else
            bytes += done, n -= (size_t)done;
    }
    if (status == 0 && fsync(fd) < 0)
        status = kd_fail_errno(err, "%s: cannot write the checkpoint through to the disk", path);
    close(fd);
    return status;
}

static int fsync_folder_of(const char *path, struct kd_error *err)
{
    char *copy = kd_strdup(path);
    const char *folder = dirname(copy);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int status = 0;
    if (fd < 0 || fsync(fd) < 0)
        status = kd_fail_errno(err, "%s: cannot write the folder through to the disk", folder);
    if (fd >= 0)
        close(fd);
    free(copy);
    return status;
}

int kd_safetensors_write(const char *path, const struct kd_named_tensor *tensors, int n,
                         const char *state, int64_t *bytes, char digest[KD_DIGEST_TEXT],
                         struct kd_error *err)
{
    size_t n_bytes;
    char *image = image_of(tensors, n, state, &n_bytes, digest);
    char *temporary = kd_format("%s.tmp", path);
    int status = write_fsynced(temporary, image, n_bytes, err);
    if (status == 0 && rename(temporary, path) < 0)
        status = kd_fail_errno(err, "%s: cannot give the checkpoint its name", path);
    if (status == 0)
        status = fsync_folder_of(path, err);
    else
        unlink(temporary); /* a full disk should not stay fuller for it */
    *bytes = (int64_t)n_bytes;
    free(temporary);
    free(image);
    return status;
}

/* ---- reading */

static int read_image(const char *path, struct kd_safetensors *file, struct kd_error *err)
{
    struct stat info;
    FILE *stream = fopen(path, "rbe");
    if (!stream || fstat(fileno(stream), &info) < 0) {
        kd_fail_errno(err, "%s: cannot open the checkpoint", path);
        if (stream)
            fclose(stream);
        return -1;
    }
    file->n_bytes = (size_t)info.st_size;
    file->image = kd_alloc(file->n_bytes + 1);
    size_t got = fread(file->image, 1, file->n_bytes, stream);
    fclose(stream);
    return got == file->n_bytes ? 0 : kd_fail(err, "%s: cannot read the checkpoint", path);
}

static int check_sum(const char *path, struct kd_safetensors *file, struct kd_error *err)
{
    char seen[KD_DIGEST_TEXT] = {0}, made[KD_DIGEST_TEXT];
    if (file->n_bytes < DIGITS_AT + DIGITS ||
        memcmp(file->image + LENGTH_BYTES, PREFIX, sizeof PREFIX - 1) != 0)
        return kd_fail(err, "%s: is not a checkpoint of katydid, or its beginning is damaged",
                       path);
    memcpy(seen, file->image + DIGITS_AT, DIGITS);
    memcpy(file->image + DIGITS_AT, ZEROS, DIGITS);
    snprintf(made, sizeof made, "%016" PRIx64, kd_xxh64(file->image, file->n_bytes, 0));
    if (strcmp(seen, made) != 0)
        return kd_fail(err, "%s: is damaged or cut off: its checksum is %s, not %s", path, made,
                       seen);
    return 0;
}

static int parse_header(const char *path, struct kd_safetensors *file, struct kd_error *err)
{
    uint64_t length;
    memcpy(&length, file->image, LENGTH_BYTES);
    if (length > file->n_bytes - LENGTH_BYTES)
        return kd_fail(err, "%s: its header is longer than the file", path);
    file->header = json_loadb(file->image + LENGTH_BYTES, length, 0, NULL);
    const json_t *metadata = json_object_get(file->header, "__metadata__");
    const char *state = json_string_value(json_object_get(metadata, "state"));
    file->state = state ? json_loads(state, 0, NULL) : NULL;
    if (!json_is_object(file->state))
        return kd_fail(err, "%s: its header has no state of katydid", path);
    file->data = file->image + LENGTH_BYTES + length;
    file->n_data = file->n_bytes - LENGTH_BYTES - length;
    return 0;
}

int kd_safetensors_read(const char *path, struct kd_safetensors *file, struct kd_error *err)
{
    *file = (struct kd_safetensors){0};
    if (read_image(path, file, err) == 0 && check_sum(path, file, err) == 0 &&
        parse_header(path, file, err) == 0)
        return 0;
    kd_safetensors_release(file);
    return -1;
}

void kd_safetensors_release(struct kd_safetensors *file)
{
    free(file->image);
    json_decref(file->header);
    json_decref(file->state);
    *file = (struct kd_safetensors){0};
}

static bool same_shape(const json_t *shape, const struct kd_named_tensor *wanted)
{
    if ((int)json_array_size(shape) != wanted->n_dims)
        return false;
    for (int i = 0; i < wanted->n_dims; i++)
        if (json_integer_value(json_array_get(shape, (size_t)i)) != wanted->shape[i])
            return false;
    return true;
}

int kd_safetensors_get(const struct kd_safetensors *file, const struct kd_named_tensor *wanted,
                       float *values, struct kd_error *err)
{
    const json_t *entry = json_object_get(file->header, wanted->name);
    const json_t *offsets = json_object_get(entry, "data_offsets");
    int64_t begin = json_integer_value(json_array_get(offsets, 0));
    int64_t end = json_integer_value(json_array_get(offsets, 1));
    int64_t size = n_values(wanted) * (int64_t)sizeof(float);
    if (!entry || !same_shape(json_object_get(entry, "shape"), wanted) || begin < 0 ||
        end - begin != size || (uint64_t)end > file->n_data)
        return kd_fail(err, "it has no tensor %s of the model's shape: it is of another model",
                       wanted->name);
    memcpy(values, file->data + begin, (size_t)size);
    return 0;
}

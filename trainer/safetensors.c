#include "trainer/safetensors.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "coordinator/base/json.h"
#include "coordinator/base/mem.h"
#include "trainer/file_io.h"
#include "trainer/xxh64.h"

static const char PREFIX[] = "{\"__metadata__\":{\"format\":\"katydid-2\",\"checksum\":\"";
static const char CHUNKS[] = "\",\"chunks\":\"";
enum { LENGTH_BYTES = 8, DIGITS = 16, ALIGNMENT = 64 };
enum { DIGITS_AT = LENGTH_BYTES + sizeof PREFIX - 1 };
enum { SUMS_AT = DIGITS_AT + DIGITS + sizeof CHUNKS - 1 };
static const int64_t LONGEST_HEADER = 100000000; /* that Python's reader takes */

int64_t kd_named_tensor_count(const struct kd_named_tensor *tensor)
{
    int64_t n = 1;
    for (int i = 0; i < tensor->n_dims; i++)
        n *= tensor->shape[i];
    return n;
}

static int64_t bytes_of(const struct kd_named_tensor *tensor)
{
    return kd_named_tensor_count(tensor) * (int64_t)sizeof(float);
}

/* ---- chunks */

int64_t kd_chunk_count(int64_t n_data)
{
    return n_data / KD_CHUNK_BYTES + (n_data % KD_CHUNK_BYTES != 0);
}

static int64_t chunk_bytes(int64_t n_data, int64_t chunk)
{
    int64_t left = n_data - chunk * KD_CHUNK_BYTES;
    return left < KD_CHUNK_BYTES ? left : KD_CHUNK_BYTES;
}

int kd_chunk_sums(int fd, const char *path, int64_t data_at, int64_t n_data, int64_t begin,
                  int64_t end, uint64_t *sums, struct kd_error *err)
{
    char *bytes = kd_alloc((size_t)(n_data < KD_CHUNK_BYTES ? n_data : KD_CHUNK_BYTES) + 1);
    int status = 0;
    for (int64_t i = begin; i < end && status == 0; i++) {
        int64_t n = chunk_bytes(n_data, i);
        status = kd_file_read_at(fd, path, data_at + i * KD_CHUNK_BYTES, bytes, n, err);
        if (status == 0)
            sums[i] = kd_xxh64(bytes, (size_t)n, 0);
    }
    free(bytes);
    return status;
}

/* ---- the beginning of a file */

static void put_digits(char *to, uint64_t sum)
{
    char digits[KD_DIGEST_TEXT];
    snprintf(digits, sizeof digits, "%016" PRIx64, sum);
    memcpy(to, digits, DIGITS);
}

static uint64_t head_sum(char *bytes, int64_t n)
{
    memset(bytes + DIGITS_AT, '0', DIGITS);
    return kd_xxh64(bytes, (size_t)n, 0);
}

static void add_ints(struct kd_json *json, const char *key, const int64_t *values, int n)
{
    kd_json_key(json, key);
    kd_json_open(json, '[');
    for (int i = 0; i < n; i++)
        kd_json_int(json, values[i]);
    kd_json_close(json, ']');
}

static void add_tensor(struct kd_json *json, const struct kd_named_tensor *tensor, int64_t *at)
{
    int64_t offsets[] = {*at, *at + bytes_of(tensor)};
    kd_json_key(json, tensor->name);
    kd_json_open(json, '{');
    kd_json_add_string(json, "dtype", "F32");
    add_ints(json, "shape", tensor->shape, tensor->n_dims);
    add_ints(json, "data_offsets", offsets, 2);
    kd_json_close(json, '}');
    *at = offsets[1];
}

static void add_metadata(struct kd_str *text, int64_t n_chunks, const char *state)
{
    struct kd_json json = {.out = text, .need_comma = true};
    kd_str_add(text, PREFIX);
    for (int i = 0; i < DIGITS; i++)
        kd_str_addc(text, '0');
    kd_str_add(text, CHUNKS);
    for (int64_t i = 0; i < n_chunks * DIGITS; i++)
        kd_str_addc(text, '0');
    kd_str_addc(text, '"');
    kd_json_add_string(&json, "state", state);
    kd_json_close(&json, '}');
}

void kd_safetensors_head_make(struct kd_safetensors_head *head,
                              const struct kd_named_tensor *tensors, int n, const char *state)
{
    struct kd_str text = {0};
    int64_t at = 0;
    *head = (struct kd_safetensors_head){.sums_at = SUMS_AT};
    for (int i = 0; i < n; i++)
        head->n_data += bytes_of(&tensors[i]);
    head->n_chunks = kd_chunk_count(head->n_data);
    kd_str_addn(&text, "\0\0\0\0\0\0\0", LENGTH_BYTES);
    add_metadata(&text, head->n_chunks, state);
    struct kd_json json = {.out = &text, .need_comma = true};
    for (int i = 0; i < n; i++)
        add_tensor(&json, &tensors[i], &at);
    kd_json_close(&json, '}');
    while (text.length % ALIGNMENT)
        kd_str_addc(&text, ' ');
    head->n = (int64_t)text.length;
    head->bytes = kd_str_take(&text);
    uint64_t length = (uint64_t)head->n - LENGTH_BYTES;
    memcpy(head->bytes, &length, LENGTH_BYTES);
}

void kd_safetensors_head_seal(struct kd_safetensors_head *head, const uint64_t *sums,
                              char digest[KD_DIGEST_TEXT])
{
    for (int64_t i = 0; i < head->n_chunks; i++)
        put_digits(head->bytes + head->sums_at + i * DIGITS, sums[i]);
    put_digits(digest, head_sum(head->bytes, head->n));
    digest[DIGITS] = '\0';
    memcpy(head->bytes + DIGITS_AT, digest, DIGITS);
}

void kd_safetensors_head_release(struct kd_safetensors_head *head)
{
    free(head->bytes);
    *head = (struct kd_safetensors_head){0};
}

/* ---- opening */

static int measure(const struct kd_safetensors *file, int64_t *n_bytes, struct kd_error *err)
{
    struct stat info;
    if (file->fd < 0 || fstat(file->fd, &info) < 0)
        return kd_fail_errno(err, "%s: cannot open the checkpoint", file->path);
    *n_bytes = info.st_size;
    return 0;
}

/* Length and header; the caller frees. NULL: err. */
static char *read_head(struct kd_safetensors *file, int64_t n_bytes, struct kd_error *err)
{
    uint64_t length;
    if (n_bytes < SUMS_AT) {
        kd_fail(err, "%s: has %" PRId64 " bytes: it is cut off, or not a checkpoint", file->path,
                n_bytes);
        return NULL;
    }
    if (kd_file_read_at(file->fd, file->path, 0, &length, LENGTH_BYTES, err) < 0)
        return NULL;
    if (length > (uint64_t)(n_bytes - LENGTH_BYTES) || length > (uint64_t)LONGEST_HEADER ||
        length < SUMS_AT - LENGTH_BYTES) {
        kd_fail(err,
                "%s: its header is said to have %" PRIu64 " bytes and the file has %" PRId64
                ": it is cut off or damaged",
                file->path, length, n_bytes);
        return NULL;
    }
    file->data_at = LENGTH_BYTES + (int64_t)length;
    file->n_data = n_bytes - file->data_at;
    char *head = kd_alloc((size_t)file->data_at + 1);
    if (kd_file_read_at(file->fd, file->path, 0, head, file->data_at, err) == 0)
        return head;
    free(head);
    return NULL;
}

static int check_head(struct kd_safetensors *file, char *head, struct kd_error *err)
{
    char seen[KD_DIGEST_TEXT] = {0}, made[KD_DIGEST_TEXT] = {0};
    if (memcmp(head + LENGTH_BYTES, PREFIX, sizeof PREFIX - 1) != 0)
        return kd_fail(err,
                       "%s: does not begin as a checkpoint of this version (katydid-2): it is "
                       "another file, or its first bytes are damaged",
                       file->path);
    memcpy(seen, head + DIGITS_AT, DIGITS);
    put_digits(made, head_sum(head, file->data_at));
    if (memcmp(seen, made, DIGITS) != 0)
        return kd_fail(
            err, "%s: its header, bytes 0 to %" PRId64 ", is damaged: its checksum is %s, not %s",
            file->path, file->data_at - 1, made, seen);
    return 0;
}

static int read_sums(struct kd_safetensors *file, const char *digits)
{
    file->n_chunks = digits ? (int64_t)strlen(digits) / DIGITS : -1;
    if (file->n_chunks < 0)
        return -1;
    file->sums = KD_NEW_ARRAY(uint64_t, (size_t)file->n_chunks + 1);
    for (int64_t i = 0; i < file->n_chunks; i++) {
        char text[KD_DIGEST_TEXT] = {0};
        memcpy(text, digits + i * DIGITS, DIGITS);
        file->sums[i] = strtoull(text, NULL, 16);
    }
    return 0;
}

static int parse_head(struct kd_safetensors *file, const char *head, struct kd_error *err)
{
    file->header = json_loadb(head + LENGTH_BYTES, (size_t)(file->data_at - LENGTH_BYTES), 0, NULL);
    const json_t *metadata = json_object_get(file->header, "__metadata__");
    const char *state = json_string_value(json_object_get(metadata, "state"));
    file->state = state ? json_loads(state, 0, NULL) : NULL;
    if (!json_is_object(file->state) ||
        read_sums(file, json_string_value(json_object_get(metadata, "chunks"))) < 0)
        return kd_fail(err, "%s: its header has no state of katydid", file->path);
    return 0;
}

static int64_t end_of(const json_t *entry)
{
    return json_integer_value(json_array_get(json_object_get(entry, "data_offsets"), 1));
}

static int check_size(const struct kd_safetensors *file, struct kd_error *err)
{
    int64_t n_data = 0;
    const char *name;
    json_t *entry;
    json_object_foreach(file->header, name, entry)
    {
        if (end_of(entry) > n_data)
            n_data = end_of(entry);
    }
    if (n_data != file->n_data || file->n_chunks != kd_chunk_count(n_data))
        return kd_fail(err,
                       "%s: has %" PRId64 " bytes of data and %" PRId64
                       " sums of them where its header says %" PRId64 " bytes: it is %s",
                       file->path, file->n_data, file->n_chunks, n_data,
                       file->n_data < n_data ? "cut off" : "damaged");
    return 0;
}

int kd_safetensors_open(const char *path, struct kd_safetensors *file, struct kd_error *err)
{
    return kd_safetensors_open_fd(open(path, O_RDONLY | O_CLOEXEC), path, file, err);
}

int kd_safetensors_open_fd(int fd, const char *path, struct kd_safetensors *file,
                           struct kd_error *err)
{
    int64_t n_bytes = 0;
    *file = (struct kd_safetensors){.fd = fd, .path = kd_strdup(path)};
    char *head = measure(file, &n_bytes, err) == 0 ? read_head(file, n_bytes, err) : NULL;
    int status = head && check_head(file, head, err) == 0 && parse_head(file, head, err) == 0 &&
                         check_size(file, err) == 0
                     ? 0
                     : -1;
    free(head);
    if (status < 0)
        kd_safetensors_release(file);
    return status;
}

void kd_safetensors_release(struct kd_safetensors *file)
{
    if (file->path && file->fd >= 0)
        close(file->fd);
    free(file->path);
    free(file->sums);
    json_decref(file->header);
    json_decref(file->state);
    *file = (struct kd_safetensors){0};
}

/* ---- the data */

static const char *tensor_at(const struct kd_safetensors *file, int64_t byte)
{
    const char *name, *found = "no tensor";
    json_t *entry;
    int64_t nearest = INT64_MAX;
    json_object_foreach(file->header, name, entry)
    {
        if (end_of(entry) > byte && end_of(entry) < nearest) {
            nearest = end_of(entry);
            found = name;
        }
    }
    return found;
}

static int fail_chunk(const struct kd_safetensors *file, int64_t chunk, struct kd_error *err)
{
    int64_t from = chunk * KD_CHUNK_BYTES, n = chunk_bytes(file->n_data, chunk);
    return kd_fail(err,
                   "%s: is damaged somewhere in bytes %" PRId64 " to %" PRId64
                   " (from %s to %s): their checksum is not the one of the header",
                   file->path, file->data_at + from, file->data_at + from + n - 1,
                   tensor_at(file, from), tensor_at(file, from + n - 1));
}

int kd_safetensors_check(const struct kd_safetensors *file, int64_t begin, int64_t end,
                         struct kd_error *err)
{
    uint64_t *sums = KD_NEW_ARRAY(uint64_t, (size_t)file->n_chunks + 1);
    int status =
        kd_chunk_sums(file->fd, file->path, file->data_at, file->n_data, begin, end, sums, err);
    for (int64_t i = begin; i < end && status == 0; i++)
        if (sums[i] != file->sums[i])
            status = fail_chunk(file, i, err);
    free(sums);
    return status;
}

/* "[64][10]", as the header has it. */
static void add_shape(struct kd_str *text, const json_t *shape)
{
    size_t i;
    const json_t *dim;
    json_array_foreach(shape, i, dim)
    {
        kd_str_addf(text, "[%" PRId64 "]", (int64_t)json_integer_value(dim));
    }
}

static int fail_shape(const struct kd_named_tensor *wanted, const json_t *shape,
                      struct kd_error *err)
{
    struct kd_str has = {0}, needs = {0};
    add_shape(&has, shape);
    for (int i = 0; i < wanted->n_dims; i++)
        kd_str_addf(&needs, "[%" PRId64 "]", wanted->shape[i]);
    kd_fail(err, "it is of another model: %s is %s there and %s in this model", wanted->name,
            kd_str_text(&has), kd_str_text(&needs));
    kd_str_release(&has);
    kd_str_release(&needs);
    return -1;
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

int kd_safetensors_find(const struct kd_safetensors *file, const struct kd_named_tensor *wanted,
                        int64_t *at, struct kd_error *err)
{
    const json_t *entry = json_object_get(file->header, wanted->name);
    const json_t *shape = json_object_get(entry, "shape");
    const char *type = json_string_value(json_object_get(entry, "dtype"));
    int64_t begin = json_integer_value(json_array_get(json_object_get(entry, "data_offsets"), 0));
    if (!entry)
        return kd_fail(err, "it is of another model: it has no %s", wanted->name);
    if (!same_shape(shape, wanted))
        return fail_shape(wanted, shape, err);
    if (!type || strcmp(type, "F32") != 0 || begin < 0 || end_of(entry) < begin ||
        end_of(entry) > file->n_data || end_of(entry) - begin != bytes_of(wanted))
        return kd_fail(err, "its %s is not of %" PRId64 " bytes of F32 within the file",
                       wanted->name, bytes_of(wanted));
    *at = file->data_at + begin;
    return 0;
}

int kd_safetensors_read(const struct kd_safetensors *file, const struct kd_named_tensor *wanted,
                        int64_t begin, int64_t end, float *values, struct kd_error *err)
{
    int64_t at, size = sizeof(float);
    if (kd_safetensors_find(file, wanted, &at, err) < 0)
        return -1;
    return kd_file_read_at(file->fd, file->path, at + begin * size, values, (end - begin) * size,
                           err);
}

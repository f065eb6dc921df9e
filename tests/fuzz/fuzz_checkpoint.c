/* fuzz_checkpoint.c - any bytes as a checkpoint: opening, checking and reading answer with what is
 * wrong, or with values.
 *
 * The first byte says how the rest is taken: even, as a whole file; odd, as header and data of a
 * file whose checksums are then made right, so that what lies behind them is reached. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "coordinator/base/mem.h"
#include "coordinator/base/str.h"
#include "trainer/safetensors.h"
#include "trainer/training_state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Where the digits of the two sums lie in a file with chunks of data: what safetensors.h says of
 * the header's beginning. */
static const char BEGIN[] = "{\"__metadata__\":{\"format\":\"katydid-2\",\"checksum\":\"";
static const char CHUNKS[] = "0000000000000000\",\"chunks\":\"";

/* Length and header with `text` after the chunks' digits; head->bytes is owned. */
static void make_head(struct kd_safetensors_head *head, const char *text, size_t n_text)
{
    struct kd_str bytes = {0};
    kd_str_addn(&bytes, "\0\0\0\0\0\0\0", 8);
    kd_str_add(&bytes, BEGIN);
    kd_str_add(&bytes, CHUNKS);
    head->sums_at = (int64_t)bytes.length;
    for (int64_t i = 0; i < head->n_chunks * 16; i++)
        kd_str_addc(&bytes, '0');
    kd_str_addn(&bytes, text, n_text);
    uint64_t length = bytes.length - 8;
    memcpy(bytes.text, &length, sizeof length);
    head->n = (int64_t)bytes.length;
    head->bytes = kd_str_take(&bytes);
}

static void seal(int fd, struct kd_safetensors_head *head)
{
    uint64_t *sums = KD_NEW_ARRAY(uint64_t, (size_t)head->n_chunks + 1);
    char digest[KD_DIGEST_TEXT];
    struct kd_error err;
    if (kd_chunk_sums(fd, "input", head->n, head->n_data, 0, head->n_chunks, sums, &err) < 0)
        kd_bug("%s", err.text);
    kd_safetensors_head_seal(head, sums, digest);
    free(sums);
}

static void write_all(int fd, const void *bytes, size_t n, off_t at)
{
    if (n > 0 && pwrite(fd, bytes, n, at) != (ssize_t)n)
        kd_bug("the input does not fit into a file in memory");
}

/* A file of text up to a NUL, and data after it, all sums right. */
static void write_sealed(int fd, const char *text, size_t size)
{
    const char *end = memchr(text, '\0', size);
    size_t n_text = end ? (size_t)(end - text) : size, n_data = end ? size - n_text - 1 : 0;
    struct kd_safetensors_head head = {.n_data = (int64_t)n_data,
                                       .n_chunks = kd_chunk_count((int64_t)n_data)};
    make_head(&head, text, n_text);
    write_all(fd, end ? end + 1 : NULL, n_data, (off_t)head.n);
    seal(fd, &head);
    write_all(fd, head.bytes, (size_t)head.n, 0);
    kd_safetensors_head_release(&head);
}

static void read_tensors(const struct kd_safetensors *file)
{
    struct kd_named_tensor wanted = {.name = "a", .shape = {2, 3}, .n_dims = 2};
    struct kd_error err;
    float values[6];
    kd_safetensors_check(file, 0, file->n_chunks, &err);
    kd_safetensors_read(file, &wanted, 0, 6, values, &err);
    wanted.n_dims = 0;
    kd_safetensors_read(file, &wanted, 0, 1, values, &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kd_safetensors file;
    struct kd_training_state state = {0};
    struct kd_error err;
    if (size == 0)
        return 0;
    const char *rest = (const char *)data + 1;
    int fd = memfd_create("checkpoint", MFD_CLOEXEC);
    if (data[0] % 2)
        write_sealed(fd, rest, size - 1);
    else
        write_all(fd, rest, size - 1, 0);
    if (kd_safetensors_open_fd(fd, "input", &file, &err) < 0)
        return 0;
    read_tensors(&file);
    if (kd_training_state_read(file.state, &state, &err) == 0)
        kd_training_state_release(&state);
    kd_safetensors_release(&file);
    return 0;
}

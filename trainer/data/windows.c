#include "trainer/data/windows.h"

#include <inttypes.h>
#include <string.h>

#include "kernels/element.h"

void kd_windows_begin(struct kd_table *table, const struct kd_option *fields,
                      const struct kd_data_source *source)
{
    int64_t length = kd_option_int(fields, source->block, "length");
    int64_t stride = kd_option_int(fields, source->block, "stride");
    table->shape = (struct kd_shape){{length}, 1};
    table->planes = 1;
    table->stride = (stride ? stride : length) * kd_element_bytes(table->element);
}

int64_t kd_windows_count(const struct kd_table *table, const char *path, int64_t n_tokens,
                         struct kd_error *err)
{
    int64_t length = table->shape.dims[0];
    if (n_tokens > length)
        return (n_tokens - length - 1) / (table->stride / kd_element_bytes(table->element)) + 1;
    return kd_fail(
        err, "%s: %" PRId64 " tokens are too few for one sample: length %" PRId64 " needs %" PRId64,
        path, n_tokens, length, length + 1);
}

/* The greatest of a block first, which becomes vectors; files of a billion tokens are looked
 * through. */
#define FIND(name, type)                                                                           \
    static int64_t find_##name(const void *tokens, int64_t n, uint64_t vocabulary)                 \
    {                                                                                              \
        enum { BLOCK = 4096 };                                                                     \
        const type *x = tokens;                                                                    \
        for (int64_t at = 0; at < n; at += BLOCK) {                                                \
            int64_t m = n - at < BLOCK ? n - at : BLOCK;                                           \
            type most = 0;                                                                         \
            for (int64_t i = 0; i < m; i++)                                                        \
                most = x[at + i] > most ? x[at + i] : most;                                        \
            for (int64_t i = 0; most >= vocabulary && i < m; i++)                                  \
                if (x[at + i] >= vocabulary)                                                       \
                    return at + i;                                                                 \
        }                                                                                          \
        return -1;                                                                                 \
    }
FIND(8, uint8_t)
FIND(16, uint16_t)
FIND(32, uint32_t)

int64_t kd_windows_find_unknown(const struct kd_table *table, const void *tokens, int64_t n)
{
    static int64_t (*const by_bytes[])(const void *, int64_t,
                                       uint64_t) = {[1] = find_8, [2] = find_16, [4] = find_32};
    return by_bytes[kd_element_bytes(table->element)](tokens, n, (uint64_t)table->vocabulary);
}

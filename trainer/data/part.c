#include "trainer/data/part.h"

#include <math.h>
#include <string.h>

#include "coordinator/base/rng.h"
#include "kernels/element.h"

static const uint64_t SPLIT_STREAM = UINT64_C(0x73706C74) << 32;

struct kd_part kd_part_whole(const struct kd_table *table)
{
    return (struct kd_part){.table = table, .n = table->n};
}

void kd_part_release(struct kd_part *part)
{
    free(part->index);
    *part = (struct kd_part){0};
}

static void shuffle(int32_t *order, int64_t n, uint64_t seed)
{
    struct kd_rng rng = kd_rng_at(seed, SPLIT_STREAM);
    for (int64_t i = 0; i < n; i++)
        order[i] = (int32_t)i;
    for (int64_t i = n - 1; i > 0; i--) {
        int64_t j = (int64_t)kd_rng_below(&rng, (uint64_t)i + 1);
        int32_t kept = order[i];
        order[i] = order[j];
        order[j] = kept;
    }
}

static struct kd_part part_of(const struct kd_table *table, const int32_t *index, int64_t n)
{
    struct kd_part part = {.table = table, .index = KD_NEW_ARRAY(int32_t, (size_t)n + 1), .n = n};
    for (int64_t i = 0; i < n; i++)
        part.index[i] = index ? index[i] : (int32_t)i;
    return part;
}

/* How many of the first n windows end, with the label of their last token, before window n
 * begins. */
static int64_t n_before(const struct kd_table *table, int64_t n)
{
    int64_t reach = (table->shape.dims[0] + 1) * kd_element_bytes(table->element);
    int64_t limit = kd_table_at(table, n);
    while (n > 0 && kd_table_at(table, n - 1) + reach > limit)
        n--;
    return n;
}

static void split_in_order(const struct kd_table *table, int64_t n_val, struct kd_part *train,
                           struct kd_part *val)
{
    int64_t first = table->n - n_val;
    *train = part_of(table, NULL, n_before(table, first));
    *val = part_of(table, NULL, n_val);
    for (int64_t i = 0; i < n_val; i++)
        val->index[i] = (int32_t)(first + i);
}

int kd_part_split(const struct kd_table *table, double share, uint64_t seed, struct kd_part *train,
                  struct kd_part *val, struct kd_error *err)
{
    int64_t n = table->n, n_val = llround((double)n * share);
    if (share > 0 && n_val == 0)
        n_val = 1;
    *val = (struct kd_part){.table = table};
    *train = kd_part_whole(table);
    if (n_val == 0)
        return 0;
    if (n_val < n && kd_table_is_tokens(table)) {
        split_in_order(table, n_val, train, val);
    } else if (n_val < n) {
        int32_t *order = KD_NEW_ARRAY(int32_t, (size_t)n);
        shuffle(order, n, seed);
        *val = part_of(table, order, n_val);
        *train = part_of(table, order + n_val, n - n_val);
        free(order);
    }
    if (n_val < n && train->n > 0)
        return 0;
    return kd_fail(err, "split.val: %g of %lld samples leaves none to train on", share,
                   (long long)n);
}

int64_t kd_part_count_rows(const struct kd_part *part)
{
    const struct kd_table *table = part->table;
    if (kd_table_is_tokens(table))
        return part->n * table->shape.dims[0];
    int64_t n = part->n;
    for (int64_t i = 0; table->n_ignored > 0 && i < part->n; i++)
        n -= table->labels[kd_part_row(part, i)] < 0;
    return n;
}

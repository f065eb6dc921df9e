#include "trainer/data/labels.h"

#include <math.h>

void kd_labels_begin(struct kd_table *table, const struct kd_data_source *source)
{
    table->max_label = -1;
    if (source->classes) {
        table->labels = KD_NEW_ARRAY(int32_t, (size_t)table->n);
    } else {
        table->n_targets = 1;
        table->targets = KD_NEW_ARRAY(float, (size_t)table->n);
    }
}

bool kd_target_is_no_share(const struct kd_data_source *source, double value)
{
    return !source->classes && source->shares && !(value >= 0 && value <= 1);
}

int kd_labels_take(struct kd_table *table, const struct kd_data_source *source, int64_t i,
                   double value, int64_t most)
{
    if (kd_target_is_no_share(source, value))
        return -1;
    if (!source->classes) {
        table->targets[i] = (float)value;
        return 0;
    }
    if (source->ignores && value == (double)source->ignored_label) {
        table->labels[i] = -1;
        table->n_ignored++;
        return 0;
    }
    if (!(value >= 0 && value <= (double)most) || floor(value) != value)
        return -1;
    table->labels[i] = (int32_t)value;
    if (table->labels[i] > table->max_label) {
        table->max_label = table->labels[i];
        table->max_label_i = i;
    }
    return 0;
}

int kd_labels_end(struct kd_table *table, const char *path, char *at, struct kd_error *err)
{
    if (!table->labels) {
        free(at);
        return 0;
    }
    table->max_label_at = at;
    if (at && table->n_ignored == table->n)
        return kd_fail(err, "%s: every label is ignoreLabel, so there is nothing to learn", path);
    return 0;
}

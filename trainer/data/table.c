#include "trainer/data/table.h"

#include <stdlib.h>

void kd_table_release(struct kd_table *table)
{
    free(table->x);
    free(table->labels);
    free(table->targets);
    free(table->max_label_at);
    *table = (struct kd_table){0};
}

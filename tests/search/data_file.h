/* data_file.h - reading the stored numbers of tests/search/data: words between blanks. */
#ifndef KD_TESTS_SEARCH_DATA_FILE_H
#define KD_TESTS_SEARCH_DATA_FILE_H

#include "tests/search/helper.h"

static inline double read_number(FILE *file)
{
    char text[64];
    if (fscanf(file, "%63s", text) != 1)
        fail_msg("the data end too early");
    return strtod(text, NULL);
}

/* "param double|int|categorical low high step is_log"; a categorical one has `high` choices. */
static inline void read_param(FILE *file, struct kd_space *space)
{
    char type[16], name[16];
    if (fscanf(file, " param %15s", type) != 1)
        fail_msg("no parameter");
    double low = read_number(file), high = read_number(file), step = read_number(file);
    enum kd_distribution distribution = read_number(file) != 0 ? KD_LOG_UNIFORM : KD_UNIFORM;
    snprintf(name, sizeof name, "p%d", space->n_params);
    if (strcmp(type, "categorical") == 0)
        add_choices(space, name, (int)high);
    else
        add_number(space, name, strcmp(type, "int") == 0 ? KD_PARAM_INT : KD_PARAM_DOUBLE, low,
                   high, step, distribution);
}

#endif

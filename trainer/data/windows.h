/* windows.h - long runs of tokens as samples: windows of `length` tokens, `stride` apart, none
 * across two files. */
#ifndef KD_TRAINER_WINDOWS_H
#define KD_TRAINER_WINDOWS_H

#include "trainer/data/format.h"

/* The fields that every format of tokens has: length, stride. */
#define KD_WINDOW_FIELDS                                                                           \
    {.name = "length",                                                                             \
     .kind = KD_OPTION_INT,                                                                        \
     .required = true,                                                                             \
     .min = 1,                                                                                     \
     .max = 1 << 20,                                                                               \
     .help = "tokens in a sample (the model's context); each one's label is the next token"},      \
    {                                                                                              \
        .name = "stride", .kind = KD_OPTION_INT, .fallback = "0", .min = 0, .max = 1 << 20,        \
        .help = "tokens from the start of a sample to that of the next; 0: as many as length, so " \
                "that none is read twice"                                                          \
    }

/* Sets shape and stride; vocabulary and element are set already. */
void kd_windows_begin(struct kd_table *table, const struct kd_option *fields,
                      const struct kd_data_source *source);

/* How many windows n tokens give. -1: too few; the text begins with `path`. */
int64_t kd_windows_count(const struct kd_table *table, const char *path, int64_t n_tokens,
                         struct kd_error *err);

/* The place of the first of n elements that is no token below the vocabulary; -1: all are. Elements
 * are unsigned. */
int64_t kd_windows_find_unknown(const struct kd_table *table, const void *tokens, int64_t n);

#endif

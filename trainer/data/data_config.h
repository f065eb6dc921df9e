/* data_config.h - the `data:` block: its format and the fields that all formats share. */
#ifndef KD_TRAINER_DATA_CONFIG_H
#define KD_TRAINER_DATA_CONFIG_H

#include "trainer/data/augment.h"
#include "trainer/data/format.h"

struct kd_data_config {
    const struct kd_data_format *format;
    const json_t *block; /* borrowed */
    const char *base_dir;
    bool classes; /* the loss wants labels */
    bool shares;  /* the loss wants targets in 0 .. 1 */
    struct kd_augment augment;
};

extern const struct kd_option kd_data_options[];

/* Fills the config (`classes` and `shares` are set already) and adds what is wrong with the block,
 * the format's own fields included. */
void kd_data_check(const json_t *block, const char *base_dir, struct kd_data_config *config,
                   struct kd_problems *problems);

double kd_data_split_share(const struct kd_data_config *config);
uint64_t kd_data_split_seed(const struct kd_data_config *config);

/* Every file that the block names (folders: what is in them), with its field; a path that cannot be
 * found too. */
typedef void kd_data_file_fn(void *ud, const char *field, const char *path);
void kd_data_each_file(const struct kd_data_config *config, kd_data_file_fn *visit, void *ud);

#endif

/* block_file.h - the file of a training without a coordinator: YAML or JSON, changed by `key=value`
 * from the command line.
 *
 * NAME.json is JSON and strictly so, and so is what begins with { unless it is called NAME.yaml;
 * all else is YAML. The trainer block is the document itself or its only field, `trainer`. A
 * setting whose key is a ${placeholder} of the block fills it, any other changes the block
 * (yaml/overrides.h). Problems go to stderr, each with file, line, column, the line itself and a
 * caret. Rank 0's business. */
#ifndef KD_TRAINER_BLOCK_FILE_H
#define KD_TRAINER_BLOCK_FILE_H

#include <jansson.h>

#include "trainer/problems.h"

struct kd_block_file;

/* path "-" is stdin. settings: "key=value", NULL-terminated; may be NULL. Both are borrowed. */
struct kd_block_file *kd_block_file_new(const char *path, const char *const *settings);
void kd_block_file_free(struct kd_block_file *file);

/* The block as JSON, a new reference, every placeholder filled; NULL when something is wrong and
 * was said. */
json_t *kd_block_file_read(struct kd_block_file *file);

/* Says what is wrong with the block, each problem at the place that its pointer names. */
void kd_block_file_refuse(struct kd_block_file *file, const struct kd_problems *problems);

#endif

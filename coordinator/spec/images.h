/* images.h - container images stood in for by this machine, or by a folder of it. */
#ifndef KD_SPEC_IMAGES_H
#define KD_SPEC_IMAGES_H

#include "coordinator/spec/spec_read.h"

/* "host" or the folder for an image; an entry without a tag serves every tag. NULL and err: no
 * entry. */
const char *kd_image_target(const struct kd_image_map *images, const char *image,
                            struct kd_error *err);

/* A word of a command as it reads under the target: an absolute path (also after `=`, as in
 * --data=/mnt/x) that is there under the folder becomes a path of this machine. The caller
 * frees. */
char *kd_image_word(const char *target, const char *word);

#endif

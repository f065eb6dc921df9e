/* mapping.h - data files as memory: mapped one after the other into one range of addresses, so that
 * a byte of any of them is an offset from one pointer.
 *
 * Read only; nothing is read before it is looked at. Each file begins at a page's beginning, with
 * zeros up to the next file. A file that is cut short while it is mapped kills the reader
 * (SIGBUS). */
#ifndef KD_TRAINER_MAPPING_H
#define KD_TRAINER_MAPPING_H

#include <stdbool.h>
#include <stdint.h>

#include "coordinator/base/arr.h"
#include "coordinator/base/error.h"

struct kd_mapped_file {
    char *path;    /* owned */
    int64_t at;    /* bytes from the mapping's base */
    int64_t bytes; /* its size */
};

struct kd_mapping {
    char *base;
    size_t bytes; /* of the whole range */
    KD_ARR(struct kd_mapped_file) files;
};

/* -1: a file is missing, empty, not a regular one or compressed, and what to do about it. */
int kd_mapping_open(struct kd_mapping *mapping, char *const *paths, size_t n, struct kd_error *err);
void kd_mapping_close(struct kd_mapping *mapping); /* and empties it */

static inline const unsigned char *kd_mapping_bytes(const struct kd_mapping *mapping, size_t file)
{
    return (const unsigned char *)mapping->base + mapping->files.items[file].at;
}

#endif

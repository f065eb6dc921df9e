/* safetensors.h - named float32 tensors in one file, in the safetensors format: an 8-byte little-endian header length, a
 * JSON header, the data. Python's `safetensors` opens what is written here.
 *
 * The header's __metadata__ (texts only) holds "checksum", the XXH64 of the whole file with the checksum's own 16 digits
 * as zeros, and "state", a JSON text that is the caller's. A file is written under a temporary name, fsynced, and renamed:
 * the rename is the commit. */
#ifndef KD_TRAINER_SAFETENSORS_H
#define KD_TRAINER_SAFETENSORS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "coordinator/base/error.h"

enum { KD_DIGEST_TEXT = 17 };

struct kd_named_tensor {
    char name[160];
    int64_t shape[4];
    int n_dims;
    const float *values;
};

/* state: JSON text. digest gets the checksum in hex. The folder is fsynced too. */
int kd_safetensors_write(const char *path, const struct kd_named_tensor *tensors, int n,
                         const char *state, int64_t *bytes, char digest[KD_DIGEST_TEXT],
                         struct kd_error *err);

struct kd_safetensors {
    char *image; /* owned: the whole file */
    size_t n_bytes;
    json_t *header; /* owned */
    json_t *state;  /* owned */
    const char *data;
    size_t n_data;
};

/* -1: what is wrong with the file (missing, cut off, damaged, not ours). */
int kd_safetensors_read(const char *path, struct kd_safetensors *file, struct kd_error *err);
void kd_safetensors_release(struct kd_safetensors *file);

/* Copies the tensor's values out. -1: it is not there, or has another shape. */
int kd_safetensors_get(const struct kd_safetensors *file, const struct kd_named_tensor *wanted,
                       float *values, struct kd_error *err);

#endif

/* safetensors.h - named float32 tensors in one file, in the safetensors format: an 8-byte
 * little-endian header length, a JSON header, the data. Python's `safetensors` opens what is
 * written here.
 *
 *     {"__metadata__": {"format": "katydid-2", "checksum": "<16 hex digits>", "chunks": "<16 hex digits a chunk>", "state": "<JSON>"},
 *      "layers.0.weight": {"dtype": "F32", "shape": [64, 10], "data_offsets": [0, 2560]}, ...}
 *
 * The tensors lie one after the other in the order of the header; blanks at its end align the data
 * to 64 bytes. `chunks` has the XXH64 of each MiB of the data (the last chunk may be shorter), so
 * that several processes can make and check them. `checksum` is the XXH64 of the length and the
 * header, with its own digits as zeros: as the chunks' sums are in the header, it stands for the
 * whole file. `state` is the caller's.
 *
 * This knows the format and reads; who writes the data, and when the file counts, is
 * checkpoint_save.c's. */
#ifndef KD_TRAINER_SAFETENSORS_H
#define KD_TRAINER_SAFETENSORS_H

#include <jansson.h>
#include <stdint.h>

#include "coordinator/base/error.h"

enum { KD_DIGEST_TEXT = 17, KD_CHUNK_BYTES = 1 << 20 };

struct kd_named_tensor {
    char name[160];
    int64_t shape[4];
    int n_dims;
};

int64_t kd_named_tensor_count(const struct kd_named_tensor *tensor); /* of its values */

/* ---- the beginning of a file, in memory */

struct kd_safetensors_head {
    char *bytes;    /* owned: length and header */
    int64_t n;      /* so many; the data begin there */
    int64_t n_data; /* bytes */
    int64_t n_chunks;
    int64_t sums_at; /* where the chunks' digits lie in bytes */
};

/* state: JSON text. All sums are zeros yet. */
void kd_safetensors_head_make(struct kd_safetensors_head *head,
                              const struct kd_named_tensor *tensors, int n, const char *state);

/* sums: one a chunk. digest gets the checksum in hex. */
void kd_safetensors_head_seal(struct kd_safetensors_head *head, const uint64_t *sums,
                              char digest[KD_DIGEST_TEXT]);
void kd_safetensors_head_release(struct kd_safetensors_head *head);

int64_t kd_chunk_count(int64_t n_data);

/* The sums of chunks [begin, end) of data that begin at byte data_at of the file, to
 * sums[begin..end). */
int kd_chunk_sums(int fd, const char *path, int64_t data_at, int64_t n_data, int64_t begin,
                  int64_t end, uint64_t *sums, struct kd_error *err);

/* ---- a file that is there */

struct kd_safetensors {
    int fd;         /* owned */
    char *path;     /* owned */
    json_t *header; /* owned */
    json_t *state;  /* owned */
    int64_t data_at, n_data, n_chunks;
    uint64_t *sums; /* owned; what the header says of the chunks */
};

/* Reads and checks the header, not the data. -1: what is wrong (missing, cut off, damaged, not
 * ours). */
int kd_safetensors_open(const char *path, struct kd_safetensors *file, struct kd_error *err);
int kd_safetensors_open_fd(int fd, const char *path, struct kd_safetensors *file,
                           struct kd_error *err);         /* fd is closed in any case */
void kd_safetensors_release(struct kd_safetensors *file); /* one that is all zeros is fine */

/* Are the data of chunks [begin, end) as they were written? The text says which bytes, and of which
 * tensor. */
int kd_safetensors_check(const struct kd_safetensors *file, int64_t begin, int64_t end,
                         struct kd_error *err);

/* Where the tensor's values lie: *at, in bytes of the file. -1: it is not there, or has another
 * shape, and which. */
int kd_safetensors_find(const struct kd_safetensors *file, const struct kd_named_tensor *wanted,
                        int64_t *at, struct kd_error *err);

/* Values [begin, end) of the tensor. */
int kd_safetensors_read(const struct kd_safetensors *file, const struct kd_named_tensor *wanted,
                        int64_t begin, int64_t end, float *values, struct kd_error *err);

#endif

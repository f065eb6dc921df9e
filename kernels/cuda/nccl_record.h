/* nccl_record.h - the flight record: the last collectives of a communicator, for the text of its
 * failure. */
#ifndef KD_KERNELS_CUDA_NCCL_RECORD_H
#define KD_KERNELS_CUDA_NCCL_RECORD_H

#include <stdint.h>

#include "coordinator/base/str.h"

enum { KD_NCCL_RECORD_LENGTH = 16 };

struct kd_nccl_record_entry {
    const char *kind; /* a constant */
    int64_t count, bytes;
    int64_t issued_us; /* kd_clock_mono_us */
    int64_t place;     /* among those of all collectives of this process, from 1 */
};

struct kd_nccl_record {
    int64_t n_issued; /* the last of them is number n_issued, the first was 1 */
    int64_t done;     /* the place of the last one that is known to be done; 0: none is */
    struct kd_nccl_record_entry last[KD_NCCL_RECORD_LENGTH];
};

void kd_nccl_record_add(struct kd_nccl_record *record, struct kd_nccl_record_entry entry);
void kd_nccl_record_done(struct kd_nccl_record *record, int64_t place); /* all up to this place */

/* Lines, oldest first, without a newline at the end: up to 1,400 bytes. What no wait has seen done
 * is "pending". */
void kd_nccl_record_text(const struct kd_nccl_record *record, int64_t now_us, struct kd_str *text);

#endif

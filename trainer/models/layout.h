/* layout.h - places for buffers in one arena, so that those that live at the same time do not
 * overlap and the arena is small. */
#ifndef KD_TRAINER_LAYOUT_H
#define KD_TRAINER_LAYOUT_H

#include "trainer/models/flow.h"

/* Sets every buffer's `at`, a multiple of 64 bytes, for n samples at most; returns the arena's size
 * in bytes. The greatest first, each at the lowest place that is free throughout its life. */
int64_t kd_layout_place(struct kd_buffer *buffers, int n_buffers, int64_t n_samples);

#endif

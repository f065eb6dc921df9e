/* fill.h - a point put into template texts and trees. Pure. */
#ifndef KD_SPEC_FILL_H
#define KD_SPEC_FILL_H

#include "coordinator/base/str.h"
#include "coordinator/spec/render.h"

struct kd_fill {
    const struct kd_experiment *experiment;
    const double *values; /* one per parameter; NaN = inactive */
    const struct kd_render_context *context;
    const char *checkpoint_dir, *trial_name;
};

/* Appends the filled text. false: it names an inactive parameter, and what uses it is to be left
 * out. */
bool kd_fill_text(const struct kd_fill *fill, const char *text, struct kd_str *out);

/* A filled copy; a text that is one placeholder becomes a number where its value is one (a
 * categorical's too: 64 of [32, 64]); what names an inactive parameter is left out. NULL when that
 * is all of it. */
json_t *kd_fill_tree(const struct kd_fill *fill, const json_t *tree);

#endif

/* suggest.h - ask and tell as lines of JSON: a search without trials of ours. Pure: a line in, a
 * line out.
 *
 *     {"ask": 2}                     -> {"trials": [{"number": 0, "params": {"lr": 0.1}}, ...], "end": false}
 *     {"tell": {"number": 0, "state": "complete", "objective": 0.3}}                     -> {"ok": true}
 *     {"judge": {"number": 1, "step": 3, "value": 0.5}}                                  -> {"decision": "go"}
 *     {"best": true}                 -> {"best": {"number": 0, "params": {"lr": 0.1}, "objective": 0.3}}
 *     {"enqueue": {"lr": 0.01}}                                                          -> {"ok": true}
 *
 * Under a stopper that schedules, a trial also has `until` (a step), `resume` (it was told as
 * paused and goes on) and `parent` (the trial whose checkpoint it starts from, or null). `end`
 * comes with a `reason`. A line that is wrong gives {"error": "..."} and changes nothing. Values
 * are in the user's direction. coordinator/README.md has the whole protocol. */
#ifndef KD_SUGGEST_H
#define KD_SUGGEST_H

#include "coordinator/base/str.h"
#include "coordinator/spec/experiment.h"

struct kd_suggest;

/* Borrows the experiment. NULL and err: it needs what is not here (a database, another process). */
struct kd_suggest *kd_suggest_new(const struct kd_experiment *experiment, struct kd_error *err);
void kd_suggest_free(struct kd_suggest *suggest);

/* Appends the answer, one line without its end. */
void kd_suggest_answer(struct kd_suggest *suggest, const char *line, size_t length,
                       struct kd_str *answer);

#endif

#include "trainer/training.h"

/* Rows [from, from + n) as a batch; the data set's rows lie in a row, so nothing is copied. */
static struct kd_batch rows_as_batch(const struct kd_training *t, int64_t from, int64_t n)
{
    const struct kd_table *rows = &t->dataset->rows;
    return (struct kd_batch){
        .x = rows->x + from * rows->n_features,
        .labels = rows->labels ? rows->labels + from : NULL,
        .targets = rows->targets ? rows->targets + from * rows->n_targets : NULL,
        .n = n,
        .n_global = t->dataset->n_val,
        .n_counted = t->dataset->n_val,
        .samples = t->session->samples.items,
        .step = t->state.step,
        .seed = t->seed,
    };
}

void kd_training_evaluate(struct kd_training *t, double *loss, double *accuracy)
{
    struct kd_comm *comm = t->session->comm;
    double sums[2] = {0, 0}; /* loss, correct */
    int64_t at, end;
    kd_comm_share(comm, t->dataset->n_val, &at, &end);
    for (int64_t n; at < end; at += n) {
        struct kd_batch_result result = {0};
        n = end - at < t->session->max_batch ? end - at : t->session->max_batch;
        struct kd_batch batch = rows_as_batch(t, KD_DATASET_VAL_AT(t->dataset) + at, n);
        kd_plan_evaluate(t->plan, &batch, &result);
        sums[0] += result.loss_sum;
        sums[1] += (double)result.n_correct;
        t->control.beats++; /* a long evaluation must not look like death */
        kd_control_listen(&t->control, t->state.step);
    }
    comm->backend->sum_doubles(comm, sums, 2);
    *loss = sums[0] / (double)t->dataset->n_val;
    *accuracy = sums[1] / (double)t->dataset->n_val;
}

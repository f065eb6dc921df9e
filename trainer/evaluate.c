#include "trainer/models/plan_update.h"
#include "trainer/training.h"

/* Samples [from, from + n) of the held-out part, all of them this rank's. */
static void load(struct kd_training *t, int64_t from, int64_t n, struct kd_batch *batch)
{
    struct kd_draw draw = {.part = &t->dataset->val,
                           .begin = from,
                           .n = n,
                           .micro_begin = from,
                           .n_micro = n,
                           .end = n,
                           .seed = t->seed,
                           .step = t->state.step};
    kd_loader_fill(&t->session->loader, &draw, batch);
}

static void add(const struct kd_batch_result *result, double sums[4])
{
    sums[0] += result->loss_sum;
    sums[1] += (double)result->n_correct;
    sums[2] += (double)result->n_top5;
    sums[3] += (double)result->n_counted;
}

static void evaluate_share(struct kd_training *t, double sums[4])
{
    int64_t at, end;
    kd_comm_share(t->session->comm, t->dataset->val.n, &at, &end);
    for (int64_t n; at < end; at += n) {
        struct kd_batch_result result = {0};
        struct kd_batch batch = {0};
        n = end - at < t->session->max_batch ? end - at : t->session->max_batch;
        load(t, at, n, &batch);
        kd_plan_evaluate(t->plan, &batch, &result);
        add(&result, sums);
        t->control.beats++; /* a long evaluation must not look like death */
        kd_control_listen(&t->control, t->state.step);
    }
}

void kd_training_evaluate(struct kd_training *t, struct kd_score *score)
{
    struct kd_comm *comm = t->session->comm;
    double sums[4] = {0, 0, 0, 0};
    kd_plan_swap_average(t->plan);
    evaluate_share(t, sums);
    kd_plan_swap_average(t->plan);
    comm->backend->sum_doubles(comm, sums, 4);
    *score = (struct kd_score){sums[0], sums[1], sums[2], sums[3]};
}

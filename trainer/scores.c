/* scores.c - what a report says of the steps since the last one, and of the held-out part. */
#include <math.h>

#include "trainer/models/plan_update.h"
#include "trainer/training.h"

/* What a loss, hits and a perplexity are called for the training and for the held-out part. */
struct score_names {
    enum kd_metric_kind loss, accuracy, top5, perplexity;
};

static const struct score_names training_names = {KD_METRIC_TRAIN_LOSS, KD_METRIC_TRAIN_ACCURACY,
                                                  KD_METRIC_TRAIN_TOP5, KD_METRIC_TRAIN_PERPLEXITY};
static const struct score_names validation_names = {KD_METRIC_VAL_LOSS, KD_METRIC_VAL_ACCURACY,
                                                    KD_METRIC_VAL_TOP5, KD_METRIC_VAL_PERPLEXITY};

/* Rows of the loss that are not labels have several hits each. */
static int64_t hits_of_row(const struct kd_training *t)
{
    return t->config->loss->classes ? 1 : t->dataset->rows.n_targets;
}

static void fill_score(const struct kd_training *t, const struct score_names *names,
                       const struct kd_score *score, struct kd_report *report)
{
    double n_rows = fmax(score->n_counted, 1); /* every label may be an ignored one */
    double n_hits = n_rows * (double)hits_of_row(t);
    kd_report_set(report, names->loss, score->loss_sum / n_rows);
    if (t->config->loss->accuracy)
        kd_report_set(report, names->accuracy, score->n_correct / n_hits);
    if (t->config->loss->classes && t->session->plan_is.input.n_outputs > 5)
        kd_report_set(report, names->top5, score->n_top5 / n_hits);
    if (kd_table_is_tokens(&t->dataset->rows))
        kd_report_set(report, names->perplexity, exp(score->loss_sum / n_rows));
}

static void fill_speed(struct kd_training *t, double n_samples, struct kd_report *report)
{
    double seconds = t->state.window.seconds;
    kd_report_set(report, KD_METRIC_EPOCH_TIME, seconds);
    kd_speed_report(&t->session->speed, t->plan, n_samples, seconds, report);
    if (kd_table_is_tokens(&t->dataset->rows) && seconds > 0)
        kd_report_set(report, KD_METRIC_TOKENS_PER_SECOND,
                      n_samples * (double)kd_shape_count(t->dataset->rows.shape) / seconds);
}

void kd_training_report_steps(struct kd_training *t, struct kd_report *report)
{
    struct kd_comm *comm = t->session->comm;
    struct kd_report_window *window = &t->state.window;
    double sums[5] = {window->loss_sum, window->n_correct, window->n_top5, window->n_seen,
                      window->n_samples};
    comm->backend->sum_doubles(comm, sums, 5);
    struct kd_score score = {sums[0], sums[1], sums[2], sums[3]};
    fill_score(t, &training_names, &score, report);
    kd_report_set(report, KD_METRIC_LR, t->lr);
    double norm = kd_plan_gradient_norm(t->plan);
    if (isfinite(norm) || !kd_plan_scales_loss(t->plan)) /* else a step that was left out */
        kd_report_set(report, KD_METRIC_GRAD_NORM, norm);
    fill_speed(t, sums[4], report);
    *window = (struct kd_report_window){0};
}

void kd_training_report_validation(struct kd_training *t, struct kd_report *report)
{
    struct kd_score score;
    if (t->dataset->val.n == 0)
        return;
    kd_training_evaluate(t, &score);
    fill_score(t, &validation_names, &score, report);
}

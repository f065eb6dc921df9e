#include "trainer/session.h"

#include <string.h>

enum { EVALUATION_BATCH = 256 }; /* at least so many samples in a call when nothing limits it */

void kd_session_init(struct kd_session *session, struct kd_comm *comm)
{
    *session = (struct kd_session){.comm = comm};
}

void kd_session_release(struct kd_session *session)
{
    kd_datasets_release(&session->datasets);
    kd_plan_free(session->plan);
    kd_arr_release(&session->x);
    kd_arr_release(&session->labels);
    kd_arr_release(&session->targets);
    kd_arr_release(&session->samples);
    kd_arr_release(&session->order);
    *session = (struct kd_session){0};
}

void kd_session_drop_plan(struct kd_session *session)
{
    kd_plan_free(session->plan);
    session->plan = NULL;
}

/* A plan whose memory another backend gave would only be slower, so it goes. */
int kd_session_choose_comm(struct kd_session *session, const char *name, struct kd_error *err)
{
    const struct kd_comm_backend *before = session->comm->backend;
    if (kd_comm_choose(session->comm, name, err) < 0)
        return kd_error_prefix(err, "/comm");
    if (session->comm->backend != before)
        kd_session_drop_plan(session);
    return 0;
}

static bool is_same_input(const struct kd_input *a, const struct kd_input *b)
{
    return kd_shape_equal(a->shape, b->shape) && a->tokens == b->tokens &&
           a->vocabulary == b->vocabulary && a->n_outputs == b->n_outputs &&
           a->positions == b->positions;
}

static bool plan_fits(const struct kd_session *session, const struct kd_plan_options *wanted)
{
    const struct kd_plan_options *is = &session->plan_is;
    return session->plan && is->loss == wanted->loss && is->max_batch == wanted->max_batch &&
           is_same_input(&is->input, &wanted->input) &&
           kd_plan_retune(session->plan, wanted->model, wanted->label_smoothing, NULL) == 0;
}

static int ready_plan(struct kd_session *session, const struct kd_plan_options *wanted,
                      struct kd_error *err)
{
    if (plan_fits(session, wanted))
        return 0;
    kd_plan_free(session->plan);
    session->plan = kd_plan_new(wanted, err);
    session->plan_is = *wanted;
    session->plan_is.model = NULL;
    if (!session->plan)
        return -1;
    kd_speed_init(&session->speed, session->plan);
    return 0;
}

static void ready_buffers(struct kd_session *session, const struct kd_dataset *dataset)
{
    size_t n = (size_t)session->max_batch;
    session->x.n = session->labels.n = session->targets.n = session->samples.n = 0;
    session->order.n = 0;
    kd_arr_reserve(&session->x, n * (size_t)dataset->rows.n_features);
    kd_arr_reserve(&session->labels, n);
    kd_arr_reserve(&session->targets, n * (size_t)dataset->rows.n_targets + 1);
    kd_arr_reserve(&session->samples, n);
    kd_arr_reserve(&session->order, (size_t)dataset->n_train);
}

int kd_session_prepare(struct kd_session *session, const struct kd_config *config,
                       const struct kd_dataset **dataset, struct kd_error *err)
{
    const struct kd_dataset *data = kd_datasets_get(&session->datasets, &config->data, err);
    if (!data)
        return -1;
    const struct kd_table *rows = &data->rows;
    struct kd_input input = {.shape = {{rows->n_features}, .n_dims = 1},
                             .n_outputs = rows->labels ? rows->max_label + 1 : rows->n_targets};
    int64_t n_outputs = kd_config_n_outputs(config, &input, err);
    if (n_outputs < 0 || (rows->labels && kd_config_check_labels(n_outputs, rows->max_label,
                                                                 rows->max_label_at, err) < 0))
        return -1;
    int64_t largest = config->batch_size < data->n_train ? config->batch_size : data->n_train;
    session->max_batch = (largest + session->comm->size - 1) / session->comm->size;
    if (session->max_batch < EVALUATION_BATCH)
        session->max_batch = EVALUATION_BATCH;
    struct kd_plan_options wanted = {.model = config->model,
                                     .input = input,
                                     .loss = config->loss->loss,
                                     .label_smoothing = config->label_smoothing,
                                     .max_batch = session->max_batch,
                                     .device = "cpu",
                                     .comm = session->comm};
    if (rows->labels)
        wanted.input.n_outputs =
            n_outputs; /* more classes than the data have are the user's choice */
    if (ready_plan(session, &wanted, err) < 0)
        return -1;
    ready_buffers(session, data);
    *dataset = data;
    return 0;
}

void kd_session_gather(struct kd_session *session, const struct kd_dataset *dataset, int64_t begin,
                       int64_t n_global, struct kd_batch *batch)
{
    const struct kd_table *rows = &dataset->rows;
    size_t f = (size_t)rows->n_features, t = (size_t)rows->n_targets;
    int64_t first, end;
    kd_comm_share(session->comm, n_global, &first, &end);
    for (int64_t i = first; i < end; i++) {
        size_t to = (size_t)(i - first), from = (size_t)session->order.items[begin + i];
        memcpy(session->x.items + to * f, rows->x + from * f, f * sizeof(float));
        if (rows->labels)
            session->labels.items[to] = rows->labels[from];
        else
            memcpy(session->targets.items + to * t, rows->targets + from * t, t * sizeof(float));
        session->samples.items[to] = begin + i;
    }
    batch->x = session->x.items;
    batch->labels = rows->labels ? session->labels.items : NULL;
    batch->targets = rows->labels ? NULL : session->targets.items;
    batch->samples = session->samples.items;
    batch->n = end - first;
    batch->n_global = batch->n_counted = n_global;
}

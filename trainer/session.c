#include "trainer/session.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "coordinator/base/clock.h"
#include "coordinator/base/log.h"
#include "coordinator/base/str.h"
#include "trainer/comm/hardware.h"

/* Small samples are validated many at once, however few a training batch has; large ones would need
 * the memory for it. */
enum { EVALUATION_BATCH = 256, EVALUATION_FLOATS = 1 << 14 };

void kd_session_init(struct kd_session *session, struct kd_comm *comm)
{
    *session = (struct kd_session){.comm = comm};
    session->device = kd_device_find("cpu", NULL);
    kd_loader_init(&session->loader, session->device);
}

void kd_session_release(struct kd_session *session)
{
    kd_datasets_release(&session->datasets);
    kd_plan_free(session->plan);
    kd_nccl_gang_close(&session->gang);
    kd_loader_release(&session->loader);
    kd_arr_release(&session->order);
    free(session->device_is);
    *session = (struct kd_session){0};
}

void kd_session_drop_plan(struct kd_session *session)
{
    kd_plan_free(session->plan);
    session->plan = NULL;
}

static bool is(const char *name, const char *other)
{
    return strcmp(name, other) == 0;
}

/* A plan whose memory another backend gave would only be slower, so it goes. */
int kd_session_choose_comm(struct kd_session *session, const char *name, struct kd_error *err)
{
    const struct kd_comm_backend *before = session->comm->backend;
    if (kd_comm_choose(session->comm, is(name, "nccl") ? "auto" : name, err) < 0)
        return kd_error_prefix(err, "/comm");
    if (session->comm->backend != before)
        kd_session_drop_plan(session);
    return 0;
}

/* ---- a GPU that others hold the memory of */

static int64_t end_of_patience(void)
{
    const char *text = getenv(KD_GPU_PATIENCE);
    double seconds;
    if (!text || kd_number_parse(text, &seconds) != 0)
        seconds = 10;
    return kd_clock_mono_us() + (int64_t)(seconds * 1e6);
}

/* False: nobody waits any longer. */
static bool waits_on(int64_t until_us)
{
    const struct timespec nap = {0, 100000000};
    if (kd_clock_mono_us() >= until_us)
        return false;
    nanosleep(&nap, NULL);
    return true;
}

/* ---- the device */

/* A device of the name that this rank can use, or NULL and err. */
static const struct kd_device *usable(struct kd_session *session, const char *name,
                                      struct kd_error *err)
{
    const struct kd_device *device = kd_device_find(name, err);
    const int64_t until_us = end_of_patience();
    struct kd_queue *queue;
    int status;
    session->room = KD_ROOM_ENOUGH;
    if (!device)
        return NULL;
    do
        status = device->open(session->comm->local_rank, &queue, err);
    while (status == KD_DEVICE_IS_FULL && waits_on(until_us));
    if (status == KD_DEVICE_IS_FULL)
        session->room = KD_ROOM_TAKEN;
    if (status < 0)
        return NULL;
    device->close(queue);
    return device;
}

/* On a machine with a GPU that is more than a matter of taste. One that others fill is no reason: a
 * trial that was given it goes on elsewhere, and does not hold it while the CPU computes. */
static void tell_of_cpu(const struct kd_session *session, const struct kd_error *why)
{
    if (session->comm->rank == 0 && access("/dev/nvidiactl", F_OK) == 0)
        kd_warn("device: auto takes the CPU: %s", why->text);
}

static const struct kd_device *choose_device(struct kd_session *session, const char *name,
                                             struct kd_error *err)
{
    bool is_auto = is(name, "auto");
    const struct kd_device *device = usable(session, is_auto ? "cuda" : name, err);
    if (!kd_comm_any_failed(session->comm, !device, err))
        return device;
    if (!is_auto || kd_comm_any_failed(session->comm, session->room == KD_ROOM_TAKEN, err))
        return NULL;
    tell_of_cpu(session, err);
    return usable(session, "cpu", err);
}

int kd_session_choose_device(struct kd_session *session, const char *name, struct kd_error *err)
{
    if (session->device_is && is(session->device_is, name))
        return 0;
    const struct kd_device *device = choose_device(session, name, err);
    if (!device)
        return kd_error_prefix(err, "/device");
    free(session->device_is);
    session->device_is = kd_strdup(name);
    session->n_sharing = kd_ranks_on_device(session->comm, device);
    if (device == session->device)
        return 0;
    kd_session_drop_plan(session);
    kd_loader_release(&session->loader);
    kd_loader_init(&session->loader, device);
    session->device = device;
    return 0;
}

/* ---- sums */

/* Summing through the host is right as well, and slower; once is enough to say so. */
static void tell_of_staging(struct kd_session *session, const struct kd_error *why)
{
    if (session->comm->rank == 0)
        kd_warn("the ranks sum through the host's memory: %s", why->text);
}

static bool could_sum_on_gpus(const struct kd_session *session, const char *comm)
{
    bool may = is(comm, "auto") && session->device->collectives && !session->gang_failed;
    return session->comm->size > 1 && (may || is(comm, "nccl"));
}

int kd_session_choose_sums(struct kd_session *session, const char *comm, struct kd_error *err)
{
    bool before = session->sums_on_gpus;
    session->sums_on_gpus = could_sum_on_gpus(session, comm);
    if (session->sums_on_gpus && session->gang.device != session->device &&
        kd_nccl_gang_open(&session->gang, session->comm, session->device, err) < 0) {
        session->sums_on_gpus = false;
        if (is(comm, "nccl"))
            return kd_error_prefix(err, "/comm");
        tell_of_staging(session, err);
        session->gang_failed = true;
    }
    if (session->sums_on_gpus != before)
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
           is->precision == wanted->precision && is_same_input(&is->input, &wanted->input) &&
           kd_plan_retune(session->plan, wanted->model, wanted->label_smoothing, NULL) == 0;
}

/* Tables that are kept on the device can be sent as well. */
static struct kd_plan *plan_new(struct kd_session *session, const struct kd_plan_options *wanted,
                                struct kd_error *err)
{
    const int64_t until_us = end_of_patience();
    struct kd_plan *plan = kd_plan_new(wanted, err);
    if (!plan && kd_source_drop(&session->loader.source))
        plan = kd_plan_new(wanted, err);
    while (!plan && session->room == KD_ROOM_TAKEN && waits_on(until_us))
        plan = kd_plan_new(wanted, err);
    return plan;
}

static int ready_plan(struct kd_session *session, const struct kd_plan_options *wanted,
                      struct kd_error *err)
{
    if (plan_fits(session, wanted))
        return 0;
    if (session->plan_is.device != wanted->device ||
        session->plan_is.precision != wanted->precision)
        session->speed.peak = 0;
    kd_plan_free(session->plan);
    session->plan = plan_new(session, wanted, err);
    session->plan_is = *wanted;
    session->plan_is.model = NULL;
    if (!session->plan)
        return -1;
    kd_speed_init(&session->speed, session->plan);
    return 0;
}

static void ready_buffers(struct kd_session *session, const struct kd_config *config,
                          const struct kd_dataset *dataset)
{
    kd_loader_prepare(&session->loader, session->plan, dataset, &config->data.augment,
                      session->max_batch);
    kd_arr_clear(&session->order);
    kd_arr_reserve(&session->order, (size_t)dataset->train.n);
}

static int64_t choose_max_batch(const struct kd_session *session, const struct kd_config *config,
                                const struct kd_dataset *data)
{
    int64_t largest = config->batch_size < data->train.n ? config->batch_size : data->train.n;
    int64_t micro = (largest + config->accumulate - 1) / config->accumulate;
    int64_t share = (micro + session->comm->size - 1) / session->comm->size;
    int64_t size = kd_shape_count(data->rows.shape);
    int64_t many =
        size * EVALUATION_BATCH <= EVALUATION_FLOATS ? EVALUATION_BATCH : EVALUATION_FLOATS / size;
    if (kd_table_is_tokens(&data->rows)) /* each of which becomes a vector, and a score per class */
        many = 0;
    return share < many ? many : share;
}

int kd_session_prepare(struct kd_session *session, const struct kd_config *config,
                       const struct kd_dataset **dataset, struct kd_error *err)
{
    const struct kd_dataset *data = kd_datasets_get(&session->datasets, &config->data, err);
    struct kd_data_shape shape;
    session->room = KD_ROOM_ENOUGH;
    if (!data)
        return -1;
    kd_dataset_shape(data, &shape);
    struct kd_input input = kd_config_input(&shape);
    int64_t n_outputs = kd_config_n_outputs(config, &input, err);
    if (n_outputs < 0 ||
        kd_config_check_labels(n_outputs, shape.max_label, shape.max_label_at, err) < 0)
        return -1;
    if (shape.n_targets == 0)
        input.n_outputs = n_outputs; /* more classes than the data have are the user's choice */
    session->max_batch = choose_max_batch(session, config, data);
    struct kd_plan_options wanted = {.model = config->model,
                                     .input = input,
                                     .loss = config->loss->loss,
                                     .label_smoothing = config->label_smoothing,
                                     .max_batch = session->max_batch,
                                     .device = session->device,
                                     .precision = config->precision,
                                     .n_sharing = session->n_sharing,
                                     .room = &session->room,
                                     .comm = session->comm,
                                     .gang = session->sums_on_gpus ? &session->gang : NULL};
    if (ready_plan(session, &wanted, err) < 0)
        return -1;
    ready_buffers(session, config, data);
    *dataset = data;
    return 0;
}

void kd_session_load(struct kd_session *session, struct kd_draw draw, struct kd_batch *batch)
{
    kd_comm_share(session->comm, draw.n_micro, &draw.first, &draw.end);
    kd_loader_fill(&session->loader, &draw, batch);
}

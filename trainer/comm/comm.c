#include "trainer/comm/comm.h"

#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "coordinator/base/str.h"

#define KD_COMM_BACKEND(name, constant) extern const struct kd_comm_backend kd_comm_##name;
#include "trainer/comm/backends.def"
#undef KD_COMM_BACKEND

/* ALIGNMENT: whole pages, which may be pinned (kernels/device.h). */
enum { ALIGNMENT = 4096, DEADLINE_S = 600 };

const struct kd_comm_backend *const kd_comm_backends[] = {
#define KD_COMM_BACKEND(name, constant) [constant] = &kd_comm_##name,
#include "trainer/comm/backends.def"
#undef KD_COMM_BACKEND
    NULL,
};

/* The launcher whose process this is; without one the process is a rank alone. */
static int launcher_of_this_process(void)
{
    for (int id = 0; id < KD_N_COMM_BACKENDS; id++)
        if (kd_comm_backends[id]->is_wanted && kd_comm_backends[id]->is_wanted())
            return id;
    return KD_COMM_SELF;
}

static int use(struct kd_comm *comm, int id, struct kd_error *err)
{
    if (!comm->is_open[id] && kd_comm_backends[id]->open(comm, err) < 0)
        return -1;
    comm->is_open[id] = true;
    comm->backend = kd_comm_backends[id];
    return 0;
}

static int read_deadline(double *seconds, struct kd_error *err)
{
    const char *text = getenv(KD_COMM_DEADLINE);
    *seconds = DEADLINE_S;
    if (text && (kd_number_parse(text, seconds) < 0 || !(*seconds > 0)))
        return kd_fail(err, KD_COMM_DEADLINE "=\"%s\" is not a number of seconds above 0", text);
    return 0;
}

int kd_comm_open(struct kd_comm *comm, struct kd_error *err)
{
    *comm = (struct kd_comm){.size = 1};
    if (read_deadline(&comm->deadline_s, err) < 0 || use(comm, launcher_of_this_process(), err) < 0)
        return -1;
    comm->launcher = comm->backend;
    return kd_comm_choose(comm, "auto", err);
}

int kd_comm_choose(struct kd_comm *comm, const char *name, struct kd_error *err)
{
    bool is_auto = strcmp(name, "auto") == 0;
    for (int id = 0; id < KD_N_COMM_BACKENDS; id++) {
        if (!is_auto && strcmp(kd_comm_backends[id]->name, name) != 0)
            continue;
        int status = use(comm, id, err);
        if (status == 0 || !is_auto)
            return status;
    }
    return is_auto ? -1 : kd_fail(err, "there is no backend \"%s\"", name);
}

void kd_comm_close(struct kd_comm *comm)
{
    for (int id = 0; id < KD_N_COMM_BACKENDS; id++) {
        if (comm->is_open[id])
            kd_comm_backends[id]->close(comm);
        comm->is_open[id] = false;
    }
    comm->backend = NULL;
}

static int first_marked(const double *marks, int n)
{
    for (int i = 0; i < n; i++)
        if (marks[i] > 0)
            return i;
    return -1;
}

bool kd_comm_any_failed(struct kd_comm *comm, bool failed, struct kd_error *err)
{
    if (comm->size == 1)
        return failed;
    double *marks = KD_NEW_ARRAY(double, (size_t)comm->size);
    marks[comm->rank] = failed;
    comm->backend->sum_doubles(comm, marks, comm->size);
    int root = first_marked(marks, comm->size);
    free(marks);
    if (root >= 0)
        comm->backend->broadcast(comm, root, err->text, sizeof err->text);
    return root >= 0;
}

char *kd_comm_wait_text(struct kd_comm *comm, const char *text)
{
    int64_t n = text ? (int64_t)strlen(text) : 0;
    comm->backend->wait_broadcast(comm, &n, sizeof n);
    char *copy = kd_alloc((size_t)n + 1);
    if (text)
        memcpy(copy, text, (size_t)n);
    comm->backend->broadcast(comm, 0, copy, n);
    return copy;
}

void kd_comm_share_of(int rank, int size, int64_t n, int64_t *begin, int64_t *end)
{
    *begin = n * rank / size;
    *end = n * (rank + 1) / size;
}

void kd_comm_share(const struct kd_comm *comm, int64_t n, int64_t *begin, int64_t *end)
{
    kd_comm_share_of(comm->rank, comm->size, n, begin, end);
}

static int64_t within(int64_t value, int64_t low, int64_t high)
{
    return value < low ? low : value > high ? high : value;
}

void kd_comm_cut(int64_t at, int64_t n, int64_t *begin, int64_t *end)
{
    *begin = within(*begin - at, 0, n);
    *end = within(*end - at, 0, n);
}

float *kd_comm_alloc_plain(struct kd_comm *comm, int64_t n)
{
    (void)comm;
    return kd_alloc_aligned(ALIGNMENT, (size_t)(n > 0 ? n : 1) * sizeof(float));
}

void kd_comm_free_plain(struct kd_comm *comm, float *values)
{
    (void)comm;
    free(values);
}

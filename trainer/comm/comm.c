#include "trainer/comm/comm.h"

#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"

#define KD_COMM_BACKEND(vtable) extern const struct kd_comm_backend vtable;
#include "trainer/comm/backends.def"
#undef KD_COMM_BACKEND

enum { ALIGNMENT = 64 };

const struct kd_comm_backend *const kd_comm_backends[] = {
#define KD_COMM_BACKEND(vtable) &vtable,
#include "trainer/comm/backends.def"
#undef KD_COMM_BACKEND
    NULL,
};

int kd_comm_open(struct kd_comm *comm, struct kd_error *err)
{
    for (int i = 0; kd_comm_backends[i]; i++) {
        if (!kd_comm_backends[i]->is_wanted())
            continue;
        *comm = (struct kd_comm){.backend = kd_comm_backends[i], .rank = 0, .size = 1};
        return comm->backend->open(comm, err);
    }
    return kd_fail(err, "no communication backend fits this environment");
}

void kd_comm_close(struct kd_comm *comm)
{
    if (comm->backend)
        comm->backend->close(comm);
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

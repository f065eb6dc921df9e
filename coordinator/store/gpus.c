/* gpus.c - the rows of the GPUs that attempts hold. */
#include <math.h>
#include <stddef.h>

#include "coordinator/store/internal.h"

int kd_store_add_attempt_gpu(struct kd_store *store, int64_t fence, int i, int gpu,
                             const char *uuid, struct kd_error *err)
{
    sqlite3_stmt *s = kd_statement_change(store, KD_SQL_ADD_ATTEMPT_GPU, err);
    if (s == NULL)
        return -1;
    kd_bind_int(s, 1, fence);
    kd_bind_int(s, 2, i);
    kd_bind_int(s, 3, gpu);
    kd_bind_text(s, 4, uuid);
    return kd_statement_run(store, s, "cannot save the GPUs of an attempt", err);
}

static void bind_known(sqlite3_stmt *s, int at, double value)
{
    if (isfinite(value))
        sqlite3_bind_double(s, at, value);
    else
        sqlite3_bind_null(s, at);
}

int kd_store_save_gpu_usage(struct kd_store *store, int64_t fence, int i,
                            const struct kd_gpu_usage *usage, struct kd_error *err)
{
    sqlite3_stmt *s = kd_statement_change(store, KD_SQL_SAVE_GPU_USAGE, err);
    if (s == NULL)
        return -1;
    kd_bind_int(s, 1, fence);
    kd_bind_int(s, 2, i);
    bind_known(s, 3, usage->n_readings > 1 ? usage->seconds : NAN);
    kd_bind_int_or_null(s, 4, usage->memory_peak_bytes, usage->has_memory);
    bind_known(s, 5, kd_gpu_usage_percent(usage));
    kd_bind_int_or_null(s, 6, usage->percent_peak, usage->has_percent);
    kd_bind_int_or_null(s, 7, usage->celsius_peak, usage->has_celsius);
    bind_known(s, 8, kd_gpu_usage_joules(usage));
    return kd_statement_run(store, s, "cannot save what an attempt made of its GPUs", err);
}

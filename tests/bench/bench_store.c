/* bench_store.c - durable metric points a second: messages of 64 points from 4 trials in turn,
 * committed (FULL) after every so many messages, as a loop turn does with what has arrived. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "coordinator/base/clock.h"
#include "coordinator/store/store.h"

enum { POINTS = 64, TRIALS = 4, TOTAL = 512 * 1024 };

static void die(const struct kd_error *err)
{
    fprintf(stderr, "bench_store: %s\n", err->text);
    exit(1);
}

static void fill(struct kd_metric_point *points, int64_t step)
{
    for (int i = 0; i < POINTS; i++)
        points[i] = (struct kd_metric_point){i % 2 ? "train_loss" : "val_accuracy", step + i / 2,
                                             1.0 / (double)(step + i + 1), 1.7e9 + (double)i};
}

static double measure(struct kd_store *store, int64_t experiment, int messages_per_commit)
{
    struct kd_error err;
    struct kd_metric_point points[POINTS];
    int64_t first, last, start = kd_clock_mono_us();
    for (int done = 0; done < TOTAL / POINTS; done += messages_per_commit) {
        if (kd_store_begin(store, &err) != 0)
            die(&err);
        for (int m = 0; m < messages_per_commit; m++) {
            fill(points, (int64_t)(done + m) / TRIALS * POINTS / 2);
            if (kd_store_add_metrics(store, experiment, m % TRIALS, 1 + m % TRIALS, points, POINTS,
                                     &first, &last, &err) != 0)
                die(&err);
        }
        if (kd_store_commit(store, &err) != 0)
            die(&err);
    }
    return TOTAL / ((double)(kd_clock_mono_us() - start) / 1e6);
}

static void run(const char *dir, int messages_per_commit)
{
    char path[256], gone[300];
    struct kd_error err;
    enum kd_store_failure why;
    snprintf(path, sizeof path, "%s/%d.db", dir, messages_per_commit);
    struct kd_store *store = kd_store_open(path, &why, &err);
    if (store == NULL)
        die(&err);
    double rate = measure(store, 1, messages_per_commit), commit_s = kd_store_commit_seconds(store);
    kd_store_close(store);
    struct stat info;
    stat(path, &info);
    printf("%8d %12d %14.0f %12.1f%% %14.1f\n", messages_per_commit, messages_per_commit * POINTS,
           rate, 100 * commit_s * rate / TOTAL, (double)info.st_size / TOTAL);
    snprintf(gone, sizeof gone, "%s.lock", path);
    unlink(gone);
    unlink(path);
}

int main(int argc, char **argv)
{
    static const int sizes[] = {1, 4, 16, 64};
    char dir[256];
    snprintf(dir, sizeof dir, "%s/katydid-bench-XXXXXX", argc > 1 ? argv[1] : "/tmp");
    if (mkdtemp(dir) == NULL) {
        perror(dir);
        return 1;
    }
    printf("durable metric points, %d points a message, %d trials\n", POINTS, TRIALS);
    printf("%8s %12s %14s %13s %14s\n", "messages", "points", "points/s", "in commits",
           "bytes/point");
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        run(dir, sizes[i]);
    rmdir(dir);
    return 0;
}

/* launcher.h - gang + argv to running ranks: one launcher is one file and one line in
 * launchers.def.
 *
 * A launcher only says with which command line the ranks are started; the supervisor
 * (gang_process.h) starts it. */
#ifndef KD_LAUNCH_LAUNCHER_H
#define KD_LAUNCH_LAUNCHER_H

#include <stdbool.h>
#include <stdint.h>

#include "coordinator/base/arr.h"
#include "coordinator/base/error.h"

struct kd_launch {
    int64_t gang;
    int n_ranks;
    const char *dir; /* the gang's folder: lock, exit; exists */
    const char *
        scratch; /* the gang's folder for sockets and shared memory; exists; removed with the gang */
    const char *log;      /* output of rank 0; appended to */
    const char *logs_dir; /* rank-<r>.log of the others */
    const char *cwd;
    const char *cores; /* "0,64:1,65": CPU numbers of each core */
    const char *gpus;  /* "0,1" for CUDA_VISIBLE_DEVICES; "" hides all; NULL: the host has none */
    double grace_s;
    char *const *argv; /* of the program; NULL-terminated */
    char *const *env;  /* complete; NULL-terminated */
};

typedef KD_ARR(char *) kd_words; /* owned texts */

void kd_words_add(kd_words *words, const char *text);
void kd_words_addf(kd_words *words, const char *format, ...) __attribute__((format(printf, 2, 3)));
void kd_words_release(kd_words *words);

struct kd_launcher {
    const char *name, *summary;
    bool (*serves)(const struct kd_launch *);
    void (*command)(const struct kd_launch *, const char *exec_program, kd_words *argv);
    void (*environment)(const struct kd_launch *,
                        kd_words *env); /* "NAME=value" to add; may be NULL */
};

extern const struct kd_launcher
    *const kd_launchers[]; /* NULL-terminated; the first that serves a launch is taken */
const struct kd_launcher *kd_launcher_for(const struct kd_launch *launch);

#endif

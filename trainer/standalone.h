/* standalone.h - `katydid-trainer train.yaml`: trains one configuration with no coordinator, alone
 * or under mpirun, and prints a line of name=value per report and, on a terminal, a progress
 * line. */
#ifndef KD_TRAINER_STANDALONE_H
#define KD_TRAINER_STANDALONE_H

#include "trainer/comm/comm.h"

struct kd_standalone {
    const char *config;          /* YAML or JSON (block_file.h); "-": stdin */
    const char *const *settings; /* "key=value", NULL-terminated; or NULL */
    uint64_t seed;
    int64_t until; /* units; 0: the whole */
    const char
        *checkpoint_dir;    /* NULL: none; else the training resumes from it when there is one */
    const char *start_from; /* checkpoint to start from; NULL: fresh weights */
    bool fresh;             /* begin anew even if there is a checkpoint */
    bool profile;           /* say at the end, on stderr, where the time went */
};

/* The exit status: 0 trained, 1 failed or diverged, 2 a bad configuration or bad data, 130
 * interrupted. Out of memory ends the process instead (KD_OUT_OF_MEMORY). */
int kd_standalone_run(struct kd_comm *comm, const struct kd_standalone *options);

#endif

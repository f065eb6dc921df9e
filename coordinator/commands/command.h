/* command.h - one command = one file with a vtable, one line in commands.def.
 *
 * Data goes to stdout, messages to stderr. Exit codes are DESIGN's: see enum kd_exit. Every reading
 * command takes --db FILE, --json (with a "schema" number), and --csv where it prints a table. */
#ifndef KD_COMMAND_H
#define KD_COMMAND_H

#include <stdbool.h>

enum kd_exit {
    KD_EXIT_OK = 0,
    KD_EXIT_ERROR = 1,
    KD_EXIT_USAGE = 2,       /* usage or bad spec */
    KD_EXIT_GOAL_MISSED = 3, /* only with --require-goal */
    KD_EXIT_TOO_MANY_FAILED = 4,
    KD_EXIT_NO_COORDINATOR = 5,
    KD_EXIT_NOT_FOUND = 6,
    KD_EXIT_CONFLICT = 7,      /* the file has a live owner, or the name another spec */
    KD_EXIT_INTERRUPTED = 130, /* resumable */
};

struct kd_command {
    const char *name;
    const char *arguments;             /* "[NAME]" */
    const char *summary;               /* one line */
    int (*run)(int argc, char **argv); /* argv[0] is "katydid NAME"; returns an exit code */
};

extern const struct kd_command
    *const kd_commands[]; /* NULL-terminated, in the order of commands.def */

/* The database: --db, or KATYDID_DB, or katydid.db in the current directory. Borrowed. */
const char *kd_database_path(const char *option);

/* Absolute path of a program of ours (katydid-supervisor, katydid-exec, katydid-trainer):
 * KATYDID_LIBEXEC, the folder of the running program, or ../libexec/katydid beside it. Owned by the
 * caller; NULL when it is nowhere. */
char *kd_program_path(const char *name);

/* Absolute path of libkatydid_cuda.so, where the trainer looks too: the file that
 * KATYDID_CUDA_PLUGIN names and no other, else ../lib (a build) or ../<libdir>/katydid (an
 * installation) beside the folder of the running program. Owned by the caller; NULL when it is
 * nowhere. */
#define KD_CUDA_PLUGIN_VARIABLE "KATYDID_CUDA_PLUGIN"
char *kd_cuda_plugin_path(void);

#endif

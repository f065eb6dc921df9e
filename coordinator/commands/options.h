/* options.h - a command's options as a table, read by argp; --help comes from it. */
#ifndef KD_COMMANDS_OPTIONS_H
#define KD_COMMANDS_OPTIONS_H

#include <stdbool.h>

#include "coordinator/commands/command.h"
#include "coordinator/commands/table.h"

struct kd_option {
    const char *name;
    int key;              /* short form, 0 = none */
    const char *argument; /* what --help calls it; NULL = a flag */
    const char *help;
    void *
        to; /* const char ** of an option with an argument (borrowed from argv), bool * of a flag */
};

enum kd_common_option {
    KD_OPTION_DB = 1 << 0,
    KD_OPTION_JSON = 1 << 1,
    KD_OPTION_CSV = 1 << 2,
};

enum { KD_WORDS_MAX = 4 };

struct kd_usage {
    const struct kd_command *command;
    const struct kd_option *options; /* ends with a NULL name; NULL = none */
    unsigned common;                 /* of enum kd_common_option */
    int min_words, max_words;        /* what stands beside the options: NAME, TRIAL */
    const char *doc;                 /* further lines for --help; may be NULL */

    /* filled: */
    const char *db; /* NULL = not given */
    enum kd_format format;
    const char *words[KD_WORDS_MAX]; /* borrowed from argv; NULL = not given */
    int n_words;
};

/* Fills the usage, or ends the program: --help prints and exits 0, a wrong option or word count
 * exits 2. */
void kd_usage_read(struct kd_usage *usage, int argc, char **argv);

/* An option's text as a whole number of at least `min`; -1 after a message on stderr. NULL gives
 * `fallback`. */
int kd_option_int(const char *option, const char *text, int min, int fallback);

#endif

/* main.c - katydid-trainer: reads the command line, opens the ranks' communicator, and runs one of
 * its four modes. */
#include <argp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "coordinator/base/arr.h"
#include "coordinator/base/log.h"
#include "coordinator/base/str.h"
#include "trainer/check.h"
#include "trainer/describe.h"
#include "trainer/gang.h"
#include "trainer/standalone.h"

const char *argp_program_version = "katydid-trainer " KATYDID_VERSION;

enum { EXIT_USAGE = 2 };
enum mode { MODE_TRAIN, MODE_GANG, MODE_DESCRIBE, MODE_CHECK };
enum {
    KEY_GANG = 256,
    KEY_DESCRIBE,
    KEY_CHECK,
    KEY_SEED,
    KEY_UNTIL,
    KEY_FOLDER,
    KEY_FROM,
    KEY_FRESH,
    KEY_PROFILE,
};

struct command_line {
    enum mode mode;
    struct kd_standalone train;
    KD_ARR(const char *) settings; /* borrowed from argv; ends with a NULL when the line was read */
};

static const struct argp_option options[] = {
    {"checkpoint-dir", KEY_FOLDER, "DIR", 0, "Save here, and go on from what is here", 0},
    {"fresh", KEY_FRESH, NULL, 0, "Begin anew; removes the checkpoints that are there", 0},
    {"start-from", KEY_FROM, "PATH", 0, "Begin with the weights of this checkpoint", 0},
    {"seed", KEY_SEED, "N", 0, "Seed of weights, data order and dropout (default 0)", 0},
    {"until", KEY_UNTIL, "N", 0, "End after so many epochs (or steps, with report.every: N)", 0},
    {"profile", KEY_PROFILE, NULL, 0, "Say at the end where the time went, by phase, layer and op",
     0},
    {"describe", KEY_DESCRIBE, NULL, 0, "Print the grammar of the trainer: block as JSON", 1},
    {"check", KEY_CHECK, NULL, 0,
     "Read {\"trainer\": {...}, \"base_dir\": \"...\"} on stdin, print {\"errors\": [...]}", 1},
    {"gang", KEY_GANG, NULL, 0, "Serve trials for a coordinator (katydid starts this)", 1},
    {0},
};

static int64_t number_of(const char *text, struct argp_state *state, const char *option)
{
    long long number;
    if (kd_integer_parse(text, &number) < 0 || number < 0)
        argp_error(state, "%s: \"%s\" is not a whole number of 0 or more", option, text);
    return number;
}

/* "${DIR:-}" of a script that did not set it must not train for hours and save nothing. */
static const char *path_of(const char *text, struct argp_state *state, const char *option)
{
    if (*text == '\0')
        argp_error(state, "%s: the path is empty; give one, or leave the option out", option);
    return text;
}

/* The first word is the file, and what follows changes it: key=value, +key=value, ~key. */
static void take_word(struct command_line *line, char *word, struct argp_state *state)
{
    if (!line->train.config)
        line->train.config = word;
    else if (strchr(word, '=') || *word == '~')
        kd_arr_push(&line->settings, word);
    else
        argp_error(state,
                   "one configuration at a time; \"%s\" is a second one (a setting is key=value)",
                   word);
}

static void end_line(struct command_line *line, struct argp_state *state)
{
    if (line->mode == MODE_TRAIN && !line->train.config)
        argp_error(state,
                   "a configuration is missing, as in katydid-trainer train.yaml (- reads stdin)");
    kd_arr_push(&line->settings, NULL);
    line->train.settings = line->settings.items;
}

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
    struct command_line *line = state->input;
    switch (key) {
    case KEY_GANG:
        line->mode = MODE_GANG;
        break;
    case KEY_DESCRIBE:
        line->mode = MODE_DESCRIBE;
        break;
    case KEY_CHECK:
        line->mode = MODE_CHECK;
        break;
    case KEY_SEED:
        line->train.seed = (uint64_t)number_of(argument, state, "--seed");
        break;
    case KEY_UNTIL:
        line->train.until = number_of(argument, state, "--until");
        break;
    case KEY_FOLDER:
        line->train.checkpoint_dir = path_of(argument, state, "--checkpoint-dir");
        break;
    case KEY_FROM:
        line->train.start_from = path_of(argument, state, "--start-from");
        break;
    case KEY_PROFILE:
        line->train.profile = true;
        break;
    case KEY_FRESH:
        line->train.fresh = true;
        break;
    case ARGP_KEY_ARG:
        take_word(line, argument, state);
        break;
    case ARGP_KEY_END:
        end_line(line, state);
        break;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

static const struct argp parser = {
    .options = options,
    .parser = parse_option,
    .args_doc = "FILE [key=value...]",
    .doc = "Trains the model of a trainer: block, alone or on every rank of mpirun.\n\n"
           "FILE is YAML or JSON: the block itself, or a document with it under trainer:; - reads "
           "stdin.\v"
           "key=value fills the placeholder ${key} of FILE, or changes a field by its path:\n\n"
           "  katydid-trainer train.yaml lr=0.01 optimizer.name=sgd\n"
           "  mpirun -np 4 katydid-trainer train.yaml epochs=20\n\n"
           "+key=value wants the field to be new, ~key takes it out. Each report is a line of "
           "name=value on "
           "stdout. When stderr is a terminal (and TERM is not dumb), a progress line is drawn "
           "there.\n\n"
           "Exit codes: 0 trained, 1 failed or diverged, 2 bad usage, configuration or data, 71 "
           "out of memory, 130 interrupted.",
};

static int print(struct kd_str *text)
{
    fputs(kd_str_text(text), stdout);
    kd_str_release(text);
    return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int describe(void)
{
    struct kd_str text = {0};
    kd_describe_trainer(&text);
    return print(&text);
}

static int check(void)
{
    json_error_t where;
    struct kd_error err;
    struct kd_str answer = {0};
    json_t *request = json_loadf(stdin, 0, &where);
    int status = request ? kd_check_answer(request, &answer, &err)
                         : kd_fail(&err, "stdin:%d:%d: %s", where.line, where.column, where.text);
    json_decref(request);
    if (status < 0) {
        kd_log(KD_LOG_ERROR, "%s", err.text);
        kd_str_release(&answer);
        return EXIT_USAGE;
    }
    kd_str_addc(&answer, '\n');
    return print(&answer);
}

/* The handlers of exit() are those of libraries too, in one of which a thread hangs. */
static void end_at_once(int status)
{
    fflush(NULL);
    _exit(status);
}

static int run_ranks(const struct command_line *line)
{
    struct kd_comm comm = {0};
    struct kd_error err;
    int status = EXIT_SUCCESS;
    if (kd_comm_open(&comm, &err) < 0) {
        kd_log(KD_LOG_ERROR, "%s", err.text);
        return EXIT_FAILURE;
    }
    if (line->mode == MODE_TRAIN) {
        status = kd_standalone_run(&comm, &line->train);
    } else if (kd_gang_serve(&comm, &err) < 0) {
        if (comm.rank == 0)
            kd_log(KD_LOG_ERROR, "%s", err.text);
        status = EXIT_FAILURE;
    }
    kd_comm_close(&comm);
    if (comm.leaves_a_thread)
        end_at_once(status);
    return status;
}

int main(int argc, char **argv)
{
    struct command_line line = {.mode = MODE_TRAIN};
    signal(
        SIGXFSZ,
        SIG_IGN); /* a checkpoint beyond a limit (ulimit -f) is one that is not written, not the end */
    argp_err_exit_status = EXIT_USAGE;
    argp_parse(&parser, argc, argv, 0, NULL, &line);
    int status = line.mode == MODE_DESCRIBE ? describe()
                 : line.mode == MODE_CHECK  ? check()
                                            : run_ranks(&line);
    kd_arr_release(&line.settings);
    return status;
}

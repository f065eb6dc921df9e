/* suggest_command.c - katydid suggest: ask and tell as lines of JSON on stdin and stdout;
 * coordinator/suggest.h says which. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/log.h"
#include "coordinator/base/str.h"
#include "coordinator/commands/command.h"
#include "coordinator/commands/spec_options.h"
#include "coordinator/suggest.h"

struct arguments {
    struct kd_spec_arguments spec;
    const char *seed; /* NULL = the spec's */
};

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    if (key == 's')
        arguments->seed = text;
    else if (key == ARGP_KEY_ARG)
        kd_arr_push(&arguments->spec.words, text);
    else
        return ARGP_ERR_UNKNOWN;
    return 0;
}

static int set_seed(const char *text, struct kd_experiment *experiment)
{
    long long seed;
    if (text == NULL)
        return 0;
    if (kd_integer_parse(text, &seed) != 0 || seed < 0) {
        kd_log(KD_LOG_ERROR, "--seed takes a whole number from 0 to 2^63-1, not `%s`", text);
        return -1;
    }
    experiment->seed = (uint64_t)seed;
    return 0;
}

/* Until the lines end. Each answer leaves at once: whoever asked waits for it. */
static int serve(struct kd_suggest *suggest)
{
    struct kd_str answer = {0};
    char *line = NULL;
    size_t capacity = 0;
    ssize_t length;
    bool is_heard = true;
    while (is_heard && (length = getline(&line, &capacity, stdin)) >= 0) {
        size_t n = length > 0 && line[length - 1] == '\n' ? (size_t)length - 1 : (size_t)length;
        kd_str_clear(&answer);
        kd_suggest_answer(suggest, line, n, &answer);
        is_heard = puts(kd_str_text(&answer)) >= 0 && fflush(stdout) == 0;
    }
    bool is_read = !ferror(stdin);
    if (!is_read)
        kd_log(KD_LOG_ERROR, "cannot read standard input: %s", strerror(errno));
    kd_str_release(&answer);
    free(line);
    return is_read ? KD_EXIT_OK : KD_EXIT_ERROR;
}

static int suggest_experiment(const struct kd_experiment *experiment)
{
    struct kd_error err = {{0}};
    struct kd_suggest *suggest = kd_suggest_new(experiment, &err);
    if (suggest == NULL) {
        kd_log(KD_LOG_ERROR, "%s: %s", experiment->file, err.text);
        return KD_EXIT_USAGE;
    }
    int code = serve(suggest);
    kd_suggest_free(suggest);
    return code;
}

static int run(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"seed", 's', "N", 0, "The seed (instead of spec.seed)", 0},
        {0},
    };
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "SPEC [key=value...]",
        .doc =
            "Asks and tells as lines of JSON on stdin and stdout; no database, nothing is run, "
            "and the spec needs no trialTemplate.\v"
            "{\"ask\": 1} gives points, {\"tell\": {...}} takes results; `katydid explain suggest` "
            "has all lines. One line in, one line out, until the input ends."};
    struct arguments arguments = {.spec.is_for_suggest = true};
    if (argp_parse(&argp, argc, argv, 0, NULL, &arguments) != 0)
        return KD_EXIT_USAGE;
    struct kd_experiment experiment = {0};
    int code = kd_spec_arguments_read(&arguments.spec, &experiment);
    if (code == KD_EXIT_OK) {
        code = set_seed(arguments.seed, &experiment) == 0 ? suggest_experiment(&experiment)
                                                          : KD_EXIT_USAGE;
        kd_experiment_release(&experiment);
    }
    kd_spec_arguments_release(&arguments.spec);
    return code;
}

const struct kd_command kd_command_suggest = {
    .name = "suggest",
    .arguments = "SPEC [key=value...]",
    .summary = "Ask and tell as JSON lines, for programs of your own",
    .run = run,
};

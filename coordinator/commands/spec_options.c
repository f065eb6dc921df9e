#include "coordinator/commands/spec_options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "coordinator/base/log.h"
#include "coordinator/base/mem.h"
#include "coordinator/base/str.h"
#include "coordinator/commands/command.h"

enum {
    KEY_NAME = 256,
    KEY_IMAGE,
    KEY_MAXIMIZE,
    KEY_MINIMIZE,
    KEY_PRINT,
    KEY_ENDPOINT,
    KEY_GOAL,
    KEY_JSON,
    KEY_DB
};

static const struct argp_option options[] = {
    {"db", KEY_DB, "FILE", 0, "The database (default: $KATYDID_DB, or katydid.db here)", 0},
    {"name", KEY_NAME, "NAME", 0, "Name the experiment (instead of metadata.name)", 0},
    {"image-map", KEY_IMAGE, "IMAGE=host|DIR", 0,
     "Run a container image's command on this host, its absolute paths below DIR", 0},
    {"require-goal", KEY_GOAL, NULL, 0, "Exit 3 when the goal was not met", 0},
    {"json", KEY_JSON, NULL, 0, "Print the result as JSON", 0},
    {"print-endpoint", KEY_ENDPOINT, NULL, 0,
     "algorithmName external: print where the strategy finds the bus, first of all", 0},
    {"quiet", 'q', NULL, 0, "No progress on stderr", 0},
    {NULL, 0, NULL, 0, "Without a spec file (the program stands after --):", 1},
    {"maximize", KEY_MAXIMIZE, "METRIC", 0,
     "The metric that the program prints, the higher the better", 1},
    {"minimize", KEY_MINIMIZE, "METRIC", 0, "The same, the lower the better", 1},
    {"trials", 'n', "N", 0, "How many trials (without it 40)", 1},
    {"parallel", 'j', "N", 0, "How many at a time (default: as many as fit)", 1},
    {"algorithm", 'a', "NAME", 0, "How points are chosen (default: auto)", 1},
    {"print-spec", KEY_PRINT, NULL, 0, "Write the spec file that says the same, and stop", 1},
    {0},
};

static int count_of(struct argp_state *state, const char *text)
{
    long long value;
    if (kd_integer_parse(text, &value) != 0 || value < 1 || value > 1000000)
        argp_error(state, "'%s' is not a number from 1 to 1000000", text);
    return (int)value;
}

/* Absolute here and now: trials run in folders of their own. */
static char *image_target(struct argp_state *state, const char *image, const char *target)
{
    struct stat info;
    if (strcmp(target, "host") == 0)
        return kd_strdup(target);
    char *folder = realpath(target, NULL);
    if (folder == NULL || stat(folder, &info) != 0)
        argp_error(state, "--image-map %s=%s: the folder %s: %s", image, target, target,
                   strerror(errno));
    else if (!S_ISDIR(info.st_mode))
        argp_error(state, "--image-map %s=%s: %s is not a folder", image, target, folder);
    return folder;
}

static void add_image(struct argp_state *state, struct kd_spec_arguments *arguments,
                      const char *text)
{
    const char *equals = strchr(text, '=');
    if (equals == NULL || equals == text || equals[1] == '\0')
        argp_error(state, "--image-map %s: write IMAGE=host or IMAGE=DIR", text);
    char *image = kd_strndup(text, (size_t)(equals - text));
    char *target = image_target(state, image, equals + 1);
    kd_arr_push(&arguments->images, (struct kd_image_entry){image, target});
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct kd_spec_arguments *arguments = state->input;
    switch (key) {
    case KEY_DB:
        arguments->database = text;
        return 0;
    case KEY_NAME:
        arguments->name = text;
        return 0;
    case KEY_IMAGE:
        add_image(state, arguments, text);
        return 0;
    case KEY_GOAL:
        arguments->require_goal = true;
        return 0;
    case KEY_ENDPOINT:
        arguments->print_endpoint = true;
        return 0;
    case KEY_JSON:
        arguments->json = true;
        return 0;
    case KEY_PRINT:
        arguments->print_spec = true;
        return 0;
    case KEY_MAXIMIZE:
    case KEY_MINIMIZE:
        if (arguments->metric != NULL)
            argp_error(state,
                       "--maximize or --minimize, and once: there is one objective, not "
                       "both %s and %s",
                       arguments->metric, text);
        arguments->metric = text;
        arguments->maximize = key == KEY_MAXIMIZE;
        return 0;
    case 'q':
        arguments->quiet = true;
        return 0;
    case 'n':
        arguments->max_trials = count_of(state, text);
        return 0;
    case 'j':
        arguments->parallel = count_of(state, text);
        return 0;
    case 'a':
        arguments->algorithm = text;
        return 0;
    case ARGP_KEY_ARG:
        kd_arr_push(&arguments->words, text);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp kd_spec_argp = {options, parse, NULL, NULL, NULL, NULL, NULL};

int kd_spec_arguments_split(struct kd_spec_arguments *arguments, int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--") == 0) {
            arguments->program = argv + i + 1;
            argv[i] = NULL;
            return i;
        }
    return argc;
}

void kd_spec_arguments_release(struct kd_spec_arguments *arguments)
{
    for (size_t i = 0; i < arguments->images.n; i++) {
        free((char *)arguments->images.items[i].image);
        free((char *)arguments->images.items[i].target);
    }
    kd_arr_release(&arguments->words);
    kd_arr_release(&arguments->images);
}

struct kd_image_map kd_spec_arguments_images(const struct kd_spec_arguments *arguments)
{
    return (struct kd_image_map){arguments->images.items, (int)arguments->images.n};
}

static int print_problems(const struct kd_problems *problems)
{
    for (int i = 0; i < problems->n; i++)
        fprintf(stderr, "%s\n", problems->items[i].text);
    if (problems->n_errors > 1)
        fprintf(stderr, "%d errors\n", problems->n_errors);
    return problems->n_errors > 0 ? KD_EXIT_USAGE : KD_EXIT_OK;
}

/* The words as a NULL-terminated list, from the given one on. */
static const char **words_from(const struct kd_spec_arguments *arguments, size_t from)
{
    const char **list = KD_NEW_ARRAY(const char *, arguments->words.n + 1);
    for (size_t i = from; i < arguments->words.n; i++)
        list[i - from] = arguments->words.items[i];
    return list;
}

static char *shorthand_yaml(const struct kd_spec_arguments *arguments)
{
    const char **sweeps = words_from(arguments, 0);
    struct kd_shorthand shorthand = {
        .name = arguments->name,
        .metric = arguments->metric,
        .maximize = arguments->maximize,
        .sweeps = sweeps,
        .argv = (const char *const *)arguments->program,
        .max_trials = arguments->max_trials,
        .parallel_trials = arguments->parallel,
        .algorithm = arguments->algorithm,
    };
    struct kd_error err;
    char *yaml = kd_shorthand_to_yaml(&shorthand, &err);
    if (yaml == NULL)
        kd_log(KD_LOG_ERROR, "%s", err.text);
    free(sweeps);
    return yaml;
}

static int read_shorthand(const struct kd_spec_arguments *arguments,
                          const struct kd_spec_options *spec_options,
                          struct kd_experiment *experiment)
{
    char *yaml = shorthand_yaml(arguments);
    if (yaml == NULL)
        return KD_EXIT_USAGE;
    if (arguments->print_spec) {
        fputs(yaml, stdout);
        free(yaml);
        return -1;
    }
    struct kd_problems problems = {0};
    int result = kd_spec_read_text(yaml, strlen(yaml), "command line", ".", spec_options,
                                   experiment, &problems);
    int code = print_problems(&problems);
    kd_problems_release(&problems);
    free(yaml);
    return result == 0 ? KD_EXIT_OK : code;
}

static int read_file(const struct kd_spec_arguments *arguments,
                     struct kd_spec_options *spec_options, struct kd_experiment *experiment)
{
    const char **overrides = words_from(arguments, 1);
    struct kd_problems problems = {0};
    spec_options->overrides = overrides;
    int result = kd_spec_read_file(arguments->words.items[0], spec_options, experiment, &problems);
    int code = print_problems(&problems);
    kd_problems_release(&problems);
    free(overrides);
    return result == 0 ? KD_EXIT_OK : code;
}

int kd_spec_arguments_read(const struct kd_spec_arguments *arguments,
                           struct kd_experiment *experiment)
{
    struct kd_image_map images = kd_spec_arguments_images(arguments);
    char *trainer = kd_program_path("katydid-trainer");
    struct kd_spec_options spec_options = {.trainer_program = trainer,
                                           .name = arguments->name,
                                           .images = &images,
                                           .is_for_suggest = arguments->is_for_suggest};
    int code = KD_EXIT_USAGE;
    if (arguments->metric != NULL && arguments->program != NULL)
        code = read_shorthand(arguments, &spec_options, experiment);
    else if (arguments->metric != NULL || arguments->program != NULL)
        kd_log(KD_LOG_ERROR, "a program without a spec file needs both: --maximize METRIC (or "
                             "--minimize) and -- PROGRAM [ARG...]");
    else if (arguments->words.n == 0)
        kd_log(KD_LOG_ERROR, "which experiment? Give a spec file, or --maximize METRIC "
                             "'lr=interval(0.01,1)' -- PROGRAM '${args}'");
    else
        code = read_file(arguments, &spec_options, experiment);
    free(trainer);
    return code;
}

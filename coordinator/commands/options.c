#include "coordinator/commands/options.h"

#include <argp.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/error.h"
#include "coordinator/base/mem.h"
#include "coordinator/base/str.h"

enum { OPTIONS_MAX = 16, KEY_DB = 1000, KEY_JSON, KEY_CSV, KEY_FIRST };

static const struct {
    unsigned bit;
    struct argp_option option;
} common_options[] = {
    {KD_OPTION_DB,
     {"db", KEY_DB, "FILE", 0, "The database (default: $KATYDID_DB, or katydid.db here)", 1}},
    {KD_OPTION_JSON, {"json", KEY_JSON, NULL, 0, "Print JSON", 1}},
    {KD_OPTION_CSV, {"csv", KEY_CSV, NULL, 0, "Print CSV (RFC 4180)", 1}},
};

static int key_of(const struct kd_option *options, int at)
{
    return options[at].key ? options[at].key : KEY_FIRST + at;
}

static void add_word(struct kd_usage *usage, const char *word, struct argp_state *state)
{
    if (usage->n_words == usage->max_words)
        argp_error(state, "`%s` is one argument too many", word);
    usage->words[usage->n_words++] = word;
}

static error_t read_own(struct kd_usage *usage, int key, char *argument)
{
    for (int i = 0; usage->options != NULL && usage->options[i].name != NULL; i++) {
        if (key_of(usage->options, i) != key)
            continue;
        if (usage->options[i].argument != NULL)
            *(const char **)usage->options[i].to = argument;
        else
            *(bool *)usage->options[i].to = true;
        return 0;
    }
    return ARGP_ERR_UNKNOWN;
}

static error_t read_option(int key, char *argument, struct argp_state *state)
{
    struct kd_usage *usage = state->input;
    switch (key) {
    case KEY_DB:
        usage->db = argument;
        return 0;
    case KEY_JSON:
        usage->format = KD_FORMAT_AS_JSON;
        return 0;
    case KEY_CSV:
        usage->format = KD_FORMAT_AS_CSV;
        return 0;
    case ARGP_KEY_ARG:
        add_word(usage, argument, state);
        return 0;
    case ARGP_KEY_END:
        if (usage->n_words < usage->min_words)
            argp_error(state, "an argument is missing");
        return 0;
    default:
        return read_own(usage, key, argument);
    }
}

static void list_options(const struct kd_usage *usage, struct argp_option *list)
{
    int n = 0;
    for (int i = 0; usage->options != NULL && usage->options[i].name != NULL; i++)
        list[n++] = (struct argp_option){usage->options[i].name,     key_of(usage->options, i),
                                         usage->options[i].argument, 0,
                                         usage->options[i].help,     0};
    for (size_t i = 0; i < KD_COUNT(common_options); i++)
        if (usage->common & common_options[i].bit)
            list[n++] = common_options[i].option;
    kd_assert(n < OPTIONS_MAX);
}

void kd_usage_read(struct kd_usage *usage, int argc, char **argv)
{
    struct argp_option list[OPTIONS_MAX] = {0};
    char *doc = kd_format("%s%s%s", usage->command->summary, usage->doc ? "\v" : "",
                          usage->doc ? usage->doc : "");
    struct argp argp = {
        .options = list, .parser = read_option, .args_doc = usage->command->arguments, .doc = doc};
    list_options(usage, list);
    if (argp_parse(&argp, argc, argv, 0, NULL, usage) != 0)
        exit(KD_EXIT_USAGE);
    free(doc);
}

int kd_option_int(const char *option, const char *text, int min, int fallback)
{
    long long value;
    if (text == NULL)
        return fallback;
    if (kd_integer_parse(text, &value) == 0 && value >= min && value <= INT_MAX)
        return (int)value;
    fprintf(stderr, "katydid: %s takes a whole number of at least %d, not `%s`\n", option, min,
            text);
    return -1;
}

/* shorthand.c - a command line as a spec, in YAML that a person would write. */
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/json.h"
#include "coordinator/base/mem.h"
#include "coordinator/base/str.h"
#include "coordinator/spec/read.h"
#include "coordinator/spec/spec_read.h"
#include "coordinator/spec/sweep.h"

/* A JSON string is a YAML string, whatever is in it. */
/* Without a number a search in one line would never end. */
enum { DEFAULT_TRIALS = 40 };

static void add_quoted(struct kd_str *out, const char *text)
{
    struct kd_json json = kd_json_to(out);
    kd_json_string(&json, text);
}

static const char *distribution(const struct kd_sweep *sweep)
{
    if (sweep->is_normal)
        return sweep->is_log ? "logNormal" : "normal";
    return sweep->is_log ? "logUniform" : NULL;
}

static void add_list(struct kd_str *out, const struct kd_sweep *sweep)
{
    kd_str_add(out, "list: [");
    for (int i = 0; i < sweep->n_list; i++) {
        kd_str_add(out, i ? ", " : "");
        if (sweep->all_numbers)
            kd_str_add(out, sweep->list[i]);
        else
            add_quoted(out, sweep->list[i]);
    }
    kd_str_add(out, "]");
}

static void add_range(struct kd_str *out, const struct kd_sweep *sweep)
{
    char min[KD_NUMBER_MAX], max[KD_NUMBER_MAX], step[KD_NUMBER_MAX];
    kd_str_addf(out, "min: %s, max: %s", kd_number_text(sweep->min, min),
                kd_number_text(sweep->max, max));
    if (sweep->step > 0 && !(sweep->is_int && sweep->step == 1))
        kd_str_addf(out, ", step: %s", kd_number_text(sweep->step, step));
    if (distribution(sweep))
        kd_str_addf(out, ", distribution: %s", distribution(sweep));
}

static int add_parameter(struct kd_str *out, const char *text, struct kd_error *err)
{
    struct kd_sweep sweep;
    if (kd_sweep_parse(text, &sweep, err) != 0)
        return -1;
    const char *type = sweep.list     ? sweep.all_numbers ? "discrete" : "categorical"
                       : sweep.is_int ? "int"
                                      : "double";
    kd_str_add(out, "    - {name: ");
    add_quoted(out, sweep.name);
    kd_str_addf(out, ", parameterType: %s, feasibleSpace: {", type);
    if (sweep.list)
        add_list(out, &sweep);
    else
        add_range(out, &sweep);
    kd_str_add(out, "}}\n");
    kd_sweep_release(&sweep);
    return 0;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static bool is_runner(const char *program)
{
    static const char *const runners[] = {"python", "sh",   "bash", "env",     "torchrun", "mpirun",
                                          "uv",     "node", "perl", "Rscript", "julia"};
    for (size_t i = 0; i < KD_COUNT(runners); i++)
        if (strncmp(program, runners[i], strlen(runners[i])) == 0)
            return true;
    return false;
}

/* `python3 train_gpt.py` is called train-gpt. */
static char *name_of(const char *const *argv)
{
    const char *word = base_name(argv[0]);
    for (int i = 1; is_runner(base_name(argv[0])) && argv[i]; i++) {
        if (argv[i][0] != '-' && strcmp(argv[i], "run") != 0 && argv[i][0] != '$') {
            word = base_name(argv[i]);
            break;
        }
    }
    struct kd_str out = {0};
    size_t length = strcspn(word, ".");
    for (size_t i = 0; i < length && out.length < 40; i++) {
        char c = word[i] >= 'A' && word[i] <= 'Z' ? (char)(word[i] + 32) : word[i];
        bool is_letter = c >= 'a' && c <= 'z', is_digit = c >= '0' && c <= '9';
        if (is_letter || (is_digit && out.length > 0))
            kd_str_addc(&out, c);
        else if (out.length > 0 && out.text[out.length - 1] != '-')
            kd_str_addc(&out, '-');
    }
    while (out.length > 0 && out.text[out.length - 1] == '-')
        out.text[--out.length] = '\0';
    if (out.length == 0)
        kd_str_add(&out, "sweep");
    return kd_str_take(&out);
}

static void add_head(struct kd_str *out, const struct kd_shorthand *shorthand)
{
    char *made = shorthand->name ? NULL : name_of(shorthand->argv);
    kd_str_add(out, "apiVersion: katydid/v1\nkind: Experiment\nmetadata: {name: ");
    add_quoted(out, made ? made : shorthand->name);
    kd_str_addf(out, "}\nspec:\n  objective: {type: %s, objectiveMetricName: ",
                shorthand->maximize ? "maximize" : "minimize");
    add_quoted(out, shorthand->metric);
    kd_str_add(out, "}\n");
    if (shorthand->algorithm) {
        kd_str_add(out, "  algorithm: {algorithmName: ");
        add_quoted(out, shorthand->algorithm);
        kd_str_add(out, "}\n");
    }
    if (shorthand->parallel_trials > 0)
        kd_str_addf(out, "  parallelTrialCount: %d\n", shorthand->parallel_trials);
    kd_str_addf(out, "  maxTrialCount: %d\n",
                shorthand->max_trials > 0 ? shorthand->max_trials : DEFAULT_TRIALS);
    free(made);
}

static int check(const struct kd_shorthand *shorthand, struct kd_error *err)
{
    if (shorthand->metric == NULL || *shorthand->metric == '\0')
        return kd_fail(err, "no metric: say --maximize NAME or --minimize NAME");
    if (shorthand->argv == NULL || shorthand->argv[0] == NULL)
        return kd_fail(err, "no command: write it after --, as in -- python train.py '${args}'");
    if (shorthand->sweeps == NULL || shorthand->sweeps[0] == NULL)
        return kd_fail(err, "nothing to tune: name a parameter, as in 'lr=interval(1e-5,1e-1)'");
    return 0;
}

char *kd_shorthand_to_yaml(const struct kd_shorthand *shorthand, struct kd_error *err)
{
    struct kd_str out = {0};
    if (check(shorthand, err) != 0)
        return NULL;
    add_head(&out, shorthand);
    kd_str_add(&out, "  parameters:\n");
    for (const char *const *sweep = shorthand->sweeps; *sweep; sweep++) {
        if (add_parameter(&out, *sweep, err) != 0) {
            kd_str_release(&out);
            return NULL;
        }
    }
    kd_str_add(&out, "  trialTemplate:\n    command: [");
    for (int i = 0; shorthand->argv[i]; i++) {
        kd_str_add(&out, i ? ", " : "");
        add_quoted(&out, shorthand->argv[i]);
    }
    kd_str_add(&out, "]\n");
    return kd_str_take(&out);
}

/* render.c - one trial's argv, environment and trainer block. */
#include "coordinator/spec/render.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "coordinator/base/json.h"
#include "coordinator/base/mem.h"
#include "coordinator/spec/environment.h"
#include "coordinator/spec/fill.h"
#include "coordinator/spec/images.h"
#include "coordinator/spec/placeholders.h"

struct render {
    struct kd_fill fill;
    const struct kd_experiment *experiment;
    const char *image_target; /* NULL = not a Job, or its paths are this machine's */
    KD_ARR(char *) argv;
    struct kd_environment env, own; /* own: what $(NAME) may name */
    char *metrics_file;             /* where a Job's File collector is moved to */
    bool metrics_file_is_named;
};

char *kd_point_json(const struct kd_space *space, const double *values)
{
    struct kd_str out = {0};
    struct kd_json json = kd_json_to(&out);
    char buffer[KD_NUMBER_MAX];
    kd_json_open(&json, '{');
    for (int i = 0; i < space->n_params; i++) {
        const struct kd_param *param = &space->params[i];
        if (isnan(values[i]))
            continue;
        const char *text = kd_param_text(param, values[i], buffer);
        if (param->type == KD_PARAM_CATEGORICAL)
            kd_json_add_string(&json, param->name, text);
        else if (param->type == KD_PARAM_INT)
            kd_json_add_raw(&json, param->name, text);
        else
            kd_json_add_number(&json, param->name, values[i]);
    }
    kd_json_close(&json, '}');
    return kd_str_take(&out);
}

static char *filled(const struct render *r, const char *text)
{
    struct kd_str out = {0};
    if (kd_fill_text(&r->fill, text, &out))
        return kd_str_take(&out);
    kd_str_release(&out);
    return NULL;
}

/* Takes `from`; every occurrence of a path in it is replaced. */
static char *replaced(char *from, const char *path, const char *with, bool *found)
{
    struct kd_str out = {0};
    const char *at = from, *hit;
    while ((hit = strstr(at, path)) != NULL) {
        kd_str_addn(&out, at, (size_t)(hit - at));
        kd_str_add(&out, with);
        at = hit + strlen(path);
        *found = true;
    }
    kd_str_add(&out, at);
    free(from);
    return kd_str_take(&out);
}

/* A word of a Job's container as it reads on this machine. Takes the text. */
static char *localized(struct render *r, char *text)
{
    char *expanded = kd_environment_expand(&r->own, text);
    free(text);
    if (r->metrics_file)
        expanded = replaced(expanded, r->experiment->template.collector.file, r->metrics_file,
                            &r->metrics_file_is_named);
    if (r->image_target == NULL)
        return expanded;
    char *moved = kd_image_word(r->image_target, expanded);
    free(expanded);
    return moved;
}

/* ${args} and ${overrides}: one word per active parameter. */
static void add_pairs(struct render *r, const char *dashes)
{
    const struct kd_space *space = &r->experiment->space;
    char buffer[KD_NUMBER_MAX];
    for (int i = 0; i < space->n_params; i++) {
        if (isnan(r->fill.values[i]))
            continue;
        const char *text = kd_param_text(&space->params[i], r->fill.values[i], buffer);
        kd_arr_push(&r->argv, kd_format("%s%s=%s", dashes, space->params[i].name, text));
    }
}

static void add_word(struct render *r, const char *template)
{
    enum kd_binding_kind alone = kd_placeholder_alone(r->experiment, template).kind;
    if (alone == KD_BIND_ARGS || alone == KD_BIND_OVERRIDES) {
        add_pairs(r, alone == KD_BIND_ARGS ? "--" : "");
        return;
    }
    char *text = filled(r, template);
    if (text && r->experiment->template.kind == KD_TEMPLATE_JOB)
        text = localized(r, text);
    if (text)
        kd_arr_push(&r->argv, text);
}

static void add_own_env(struct render *r)
{
    const struct kd_template *template = &r->experiment->template;
    kd_environment_set(&r->own, "KATIB_TRIAL_NAME", r->fill.trial_name);
    for (int i = 0; i < template->n_env; i++) {
        char *value = filled(r, template->env[i].value);
        if (value && template->kind == KD_TEMPLATE_JOB)
            value = localized(r, value);
        if (value) {
            kd_environment_set(&r->own, template->env[i].name, value);
            kd_environment_set(&r->env, template->env[i].name, value);
        }
        free(value);
    }
}

static void set_number(struct kd_environment *env, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void set_number(struct kd_environment *env, const char *name, const char *format, ...)
{
    char text[64];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    kd_environment_set(env, name, text);
}

static void add_katydid_env(struct render *r)
{
    const struct kd_render_context *context = r->fill.context;
    struct kd_environment *env = &r->env;
    char *params = kd_format("%s/params.json", context->trial_dir), budget[KD_NUMBER_MAX];
    kd_environment_set(env, "KATYDID_EXPERIMENT", r->experiment->name);
    set_number(env, "KATYDID_TRIAL", "%d", context->trial);
    set_number(env, "KATYDID_ATTEMPT", "%d", context->attempt);
    set_number(env, "KATYDID_SEED", "%" PRIu64, context->seed);
    kd_environment_set(env, "KATYDID_TRIAL_DIR", context->trial_dir);
    kd_environment_set(env, "KATYDID_PARAMS", params);
    kd_environment_set(env, "KATYDID_CHECKPOINT_DIR", r->fill.checkpoint_dir);
    kd_environment_set(env, "KATIB_TRIAL_NAME", r->fill.trial_name);
    if (context->budget > 0)
        kd_environment_set(env, "KATYDID_BUDGET", kd_number_text(context->budget, budget));
    if (context->report_endpoint)
        kd_environment_set(env, "KATYDID_REPORT", context->report_endpoint);
    free(params);
}

/* In this order, later ones win: the caller's, a default of ours, the user's, and what is ours to
 * say. */
static void build_env(struct render *r)
{
    if (r->experiment->template.env_policy == KD_ENV_INHERIT)
        kd_environment_inherit(&r->env, r->fill.context->caller_env);
    kd_environment_set(&r->env, "PYTHONUNBUFFERED", "1");
    add_own_env(r);
    add_katydid_env(r);
}

static char *absolute(const char *base, const char *path)
{
    return *path == '/' ? kd_strdup(path) : kd_format("%s/%s", base, path);
}

/* NULL: the text names an inactive parameter. */
static char *filled_path(const struct render *r, const char *text, const char *base)
{
    char *path = text ? filled(r, text) : NULL;
    char *whole = path ? absolute(base, path) : NULL;
    free(path);
    return whole;
}

static char *working_dir(struct render *r)
{
    const struct kd_template *template = &r->experiment->template;
    const char *base = r->experiment->base_dir;
    if (template->working_dir == NULL)
        return kd_strdup(base);
    char *dir = filled_path(r, template->working_dir, base);
    if (dir && template->kind == KD_TEMPLATE_JOB)
        dir = localized(r, dir);
    return dir ? dir : kd_strdup(base);
}

static int find_image(struct render *r, struct kd_error *err)
{
    const struct kd_template *template = &r->experiment->template;
    struct stat st;
    if (template->kind != KD_TEMPLATE_JOB || template->image == NULL)
        return 0;
    const char *target = kd_image_target(r->fill.context->images, template->image, err);
    if (target == NULL)
        return -1;
    if (strcmp(target, "host") == 0)
        return 0;
    if (stat(target, &st) != 0 || !S_ISDIR(st.st_mode))
        return kd_fail(err, "--image-map %s=%s: there is no such folder", template->image, target);
    r->image_target = target;
    return 0;
}

static void move_metrics_file(struct render *r)
{
    const struct kd_template *template = &r->experiment->template;
    const char *file = template->collector.file;
    if (template->kind == KD_TEMPLATE_JOB && file)
        r->metrics_file = kd_format("%s/%s", r->fill.context->trial_dir, strrchr(file, '/') + 1);
}

/* A Job's path is moved into the trial's folder only where the program is told of it. */
static char *metrics_file(struct render *r, const char *base)
{
    const struct kd_template *template = &r->experiment->template;
    if (template->collector.file == NULL)
        return NULL;
    if (template->kind == KD_TEMPLATE_JOB)
        return kd_strdup(r->metrics_file_is_named ? r->metrics_file : template->collector.file);
    return filled_path(r, template->collector.file, base);
}

static void build(struct render *r, struct kd_rendered *out)
{
    const struct kd_template *template = &r->experiment->template;
    move_metrics_file(r);
    build_env(r);
    for (char **word = template->argv; word && *word; word++)
        add_word(r, *word);
    kd_arr_push(&r->argv, NULL);
    out->argv = r->argv.items;
    out->working_dir = working_dir(r);
    out->metrics_file = metrics_file(r, out->working_dir);
    out->checkpoint_dir = kd_strdup(r->fill.checkpoint_dir);
    out->params_json = kd_point_json(&r->experiment->space, r->fill.values);
    if (template->trainer)
        out->trainer = kd_fill_tree(&r->fill, template->trainer);
    out->env = kd_environment_take(&r->env);
}

int kd_render(const struct kd_experiment *experiment, const double *values,
              const struct kd_render_context *context, struct kd_rendered *out,
              struct kd_error *err)
{
    char *name = kd_format("%s-%d", experiment->name, context->trial);
    struct render r = {
        .experiment = experiment,
        .fill = {experiment, values, context, context->checkpoint_dir, name},
    };
    *out = (struct kd_rendered){0};
    char *own_dir = filled_path(&r, experiment->template.checkpoint.dir, experiment->base_dir);
    if (own_dir)
        r.fill.checkpoint_dir = own_dir;
    int rc = find_image(&r, err);
    if (rc == 0)
        build(&r, out);
    if (rc == 0 && experiment->template.kind != KD_TEMPLATE_TRAINER && out->argv[0] == NULL) {
        rc = kd_fail(err, "the command of trial %d is empty: all its words were left out",
                     context->trial);
        kd_rendered_release(out);
    }
    kd_environment_release(&r.own);
    free(r.metrics_file);
    free(own_dir);
    free(name);
    return rc;
}

static void release_list(char **list)
{
    for (char **item = list; item && *item; item++)
        free(*item);
    free(list);
}

void kd_rendered_release(struct kd_rendered *rendered)
{
    release_list(rendered->argv);
    release_list(rendered->env);
    free(rendered->working_dir);
    free(rendered->checkpoint_dir);
    free(rendered->metrics_file);
    free(rendered->params_json);
    json_decref(rendered->trainer);
    *rendered = (struct kd_rendered){0};
}

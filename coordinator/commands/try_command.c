/* try_command.c - katydid try: one trial in front of you. What it runs and where, its output as it
 * comes, and which metrics were seen in it and which were not. Nothing is kept. */
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "coordinator/base/log.h"
#include "coordinator/base/str.h"
#include "coordinator/commands/command.h"
#include "coordinator/commands/spec_options.h"
#include "coordinator/launch/run_dir.h"
#include "coordinator/loop.h"
#include "coordinator/progress.h"
#include "coordinator/spec/point.h"

struct seen {
    const char *name; /* borrowed from the experiment */
    int64_t n, last_step;
    double last;
};

struct attempt_view {
    const struct kd_experiment *experiment;
    struct kd_image_map images;
    char *log;         /* owned; of the running attempt */
    int64_t log_shown; /* bytes */
    struct seen *seen; /* the objective, then the additional metrics */
    int n_seen;
    char *end; /* owned: how the trial ended */
    bool succeeded;
};

/* ---- which words are values of parameters, which are overrides of the spec ---- */

static bool names_parameter(const struct kd_space *space, const char *word)
{
    const char *equals = strchr(word, '=');
    if (equals == NULL)
        return false;
    char *name = kd_strndup(word, (size_t)(equals - word));
    bool found = kd_space_find(space, name) >= 0;
    free(name);
    return found;
}

typedef KD_ARR(const char *) word_list;

/* Reads the spec twice: first to learn its parameters, then with what remains as overrides. */
static int read_spec(struct kd_spec_arguments *arguments, struct kd_experiment *experiment,
                     word_list *values)
{
    if (arguments->metric == NULL && arguments->words.n > 1) {
        struct kd_experiment plain = {0};
        struct kd_problems problems = {0};
        struct kd_spec_options spec_options = {0};
        size_t kept = 1;
        bool known =
            kd_spec_read_file(arguments->words.items[0], &spec_options, &plain, &problems) == 0;
        for (size_t i = 1; known && i < arguments->words.n; i++) {
            const char *word = arguments->words.items[i];
            if (names_parameter(&plain.space, word))
                kd_arr_push(values, word);
            else
                arguments->words.items[kept++] = word;
        }
        if (known)
            arguments->words.n = kept;
        kd_problems_release(&problems);
        if (known)
            kd_experiment_release(&plain);
    }
    return kd_spec_arguments_read(arguments, experiment);
}

/* The values that the user gives, NaN for the rest; do they go together? */
static int read_values(const struct kd_space *space, const word_list *values, double *point,
                       struct kd_error *err)
{
    int result = 0, at;
    for (int i = 0; i < space->n_params; i++)
        point[i] = NAN;
    for (size_t i = 0; i < values->n && result == 0; i++) {
        const char *equals = strchr(values->items[i], '=');
        char *name = kd_strndup(values->items[i], (size_t)(equals - values->items[i]));
        int param = kd_space_find(space, name);
        result = kd_param_parse(&space->params[param], equals + 1, &point[param], err);
        free(name);
    }
    return result == 0 ? kd_point_check(space, point, &at, err) : -1;
}

/* The first point that the strategy would give, or the user's, with what it leaves out drawn. */
static int choose_point(const struct kd_experiment *experiment, const word_list *values,
                        double *point, struct kd_error *err)
{
    struct kd_task task = kd_experiment_task(experiment);
    if (read_values(&experiment->space, values, point, err) != 0)
        return -1;
    struct kd_sampler *sampler =
        values->n == 0 ? kd_experiment_sampler(experiment, err)
                       : kd_sampler_new(experiment->strategy, &task, &experiment->strategy_settings,
                                        experiment->seed, err);
    if (sampler == NULL)
        return -1;
    if (values->n > 0)
        kd_sampler_enqueue(sampler, point, 1);
    struct kd_history history;
    kd_experiment_history(experiment, &history);
    kd_sampler_ask(sampler, &history, 1, point);
    kd_sampler_free(sampler);
    kd_history_release(&history);
    return 0;
}

/* ---- showing ---- */

static void show_output(struct attempt_view *view)
{
    char bytes[65536];
    ssize_t n;
    int fd = view->log ? open(view->log, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    while ((n = pread(fd, bytes, sizeof bytes, view->log_shown)) > 0) {
        view->log_shown += n;
        fwrite(bytes, 1, (size_t)n, stdout);
    }
    fflush(stdout);
    close(fd);
}

static void show_command(const struct attempt_view *view, const struct kd_study *study,
                         const struct kd_action *action)
{
    const struct kd_study_gang *gang = kd_study_find_gang((struct kd_study *)study, action->gang);
    char *point = action->trial >= 0 ? kd_point_text(&view->experiment->space,
                                                     study->trials.items[action->trial].values)
                                     : NULL;
    kd_info("on %s: %d rank%s", gang->row.slots, study->n_ranks, study->n_ranks == 1 ? "" : "s");
    if (point)
        kd_info("point: %s", point);
    free(point);
}

static void show_argv(const struct attempt_view *view, const struct kd_trial *trial)
{
    struct kd_render_context context = {.trial = trial->number,
                                        .attempt = 1,
                                        .seed = (uint64_t)trial->seed,
                                        .trial_dir = "TRIAL_DIR",
                                        .checkpoint_dir = "TRIAL_DIR/checkpoint",
                                        .images = &view->images,
                                        .caller_env = (const char *const *)environ};
    struct kd_rendered rendered;
    struct kd_error err;
    if (kd_render(view->experiment, trial->values, &context, &rendered, &err) != 0)
        return;
    struct kd_str line = {0};
    for (char **word = rendered.argv; word && *word; word++)
        kd_str_addf(&line, " %s", *word);
    if (rendered.trainer) {
        char *text = json_dumps(rendered.trainer, JSON_COMPACT);
        kd_str_addf(&line, " the built-in trainer with %s", text);
        free(text);
    }
    kd_info("in %s:%s", rendered.working_dir ? rendered.working_dir : view->experiment->base_dir,
            kd_str_text(&line));
    kd_str_release(&line);
    kd_rendered_release(&rendered);
}

static void note_trial(struct attempt_view *view, const struct kd_trial *trial)
{
    if (trial->log && (view->log == NULL || strcmp(view->log, trial->log) != 0)) {
        free(view->log);
        view->log = kd_strdup(trial->log);
        view->log_shown = 0;
    }
    if (!kd_trial_is_terminal(trial->state))
        return;
    show_output(view);
    free(view->end);
    view->end = kd_format("%s: %s", kd_trial_state_name(trial->state), trial->reason);
    view->succeeded = trial->state == KD_TRIAL_SUCCEEDED;
}

static void on_action(void *ud, const struct kd_study *study, const struct kd_action *action)
{
    struct attempt_view *view = ud;
    if (action->kind == KD_DO_START)
        show_command(view, study, action);
    if ((action->kind == KD_DO_START || action->kind == KD_DO_ASSIGN) && action->trial >= 0)
        show_argv(view, &study->trials.items[action->trial]);
    if (action->kind == KD_DO_SAVE_TRIAL)
        note_trial(view, &study->trials.items[action->trial]);
}

static void on_metrics(void *ud, const struct kd_study *study, int64_t fence,
                       const struct kd_metric_point *points, int n)
{
    struct attempt_view *view = ud;
    (void)study;
    (void)fence;
    for (int i = 0; i < n; i++)
        for (int k = 0; k < view->n_seen; k++)
            if (strcmp(view->seen[k].name, points[i].name) == 0) {
                view->seen[k].n++;
                view->seen[k].last = points[i].value;
                view->seen[k].last_step = points[i].step;
            }
}

static void on_tick(void *ud, const struct kd_study *study)
{
    (void)study;
    show_output(ud);
}

static void on_note(void *ud, const char *text)
{
    (void)ud;
    kd_info("%s", text);
}

static void print_seen(const struct attempt_view *view)
{
    for (int k = 0; k < view->n_seen; k++) {
        const struct seen *seen = &view->seen[k];
        if (seen->n == 0)
            kd_info("metric %s: not seen", seen->name);
        else
            kd_info("metric %s: %lld points, the last %.6g at step %lld", seen->name,
                    (long long)seen->n, seen->last, (long long)seen->last_step);
    }
    kd_info("%s", view->end ? view->end : "it did not end");
}

static void prepare_view(struct attempt_view *view, const struct kd_experiment *experiment)
{
    const struct kd_objective *objective = &experiment->objective;
    view->experiment = experiment;
    view->n_seen = 1 + objective->n_additional;
    view->seen = KD_NEW_ARRAY(struct seen, (size_t)view->n_seen);
    view->seen[0].name = objective->metric;
    for (int i = 0; i < objective->n_additional; i++)
        view->seen[i + 1].name = objective->additional[i];
}

static int try_point(struct kd_experiment *experiment, struct kd_image_map images,
                     const double *point)
{
    char dir[] = "/tmp/katydid-try-XXXXXX";
    if (mkdtemp(dir) == NULL) {
        kd_log(KD_LOG_ERROR, "cannot make a folder in /tmp");
        return KD_EXIT_ERROR;
    }
    struct attempt_view view = {.images = images};
    prepare_view(&view, experiment);
    struct kd_watcher watcher = {
        .ud = &view, .action = on_action, .metrics = on_metrics, .tick = on_tick, .note = on_note};
    char *database = kd_format("%s/try.db", dir);
    struct kd_run_options options = {.database = database,
                                     .experiment = experiment,
                                     .images = &images,
                                     .watcher = &watcher,
                                     .fixed_point = point};
    experiment->max_trials = experiment->parallel_trials = 1;
    experiment->stopper = NULL; /* one trial, to its end */
    struct kd_run_result result;
    struct kd_error err = {0};
    enum kd_run_end end = kd_run(&options, &result, &err);
    if (end == KD_RUN_ENDED || end == KD_RUN_INTERRUPTED)
        print_seen(&view);
    else
        kd_log(KD_LOG_ERROR, "%s", err.text);
    kd_dir_remove(dir);
    int code = end == KD_RUN_INTERRUPTED               ? KD_EXIT_INTERRUPTED
               : end == KD_RUN_ENDED && view.succeeded ? KD_EXIT_OK
                                                       : KD_EXIT_ERROR;
    free(database);
    free(view.log);
    free(view.end);
    free(view.seen);
    return code;
}

static int run(int argc, char **argv)
{
    struct kd_spec_arguments arguments = {0};
    struct argp argp = kd_spec_argp;
    argp.args_doc = "SPEC [key=value...]";
    argp.doc =
        "Runs one trial in front of you and keeps nothing. key=value sets a parameter by its "
        "name, or overrides a field of the spec.";
    argc = kd_spec_arguments_split(&arguments, argc, argv);
    if (argp_parse(&argp, argc, argv, 0, NULL, &arguments) != 0)
        return KD_EXIT_USAGE;
    struct kd_experiment experiment = {0};
    word_list values = {0};
    int code = read_spec(&arguments, &experiment, &values);
    if (code == KD_EXIT_OK) {
        struct kd_error err;
        double *point = KD_NEW_ARRAY(double, (size_t)experiment.space.n_params + 1);
        if (choose_point(&experiment, &values, point, &err) == 0) {
            code = try_point(&experiment, kd_spec_arguments_images(&arguments), point);
        } else {
            kd_log(KD_LOG_ERROR, "%s", err.text);
            code = KD_EXIT_USAGE;
        }
        free(point);
        kd_experiment_release(&experiment);
    }
    kd_arr_release(&values);
    kd_spec_arguments_release(&arguments);
    return code < 0 ? KD_EXIT_OK : code;
}

const struct kd_command kd_command_try = {
    .name = "try",
    .arguments = "SPEC [key=value...]",
    .summary = "One trial in front of you; nothing is kept",
    .run = run,
};

/* check_trainer.c - asks katydid-trainer whether its block is right.
 *
 * The trainer's grammar is the trainer's own. It gets the block with every placeholder filled, at
 * the low and at the high end of the space, with every choice once and every conditional parameter
 * active, and answers with JSON pointers, which become lines and columns. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "coordinator/base/clock.h"
#include "coordinator/base/mem.h"
#include "coordinator/base/str.h"
#include "coordinator/spec/fill.h"
#include "coordinator/spec/read.h"

enum { DEADLINE_S = 10, MOST_ANSWER = 1 << 20, MOST_POINTS = 64 };

extern char **environ;

struct child {
    pid_t pid;
    int to, from;
};

static int start(const char *program, struct child *child, struct kd_error *err)
{
    int in[2], out[2];
    if (pipe2(in, O_CLOEXEC) != 0)
        return kd_fail_errno(err, "%s --check", program);
    if (pipe2(out, O_CLOEXEC) != 0) {
        close(in[0]), close(in[1]);
        return kd_fail_errno(err, "%s --check", program);
    }
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    char *const argv[] = {(char *)program, "--check", NULL};
    errno = posix_spawn(&child->pid, program, &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(in[0]), close(out[1]);
    child->to = in[1], child->from = out[0];
    if (errno == 0)
        return 0;
    close(in[1]), close(out[0]);
    return kd_fail_errno(err, "%s cannot be started", program);
}

/* Writes what fits; closes the pipe at the end or when nobody reads. */
static void feed(struct child *child, const char **text)
{
    ssize_t n = write(child->to, *text, strlen(*text));
    if (n > 0)
        *text += n;
    if (**text == '\0' || (n < 0 && errno != EINTR && errno != EAGAIN)) {
        close(child->to);
        child->to = -1;
    }
}

/* true: there may be more. */
static bool collect(const struct child *child, struct kd_str *answer)
{
    char buffer[4096];
    ssize_t n = read(child->from, buffer, sizeof buffer);
    if (n > 0)
        kd_str_addn(answer, buffer, (size_t)n);
    return (n > 0 && answer->length < MOST_ANSWER) ||
           (n < 0 && (errno == EINTR || errno == EAGAIN));
}

static int converse(struct child *child, const char *question, struct kd_str *answer)
{
    int64_t deadline = kd_clock_mono_us() + (int64_t)DEADLINE_S * 1000000;
    fcntl(child->to, F_SETFL, O_NONBLOCK);
    for (;;) {
        int64_t left_ms = (deadline - kd_clock_mono_us()) / 1000;
        struct pollfd fds[2] = {{child->from, POLLIN, 0}, {child->to, POLLOUT, 0}};
        if (left_ms <= 0)
            return -1;
        if (poll(fds, child->to >= 0 ? 2 : 1, (int)left_ms) < 0 && errno != EINTR)
            return -1;
        if (child->to >= 0 && fds[1].revents)
            feed(child, &question);
        if (fds[0].revents && !collect(child, answer))
            return 0;
    }
}

static void end(struct child *child, bool kill_it)
{
    if (child->to >= 0)
        close(child->to);
    close(child->from);
    if (kill_it)
        kill(child->pid, SIGKILL);
    while (waitpid(child->pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

/* The answer as JSON, or NULL and err. A broken pipe must not end us. */
static json_t *ask(const char *program, const char *question, struct kd_error *err)
{
    struct child child;
    struct kd_str answer = {0};
    struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
    if (start(program, &child, err) != 0)
        return NULL;
    sigaction(SIGPIPE, &ignore, &before);
    int rc = converse(&child, question, &answer);
    end(&child, rc != 0);
    sigaction(SIGPIPE, &before, NULL);
    json_t *json = rc == 0 ? json_loads(kd_str_text(&answer), 0, NULL) : NULL;
    if (rc != 0)
        kd_fail(err, "%s --check did not answer within %d s", program, DEADLINE_S);
    else if (!json_is_array(json_object_get(json, "errors"))) {
        kd_fail(err, "%s --check gave no answer that can be read: %.200s", program,
                answer.length ? answer.text : "nothing");
        json_decref(json);
        json = NULL;
    }
    kd_str_release(&answer);
    return json;
}

/* The trainer is told its folder in JSON, which has no way to say a name that is not UTF-8. */
static int check_folder(struct kd_reader *reader, const struct kd_yaml *block)
{
    json_t *folder = json_string(reader->experiment->base_dir);
    bool is_utf8 = folder != NULL;
    json_decref(folder);
    if (is_utf8)
        return 0;
    kd_found_error(reader->findings, block->key_mark,
                   "the name of the spec's folder, %s, is not UTF-8, which the built-in trainer "
                   "needs: rename the folder, or move the spec to another",
                   reader->experiment->base_dir);
    return -1;
}

/* The k-th of n points: the low ends first, the high ends last, every choice at least once. */
static void fill_point(const struct kd_space *space, int k, int n, double *values)
{
    for (int i = 0; i < space->n_params; i++) {
        const struct kd_param *param = &space->params[i];
        bool is_list = param->type == KD_PARAM_CATEGORICAL;
        int last = param->n_choices - 1;
        if (is_list)
            values[i] = k < last ? k : last;
        else
            values[i] = k == n - 1 ? kd_param_clip(param, param->max) : param->min;
    }
}

/* The conditions of parameter i and of what it hangs on are met. */
static void activate(const struct kd_space *space, int i, double *values)
{
    const struct kd_condition *condition = space->params[i].condition;
    for (; condition; condition = space->params[condition->parent].condition)
        values[condition->parent] = condition->values[0];
}

static int count_conditions(const struct kd_space *space)
{
    int n = 0;
    for (int i = 0; i < space->n_params; i++)
        n += space->params[i].condition != NULL;
    return n;
}

/* After the n plain points two for each conditional parameter: active, at its low and at its high
 * end. */
static void choose_point(const struct kd_space *space, int k, int n, double *values)
{
    int which = (k - n) / 2, at = -1;
    bool is_high = k >= n && (k - n) % 2 == 1;
    fill_point(space, k < n ? k : is_high ? n - 1 : 0, n, values);
    for (int i = 0; k >= n && i < space->n_params && at < 0; i++)
        if (space->params[i].condition && which-- == 0)
            at = i;
    if (at >= 0)
        activate(space, at, values);
    kd_space_mask(space, values);
}

static int count_points(const struct kd_space *space)
{
    int n = 2;
    for (int i = 0; i < space->n_params; i++)
        if (space->params[i].type == KD_PARAM_CATEGORICAL && space->params[i].n_choices > n)
            n = space->params[i].n_choices;
    return n < MOST_POINTS ? n : MOST_POINTS;
}

static char *question_at(const struct kd_experiment *experiment, const double *values)
{
    struct kd_render_context context = {.trial_dir = "/tmp", .checkpoint_dir = "/tmp"};
    struct kd_fill fill = {experiment, values, &context, context.checkpoint_dir, experiment->name};
    json_t *question =
        json_pack("{s:o, s:s}", "trainer", kd_fill_tree(&fill, experiment->template.trainer),
                  "base_dir", experiment->base_dir);
    char *text = json_dumps(question, JSON_COMPACT);
    json_decref(question);
    return text;
}

/* The block goes to its gang in one message of at most 1 MiB, other fields included. */
static bool is_too_long(struct kd_reader *reader, const struct kd_yaml *block, const char *question)
{
    enum { LONGEST = 900 * 1024 };
    size_t length = strlen(question);
    if (length > LONGEST)
        kd_found_error(
            reader->findings, block->key_mark,
            "the block has %zu bytes with its placeholders filled; at most %d can be sent", length,
            LONGEST);
    return length > LONGEST;
}

static void report(struct kd_reader *reader, const struct kd_yaml *block, const json_t *answer)
{
    size_t i;
    json_t *item;
    json_array_foreach(json_object_get(answer, "errors"), i, item)
    {
        const char *pointer = json_string_value(json_object_get(item, "pointer"));
        const char *message = json_string_value(json_object_get(item, "message"));
        if (pointer && strncmp(pointer, "/trainer/", 9) == 0)
            pointer += 8;
        kd_found_error(reader->findings, kd_yaml_mark_at(block, pointer), "trainer: %s",
                       message ? message : "refused without a reason");
    }
}

void kd_check_trainer(struct kd_reader *reader)
{
    const struct kd_experiment *experiment = reader->experiment;
    const char *program = reader->options ? reader->options->trainer_program : NULL;
    if (experiment->template.trainer == NULL)
        return;
    const struct kd_yaml *block = kd_yaml_at(reader->root, "spec.trialTemplate.trainer");
    if (check_folder(reader, block) != 0 || program == NULL)
        return;
    double *values = KD_NEW_ARRAY(double, (size_t)experiment->space.n_params + 1);
    int n = count_points(&experiment->space), most = MOST_POINTS;
    int n_all = n + 2 * count_conditions(&experiment->space);
    for (int k = 0; k < n_all && k < most; k++) {
        struct kd_error err;
        choose_point(&experiment->space, k, n, values);
        char *question = question_at(experiment, values);
        if (is_too_long(reader, block, question)) {
            free(question);
            break;
        }
        json_t *answer = ask(program, question, &err);
        free(question);
        if (answer == NULL) {
            kd_found_error(reader->findings, block->key_mark, "%s", err.text);
            break;
        }
        report(reader, block, answer);
        json_decref(answer);
    }
    free(values);
}

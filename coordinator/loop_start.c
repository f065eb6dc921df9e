/* loop_start.c - opening what a run needs, in the order in which it may fail, and closing it
 * again. */
#include "coordinator/loop_internal.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "coordinator/base/clock.h"
#include "coordinator/commands/command.h"
#include "coordinator/journal.h"
#include "coordinator/launch/run_dir.h"
#include "coordinator/spec/spec_read.h"
#include "coordinator/warm_start.h"

static const char worker_endpoint[] = "inproc://strategies";

static int find_programs(struct kd_loop *loop)
{
    const struct {
        const char *name;
        char **path;
    } needed[] = {
        {"katydid-supervisor", &loop->programs.supervisor},
        {"katydid-exec", &loop->programs.exec},
        {"katydid-trainer", &loop->trainer_program},
    };
    bool needs_trainer = loop->experiment->template.kind == KD_TEMPLATE_TRAINER;
    for (size_t i = 0; i < KD_COUNT(needed) - !needs_trainer; i++) {
        *needed[i].path = kd_program_path(needed[i].name);
        if (*needed[i].path == NULL)
            return kd_fail(loop->err,
                           "%s is not beside katydid nor in ../libexec/katydid: install katydid "
                           "whole, or set KATYDID_LIBEXEC to its folder",
                           needed[i].name);
    }
    return 0;
}

/* Enough of them, and yet too few of any kind? */
static const char *kinds_text(const struct kd_machine *machine, int wanted)
{
    bool has_kinds = false;
    for (int i = 0; i < machine->n_gpus; i++)
        has_kinds = has_kinds || kd_links_kind(&machine->links, i) != 0;
    return has_kinds && wanted <= machine->n_gpus
               ? ", whole ones and MIG instances, of which a trial gets one kind,"
               : "";
}

static int check_machine(struct kd_loop *loop)
{
    kd_machine_find(&loop->machine);
    struct kd_pool pool;
    struct kd_need need = kd_experiment_need(loop->experiment);
    kd_pool_init(&pool, loop->machine.n_gpus, loop->machine.n_cpus, loop->machine.memory_bytes,
                 &loop->machine.links);
    int capacity = kd_pool_capacity(&pool, &need);
    bool is_noted = need.gpus > 0 && loop->machine.gpu_note[0] != '\0';
    if (capacity == 0)
        return kd_fail(
            loop->err,
            "a trial asks for %d GPUs and %g cores; this machine has %d GPUs%s and %d cores%s%s "
            "(spec.resources: ask for less, or say oversubscribe: true)",
            need.gpus, need.cpu_parts / (double)KD_CORE, loop->machine.n_gpus,
            kinds_text(&loop->machine, need.gpus), loop->machine.n_cpus, is_noted ? "; " : "",
            is_noted ? loop->machine.gpu_note : "");
    int wanted = loop->experiment->parallel_trials;
    if (wanted > capacity && !need.oversubscribe)
        kd_loop_note(loop, "parallelTrialCount is %d; this machine holds %d trials at a time",
                     wanted, capacity);
    const struct kd_resources *asked = &loop->experiment->resources;
    if (asked->cpus > 0 && asked->cpus < asked->processes)
        kd_loop_note(loop,
                     "a trial's %d processes share %g cores and wait for each other, which can "
                     "take many times as long: resources.cpus=%d gives each its own",
                     asked->processes, asked->cpus, asked->processes);
    if (loop->machine.n_gpus > 0 && need.gpus == 0)
        kd_loop_note(loop, "this machine has %d GPUs and a trial asks for none (resources.gpus)",
                     loop->machine.n_gpus);
    return 0;
}

/* One clear message before the first trial, and not forty failed trials. */
static int check_command(struct kd_loop *loop)
{
    const struct kd_space *space = &loop->experiment->space;
    if (kd_loop_runs_trainer(loop))
        return 0;
    double *lowest = KD_NEW_ARRAY(double, (size_t)space->n_params + 1);
    for (int i = 0; i < space->n_params; i++)
        lowest[i] = kd_param_clip(&space->params[i], space->params[i].min);
    struct kd_render_context context = {.attempt = 1,
                                        .trial_dir = "/",
                                        .checkpoint_dir = "/",
                                        .images = loop->options->images,
                                        .caller_env = (const char *const *)environ};
    struct kd_rendered rendered = {0};
    int result = kd_render(loop->experiment, lowest, &context, &rendered, loop->err);
    if (result == 0)
        result = kd_rendered_check(&rendered, loop->err);
    kd_rendered_release(&rendered);
    free(lowest);
    return result;
}

/* A changed spec under the same name is another experiment; limits, goal and counts may change. */
static enum kd_run_end check_same_spec(struct kd_loop *loop)
{
    const struct kd_experiment *experiment = loop->experiment;
    if (strcmp(loop->row.digest, experiment->digest) == 0)
        return KD_RUN_ENDED;
    char *changed = kd_spec_difference(loop->row.canonical, experiment->canonical);
    kd_fail(loop->err,
            "%s holds an experiment '%s' with another spec. What changed:\n%s\n"
            "Run it under another name (--name other), or in another file (--db FILE).",
            kd_store_path(loop->store), experiment->name, changed);
    free(changed);
    return KD_RUN_OTHER_SPEC;
}

static int add_experiment(struct kd_loop *loop)
{
    const struct kd_experiment *experiment = loop->experiment;
    loop->row = (struct kd_experiment_row){
        .name = kd_strdup(experiment->name),
        .spec = kd_strdup(experiment->text),
        .canonical = kd_strdup(experiment->canonical),
        .digest = kd_strdup(experiment->digest),
        .base_dir = kd_strdup(experiment->base_dir),
        .file = kd_strdup(experiment->file),
        .state = kd_strdup("Created"),
        .reason = kd_strdup("ExperimentCreated"),
        .seed = experiment->seed,
        .created_at = kd_loop_now(loop),
    };
    if (kd_loop_begin(loop) != 0)
        return -1;
    int result = kd_store_add_experiment(loop->store, &loop->row, loop->err);
    loop->in_transaction = false;
    return result == 0 ? kd_store_commit(loop->store, loop->err) : -1;
}

/* The state is the journal applied again; then what the last coordinator left behind is told. */
static int resume(struct kd_loop *loop)
{
    free(loop->row.spec);
    loop->row.spec = kd_strdup(loop->experiment->text);
    if (kd_journal_resume(loop->store, loop->row.id, loop->study, loop->err) != 0)
        return kd_error_prefix(loop->err, "experiment '%s' cannot be resumed", loop->row.name);
    struct kd_event event = {.kind = KD_EVENT_TAKEOVER, .at = kd_loop_now(loop)};
    if (kd_loop_deliver(loop, &event) != 0 || kd_loop_recover_gangs(loop) != 0)
        return -1;
    kd_loop_mend_checkpoints(loop);
    loop->in_transaction = false;
    return kd_store_commit(loop->store, loop->err);
}

static enum kd_run_end open_store(struct kd_loop *loop)
{
    enum kd_store_failure why;
    loop->store = kd_store_open(loop->options->database, &why, loop->err);
    if (loop->store == NULL)
        return why == KD_STORE_LOCKED ? KD_RUN_LOCKED : KD_RUN_ERROR;
    loop->data_dir = kd_format("%s.d", kd_store_path(loop->store));
    json_t *as_json = json_string(loop->data_dir);
    json_decref(as_json);
    if (as_json == NULL && kd_loop_runs_trainer(loop)) {
        kd_fail(loop->err,
                "%s: the trainer hears of its folders in JSON, and this name is not UTF-8: "
                "put the database elsewhere (--db FILE)",
                loop->data_dir);
        return KD_RUN_BAD_SPEC;
    }
    loop->study = kd_study_new(loop->experiment);
    return KD_RUN_ENDED;
}

/* What an earlier experiment teaches this one. `try` keeps nothing and has no such experiment. */
static int read_priors(struct kd_loop *loop)
{
    struct kd_warm_counts counts;
    const char *earlier = loop->experiment->warm_start.experiment;
    if (earlier == NULL || loop->options->fixed_point)
        return 0;
    if (kd_warm_start_read(loop->store, loop->experiment, &loop->priors, &counts, loop->err) != 0)
        return -1;
    if (counts.skipped == 0)
        kd_loop_note(loop, "warm start: %d trials of '%s' teach this experiment", counts.used,
                     earlier);
    else
        kd_loop_note(loop,
                     "warm start: %d trials of '%s' teach this experiment, %d were left out (%s)",
                     counts.used, earlier, counts.skipped, counts.why);
    return 0;
}

/* Sets *resumed; tells the watcher. */
static enum kd_run_end open_experiment(struct kd_loop *loop)
{
    const struct kd_watcher *watcher = loop->options->watcher;
    int found =
        kd_store_find_experiment(loop->store, loop->experiment->name, &loop->row, loop->err);
    if (found < 0)
        return KD_RUN_ERROR;
    if (found > 0) {
        enum kd_run_end same = check_same_spec(loop);
        if (same != KD_RUN_ENDED)
            return same;
    }
    if (found == 0 && read_priors(loop) != 0)
        return KD_RUN_BAD_SPEC;
    if ((found > 0 ? resume(loop) : add_experiment(loop)) != 0)
        return KD_RUN_ERROR;
    /* The one before was killed between its first two transactions. */
    bool was_never_started = found > 0 && !loop->study->is_primed && loop->study->started_at == 0;
    if (was_never_started && read_priors(loop) != 0)
        return KD_RUN_BAD_SPEC;
    if (watcher && watcher->started)
        watcher->started(watcher->ud, loop->study, found > 0);
    return KD_RUN_ENDED;
}

/* A descriptor that holds the lock until it is closed, or -1. */
static int try_lock(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) == 0)
        return fd;
    close(fd);
    return -1;
}

/* The folder is named by the store's uuid. A copy of the file has the same: when its owner is
 * alive, ours has another name. What a killed coordinator left in it is removed; its gangs are
 * gone. */
static int claim_run_dir(struct kd_loop *loop)
{
    const char *uuid = kd_store_run_uuid(loop->store);
    char *own = kd_format("%s-%d", uuid, (int)getpid());
    const char *const names[] = {uuid, own};
    for (size_t i = 0; i < KD_COUNT(names) && loop->run_dir_lock < 0; i++) {
        free(loop->run_dir);
        loop->run_dir = kd_run_dir_make(names[i], loop->err);
        if (loop->run_dir == NULL)
            break;
        char *lock = kd_format("%s.lock", loop->run_dir);
        loop->run_dir_lock = try_lock(lock);
        free(lock);
    }
    free(own);
    if (loop->run_dir == NULL)
        return -1;
    if (loop->run_dir_lock < 0)
        return kd_fail_errno(loop->err, "cannot lock %s.lock", loop->run_dir);
    kd_dir_remove(loop->run_dir);
    return kd_dir_make(loop->run_dir, loop->err);
}

static int start_worker(struct kd_loop *loop)
{
    loop->strategy.token = kd_loop_random_token();
    struct kd_worker_place place = {
        .context = kd_router_context(loop->router),
        .endpoint = worker_endpoint,
        .run_uuid = kd_store_run_uuid(loop->store),
        .token = loop->strategy.token,
    };
    loop->worker = kd_worker_start(loop->experiment, &place, loop->err);
    return loop->worker ? 0 : -1;
}

static char *bus_file(const struct kd_loop *loop)
{
    return kd_format("%s/%s/bus", loop->data_dir, loop->experiment->name);
}

/* An external strategy finds the bus by this file, which holds the endpoint. */
static int announce_bus(struct kd_loop *loop)
{
    char *dir = kd_format("%s/%s", loop->data_dir, loop->experiment->name), *path = bus_file(loop);
    int result = kd_dir_make(dir, loop->err);
    FILE *file = result == 0 ? fopen(path, "we") : NULL;
    bool is_written = file != NULL && fprintf(file, "%s\n", loop->endpoint) > 0;
    if (file != NULL && fclose(file) != 0)
        is_written = false;
    if (result == 0 && !is_written)
        result = kd_fail_errno(loop->err, "cannot write %s", path);
    if (result == 0 && loop->options->listening)
        loop->options->listening(loop->endpoint);
    if (result == 0 && loop->options->fixed_point == NULL)
        kd_loop_note(loop, "points come from a process on the bus: %s (also in %s)", loop->endpoint,
                     path);
    free(dir);
    free(path);
    return result;
}

static void remove_bus_file(const struct kd_loop *loop)
{
    if (loop->data_dir == NULL || !loop->experiment->is_external || loop->run_dir_lock < 0)
        return;
    char *path = bus_file(loop);
    unlink(path);
    free(path);
}

static int open_bus(struct kd_loop *loop)
{
    if (claim_run_dir(loop) != 0)
        return -1;
    loop->endpoint = kd_format("ipc://%s/bus", loop->run_dir);
    const char *endpoints[] = {worker_endpoint, loop->endpoint, NULL};
    loop->router = kd_router_open(endpoints, loop->err);
    if (loop->router == NULL)
        return -1;
    return loop->experiment->is_external ? announce_bus(loop) : start_worker(loop);
}

static void catch_signals(struct kd_loop *loop)
{
    static const int stops[] = {SIGINT, SIGTERM, SIGHUP};
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < KD_COUNT(stops); i++) {
        struct sigaction old;
        sigaction(stops[i], NULL, &old);
        bool is_nohup = stops[i] == SIGHUP && old.sa_handler == SIG_IGN;
        if (!is_nohup)
            sigaddset(&set, stops[i]);
    }
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGCHLD, SIG_DFL);
    signal(SIGPIPE, SIG_IGN); /* nobody reads our output any more: the experiment goes on */
    loop->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

enum kd_run_end kd_loop_open(struct kd_loop *loop)
{
    if (find_programs(loop) != 0)
        return KD_RUN_ERROR;
    if (check_machine(loop) != 0 || check_command(loop) != 0)
        return KD_RUN_BAD_SPEC;
    enum kd_run_end end = open_store(loop);
    if (end != KD_RUN_ENDED)
        return end;
    catch_signals(loop);
    end = open_experiment(loop);
    if (end != KD_RUN_ENDED)
        return end;
    if (open_bus(loop) != 0)
        return KD_RUN_ERROR;
    kd_loop_open_gpus(loop);
    return KD_RUN_ENDED;
}

/* ---- closing ---- */

/* Gangs that still live are killed; their supervisors do it also when we cannot wait. */
static void end_gangs(struct kd_loop *loop)
{
    int64_t until = kd_clock_mono_us() + 3000000;
    for (size_t i = 0; i < loop->gangs.n; i++)
        kd_gang_kill(&loop->gangs.items[i].process);
    for (size_t i = 0; i < loop->gangs.n; i++) {
        struct kd_live_gang *gang = &loop->gangs.items[i];
        while (kd_gang_is_alive(&gang->process) && kd_clock_mono_us() < until)
            usleep(5000);
        kd_dir_remove(gang->scratch);
        kd_live_gang_release(gang);
    }
}

static void release_lists(struct kd_loop *loop)
{
    for (size_t i = 0; i < loop->failed_starts.n; i++)
        free(loop->failed_starts.items[i]);
    kd_arr_release(&loop->failed_starts);
    kd_arr_release(&loop->failed_gangs);
    kd_arr_release(&loop->gangs);
    for (size_t i = 0; i < loop->gone.n; i++)
        free(loop->gone.items[i]);
    kd_arr_release(&loop->gone);
    kd_arr_release(&loop->effects);
    kd_arr_release(&loop->shown);
    kd_arr_release(&loop->acks);
}

static void remove_run_dir(struct kd_loop *loop)
{
    char *lock = kd_format("%s.lock", loop->run_dir);
    kd_dir_remove(loop->run_dir);
    unlink(lock);
    close(loop->run_dir_lock);
    free(lock);
}

void kd_loop_close(struct kd_loop *loop)
{
    if (loop->in_transaction)
        kd_store_rollback(loop->store);
    end_gangs(loop);
    kd_loop_close_gpus(loop);
    kd_loop_end_strategy(loop);
    remove_bus_file(loop);
    kd_router_close(loop->router);
    if (loop->run_dir_lock >= 0)
        remove_run_dir(loop);
    json_decref(loop->priors);
    kd_study_free(loop->study);
    kd_store_close(loop->store);
    kd_experiment_row_release(&loop->row);
    kd_machine_release(&loop->machine);
    release_lists(loop);
    if (loop->signals >= 0)
        close(loop->signals);
    free(loop->programs.supervisor);
    free(loop->programs.exec);
    free(loop->trainer_program);
    free(loop->run_dir);
    free(loop->data_dir);
    free(loop->endpoint);
}

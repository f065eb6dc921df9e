#include "coordinator/worker.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "coordinator/base/json.h"
#include "coordinator/base/mem.h"
#include "coordinator/bus/dealer.h"
#include "coordinator/feed.h"

enum { MOST_POINTS = 4096 };

struct kd_worker {
    pthread_t thread;
    struct kd_dealer *dealer;
    struct kd_sampler *sampler;
    struct kd_history history;
    const struct kd_experiment *experiment; /* borrowed */
    char *run_uuid, *token;                 /* owned */
};

static void send_hello(struct kd_worker *worker)
{
    struct kd_str text = {0};
    struct kd_json j = kd_json_to(&text);
    kd_json_open(&j, '{');
    kd_json_add_string(&j, "run", worker->run_uuid);
    kd_json_add_string(&j, "token", worker->token);
    kd_json_add_string(&j, "strategy", worker->experiment->name);
    kd_json_close(&j, '}');
    kd_dealer_send(worker->dealer, KD_MSG_HELLO, text.text);
    kd_str_release(&text);
}

static void send_points(struct kd_worker *worker, int64_t ask, const double *points, int n)
{
    int n_params = worker->experiment->space.n_params;
    struct kd_str text = {0};
    struct kd_json j = kd_json_to(&text);
    kd_json_open(&j, '{');
    kd_json_add_int(&j, "ask", ask);
    kd_json_key(&j, "points");
    kd_json_open(&j, '[');
    for (int i = 0; i < n; i++) {
        kd_json_open(&j, '[');
        for (int k = 0; k < n_params; k++)
            kd_json_number(&j, points[i * n_params + k]);
        kd_json_close(&j, ']');
    }
    kd_json_close(&j, ']');
    kd_json_close(&j, '}');
    kd_dealer_send(worker->dealer, KD_MSG_SUGGESTED, text.text);
    kd_str_release(&text);
}

static void on_ask(struct kd_worker *worker, const json_t *body)
{
    int64_t ask = 0, n = 0;
    kd_body_int(body, "ask", &ask);
    kd_body_int(body, "n", &n);
    if (n < 1 || n > MOST_POINTS)
        return;
    size_t n_params = (size_t)worker->experiment->space.n_params;
    double *points = KD_NEW_ARRAY(double, (size_t)n *n_params);
    int given = kd_sampler_ask(worker->sampler, &worker->history, (int)n, points);
    send_points(worker, ask, points, given);
    free(points);
}

static void on_tell(struct kd_worker *worker, const json_t *body)
{
    struct kd_error err;
    if (kd_feed_read(json_object_get(body, "history"), &worker->history, &err) != 0)
        kd_bug("%s", err.text); /* both ends are ours, and in order */
}

static void *work(void *ud)
{
    struct kd_worker *worker = ud;
    enum kd_message_type type;
    json_t *body;
    send_hello(worker);
    while (kd_dealer_receive(worker->dealer, -1, &type, &body) == 1) {
        if (type == KD_MSG_TELL)
            on_tell(worker, body);
        else if (type == KD_MSG_ASK)
            on_ask(worker, body);
        json_decref(body);
        if (type == KD_MSG_EXIT)
            break;
    }
    kd_dealer_close(worker->dealer);
    return NULL;
}

static void release(struct kd_worker *worker)
{
    kd_sampler_free(worker->sampler);
    kd_history_release(&worker->history);
    free(worker->run_uuid);
    free(worker->token);
    free(worker);
}

/* Signals are for the loop's thread. */
static int start_thread(struct kd_worker *worker)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int failed = pthread_create(&worker->thread, NULL, work, worker);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return failed;
}

struct kd_worker *kd_worker_start(const struct kd_experiment *experiment,
                                  const struct kd_worker_place *place, struct kd_error *err)
{
    struct kd_worker *worker = KD_NEW(struct kd_worker);
    worker->experiment = experiment;
    worker->run_uuid = kd_strdup(place->run_uuid);
    worker->token = kd_strdup(place->token);
    kd_experiment_history(experiment, &worker->history);
    worker->sampler = kd_experiment_sampler(experiment, err);
    if (worker->sampler != NULL)
        worker->dealer = kd_dealer_open(place->context, place->endpoint, err);
    if (worker->dealer == NULL) {
        release(worker);
        return NULL;
    }
    if (start_thread(worker) != 0) {
        kd_fail(err, "the strategy's thread could not be started");
        kd_dealer_close(worker->dealer);
        release(worker);
        return NULL;
    }
    return worker;
}

void kd_worker_join(struct kd_worker *worker)
{
    if (worker == NULL)
        return;
    pthread_join(worker->thread, NULL);
    release(worker);
}

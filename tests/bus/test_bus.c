/* test_bus.c - router and peer over a real socket in a folder of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "coordinator/base/clock.h"
#include "coordinator/base/mem.h"
#include "coordinator/bus/dealer.h"
#include "coordinator/bus/peer.h"
#include "coordinator/bus/router.h"

struct bench {
    char dir[64], endpoint[128];
    struct kd_router *router;
    struct kd_peer *peer;
};

static void open_router(struct bench *bench)
{
    struct kd_error err;
    const char *endpoints[] = {bench->endpoint, NULL};
    bench->router = kd_router_open(endpoints, &err);
    if (bench->router == NULL)
        fail_msg("%s", err.text);
}

static int set_up(void **state)
{
    struct bench *bench = KD_NEW(struct bench);
    snprintf(bench->dir, sizeof bench->dir, "/tmp/kd-bus-XXXXXX");
    assert_non_null(mkdtemp(bench->dir));
    snprintf(bench->endpoint, sizeof bench->endpoint, "ipc://%s/bus", bench->dir);
    open_router(bench);
    struct kd_peer_options options = {bench->endpoint, "feed", 7, "secret", 1};
    struct kd_error err;
    bench->peer = kd_peer_open(&options, &err);
    assert_non_null(bench->peer);
    *state = bench;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *bench = *state;
    char path[128];
    kd_peer_close(bench->peer);
    kd_router_close(bench->router);
    snprintf(path, sizeof path, "%s/bus", bench->dir);
    unlink(path);
    rmdir(bench->dir);
    free(bench);
    return 0;
}

/* The next message of that type; others on the way are dropped. The caller frees the body. */
static json_t *expect(struct bench *bench, enum kd_message_type wanted, struct kd_address *from)
{
    int64_t until = kd_clock_mono_us() + 10000000;
    while (kd_clock_mono_us() < until) {
        struct kd_peer_message message;
        struct kd_error err;
        kd_peer_receive(bench->peer, 0, &message, &err);
        enum kd_message_type type;
        json_t *body;
        while (kd_router_receive(bench->router, from, &type, &body) == 1) {
            if (type == wanted)
                return body;
            json_decref(body);
        }
        kd_router_wait(bench->router, NULL, NULL, 0, 20);
    }
    fail_msg("no %s came", kd_message_type_name(wanted));
    return NULL;
}

static int64_t int_of(const json_t *body, const char *key)
{
    int64_t value = -1;
    assert_true(kd_body_int(body, key, &value));
    return value;
}

static void send_ack(struct bench *bench, const struct kd_address *to, int64_t fence, int64_t seq)
{
    char text[64];
    snprintf(text, sizeof text, "{\"fence\":%lld,\"seq\":%lld}", (long long)fence, (long long)seq);
    assert_true(kd_router_send(bench->router, to, KD_MSG_ACK, text));
}

static void wait_until_quiet(struct bench *bench)
{
    struct kd_peer_message message;
    struct kd_error err;
    for (int i = 0; i < 100 && !kd_peer_is_quiet(bench->peer); i++)
        kd_peer_receive(bench->peer, 100, &message, &err);
    assert_true(kd_peer_is_quiet(bench->peer));
}

static void a_peer_says_who_it_is_first(void **state)
{
    struct kd_address from;
    json_t *body = expect(*state, KD_MSG_HELLO, &from);
    const char *run, *token;
    assert_true(kd_body_text(body, "run", &run) && kd_body_text(body, "token", &token));
    assert_string_equal(run, "feed");
    assert_string_equal(token, "secret");
    assert_int_equal(int_of(body, "gang"), 7);
    json_decref(body);
}

static void points_go_out_in_batches_and_in_order(void **state)
{
    struct bench *bench = *state;
    struct kd_address from;
    for (int i = 0; i < 130; i++)
        kd_peer_metric(bench->peer, 5, "loss", i + 1, 0.5 * i, 1000.0 + i);
    kd_peer_flush(bench->peer);
    const size_t sizes[] = {64, 64, 2};
    for (int seq = 1; seq <= 3; seq++) {
        json_t *body = expect(bench, KD_MSG_METRICS, &from);
        assert_int_equal(int_of(body, "seq"), seq);
        assert_int_equal(json_array_size(json_object_get(body, "points")), sizes[seq - 1]);
        json_decref(body);
    }
}

static void what_is_not_acknowledged_comes_again(void **state)
{
    struct bench *bench = *state;
    struct kd_address from;
    kd_peer_metric(bench->peer, 5, "loss", 1, 0.5, 1000);
    kd_peer_done(bench->peer, 5, "succeeded", NULL);
    json_decref(expect(bench, KD_MSG_DONE, &from));
    json_t *again = expect(bench, KD_MSG_METRICS, &from);
    assert_int_equal(int_of(again, "seq"), 1);
    json_decref(again);
    assert_false(kd_peer_is_quiet(bench->peer));
    send_ack(bench, &from, 5, 2);
    wait_until_quiet(bench);
}

static void a_peer_finds_a_new_coordinator_and_sends_again(void **state)
{
    struct bench *bench = *state;
    struct kd_address from;
    kd_peer_done(bench->peer, 9, "succeeded", "well");
    json_decref(expect(bench, KD_MSG_DONE, &from));
    kd_router_close(bench->router);
    open_router(bench);
    json_t *body = expect(bench, KD_MSG_DONE, &from);
    assert_int_equal(int_of(body, "fence"), 9);
    json_decref(body);
}

static void non_finite_values_cross_the_bus(void **state)
{
    struct bench *bench = *state;
    struct kd_address from;
    const double values[] = {0.0 / 0.0, 1.0 / 0.0, -1.0 / 0.0};
    for (int i = 0; i < 3; i++)
        kd_peer_metric(bench->peer, 5, "loss", i, values[i], 1);
    kd_peer_flush(bench->peer);
    json_t *body = expect(bench, KD_MSG_METRICS, &from);
    for (size_t i = 0; i < 3; i++) {
        double value;
        const json_t *point = json_array_get(json_object_get(body, "points"), i);
        assert_true(kd_json_to_number(json_array_get(point, 2), &value));
        assert_true(value == values[i] || (value != value && values[i] != values[i]));
    }
    json_decref(body);
}

static void an_assign_that_comes_twice_is_given_out_once(void **state)
{
    struct bench *bench = *state;
    struct kd_address from;
    kd_peer_ready(bench->peer);
    json_decref(expect(bench, KD_MSG_READY, &from));
    for (int i = 0; i < 2; i++)
        assert_true(kd_router_send(bench->router, &from, KD_MSG_ASSIGN, "{\"fence\":3}"));
    assert_true(kd_router_send(bench->router, &from, KD_MSG_EXIT, "{}"));
    const enum kd_peer_message_kind kinds[] = {KD_PEER_ASSIGN, KD_PEER_EXIT};
    for (int i = 0; i < 2; i++) {
        struct kd_peer_message message;
        struct kd_error err;
        assert_int_equal(kd_peer_receive(bench->peer, 5000, &message, &err), 0);
        assert_int_equal(message.kind, kinds[i]);
    }
}

static void garbage_is_counted_and_dropped(void **state)
{
    struct bench *bench = *state;
    struct kd_address from;
    struct kd_error err;
    struct kd_dealer *stranger = kd_dealer_open(NULL, bench->endpoint, &err);
    assert_non_null(stranger);
    const char *bodies[] = {"", "{", "[]", "{\"a\":1,\"a\":2}", "\xff\xfe"};
    for (size_t i = 0; i < KD_COUNT(bodies); i++)
        assert_true(kd_dealer_send(stranger, KD_MSG_READY, bodies[i]));
    assert_true(kd_dealer_send(stranger, KD_MSG_PULSE, "{}"));
    json_decref(expect(bench, KD_MSG_PULSE, &from));
    assert_int_equal(kd_router_n_refused(bench->router), KD_COUNT(bodies));
    kd_dealer_close(stranger);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_peer_says_who_it_is_first),
        TEST(points_go_out_in_batches_and_in_order),
        TEST(what_is_not_acknowledged_comes_again),
        TEST(a_peer_finds_a_new_coordinator_and_sends_again),
        TEST(non_finite_values_cross_the_bus),
        TEST(an_assign_that_comes_twice_is_given_out_once),
        TEST(garbage_is_counted_and_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* bench_points.c - durable metric points a second through the whole product: four gangs send points
 * as fast as they are acknowledged, one coordinator commits them with synchronous=FULL.
 *
 * Two programs in one: as the bench it hands over to points.py, which runs an experiment in which
 * this same program stands in for katydid-trainer (--check, --gang). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "coordinator/base/clock.h"
#include "coordinator/bus/peer.h"

enum { POINTS_A_TRIAL = 200000, WINDOW = 2048 };

static void wait_until_quiet(struct kd_peer *peer)
{
    struct kd_peer_message message;
    while (!kd_peer_is_quiet(peer))
        kd_peer_receive(peer, 1, &message, NULL);
}

static void send_trial(struct kd_peer *peer, int64_t fence)
{
    for (int i = 0; i < POINTS_A_TRIAL; i++) {
        kd_peer_metric(peer, fence, "loss", i + 1, 1.0 / (i + 1), kd_clock_real());
        if (i % WINDOW == WINDOW - 1)
            wait_until_quiet(peer);
    }
    kd_peer_done(peer, fence, "succeeded", NULL);
    wait_until_quiet(peer);
}

static int serve(void)
{
    struct kd_error err;
    struct kd_peer_options options;
    struct kd_peer_message message = {.kind = KD_PEER_NOTHING};
    if (kd_peer_options_from_env(&options, &err) != 0) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    options.n_ranks = 1;
    struct kd_peer *peer = kd_peer_open(&options, &err);
    kd_peer_ready(peer);
    while (message.kind != KD_PEER_EXIT) {
        if (kd_peer_receive(peer, 1000, &message, &err) != 0)
            return 1;
        if (message.kind != KD_PEER_ASSIGN)
            continue;
        send_trial(peer, json_integer_value(json_object_get(message.body, "fence")));
        kd_peer_ready(peer);
    }
    kd_peer_close(peer);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--gang") == 0)
        return serve();
    if (argc > 1 && strcmp(argv[1], "--check") == 0)
        return puts("{\"errors\":[]}") < 0;
    execlp("python3", "python3", KD_SOURCE_DIR "/tests/bench/points.py", argv[0], (char *)NULL);
    perror("python3");
    return 1;
}

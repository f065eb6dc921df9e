#include "trainer/control.h"

#include "coordinator/base/clock.h"

enum { LISTEN_US = 20000, AGREE_US = 200000 };

void kd_control_init(struct kd_control *control, struct kd_comm *comm, const struct kd_sink *sink,
                     int64_t step)
{
    int64_t now = kd_clock_mono_us();
    *control = (struct kd_control){.comm = comm,
                                   .sink = sink,
                                   .listened_us = now,
                                   .agreed_step = step,
                                   .agreed_us = now,
                                   .next_step = step + 1};
}

void kd_control_hear(struct kd_control *control, enum kd_word word)
{
    if (word > control->heard)
        control->heard = word;
}

void kd_control_listen(struct kd_control *control, int64_t step)
{
    if (!control->sink || !control->sink->poll)
        return;
    int64_t now = kd_clock_mono_us();
    if (now - control->listened_us < LISTEN_US)
        return;
    control->listened_us = now;
    kd_control_hear(control, control->sink->poll(control->sink->ud, step + control->beats));
}

/* Never more than twice as many steps as the last time: a pace that slows down is noticed within a
 * second. */
static int64_t steps_until_next(struct kd_control *control, int64_t step)
{
    int64_t now = kd_clock_mono_us();
    int64_t done = step - control->agreed_step, took_us = now - control->agreed_us + 1;
    control->agreed_us = now;
    int64_t steps = AGREE_US * (done > 0 ? done : 1) / took_us;
    if (steps > 2 * done)
        steps = 2 * done;
    return steps < 1 ? 1 : steps;
}

enum kd_word kd_control_agree(struct kd_control *control, int64_t step, bool at_boundary)
{
    if (control->comm->size > 1 && !at_boundary && step < control->next_step)
        return KD_WORD_GO;
    int64_t message[2] = {control->heard, 1};
    if (control->comm->size > 1) {
        if (control->comm->rank == 0)
            message[1] = steps_until_next(control, step);
        control->comm->backend->broadcast(control->comm, 0, message, sizeof message);
    }
    control->heard = KD_WORD_GO;
    control->agreed_step = step;
    control->next_step = step + message[1];
    return (enum kd_word)message[0];
}

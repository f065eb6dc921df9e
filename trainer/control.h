/* control.h - how a word from outside reaches all ranks in the same step.
 *
 * Rank 0 listens between steps, at most every 20 ms. Ranks agree at every report boundary and,
 * between boundaries, at steps that rank 0 announced at the agreement before: about every 0.2 s by
 * the pace it sees, so that agreeing costs one small broadcast and no rank needs a clock. */
#ifndef KD_TRAINER_CONTROL_H
#define KD_TRAINER_CONTROL_H

#include "trainer/comm/comm.h"
#include "trainer/report.h"

struct kd_control {
    struct kd_comm *comm;
    const struct kd_sink *sink; /* NULL on ranks above 0 */
    enum kd_word heard;         /* the weightiest word not yet acted on; rank 0 */
    int64_t listened_us;
    int64_t beats; /* progress that is no step: batches evaluated; a pulse carries steps + beats */
    int64_t agreed_step, agreed_us; /* the last agreement */
    int64_t next_step;              /* the next one, at the latest */
};

void kd_control_init(struct kd_control *control, struct kd_comm *comm, const struct kd_sink *sink,
                     int64_t step);

/* Rank 0 has a word of its own: as if it came from outside. Heavier ones go before it. */
void kd_control_hear(struct kd_control *control, enum kd_word word);

/* Rank 0 listens, when it is time; nothing on other ranks. */
void kd_control_listen(struct kd_control *control, int64_t step);

/* Collective: the word for all ranks after `step` steps; KD_WORD_GO without any communication where
 * no agreement is due. */
enum kd_word kd_control_agree(struct kd_control *control, int64_t step, bool at_boundary);

#endif

/* loader.h - batches on a device: this rank's samples of a global batch, gathered, scaled,
 * augmented and mixed by ops.
 *
 * What a batch holds is a function of (seed, step, positions in the global order) alone, so the
 * ranks' parts together are the same global batch at any number of ranks. Where the device reads
 * samples from is source.h's. */
#ifndef KD_TRAINER_LOADER_H
#define KD_TRAINER_LOADER_H

#include "kernels/device.h"
#include "trainer/data/dataset.h"
#include "trainer/data/parcel.h"
#include "trainer/data/source.h"
#include "trainer/models/feed.h"
#include "trainer/models/plan.h"

/* Arrays on the device. Those below KD_N_SENT are filled by the host, batch by batch, and go there
 * together (parcel.h). */
enum kd_loader_slot {
    KD_SLOT_TURN,
    KD_SLOT_ROWS,
    KD_SLOT_OTHER_ROWS,
    KD_SLOT_SAMPLES,
    KD_SLOT_OTHER_SAMPLES,
    KD_SLOT_LABELS,
    KD_SLOT_OTHER_LABELS,
    KD_SLOT_TARGETS,
    KD_SLOT_OTHER_TARGETS,
    KD_N_SENT,
    KD_SLOT_X = KD_N_SENT,
    KD_SLOT_UNMOVED, /* samples before their pixels are moved */
    KD_SLOT_OTHER_X,
    KD_SLOT_TOKENS,
    KD_SLOT_TOKEN_LABELS,
    KD_SLOT_CENTER,
    KD_SLOT_FACTOR,
    KD_N_SLOTS
};

struct kd_loader {
    const struct kd_device *device; /* borrowed */
    struct kd_plan *plan;           /* borrowed: whose queue all goes through */
    struct kd_queue *queue;         /* and that queue */
    struct kd_source source;
    struct kd_parcel parcel;
    char *image; /* of the parcel, while it is filled */
    struct {
        void *device;     /* owned, but for those in the parcel */
        size_t bytes, at; /* at: where it begins in the parcel */
    } slots[KD_N_SLOTS];
    int64_t n_scales;
    struct kd_feed feed;
    KD_ARR(int32_t) partners; /* of mixup, over the global batch */
};

void kd_loader_init(struct kd_loader *loader, const struct kd_device *device);
void kd_loader_release(struct kd_loader *loader);

/* Memory for up to max_batch samples of a data set, and its scales. All work goes through the
 * plan's queue; plan NULL: the CPU's. */
void kd_loader_prepare(struct kd_loader *loader, struct kd_plan *plan,
                       const struct kd_dataset *dataset, const struct kd_augment *augment,
                       int64_t max_batch);

/* What to take: of the samples of a part in an order, the positions [begin, begin + n) are the
 * global batch, [micro_begin, micro_begin + n_micro) one of its micro-batches (or all of it), and
 * of that this rank's share [first, end). */
struct kd_draw {
    const struct kd_part *part;
    const int32_t *order; /* [part->n]; NULL: as the part has them */
    int64_t begin, n;
    int64_t micro_begin, n_micro;
    int64_t first, end;               /* from micro_begin */
    const struct kd_augment *augment; /* NULL: none, for validation */
    uint64_t seed;
    int64_t step;
};

/* Fills all of the batch but follows and precedes; what it points to is the loader's until the next
 * call. The samples are sent, and the plan makes the arrays of them by the batch's feed. */
void kd_loader_fill(struct kd_loader *loader, const struct kd_draw *draw, struct kd_batch *batch);

/* Makes the arrays now, for who has no plan. */
void kd_loader_make(struct kd_loader *loader, const struct kd_batch *batch);

#endif

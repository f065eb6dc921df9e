#include "kernels/cuda/nccl_record.h"

void kd_nccl_record_add(struct kd_nccl_record *record, struct kd_nccl_record_entry entry)
{
    record->last[record->n_issued++ % KD_NCCL_RECORD_LENGTH] = entry;
}

void kd_nccl_record_done(struct kd_nccl_record *record, int64_t place)
{
    if (place > record->done)
        record->done = place;
}

static void add_line(const struct kd_nccl_record *record, int64_t number, int64_t now_us,
                     struct kd_str *text)
{
    const struct kd_nccl_record_entry *entry = &record->last[(number - 1) % KD_NCCL_RECORD_LENGTH];
    kd_str_addf(text, "\n  #%lld %s, %lld elements, %lld bytes, %.1f ms ago, %s", (long long)number,
                entry->kind, (long long)entry->count, (long long)entry->bytes,
                (double)(now_us - entry->issued_us) * 1e-3,
                entry->place <= record->done ? "done" : "pending");
}

void kd_nccl_record_text(const struct kd_nccl_record *record, int64_t now_us, struct kd_str *text)
{
    int64_t oldest = record->n_issued - KD_NCCL_RECORD_LENGTH;
    if (record->n_issued == 0) {
        kd_str_add(text, "no collective was issued");
        return;
    }
    kd_str_addf(text, "collectives issued (%lld), the last of them:", (long long)record->n_issued);
    for (int64_t number = oldest < 0 ? 1 : oldest + 1; number <= record->n_issued; number++)
        add_line(record, number, now_us, text);
}

/* doctor_gpus.c - the GPUs that katydid would use, or why there are none. */
#include "coordinator/commands/doctor.h"
#include "coordinator/launch/machine.h"

void kd_check_gpus(struct kd_doctor *doctor)
{
    struct kd_machine machine;
    kd_machine_find(&machine);
    if (machine.n_gpus == 0)
        kd_doctor_add(doctor, "GPUs", KD_HEALTH_NOTE, "none: %s; trials run on cores",
                      machine.gpu_note);
    for (int i = 0; i < machine.n_gpus; i++) {
        const struct kd_gpu *gpu = &machine.gpus[i];
        kd_doctor_add(doctor, "GPU", KD_HEALTH_OK, "%d: %s, %.1f GiB, %s", gpu->index, gpu->name,
                      (double)gpu->memory_bytes / (1 << 30), gpu->uuid);
    }
    kd_machine_release(&machine);
}

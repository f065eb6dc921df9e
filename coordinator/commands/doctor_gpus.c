/* doctor_gpus.c - the GPUs that trials can be given, or why there are none. */
#include "coordinator/commands/doctor.h"

#include "coordinator/launch/gpus.h"
#include "coordinator/store/place.h"

void kd_check_gpus(struct kd_doctor *doctor)
{
    static struct kd_gpu gpus[KD_POOL_MAX_GPUS];
    static struct kd_topology topology;
    char note[256] = "", memory[32];
    int n = kd_gpus_find(gpus, KD_POOL_MAX_GPUS, &topology, note, sizeof note);
    for (int i = 0; i < n; i++)
        kd_doctor_add(doctor, "gpu", KD_HEALTH_OK, "%d: %s, %s, %s", gpus[i].index, gpus[i].name,
                      kd_bytes_text(gpus[i].memory_bytes, memory), gpus[i].uuid);
    if (n == 0)
        kd_doctor_add(doctor, "gpu", KD_HEALTH_NOTE, "none: %s",
                      *note ? note : "trials run on the CPU");
}

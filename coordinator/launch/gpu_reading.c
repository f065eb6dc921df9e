#include "coordinator/launch/gpu_reading.h"

#include "coordinator/base/clock.h"

bool kd_gpu_read(const struct kd_nvml *nvml, kd_nvml_device device, struct kd_gpu_reading *reading)
{
    unsigned long long memory[3], energy; /* memory: total, free, used */
    unsigned busy[2], celsius, power;
    *reading = (struct kd_gpu_reading){-1, -1, -1, -1, -1, -1};
    if (nvml->energy && nvml->energy(device, &energy) == 0)
        reading->energy_mj = (int64_t)energy;
    else if (nvml->power && nvml->power(device, &power) == 0)
        reading->power_mw = power;
    reading->at_s = (double)kd_clock_mono_us() * 1e-6; /* that of the energy */
    int code = nvml->memory(device, memory);
    if (code == 0)
        reading->memory_bytes = (int64_t)memory[2];
    if (nvml->utilization && nvml->utilization(device, busy) == 0)
        reading->percent = (int)busy[0];
    if (nvml->temperature && nvml->temperature(device, 0, &celsius) == 0)
        reading->celsius = (int)celsius;
    return code != KD_NVML_GPU_IS_LOST;
}

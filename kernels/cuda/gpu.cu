#include "kernels/cuda/gpu.h"

#include <stdlib.h>

extern "C" const char kd_cuda_architectures[]; /* plugin.c */

static int no_driver(cudaError_t error, struct kd_error *err)
{
    int wanted = 0;
    cudaRuntimeGetVersion(&wanted);
    return kd_fail(
        err,
        "device cuda: no NVIDIA driver that serves CUDA %d.%d (%s): install or update it, "
        "`nvidia-smi` shows the one that runs; or say device: cpu",
        wanted / 1000, wanted % 1000 / 10, cudaGetErrorString(error));
}

/* What CUDA's own text does not say. */
static const char *hint_of(cudaError_t error)
{
    static const struct {
        cudaError_t error;
        const char *hint;
    } hints[] = {
        {cudaErrorInitializationError, "the process was forked from one that had used CUDA, or the "
                                       "driver's kernel modules are not loaded"},
        {cudaErrorStubLibrary, "a toolkit's stub of libcuda.so.1 is found before the driver's: "
                               "take it off LD_LIBRARY_PATH"},
        {cudaErrorDevicesUnavailable, "another process has it for itself, or nobody may use it: "
                                      "`nvidia-smi -q -d COMPUTE` shows the compute mode"},
        {cudaErrorSystemNotReady,
         "a service that the GPUs need is not running yet, with NVSwitches "
         "nvidia-fabricmanager"},
        {cudaErrorSystemDriverMismatch, "libcuda.so.1 and the driver's kernel modules are of "
                                        "different versions: restart the machine after an update, "
                                        "and give a container the libraries of its host"},
        {cudaErrorCompatNotSupportedOnDevice, "libcuda.so.1 is one of cuda-compat, which this GPU "
                                              "has not: take it off LD_LIBRARY_PATH"},
        {cudaErrorUnknown, "often the kernel module nvidia-uvm, or its file /dev/nvidia-uvm, is "
                           "missing"},
    };
    for (const auto &row : hints)
        if (row.error == error)
            return row.hint;
    return "`nvidia-smi -L` lists those of the machine";
}

static int no_gpu(const char *why, cudaError_t error, struct kd_error *err)
{
    const char *visible = getenv("CUDA_VISIBLE_DEVICES");
    return kd_fail(err,
                   "device cuda: no GPU that this process may use (%s; CUDA_VISIBLE_DEVICES is "
                   "%s%s%s): %s; or say device: cpu",
                   why, visible ? "\"" : "", visible ? visible : "not set", visible ? "\"" : "",
                   hint_of(error));
}

int kd_cuda_no_room(struct kd_error *err)
{
    kd_fail(err, "device cuda: out of GPU memory before anything was asked for: other "
                 "programs or ranks hold it "
                 "(`nvidia-smi` shows them): end them, or say device: cpu");
    return KD_DEVICE_IS_FULL;
}

static int no_use(cudaError_t error, struct kd_error *err)
{
    return error == cudaErrorMemoryAllocation ? kd_cuda_no_room(err)
                                              : no_gpu(cudaGetErrorString(error), error, err);
}

static int find_gpu(int which, struct kd_error *err)
{
    int n_gpus = 0;
    cudaError_t error = cudaGetDeviceCount(&n_gpus);
    if (error == cudaErrorInsufficientDriver)
        return no_driver(error, err);
    if (error != cudaSuccess)
        return no_use(error, err);
    if (n_gpus == 0)
        return no_gpu("there are 0", error, err);
    error = cudaSetDevice(which % n_gpus);
    return error == cudaSuccess ? 0 : no_use(error, err);
}

static __global__ void probe()
{
}

/* Of a GPU that this build has no code for every launch would fail. */
static int find_architecture(int *architecture, struct kd_error *err)
{
    int at = 0;
    cudaFuncAttributes attributes = {};
    cudaDeviceProp gpu;
    cudaError_t error = cudaFuncGetAttributes(&attributes, probe);
    *architecture = attributes.ptxVersion;
    if (error == cudaSuccess)
        return 0;
    if (error != cudaErrorNoKernelImageForDevice && error != cudaErrorInvalidDeviceFunction &&
        error != cudaErrorUnsupportedPtxVersion)
        return no_use(error, err);
    if (cudaGetDevice(&at) != cudaSuccess || cudaGetDeviceProperties(&gpu, at) != cudaSuccess)
        return no_use(error, err);
    return kd_fail(err,
                   "device cuda: no code for the GPU (%s, architecture %d%d): %s; this build has "
                   "%s: configure one with -DKATYDID_CUDA_ARCHITECTURES=%d%d, or say device: cpu",
                   gpu.name, gpu.major, gpu.minor, cudaGetErrorString(error), kd_cuda_architectures,
                   gpu.major, gpu.minor);
}

int kd_cuda_use_gpu(int which, int *architecture, struct kd_error *err)
{
    int status = find_gpu(which, err);
    return status == 0 ? find_architecture(architecture, err) : status;
}

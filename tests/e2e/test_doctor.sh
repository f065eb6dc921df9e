#!/usr/bin/env bash
# `katydid doctor` on machines with GPUs, which a stand-in for NVIDIA's libraries plays: what there is, how it is connected, and
# what each missing thing costs.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

standin=$KATYDID_BIN/../tests/libnvml_standin.so
unset CUDA_VISIBLE_DEVICES KATYDID_FAKE_GPUS KATYDID_CUDA_PLUGIN KATYDID_NCCL

# doctor_on MACHINE: its table is in the file out.
doctor_on() {
    KATYDID_NVML=$standin NVML_STANDIN=$1 expect_exit 0 katydid doctor
}

doctor_on station
expect_in out '^driver +ok +NVIDIA 535.129.03, runs CUDA up to 12.2$' \
    '^gpu +ok +3: Tesla V100-DGXS-32GB, 32.0 GiB, GPU-5748a0b1-0000-0000-0000-000000000003$' \
    '^nvlink +ok +gpu 0-1 0-2 1-3 2-3: 1 NVLink$' '^nvlink +ok +gpu 0-3 1-2: 2 NVLinks$'

touch kmsg
KATYDID_KMSG=$work/kmsg doctor_on nvswitch
expect_in out '^nvlink +ok +gpu every pair: 18 NVLinks through NVSwitches$' "^nvswitch +ok +errors \(SXid\) are read from $work/kmsg$"
KATYDID_KMSG=$work/none doctor_on nvswitch
expect_in out '^nvswitch +note +.*/none cannot be read \(No such file or directory\): errors of NVSwitches \(SXid\) go unnoticed; .*dmesg_restrict=0'

doctor_on pcie
! grep -q '^nvswitch' out || fail "there is none: $(cat out)"
expect_in out '^nvlink +note +gpu 0-1: none, PCIe through a host bridge \(PHB\): gangs on them .* slower'

doctor_on sockets
expect_in out '^nvlink +note +gpu 0-1 2-3: none, PCIe through switches' \
    '^nvlink +note +gpu 0-2 0-3 1-2 1-3: none, PCIe across CPU sockets'

doctor_on mig
expect_in out '^gpu +ok +0: .* MIG 1g.5gb, 5.0 GiB, MIG-feee0c61-' '^gpu +note +MIG instances .* gpus: 1$'
! grep -q '^nvlink' out || fail "instances have no NVLink: $(cat out)"

doctor_on half
expect_in out '^gpu +ok +0: ' '^gpu +note +GPU 1 is in MIG mode and has no instances'

doctor_on mismatch
expect_in out '^gpu +note +none: .*nvmlInit: Driver/library version mismatch.*; trials run on the CPU$'
! grep -q '^driver' out || fail "a driver that does not start has no version: $(cat out)"

KATYDID_NVML=$standin NVML_STANDIN=station CUDA_VISIBLE_DEVICES=0,3 expect_exit 0 katydid doctor --json
expect_in out '"what":"nvlink","health":"ok","seen":"gpu 0-3: 2 NVLinks"'

# A machine without a driver lacks things, and nothing is bad about it.
KATYDID_NVML=$work/nothing expect_exit 0 katydid doctor
expect_in out '^gpu +note +none: KATYDID_NVML=.*/nothing cannot be loaded.*; trials run on the CPU$'

# NCCL and cuBLASLt say their versions.
mkdir lib
ln -s "$standin" lib/libcublasLt.so.13
KATYDID_NCCL=$standin LD_LIBRARY_PATH=$work/lib expect_exit 0 katydid doctor
expect_in out '^nccl +ok +2\.23\.4 ' '^cublaslt +ok +12\.8\.5 \(libcublasLt.so.13\)$'
KATYDID_CUBLASLT=none expect_exit 0 katydid doctor
expect_in out '^cublaslt +note +KATYDID_CUBLASLT=none cannot be loaded .*: matrix products on GPUs are slower, and there is no tf32$'
KATYDID_NCCL=$work/nothing expect_exit 1 katydid doctor
expect_in out '^nccl +bad +KATYDID_NCCL=.*/nothing cannot be loaded.*through host memory, slower$'

# The plugin: a library that loads; its architectures are what the trainer says of it.
cat >katydid-trainer <<'SH'
#!/bin/sh
echo '{"devices": [{"name": "cpu"}, {"name": "cuda", "architectures": "70, 80"}]}'
SH
chmod +x katydid-trainer
export KATYDID_CUDA_PLUGIN=$work/libkatydid_cuda.so
expect_exit 1 katydid doctor
expect_in out '^cuda plugin +bad +KATYDID_CUDA_PLUGIN=.*/libkatydid_cuda.so cannot be read'
echo 'no library' >libkatydid_cuda.so
expect_exit 1 katydid doctor
expect_in out '^cuda plugin +bad +cannot be loaded'
cp "$standin" libkatydid_cuda.so
KATYDID_LIBEXEC=$work expect_exit 0 katydid doctor
expect_in out '^cuda plugin +ok +.*/libkatydid_cuda.so, built for sm 70, 80$'
expect_nothing_left

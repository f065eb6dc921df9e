# shellcheck shell=bash
# models.sh - three small trainings that use most ops between them, and whether two runs reported the same. For tests of the CUDA
# device, on the sim (tests/e2e/test_sim.sh) and on a GPU (tests/gpu.sh). Sourced; writes mlp.yaml, cnn.yaml and gpt.yaml here.

cat >mlp.yaml <<'YAML'
data: {format: synthetic, kind: features, shape: [12], classes: 4, samples: 90, split: {val: 0.2}}
model: [{linear: {units: 16}}, gelu, {dropout: {p: 0.2}}, {linear: {units: 4}}]
loss: {name: crossEntropy, labelSmoothing: 0.1}
optimizer: {name: adamw, lr: 0.02, weightDecay: 0.1}
schedule: {name: cosine, warmup: 0.2}
average: {decay: 0.9}
clipNorm: 0.5
accumulate: 2
batchSize: 20
epochs: 3
YAML
cat >cnn.yaml <<'YAML'
data:
  {format: synthetic, kind: images, shape: [8, 8, 3], classes: 3, samples: 30, split: {val: 0.2},
   augment: {crop: 1, flip: true, cutout: 2, mixup: 0.4}}
model:
  - conv2d: {channels: 8, kernel: 3, padding: 1}
  - batchnorm
  - relu
  - residual: {layers: [{conv2d: {channels: 8, kernel: 3, padding: 1}}, batchnorm]}
  - maxPool: {size: 2}
  - globalAvgPool
  - linear: {units: 3}
optimizer: {name: lamb, lr: 0.005}
batchSize: 9
epochs: 2
YAML
cat >gpt.yaml <<'YAML'
data: {format: synthetic, kind: tokens, shape: [12], classes: 16, samples: 20, split: {val: 0.2}}
model: {gpt: {layers: 1, heads: 2, width: 16, dropout: 0.1, rotary: 1}}
optimizer: {name: lion, lr: 0.003}
clipNorm: 1
batchSize: 6
epochs: 2
YAML

# Lines of `name=value` without what is a matter of time; numbers apart by 1e-3 of themselves at most.
same_reports() {
    sed 's/ epoch_time=.*//' "$1" >a.reports
    sed 's/ epoch_time=.*//' "$2" >b.reports
    [ -s a.reports ] && paste -d ' ' a.reports b.reports | awk '
        NF % 2 { exit 1 }
        { for (i = 1; i <= NF / 2; i++) {
            split($i, a, "="); split($(i + NF / 2), b, "=")
            d = a[2] - b[2]
            if (a[1] != b[1] || d * d > (1e-3 * a[2]) ^ 2 + 1e-12) exit 1
        } }'
}

# The same but for what is a matter of time.
same_lines() {
    cmp -s <(sed 's/ epoch_time=.*//' "$1") <(sed 's/ epoch_time=.*//' "$2")
}

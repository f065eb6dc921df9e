#include "tests/bench/rates/step_cases.h"

#include "coordinator/base/mem.h"

enum { CLASSES = 10 };

#define SGD   "{\"name\":\"sgd\",\"lr\":0.01,\"momentum\":0.9}"
#define ADAMW "{\"name\":\"adamw\"}"

#define LINEAR(units) "{\"linear\":{\"units\":" #units "}}"

/* ResNet-18 for CIFAR: the four stages of He et al. (2015, table 1) behind one 3 x 3
 * convolution. */
#define CONV(channels, kernel, stride)                                                             \
    "{\"conv2d\":{\"channels\":" #channels ",\"kernel\":" #kernel ",\"stride\":" #stride           \
    ",\"bias\":false}},\"batchnorm\""
#define WAY(channels, stride) CONV(channels, 3, stride) ",\"relu\"," CONV(channels, 3, 1)
#define BLOCK(channels)       "{\"residual\":{\"layers\":[" WAY(channels, 1) "]}},\"relu\""
#define HALVED(channels)                                                                           \
    "{\"residual\":{\"layers\":[" WAY(channels, 2) "],\"shortcut\":[" CONV(channels, 1,            \
                                                                           2) "]}},\"relu\""
#define STAGE(channels) HALVED(channels) "," BLOCK(channels)
#define RESNET18                                                                                   \
    "[" CONV(64, 3, 1) ",\"relu\"," BLOCK(64) "," BLOCK(64) "," STAGE(128) "," STAGE(              \
        256) "," STAGE(512) ",\"globalAvgPool\"," LINEAR(10) "]"

const struct step_case step_cases[] = {
    {"mlp-digits", "64-200-200-10, dropout 0.2, adamw",
     "[{\"repeat\":{\"times\":2,\"layers\":[" LINEAR(
         200) ",\"relu\",{\"dropout\":{\"p\":0.2}}]}}," LINEAR(10) "]",
     ADAMW, 16, .shape = {64}},
    {"mlp-small", "784-64-32-10, sgd momentum",
     "[" LINEAR(64) ",\"relu\"," LINEAR(32) ",\"relu\"," LINEAR(10) "]", SGD, 32, .shape = {784}},
    {"mlp-adamw", "784-64-32-10, adamw",
     "[" LINEAR(64) ",\"relu\"," LINEAR(32) ",\"relu\"," LINEAR(10) "]", ADAMW, 32, .shape = {784}},
    {"mlp-gelu", "784-64-32-10, gelu, dropout 0.1, adamw",
     "[" LINEAR(64) ",\"gelu\",{\"dropout\":{\"p\":0.1}}," LINEAR(
         32) ",\"gelu\",{\"dropout\":{\"p\":0.1}}," LINEAR(10) "]",
     ADAMW, 32, .shape = {784}},
    {"mlp-mnist", "784-128-10, sgd momentum", "[" LINEAR(128) ",\"relu\"," LINEAR(10) "]", SGD, 64,
     .shape = {784}},
    {"mlp-medium", "784-256-128-10, sgd momentum",
     "[" LINEAR(256) ",\"relu\"," LINEAR(128) ",\"relu\"," LINEAR(10) "]", SGD, 64, .shape = {784}},
    {"mlp-large", "784-1024-1024-10, sgd momentum",
     "[" LINEAR(1024) ",\"relu\"," LINEAR(1024) ",\"relu\"," LINEAR(10) "]", SGD, 256,
     .shape = {784}},
    {"cnn", "32-64 channels with batchnorm, sgd",
     "[" CONV(32, 3, 1) ",\"relu\",\"maxPool\"," CONV(
         64, 3, 1) ",\"relu\",\"maxPool\",\"flatten\"," LINEAR(10) "]",
     SGD, 64, .shape = {32, 32, 3}},
    {"resnet-20", "CIFAR's, sgd momentum", "{\"resnet\":{\"depth\":20}}", SGD, 64,
     .shape = {32, 32, 3}},
    {"resnet-18", "on CIFAR's images, sgd momentum", RESNET18, SGD, 512, .shape = {32, 32, 3},
     .is_large = true},
    {"gpt", "4 layers, width 128, 64 tokens, adamw",
     "{\"gpt\":{\"layers\":4,\"heads\":4,\"width\":128,\"tied\":false}}", ADAMW, 12, .shape = {64},
     .vocabulary = 65},
    {"gpt2", "GPT-2 124M, 1024 tokens, adamw",
     "{\"gpt\":{\"layers\":12,\"heads\":12,\"width\":768,\"tied\":true}}", ADAMW, 4,
     .shape = {1024}, .vocabulary = 50257, .is_large = true},
};

const int n_step_cases = KD_COUNT(step_cases);

struct kd_input step_case_input(const struct step_case *c)
{
    struct kd_input input = {
        .shape = {{c->shape[0], c->shape[1], c->shape[2]}, .n_dims = c->shape[1] ? 3 : 1},
        .n_outputs = CLASSES};
    if (c->vocabulary == 0)
        return input;
    input.tokens = true;
    input.vocabulary = input.n_outputs = c->vocabulary;
    input.positions = c->shape[0];
    return input;
}

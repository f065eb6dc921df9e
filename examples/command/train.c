/* train.c - a training program in C as a user might have one: it knows nothing of katydid.
 *
 * Fits sin(3x) on [-1, 1] with one hidden layer of tanh units, by gradient descent with momentum
 * over the whole set. It prints one line every hundred steps, where loss is the mean squared error
 * on points between those it was trained on:
 *
 *     step: 100 loss: 0.0312
 *
 *     cc -O2 -o train-c train.c -lm && ./train-c --lr=0.05 --momentum=0.9 --hidden=8 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_POINTS = 64, MAX_HIDDEN = 64 };

struct options {
    double lr, momentum;
    int hidden, steps;
};

struct unit {
    double w, b, v; /* of the input, bias, to the output */
};

struct network {
    int hidden;
    struct unit unit[MAX_HIDDEN], speed[MAX_HIDDEN], slope[MAX_HIDDEN];
};

/* Numbers in [-1, 1) that are the same on every machine. */
static double next_random(unsigned long long *state)
{
    *state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
    return (double)(*state >> 11) / (double)(1ULL << 52) - 1.0;
}

static double predict(const struct network *net, double x)
{
    double y = 0;
    for (int j = 0; j < net->hidden; j++)
        y += net->unit[j].v * tanh(net->unit[j].w * x + net->unit[j].b);
    return y;
}

/* Adds the slopes of one point's squared error. */
static void add_slopes(struct network *net, double x, double target)
{
    double error = 2 * (predict(net, x) - target) / N_POINTS;
    for (int j = 0; j < net->hidden; j++) {
        struct unit *unit = &net->unit[j], *slope = &net->slope[j];
        double active = tanh(unit->w * x + unit->b);
        double inner = error * unit->v * (1 - active * active);
        slope->w += inner * x;
        slope->b += inner;
        slope->v += error * active;
    }
}

static void move(double *value, double *speed, double slope, const struct options *options)
{
    *speed = options->momentum * *speed - options->lr * slope;
    *value += *speed;
}

static void train_step(struct network *net, const struct options *options)
{
    memset(net->slope, 0, sizeof net->slope);
    for (int i = 0; i < N_POINTS; i++) {
        double x = 2.0 * i / (N_POINTS - 1) - 1;
        add_slopes(net, x, sin(3 * x));
    }
    for (int j = 0; j < net->hidden; j++) {
        move(&net->unit[j].w, &net->speed[j].w, net->slope[j].w, options);
        move(&net->unit[j].b, &net->speed[j].b, net->slope[j].b, options);
        move(&net->unit[j].v, &net->speed[j].v, net->slope[j].v, options);
    }
}

static double held_out_loss(const struct network *net)
{
    double sum = 0;
    for (int i = 0; i + 1 < N_POINTS; i++) {
        double x = (2.0 * i + 1) / (N_POINTS - 1) - 1;
        double error = predict(net, x) - sin(3 * x);
        sum += error * error;
    }
    return sum / (N_POINTS - 1);
}

static int read_options(int argc, char **argv, struct options *options)
{
    for (int i = 1; i < argc; i++) {
        char name[32];
        double value;
        if (sscanf(argv[i], "--%31[a-z]=%lf", name, &value) != 2)
            return i;
        if (strcmp(name, "lr") == 0)
            options->lr = value;
        else if (strcmp(name, "momentum") == 0)
            options->momentum = value;
        else if (strcmp(name, "hidden") == 0)
            options->hidden = (int)value;
        else if (strcmp(name, "steps") == 0)
            options->steps = (int)value;
        else
            return i;
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct options options = {.lr = 0.05, .momentum = 0.9, .hidden = 8, .steps = 2000};
    int bad = read_options(argc, argv, &options);
    if (bad != 0 || options.hidden < 1 || options.hidden > MAX_HIDDEN) {
        fprintf(
            stderr,
            "train-c: %s; usage: train-c [--lr=X] [--momentum=X] [--hidden=1..%d] [--steps=N]\n",
            bad ? argv[bad] : "hidden out of range", MAX_HIDDEN);
        return 2;
    }
    static struct network net;
    unsigned long long state = 1;
    net.hidden = options.hidden;
    for (int j = 0; j < net.hidden; j++)
        net.unit[j] =
            (struct unit){2 * next_random(&state), next_random(&state), 0.5 * next_random(&state)};
    for (int step = 1; step <= options.steps; step++) {
        train_step(&net, &options);
        if (step % 100 == 0)
            printf("step: %d loss: %.6f\n", step, held_out_loss(&net));
    }
    return 0;
}

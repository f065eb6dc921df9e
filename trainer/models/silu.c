#include "trainer/models/activation.h"

KD_ACTIVATION_LAYER(silu, KD_ACTIVATION_SILU, "x times the logistic function of x (swish)");

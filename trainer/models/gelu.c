#include "trainer/models/activation.h"

KD_ACTIVATION_LAYER(gelu, KD_ACTIVATION_GELU, "x times the normal distribution function of x");

#include "trainer/models/activation.h"

KD_ACTIVATION_LAYER(tanh, KD_ACTIVATION_TANH, "the hyperbolic tangent");

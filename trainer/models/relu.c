#include "trainer/models/activation.h"

KD_ACTIVATION_LAYER(relu, KD_ACTIVATION_RELU, "max(x, 0)");

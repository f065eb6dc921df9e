#include "kernels/element.h"

#include <string.h>

int64_t kd_element_bytes(enum kd_element element)
{
    static const int64_t bytes[KD_N_ELEMENTS] = {
#define X(constant, type, name) sizeof(type),
        KD_ELEMENTS(X)
#undef X
    };
    return bytes[element];
}

const char *kd_element_name(enum kd_element element)
{
    static const char *const names[KD_N_ELEMENTS] = {
#define X(constant, type, name) name,
        KD_ELEMENTS(X)
#undef X
    };
    return names[element];
}

double kd_element_at(enum kd_element element, const void *memory, int64_t i)
{
    const char *at = (const char *)memory + i * kd_element_bytes(element);
    switch (element) {
#define X(constant, type, name)                                                                    \
    case KD_ELEMENT_##constant: {                                                                  \
        type value;                                                                                \
        memcpy(&value, at, sizeof value);                                                          \
        return (double)value;                                                                      \
    }
        KD_ELEMENTS(X)
#undef X
    case KD_N_ELEMENTS:
        break;
    }
    return 0;
}

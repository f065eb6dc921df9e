#include "tests/bench/search/count.h"

#include "coordinator/base/str.h"

int bench_read_count(const char *option, const char *text, int most, int *count,
                     struct kd_error *err)
{
    long long value;
    if (kd_integer_parse(text, &value) < 0 || value < 1 || value > most)
        return kd_fail(err, "--%s: \"%s\" is not a whole number from 1 to %d", option, text, most);
    *count = (int)value;
    return 0;
}

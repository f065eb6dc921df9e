/* Any bytes as lines of output, with the default rules and with a filter. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/error.h"
#include "coordinator/spec/metric_line.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static struct kd_line_scanner *scanner_with(int n_filters)
{
    static char *additional[] = {"acc", "val/loss"};
    static char *filters[] = {"([\\w|-]+)\\s*=\\s*([+-]?\\d*(\\.\\d+)?([Ee][+-]?\\d+)?)"};
    struct kd_experiment experiment = {
        .objective = {.metric = "loss", .additional = additional, .n_additional = 2},
        .template.collector = {.filters = filters, .n_filters = n_filters},
    };
    struct kd_error err;
    return kd_line_scanner_new(&experiment, &err);
}

static void scan(struct kd_line_scanner *scanner, const char *line, size_t length)
{
    enum { MOST = 8 };
    struct kd_line_point points[MOST];
    int n = kd_line_scan(scanner, line, length, points, MOST);
    if (n < 0 || n > MOST)
        abort();
    for (int i = 0; i < n; i++)
        if (points[i].name == NULL || (points[i].has_step && points[i].step < 0))
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static struct kd_line_scanner *scanners[2];
    for (int i = 0; i < 2; i++) {
        if (scanners[i] == NULL)
            scanners[i] = scanner_with(i);
        const char *at = (const char *)bytes, *end = at + size;
        while (at < end) {
            const char *newline = memchr(at, '\n', (size_t)(end - at));
            const char *stop = newline ? newline : end;
            scan(scanners[i], at, (size_t)(stop - at));
            at = stop + 1;
        }
    }
    return 0;
}

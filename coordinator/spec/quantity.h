/* quantity.h - numbers with units as people write them. Pure. */
#ifndef KD_SPEC_QUANTITY_H
#define KD_SPEC_QUANTITY_H

/* Kubernetes quantities: 512, 1.5, 500m, 2k, 1M, 1Gi, 1e3. 0 ok, -1 not a quantity. */
int kd_quantity_parse(const char *text, double *value);

/* Durations in seconds: 90, 30s, 45m, 1h30m, 1.5h, 2d, 250ms. 0 ok (infinity when it is beyond
 * every number), -1 not a duration. */
int kd_duration_parse(const char *text, double *seconds);

#endif

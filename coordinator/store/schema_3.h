/* schema_3.h - version 3: the GPUs of an attempt and what it made of them. Frozen once released: a
 * change is a new version, see schema.c.
 *
 * One row for each GPU that the attempt holds, from its start on; gpu is its number as nvidia-smi
 * gives it (of a MIG instance its GPU's). The rest is NULL until shortly after the attempt's end,
 * and stays so where nobody could tell: seconds is the time between the first and the last look at
 * the GPU, energy that which it used meanwhile, memory all that was in use on it. */
#ifndef KD_STORE_SCHEMA_3_H
#define KD_STORE_SCHEMA_3_H

/* clang-format off */
#define KD_SCHEMA_3 \
    "CREATE TABLE attempt_gpus(" \
    "  fence INTEGER NOT NULL REFERENCES attempts DEFERRABLE INITIALLY DEFERRED," \
    "  i INTEGER NOT NULL," \
    "  gpu INTEGER NOT NULL," \
    "  uuid TEXT NOT NULL," \
    "  seconds REAL," \
    "  memory_peak_bytes INTEGER," \
    "  utilization_mean_percent REAL," \
    "  utilization_peak_percent INTEGER," \
    "  temperature_peak_celsius INTEGER," \
    "  energy_joules REAL," \
    "  PRIMARY KEY(fence, i)) STRICT, WITHOUT ROWID;"

/* What an older file lacks, for whoever only reads it. */
#define KD_STAND_IN_3 \
    "PRAGMA temp_store = MEMORY;" \
    "CREATE TEMP TABLE attempt_gpus(fence, i, gpu, uuid, seconds, memory_peak_bytes," \
    "  utilization_mean_percent, utilization_peak_percent, temperature_peak_celsius, energy_joules);"
/* clang-format on */

#endif

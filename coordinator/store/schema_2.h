/* schema_2.h - version 2: the constraints. Frozen once released: a change is a new version, see
 * schema.c.
 *
 * value is how far a finished trial is beyond the i-th bound of its spec, in the metric's unit: it
 * is feasible when no value is above 0. 'nan' says that the metric had no finite point. */
#ifndef KD_STORE_SCHEMA_2_H
#define KD_STORE_SCHEMA_2_H

/* clang-format off */
#define KD_SCHEMA_2 \
    "CREATE TABLE constraints(" \
    "  trial_id INTEGER NOT NULL REFERENCES trials DEFERRABLE INITIALLY DEFERRED," \
    "  i INTEGER NOT NULL," \
    "  value REAL," \
    "  nonfinite TEXT CHECK(nonfinite IN('nan', 'inf', '-inf'))," \
    "  PRIMARY KEY(trial_id, i)," \
    "  CHECK((value IS NULL) = (nonfinite IS NOT NULL))) STRICT, WITHOUT ROWID;"

/* What an older file lacks, for whoever only reads it. */
#define KD_STAND_IN_2 \
    "PRAGMA temp_store = MEMORY;" \
    "CREATE TEMP TABLE constraints(trial_id, i, value, nonfinite);"
/* clang-format on */

#endif

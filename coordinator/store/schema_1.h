/* schema_1.h - version 1 of the tables, as SQL. Frozen once released: a change is a new version,
 * see schema.c.
 *
 * People and tests query these tables, so names and meanings are a promise. Times are REAL UTC
 * seconds, NULL = not yet. A trial's id is experiment_id * 1,000,000,000 + number, so that nothing
 * has to look one up. A number that is not finite is NULL with its name ('nan', 'inf', '-inf')
 * beside it, for SQLite turns NaN into NULL and lets an infinity win max(). The state names are
 * those of trial.h (a test compares them). */
#ifndef KD_STORE_SCHEMA_1_H
#define KD_STORE_SCHEMA_1_H

/* clang-format off */
#define KD_SCHEMA_1 \
    "CREATE TABLE meta(" \
    "  id INTEGER PRIMARY KEY CHECK(id = 1)," \
    "  run_uuid TEXT NOT NULL CHECK(length(run_uuid) = 32)," \
    "  term INTEGER NOT NULL," \
    "  boot_id TEXT NOT NULL," \
    "  created_at REAL NOT NULL) STRICT;" \
    \
    "CREATE TABLE experiments(" \
    "  id INTEGER PRIMARY KEY," \
    "  name TEXT NOT NULL UNIQUE," \
    "  spec TEXT NOT NULL," \
    "  canonical TEXT NOT NULL," \
    "  digest TEXT NOT NULL," \
    "  base_dir TEXT," \
    "  file TEXT," \
    "  seed INTEGER NOT NULL CHECK(seed >= 0)," \
    "  state TEXT NOT NULL," \
    "  reason TEXT," \
    "  created_at REAL NOT NULL," \
    "  finished_at REAL) STRICT;" \
    \
    "CREATE TABLE trials(" \
    "  id INTEGER PRIMARY KEY," \
    "  experiment_id INTEGER NOT NULL REFERENCES experiments DEFERRABLE INITIALLY DEFERRED," \
    "  number INTEGER NOT NULL CHECK(number BETWEEN 0 AND 999999999)," \
    "  state TEXT NOT NULL CHECK(state IN('Pending', 'Running', 'Paused', 'Succeeded'," \
    "    'EarlyStopped', 'Failed', 'Killed', 'MetricsUnavailable'))," \
    "  reason TEXT," \
    "  objective REAL," \
    "  until INTEGER," \
    "  parent INTEGER," \
    "  attempts INTEGER NOT NULL," \
    "  user_failures INTEGER NOT NULL," \
    "  infra_failures INTEGER NOT NULL," \
    "  fence INTEGER," \
    "  ask_basis TEXT," \
    "  done_seq INTEGER," \
    "  seed INTEGER NOT NULL," \
    "  created_at REAL," \
    "  started_at REAL," \
    "  finished_at REAL," \
    "  exit_code INTEGER," \
    "  exit_signal INTEGER," \
    "  log TEXT," \
    "  UNIQUE(experiment_id, number)," \
    "  UNIQUE(experiment_id, done_seq)," \
    "  CHECK(id = experiment_id * 1000000000 + number)," \
    "  CHECK((state IN('Pending', 'Running', 'Paused')) = (done_seq IS NULL))) STRICT;" \
    \
    "CREATE TABLE params(" \
    "  trial_id INTEGER NOT NULL REFERENCES trials DEFERRABLE INITIALLY DEFERRED," \
    "  i INTEGER NOT NULL," \
    "  name TEXT NOT NULL," \
    "  value ANY NOT NULL," \
    "  PRIMARY KEY(trial_id, name)) STRICT, WITHOUT ROWID;" \
    \
    "CREATE TABLE objectives(" \
    "  trial_id INTEGER NOT NULL REFERENCES trials DEFERRABLE INITIALLY DEFERRED," \
    "  i INTEGER NOT NULL," \
    "  value REAL," \
    "  nonfinite TEXT CHECK(nonfinite IN('nan', 'inf', '-inf'))," \
    "  PRIMARY KEY(trial_id, i)," \
    "  CHECK((value IS NULL) = (nonfinite IS NOT NULL))) STRICT, WITHOUT ROWID;" \
    \
    "CREATE TABLE gangs(" \
    "  id INTEGER PRIMARY KEY," \
    "  token_hash TEXT," \
    "  shape TEXT," \
    "  slots TEXT," \
    "  run_dir TEXT," \
    "  boot_id TEXT," \
    "  state TEXT NOT NULL CHECK(state IN('starting', 'idle', 'busy', 'stopping', 'ended'))) STRICT;" \
    \
    "CREATE TABLE attempts(" \
    "  fence INTEGER PRIMARY KEY," \
    "  trial_id INTEGER NOT NULL REFERENCES trials DEFERRABLE INITIALLY DEFERRED," \
    "  n INTEGER NOT NULL," \
    "  gang_id INTEGER REFERENCES gangs DEFERRABLE INITIALLY DEFERRED," \
    "  state TEXT NOT NULL CHECK(state IN('launching', 'live', 'stopping', 'won', 'yielded', 'lost'," \
    "    'failed'))," \
    "  last_seq INTEGER NOT NULL," \
    "  log_offset INTEGER NOT NULL," \
    "  started_at REAL," \
    "  finished_at REAL," \
    "  outcome TEXT," \
    "  UNIQUE(trial_id, n)) STRICT;" \
    "CREATE UNIQUE INDEX one_live_or_won_attempt ON attempts(trial_id)" \
    "  WHERE state IN('launching', 'live', 'stopping', 'won');" \
    "CREATE INDEX attempts_of_gang ON attempts(gang_id);" \
    \
    /* Appended in the order of arrival. trial_id is no foreign key here, for that costs a look-up per point; fsck
     * checks it. */ \
    "CREATE TABLE metrics(" \
    "  id INTEGER PRIMARY KEY," \
    "  trial_id INTEGER NOT NULL," \
    "  name TEXT NOT NULL," \
    "  step INTEGER NOT NULL," \
    "  fence INTEGER NOT NULL," \
    "  value REAL," \
    "  nonfinite TEXT," \
    "  at REAL NOT NULL) STRICT;" \
    "CREATE INDEX metrics_of_trial ON metrics(trial_id, name, step, fence);" \
    "CREATE VIEW metric AS" \
    "  SELECT id, trial_id, name, step, fence, value, nonfinite, at FROM metrics AS m" \
    "  WHERE NOT EXISTS(SELECT 1 FROM metrics AS other WHERE other.trial_id = m.trial_id" \
    "    AND other.name = m.name AND other.step = m.step" \
    "    AND (other.fence > m.fence OR (other.fence = m.fence AND other.id > m.id)));" \
    \
    "CREATE TABLE events(" \
    "  seq INTEGER PRIMARY KEY," \
    "  at REAL NOT NULL," \
    "  experiment_id INTEGER NOT NULL REFERENCES experiments DEFERRABLE INITIALLY DEFERRED," \
    "  trial_id INTEGER REFERENCES trials DEFERRABLE INITIALLY DEFERRED," \
    "  kind TEXT NOT NULL," \
    "  data TEXT NOT NULL) STRICT;" \
    "CREATE INDEX events_of_experiment ON events(experiment_id);" \
    \
    "CREATE TABLE artifacts(" \
    "  trial_id INTEGER NOT NULL REFERENCES trials DEFERRABLE INITIALLY DEFERRED," \
    "  kind TEXT NOT NULL," \
    "  path TEXT NOT NULL," \
    "  bytes INTEGER NOT NULL," \
    "  digest TEXT," \
    "  PRIMARY KEY(trial_id, kind, path)) STRICT, WITHOUT ROWID;"
/* clang-format on */

#endif

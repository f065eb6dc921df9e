#include "coordinator/store/store.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "coordinator/base/clock.h"
#include "coordinator/base/log.h"
#include "coordinator/base/mem.h"
#include "coordinator/store/connection.h"
#include "coordinator/store/internal.h"
#include "coordinator/store/lock.h"
#include "coordinator/store/place.h"

/* A WAL of 16 MiB of 4 KiB pages. A reader may keep a WAL from starting over; then a checkpoint for
 * every such step is enough, for one at every commit would be paid for each time. */
enum { CHECKPOINT_FRAMES = 4096 };
static const double lock_wait_s = 2.0;

static int on_wal_commit(void *ud, sqlite3 *db, const char *name, int frames)
{
    (void)db, (void)name;
    ((struct kd_store *)ud)->wal_frames = frames;
    return SQLITE_OK;
}

static void read_boot_id(char boot_id[64])
{
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, boot_id, 63);
    if (fd >= 0)
        close(fd);
    boot_id[n > 0 ? n : 0] = '\0';
    boot_id[strcspn(boot_id, "\n")] = '\0';
}

static int make_uuid(char text[33], struct kd_error *err)
{
    unsigned char bytes[16];
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        return kd_fail_errno(err, "cannot get random bytes for the database's id");
    for (size_t i = 0; i < sizeof bytes; i++) {
        text[2 * i] = "0123456789abcdef"[bytes[i] >> 4];
        text[2 * i + 1] = "0123456789abcdef"[bytes[i] & 15];
    }
    text[32] = '\0';
    return 0;
}

/* One more start on this file; the first one gives it its id. */
static int count_start(struct kd_store *store, struct kd_error *err)
{
    char uuid[33], boot_id[64];
    if (make_uuid(uuid, err) != 0)
        return -1;
    read_boot_id(boot_id);
    sqlite3_stmt *s = kd_statement_new(
        store,
        "INSERT INTO meta(id, run_uuid, term, boot_id, created_at) VALUES(1, ?1, 1, ?2, ?3) "
        "ON CONFLICT(id) DO UPDATE SET term = term + 1, boot_id = ?2",
        err);
    if (s == NULL)
        return -1;
    kd_bind_text(s, 1, uuid);
    kd_bind_text(s, 2, boot_id);
    sqlite3_bind_double(s, 3, kd_clock_real());
    int rc = kd_statement_run(store, s, "cannot write the file", err);
    sqlite3_finalize(s);
    return rc;
}

static int read_meta(struct kd_store *store, struct kd_error *err)
{
    sqlite3_stmt *s = kd_statement_new(store, "SELECT run_uuid, term FROM meta", err);
    if (s == NULL)
        return -1;
    int rc = sqlite3_step(s);
    if (rc == SQLITE_ROW) {
        const char *uuid = (const char *)sqlite3_column_text(s, 0);
        strncpy(store->run_uuid, uuid == NULL ? "" : uuid, sizeof store->run_uuid - 1);
        store->term = sqlite3_column_int64(s, 1);
    } else if (rc == SQLITE_DONE) {
        kd_fail(err, "%s has no row in its table meta: it is damaged", store->path);
    } else {
        kd_store_fail(store, err, "cannot read the table meta");
    }
    sqlite3_finalize(s);
    return rc == SQLITE_ROW ? 0 : -1;
}

static void free_store(struct kd_store *store)
{
    for (int i = 0; i < KD_N_STATEMENTS; i++)
        sqlite3_finalize(store->statements[i]);
    sqlite3_close(store->db);
    kd_lock_give(store->lock);
    free(store->path);
    free(store);
}

static struct kd_store *new_store(const char *path)
{
    struct kd_store *store = KD_NEW(struct kd_store);
    store->path = kd_strdup(path);
    store->lock = -1;
    store->checkpoint_above = CHECKPOINT_FRAMES;
    return store;
}

static int open_owned(struct kd_store *store, struct kd_error *err)
{
    bool network = kd_place_is_network(store->path);
    if (network)
        kd_warn("%s is on a network file system (%s): no other program can read it while this one "
                "runs",
                store->path, kd_place_filesystem(store->path));
    store->db = kd_connection_open_writer(store->path, network, err);
    if (store->db == NULL)
        return -1;
    sqlite3_wal_hook(store->db, on_wal_commit, store);
    if (count_start(store, err) != 0 || read_meta(store, err) != 0)
        return -1;
    kd_connection_finish_on_close(store->db);
    return 0;
}

struct kd_store *kd_store_open(const char *path, enum kd_store_failure *why, struct kd_error *err)
{
    bool held = false;
    *why = KD_STORE_BROKEN;
    char *absolute = kd_place_resolve(path, err);
    if (absolute == NULL)
        return NULL;
    struct kd_store *store = new_store(absolute);
    free(absolute);
    store->lock = kd_lock_take(store->path, lock_wait_s, &held, err);
    if (store->lock >= 0 && open_owned(store, err) == 0) {
        *why = KD_STORE_OK;
        return store;
    }
    if (held)
        *why = KD_STORE_LOCKED;
    free_store(store);
    return NULL;
}

struct kd_store *kd_store_open_readonly(const char *path, struct kd_error *err)
{
    char *absolute = kd_place_resolve(path, err);
    if (absolute == NULL)
        return NULL;
    struct kd_store *store = new_store(absolute);
    store->readonly = true;
    free(absolute);
    if (access(store->path, F_OK) != 0)
        kd_fail(err,
                "no database at %s: give one with --db FILE or KATYDID_DB, or go to the "
                "folder where the experiment was run",
                store->path);
    else if ((store->db = kd_connection_open_reader(store->path, err)) != NULL &&
             read_meta(store, err) == 0)
        return store;
    free_store(store);
    return NULL;
}

void kd_store_close(struct kd_store *store)
{
    if (store == NULL)
        return;
    kd_store_rollback(store);
    if (!store->readonly)
        sqlite3_wal_checkpoint_v2(store->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    free_store(store);
}

const char *kd_store_run_uuid(const struct kd_store *store)
{
    return store->run_uuid;
}

int64_t kd_store_term(const struct kd_store *store)
{
    return store->term;
}

const char *kd_store_path(const struct kd_store *store)
{
    return store->path;
}

double kd_store_commit_seconds(const struct kd_store *store)
{
    return store->commit_seconds;
}

bool kd_store_owner(const char *path, char *text, int size)
{
    char *absolute = kd_place_resolve(path, NULL);
    bool owned = absolute != NULL && kd_lock_owner(absolute, text, size);
    free(absolute);
    return owned;
}

/* The lock is advice to those who ask for it; a file whose term moved on has been taken all the
 * same. */
static int check_term(struct kd_store *store, struct kd_error *err)
{
    sqlite3_stmt *s = kd_statement_get(store, KD_SQL_TERM, err);
    if (s == NULL)
        return -1;
    int64_t term = sqlite3_step(s) == SQLITE_ROW ? sqlite3_column_int64(s, 0) : -1;
    sqlite3_reset(s);
    if (term == store->term)
        return 0;
    return kd_fail(err,
                   "%s was taken over by another coordinator (start %lld, this one is %lld): "
                   "this one must end",
                   store->path, (long long)term, (long long)store->term);
}

int kd_store_begin(struct kd_store *store, struct kd_error *err)
{
    kd_assert(!store->readonly && !store->in_transaction);
    sqlite3_stmt *s = kd_statement_get(store, KD_SQL_BEGIN, err);
    if (s == NULL || kd_statement_run(store, s, "cannot begin to write", err) != 0)
        return -1;
    store->in_transaction = true;
    if (check_term(store, err) == 0)
        return 0;
    kd_store_rollback(store);
    return -1;
}

/* A checkpoint that fails or cannot finish loses nothing: the WAL stays as long as it is needed. */
static void checkpoint_when_long(struct kd_store *store)
{
    if (store->wal_frames < CHECKPOINT_FRAMES)
        store->checkpoint_above = CHECKPOINT_FRAMES;
    if (store->wal_frames < store->checkpoint_above)
        return;
    int rc = sqlite3_wal_checkpoint_v2(store->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    if (rc != SQLITE_OK)
        kd_debug("%s: checkpoint: %s", store->path, sqlite3_errmsg(store->db));
    store->checkpoint_above = store->wal_frames + CHECKPOINT_FRAMES;
}

int kd_store_commit(struct kd_store *store, struct kd_error *err)
{
    kd_assert(store->in_transaction);
    int64_t start = kd_clock_mono_us();
    sqlite3_stmt *s = kd_statement_change(store, KD_SQL_COMMIT, err);
    int rc = s == NULL ? -1 : kd_statement_run(store, s, "cannot save", err);
    if (rc == 0) {
        store->in_transaction = false;
        checkpoint_when_long(store);
    } else {
        kd_store_rollback(store);
    }
    store->commit_seconds += (double)(kd_clock_mono_us() - start) / 1e6;
    return rc;
}

void kd_store_rollback(struct kd_store *store)
{
    if (!store->in_transaction)
        return;
    store->in_transaction = store->is_spoiled = false;
    /* SQLite has rolled back by itself after a full disk; a second rollback is then an error of no
     * interest. */
    if (sqlite3_get_autocommit(store->db) == 0)
        sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
}

#include "coordinator/store/fsck.h"

#include <stdlib.h>

#include "coordinator/base/str.h"
#include "coordinator/store/internal.h"
#include "coordinator/store/query.h"

enum { DETAILS_MAX = 5 };

const struct kd_invariant kd_invariants[] = {
#define X(name, sentence, sql) {#name, sentence, sql},
#include "coordinator/store/invariants.def"
#undef X
    {0},
};

/* How many rows the query gives; the first few become details. A file too damaged for the query
 * breaks the invariant. */
static int count_broken(struct kd_store *store, const struct kd_invariant *invariant,
                        struct kd_str *details)
{
    sqlite3_stmt *s = NULL;
    int n = 0, rc = sqlite3_prepare_v2(store->db, invariant->sql, -1, &s, NULL);
    while (rc == SQLITE_OK || rc == SQLITE_ROW) {
        rc = sqlite3_step(s);
        if (rc != SQLITE_ROW)
            break;
        const char *text = (const char *)sqlite3_column_text(s, 0);
        if (n++ < DETAILS_MAX)
            kd_str_addf(details, "%s%s", details->length ? "\n" : "", text == NULL ? "?" : text);
    }
    if (rc != SQLITE_DONE) {
        kd_str_addf(details, "%scannot be checked: %s", details->length ? "\n" : "",
                    sqlite3_errmsg(store->db));
        n++;
    }
    sqlite3_finalize(s);
    return n;
}

int kd_fsck(struct kd_store *store, kd_fsck_fn fn, void *ud, struct kd_error *err)
{
    int n_broken = 0;
    if (kd_query_begin(store, err) != 0)
        return -1;
    for (const struct kd_invariant *invariant = kd_invariants; invariant->name; invariant++) {
        struct kd_str details = {0};
        int n = count_broken(store, invariant, &details);
        n_broken += n > 0;
        fn(ud, invariant, n, kd_str_text(&details));
        kd_str_release(&details);
    }
    kd_query_end(store);
    return n_broken;
}

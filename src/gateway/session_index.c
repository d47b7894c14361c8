/* SPDX-License-Identifier: MIT */
/*
 * The sessions of one context, found by identity: in the same time for one as for the limit of all
 * (MIGUARD_MAX_SESSIONS).
 *
 * Each session is in two lists: that of its whole identity, and that of its user and group ids,
 * which a thread can read at once. The lists are short, as there are as many of each kind as there
 * are sessions. Without memory for more of them they get longer, and nothing is refused.
 *
 * A list is chosen by a hash that depends on this process's secret (base/process.h), so that no
 * choice of ids makes all of them one. The hash decides nothing: identities are compared in full.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/process.h"
#include "gateway/gateway.h"

/* Lists of one kind grow by this factor, so that a session is moved a few times in its life. */
enum { INDEX_GROWTH = 4 };

static uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t length)
{
    const char *at = bytes;

    for (size_t done = 0; done < length; done += sizeof(uint64_t)) {
        uint64_t word = 0;
        size_t left = length - done;
        memcpy(&word, at + done, left < sizeof(word) ? left : sizeof(word));
        hash = process_check_word(hash + word);
    }
    return hash;
}

static uint64_t hash_ids(const uid_t uid[IDENTITY_FS], const gid_t gid[IDENTITY_FS])
{
    return hash_bytes(hash_bytes(0, uid, IDENTITY_FS * sizeof(*uid)), gid,
                      IDENTITY_FS * sizeof(*gid));
}

/* Of components that differ between the identities of one context. Those that are left out are
 * compared all the same. */
static uint64_t hash_identity(const struct miguard_identity *identity)
{
    uint64_t hash = hash_bytes(0, identity->uid, sizeof(identity->uid));

    hash = hash_bytes(hash, identity->gid, sizeof(identity->gid));
    hash = hash_bytes(hash, identity->groups, identity->group_count * sizeof(gid_t));
    hash = hash_bytes(hash, identity->cap, sizeof(identity->cap));
    return identity->lsm_label == NULL
               ? hash
               : hash_bytes(hash, identity->lsm_label, strlen(identity->lsm_label));
}

/* A power of two. */
static uint32_t list_count(const struct session_index *index)
{
    return index->more != NULL ? index->more_count : SESSION_INDEX_FEW;
}

/* The lists by identity; behind them as many by ids. */
static struct guarded_session **lists_of(struct session_index *index)
{
    return index->more != NULL ? index->more : index->few;
}

static struct guarded_session **identity_list(struct session_index *index, uint64_t hash)
{
    return &lists_of(index)[hash & (list_count(index) - 1)];
}

static struct guarded_session **ids_list(struct session_index *index, uint64_t hash)
{
    return &lists_of(index)[list_count(index) + (hash & (list_count(index) - 1))];
}

struct guarded_session *session_index_find(struct session_index *index,
                                           const struct miguard_identity *identity)
{
    const uint64_t hash = hash_identity(identity);
    struct guarded_session *session = *identity_list(index, hash);

    while (session != NULL &&
           (session->identity_hash != hash ||
            miguard_identity_compare(&session->binding.identity, identity) != 0)) {
        session = session->next_by_identity;
    }
    return session;
}

struct guarded_session *session_index_find_ids(struct session_index *index,
                                               const uid_t uid[IDENTITY_FS],
                                               const gid_t gid[IDENTITY_FS])
{
    const size_t size = IDENTITY_FS * sizeof(*uid);
    struct guarded_session *session = *ids_list(index, hash_ids(uid, gid));

    while (session != NULL && (memcmp(session->binding.identity.uid, uid, size) != 0 ||
                               memcmp(session->binding.identity.gid, gid, size) != 0)) {
        session = session->next_by_ids;
    }
    return session;
}

static void put_into_lists(struct session_index *index, struct guarded_session *session)
{
    struct guarded_session **by_identity = identity_list(index, session->identity_hash);
    struct guarded_session **by_ids = ids_list(index, session->ids_hash);

    session->next_by_identity = *by_identity;
    *by_identity = session;
    session->next_by_ids = *by_ids;
    *by_ids = session;
}

/* Every list is made anew from `all`, in the order in which the sessions came. Without memory all
 * stays as it is. */
static void add_lists(struct session_index *index, struct guarded_session *all)
{
    uint32_t count = list_count(index) * INDEX_GROWTH;
    struct guarded_session **more = base_alloc((size_t)count * 2, sizeof(struct guarded_session *));
    struct guarded_session *oldest = NULL;

    if (more == NULL) {
        return;
    }
    base_free(index->more);
    index->more = more;
    index->more_count = count;
    for (; all != NULL; all = all->next) { /* the newest first; next_by_ids turns them round */
        all->next_by_ids = oldest;
        oldest = all;
    }
    while (oldest != NULL) {
        struct guarded_session *next = oldest->next_by_ids;
        put_into_lists(index, oldest);
        oldest = next;
    }
}

void session_index_add(struct session_index *index, struct guarded_session *session,
                       struct guarded_session *all)
{
    if (index->count >= list_count(index)) {
        add_lists(index, all);
    }
    session->identity_hash = hash_identity(&session->binding.identity);
    session->ids_hash = hash_ids(session->binding.identity.uid, session->binding.identity.gid);
    put_into_lists(index, session);
    index->count++;
}

void session_index_release(struct session_index *index)
{
    base_free(index->more);
    memset(index, 0, sizeof(*index));
}

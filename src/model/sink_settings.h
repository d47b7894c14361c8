/* SPDX-License-Identifier: MIT */
/*
 * Where records go, as a policy says it (miguard-policy(5), audit). Plain data; what it points to
 * is the caller's and must live until audit_open() has returned.
 */
#ifndef MODEL_SINK_SETTINGS_H
#define MODEL_SINK_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum audit_sync {
    AUDIT_SYNC_NONE, /* the page cache: survives kill -9, not a power cut */
    AUDIT_SYNC_DENY, /* a refusal, and every record of the log about itself, is on the disk */
    AUDIT_SYNC_ALL,
};

/* X(NAME, "name in policy files and records") */
#define SINK_KIND_MAP(X)                                                                           \
    X(FILE, "file")         /* the chain; at most one */                                           \
    X(SYSLOG, "syslog")     /* RFC 5424 over a datagram socket */                                  \
    X(JOURNALD, "journald") /* native fields */                                                    \
    X(KERNEL, "audit")      /* the kernel audit system: AUDIT_USER records */

enum sink_kind {
#define SINK_KIND_ENUM(NAME, name) SINK_##NAME,
    SINK_KIND_MAP(SINK_KIND_ENUM)
#undef SINK_KIND_ENUM
        SINK_KIND_COUNT
};

struct sink_settings {
    enum sink_kind kind;
    bool failure_denies; /* on-failure: deny: a record that is not in this sink is no record */
    const char *path;    /* of the file; of syslog's socket (NULL: /dev/log) */
    /* file */
    uint64_t rotate_bytes;   /* a file that would grow beyond it is rotated; 0: never */
    uint32_t rotate_seconds; /* a file older than this is rotated; 0: never */
    uint32_t keep;           /* rotated files; older ones are removed; 0: all are kept */
    enum audit_sync sync;
    bool chain_required; /* chain: required: a log without a key is refused */
    bool has_gid;        /* the file belongs to this group */
    uint32_t gid;
    /* syslog */
    unsigned facility; /* as in syslog.h, unshifted: 10 is authpriv */
};

/* audit.keys: what a record says of the instance that was asked for. */
enum audit_keys_mode {
    AUDIT_KEYS_YES,   /* the names and values of its keys */
    AUDIT_KEYS_NAMES, /* the names alone */
    AUDIT_KEYS_NO,
};

struct audit_settings {
    const struct sink_settings *sinks;
    size_t sink_count;
    uint32_t repeat_seconds; /* identical refusals within it are one record; 0: each has its own */
};

/* What a policy that says nothing means. */
#define AUDIT_DEFAULT_FILE "/var/log/miguard/audit.jsonl"
#define SINK_FILE_DEFAULT(file)                                                                    \
    {                                                                                              \
        .kind = SINK_FILE, .failure_denies = true, .path = (file), .rotate_bytes = 64 << 20,       \
        .keep = 16, .sync = AUDIT_SYNC_DENY                                                        \
    }
enum { AUDIT_REPEAT_SECONDS = 10, AUDIT_FACILITY = 10 };

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Where records go, as a policy defines it (miguard-policy(5), audit). Plain data; the memory it
 * points to is the caller's and must live until audit_open() has returned.
 */
#ifndef MODEL_SINK_SETTINGS_H
#define MODEL_SINK_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* For which records audit_write() returns only when the disk has confirmed them: sync in a
 * policy. */
enum audit_sync {
    AUDIT_SYNC_NONE, /* the page cache: survives kill -9, not a power cut */
    AUDIT_SYNC_DENY, /* a refusal, and every record of the log about itself, is on the disk */
    AUDIT_SYNC_ALL,
};

/*
 * What a policy may say about a sink, in the order in which it is printed. A row needs a reader
 * (policy/schema_audit.c) and a printer (tools/policy/show.c) of its name, or does not compile.
 *
 * X(NAME, name, "key", whether a sink that has the key must have it in the policy)
 */
#define SINK_KEY_MAP(X)                                                                            \
    X(PATH, path, "path", true)                                                                    \
    X(ROTATE, rotate, "rotate", false)                                                             \
    X(ROTATE_EVERY, rotate_every, "rotate-every", false)                                           \
    X(KEEP, keep, "keep", false)                                                                   \
    X(SYNC, sync, "sync", false)                                                                   \
    X(CHAIN, chain, "chain", false)                                                                \
    X(GROUP, group, "group", false)                                                                \
    X(SOCKET, socket, "socket", false)                                                             \
    X(FACILITY, facility, "facility", false)                                                       \
    X(ENTERPRISE, enterprise, "enterprise", false)                                                 \
    X(ON_FAILURE, on_failure, "on-failure", false)

/* Numbers of the keys, for the bits below. */
enum sink_key {
#define SINK_KEY_ENUM(NAME, ...) SINK_KEY_##NAME,
    SINK_KEY_MAP(SINK_KEY_ENUM)
#undef SINK_KEY_ENUM
        SINK_KEY_COUNT
};

enum {
#define SINK_KEY_BIT(NAME, ...) SINK_HAS_##NAME = 1 << SINK_KEY_##NAME,
    SINK_KEY_MAP(SINK_KEY_BIT)
#undef SINK_KEY_BIT
};

/* What `miguard doctor` tries to connect to, and so how the sink does: a datagram socket first, and
 * a stream socket only where the row allows it. */
enum sink_transport {
    SINK_NO_SOCKET,
    SINK_DATAGRAM,
    SINK_DATAGRAM_OR_STREAM,
};

/*
 * The kinds of sinks. A row here is all that is needed beside the sink itself, which is
 * `const struct sink_ops sink_OPS` (audit/sink/sink_ops.h) in its own file: the policy's
 * schema, `miguard policy show` and `miguard doctor` read the row.
 *
 * X(NAME, "name in policy files and records", OPS, "a NAME sink", its keys, "what it is for",
 * "socket that it writes to unless the policy says otherwise", transport, "a daemon that reads it")
 *
 * The file is not a sink_ops: it holds the chain and is written under the lock of the log. New rows
 * go to the end: the state of a log stores the numbers.
 */
#define SINK_FILE_KEYS                                                                             \
    (SINK_HAS_PATH | SINK_HAS_ROTATE | SINK_HAS_ROTATE_EVERY | SINK_HAS_KEEP | SINK_HAS_SYNC |     \
     SINK_HAS_CHAIN | SINK_HAS_GROUP | SINK_HAS_ON_FAILURE)

#define SINK_BESIDE_FILE_MAP(X)                                                                    \
    /* RFC 5424 */                                                                                 \
    X(SYSLOG, "syslog", syslog, "a syslog sink",                                                   \
      SINK_HAS_SOCKET | SINK_HAS_FACILITY | SINK_HAS_ENTERPRISE | SINK_HAS_ON_FAILURE,             \
      "records to syslog", "/dev/log", SINK_DATAGRAM_OR_STREAM, "a syslog daemon")                 \
    /* native fields */                                                                            \
    X(JOURNALD, "journald", journald, "a journald sink", SINK_HAS_ON_FAILURE,                      \
      "records to the journal", "/run/systemd/journal/socket", SINK_DATAGRAM,                      \
      "a systemd-journald")                                                                        \
    /* the kernel audit system: AUDIT_USER records */                                              \
    X(KERNEL, "audit", kernel_audit, "an audit sink", SINK_HAS_ON_FAILURE,                         \
      "records in the kernel's audit log", NULL, SINK_NO_SOCKET, NULL)

#define SINK_KIND_MAP(X)                                                                           \
    X(FILE, "file", , "a file sink", SINK_FILE_KEYS, "records in a file", NULL, SINK_NO_SOCKET,    \
      NULL)                                                                                        \
    SINK_BESIDE_FILE_MAP(X)

/* The number is the index of a sink's losses in the state of a log. */
enum sink_kind {
#define SINK_KIND_ENUM(NAME, ...) SINK_##NAME,
    SINK_KIND_MAP(SINK_KIND_ENUM)
#undef SINK_KIND_ENUM
        SINK_KIND_COUNT
};

/* A row of SINK_KIND_MAP as data, without the functions of the sink: tools read it without linking
 * any sink. */
struct sink_kind_words {
    const char *name;
    const char *what; /* "a file sink" */
    unsigned keys;    /* SINK_HAS_... */
    /* For `miguard doctor`, which says what is missing without the sink. */
    const char *purpose;
    /* Where it writes unless the policy names another one; NULL: it has no socket of that kind. */
    const char *socket;
    enum sink_transport transport;
    const char *daemon;
};
extern const struct sink_kind_words sink_kinds[SINK_KIND_COUNT];

/* One sink of a policy. Members of other kinds are 0. */
struct sink_settings {
    enum sink_kind kind;
    bool failure_denies; /* on-failure: deny: a decision that this sink did not record is denied */
    const char *path;    /* of the file, or of the socket (NULL: the default of its kind) */
    /* file */
    uint64_t rotate_bytes;   /* a file that would grow beyond it is rotated; 0: never */
    uint32_t rotate_seconds; /* a file older than this is rotated; 0: never */
    uint32_t keep;           /* rotated files; older ones are removed; 0: all are kept */
    enum audit_sync sync;
    bool chain_required; /* chain: required: a log without a key is refused */
    bool has_gid;        /* the file belongs to this group */
    uint32_t gid;
    /* syslog */
    unsigned facility;   /* as in syslog.h, unshifted: 10 is authpriv */
    uint32_t enterprise; /* of the structured data: ENTERPRISE_EXAMPLE, or the operator's own */
};

/* audit.keys: what a record says about the instance concerned. */
enum audit_keys_mode {
    AUDIT_KEYS_ALL,   /* the names and values of its keys */
    AUDIT_KEYS_NAMES, /* the names alone */
    AUDIT_KEYS_NONE,
};

/* All of a policy's section audit that the log itself needs. At most one sink of each kind. */
struct audit_settings {
    const struct sink_settings *sinks;
    size_t sink_count;
    uint32_t repeat_seconds; /* identical refusals within it share one record; 0: one record each */
    const char *policy_hash; /* for audit-start: of the policy that these are of; NULL: no file */
};

/* The private enterprise number that RFC 5612 gives to documentation: miguard has none of its own.
 */
enum { ENTERPRISE_EXAMPLE = 32473 };

/* The defaults of a policy. */
#define AUDIT_DEFAULT_FILE "/var/log/miguard/audit.jsonl"
#define SINK_FILE_DEFAULT(file)                                                                    \
    {                                                                                              \
        .kind = SINK_FILE, .failure_denies = true, .path = (file), .rotate_bytes = 64 << 20,       \
        .keep = 16, .sync = AUDIT_SYNC_DENY                                                        \
    }
/* Seconds of a window of repeats, and authpriv of syslog.h: security messages. */
enum { AUDIT_REPEAT_SECONDS = 10, AUDIT_FACILITY = 10 };

#endif

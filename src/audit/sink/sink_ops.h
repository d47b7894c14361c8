/* SPDX-License-Identifier: MIT */
/*
 * Where a finished record goes beside the file. A sink is used under its own lock (log.c), by one
 * thread at a time; it must neither block for longer than SINK_TIMEOUT_MS nor raise a signal, and
 * must not depend on the identity of the calling thread, which may be any: what it needs is
 * opened when the sink is, and a socket that has to be made again is made without a privilege or
 * the record counts as lost.
 */
#ifndef AUDIT_SINK_SINK_OPS_H
#define AUDIT_SINK_SINK_OPS_H

#include "audit/record.h"
#include "miguard/status.h"
#include "model/event.h"
#include "model/sink_settings.h"

/* How long a call of the program may be held up by a daemon that does not answer. */
enum { SINK_TIMEOUT_MS = 200 };

/* Each kind defines its own. */
struct sink;

struct sink_ops {
    enum sink_kind kind;
    /* Keeps nothing of settings. SYSTEM: for a reason that can pass, and the sink is tried again
     * later; other errors never pass. *ret_sink is set with OK only. */
    MIGUARD_CHECKED enum miguard_status (*open)(const struct sink_settings *settings,
                                                struct sink **ret_sink,
                                                struct miguard_error *reterr);
    /* False: the record is not there, and *ret_loss says why. A sink that lost its daemon tries to
     * reach it again with each record. */
    MIGUARD_CHECKED bool (*write)(struct sink *sink, const struct sink_record *record,
                                  enum audit_loss *ret_loss);
    /* Releases it; does not wait for a daemon. In a forked child it must not touch a thread of the
     * parent. */
    void (*close)(struct sink *sink);
    /* Ends the sink's thread; the next write() may start another. NULL: it never has one. */
    void (*pause)(struct sink *sink);
};

/* sink_syslog and so on, each in a file of its own. */
#define SINK_OPS(NAME, name, ops, ...) extern const struct sink_ops sink_##ops;
SINK_BESIDE_FILE_MAP(SINK_OPS)
#undef SINK_OPS

#endif

/* SPDX-License-Identifier: MIT */
/* The identities of the file server, by libmiguard. */
#include <miguard/gate.h>
#include <miguard/guard.h>
#include <miguard/home.h>
#include <miguard/switch.h>
#include <stdio.h>
#include <stdlib.h>

#include "identity.h"

struct peer {
    struct miguard_target *target;
    struct miguard_binding *binding;
};

static struct miguard_front_end *front_end;
static struct miguard_home *home;

static bool fine(enum miguard_status status, const char *sentence, char *why)
{
    if (status != MIGUARD_OK) {
        snprintf(why, IDENTITY_WHY, "%s: %s", miguard_status_text(status), sentence);
    }
    return status == MIGUARD_OK;
}

bool identity_start(const struct identity_options *options, char *why)
{
    static const char *const actions[] = {"read", "write", "remove"}; /* enum identity_action */
    struct miguard_gate_options gate = MIGUARD_GATE_OPTIONS_INIT;
    struct miguard_config config = MIGUARD_CONFIG_INIT;
    struct miguard_error e;

    gate.deny_io_uring = 1; /* a ring would act under credentials of its own */
    config.policy = options->policy;
    config.audit_file = options->audit;
    return fine(miguard_configure(&config, &e), e.detail, why) &&
           fine(options->gate ? miguard_gate_close(&gate, &e) : MIGUARD_OK, e.detail, why) &&
           fine(miguard_front_end_register("fileserver", actions, 3, &front_end, &e), e.detail,
                why) &&
           fine(miguard_home_capture(&home, &e), e.detail, why);
}

struct peer *identity_bind(int socket, const char *name, char *why)
{
    struct miguard_refusal refusal;
    struct miguard_error error;
    struct peer *peer = calloc(1, sizeof(*peer));

    if (fine(peer != NULL ? MIGUARD_OK : MIGUARD_NO_MEMORY, "", why) &&
        fine(miguard_target_peer(socket, &peer->target, &error), error.detail, why) &&
        fine(miguard_bind_target(front_end, peer->target, NULL, name, &peer->binding, &refusal),
             refusal.sentence, why)) {
        return peer;
    }
    identity_release(peer);
    return NULL;
}

void identity_release(struct peer *peer)
{
    if (peer != NULL) {
        miguard_release(peer->binding);
        miguard_target_free(peer->target);
        free(peer);
    }
}

bool identity_serve(struct peer *peer, void (*serve)(void *), void *argument, char *why)
{
    enum miguard_status status;
    struct miguard_error error;

    MIGUARD_SWITCHED(peer->target, &status, &error)
    {
        serve(argument);
    }
    return fine(status, error.detail, why);
}

bool identity_may(struct peer *peer, enum identity_action action, const char *path, char *why)
{
    const struct miguard_use use = MIGUARD_USE(action, path);
    struct miguard_refusal refusal;

    return fine(miguard_verify(peer->binding, &use, &refusal), refusal.sentence, why);
}

bool identity_home(char *why)
{
    struct miguard_error error;

    return fine(miguard_home_return(home, NULL, NULL, &error), error.detail, why);
}

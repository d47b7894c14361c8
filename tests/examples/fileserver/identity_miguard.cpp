/* SPDX-License-Identifier: MIT */
/* The identities of the file server in C++, by <miguard/guard.hpp> and <miguard/switch.hpp>. */
#include <cstdio>
#include <memory>
#include <miguard/gate.h>
#include <miguard/guard.hpp>
#include <miguard/home.h>
#include <miguard/switch.hpp>
#include <new>

#include "identity.h"

namespace
{

struct free_target {
    void operator()(miguard_target *target) const noexcept
    {
        miguard_target_free(target);
    }
};

miguard::front_end front_end;
miguard_home *home;

bool fine(miguard_status status, const char *sentence, char *why)
{
    if (status != MIGUARD_OK) {
        std::snprintf(why, IDENTITY_WHY, "%s: %s", miguard_status_text(status), sentence);
    }
    return status == MIGUARD_OK;
}

} // namespace

struct peer {
    std::unique_ptr<miguard_target, free_target> target;
    miguard::binding binding;
};

bool identity_start(const identity_options *options, char *why)
{
    static const char *const actions[] = {"read", "write", "remove"}; /* enum identity_action */
    miguard_gate_options gate = MIGUARD_GATE_OPTIONS_INIT;
    miguard_config config = MIGUARD_CONFIG_INIT;
    miguard_error e = miguard_error();

    gate.deny_io_uring = 1;
    config.policy = options->policy;
    config.audit_file = options->audit;
    return fine(miguard_configure(&config, &e), e.detail, why) &&
           fine(options->gate ? miguard_gate_close(&gate, &e) : MIGUARD_OK, e.detail, why) &&
           fine(front_end.open("fileserver", actions, &e), e.detail, why) &&
           fine(miguard_home_capture(&home, &e), e.detail, why);
}

peer *identity_bind(int socket, const char *name, char *why)
{
    std::unique_ptr<peer> made(new (std::nothrow) peer());
    miguard_target *target = nullptr;
    miguard_error error = miguard_error();
    miguard::refusal refusal;

    if (!fine(made ? MIGUARD_OK : MIGUARD_NO_MEMORY, "", why) ||
        !fine(miguard_target_peer(socket, &target, &error), error.detail, why)) {
        return nullptr;
    }
    made->target.reset(target);
    if (!fine(made->binding.bind_target(front_end, target, nullptr, name, &refusal), refusal.what(),
              why)) {
        return nullptr;
    }
    return made.release();
}

void identity_release(peer *peer)
{
    delete peer;
}

bool identity_serve(peer *peer, void (*serve)(void *), void *argument, char *why)
{
    miguard::switched as_peer(peer->target.get());

    if (as_peer) {
        serve(argument);
    }
    return fine(as_peer.status(), as_peer.error().detail, why);
}

bool identity_may(peer *peer, identity_action action, const char *path, char *why)
{
    miguard::refusal refusal;

    return fine(peer->binding.verify(action, path, &refusal), refusal.what(), why);
}

bool identity_home(char *why)
{
    miguard_error error = miguard_error();

    return fine(miguard_home_return(home, nullptr, nullptr, &error), error.detail, why);
}

/* SPDX-License-Identifier: MIT */
/*
 * The server that MI_Main() gets. Generated code keeps the pointer in a global and uses it as long
 * as the library is mapped, and the two functions get no host: so one table serves all hosts.
 *
 * The tables behind it are those of this library: context_ft for contexts, instance_ft for
 * instances, and those of property sets and filters, which other hosts leave out. Every slot of
 * them is filled.
 */
#include "host/server/host.h"

#include <unistd.h>

#include "base/fork.h"
#include "host/object/object.h"
#include "host/query/query.h"

/* The name must be returned in storage of the library. */
static struct fork_once name_once = FORK_ONCE_INIT;
static char system_name[256];

FORK_OWNER(name_owner, .rank = FORK_ONCE, .lock = &name_once.lock);

/* An empty name when the kernel's does not fit: gethostname(2) may truncate without a NUL, so the
 * last byte stays 0. */
static void read_system_name(void)
{
    if (gethostname(system_name, sizeof(system_name) - 1) != 0) {
        system_name[0] = '\0';
    }
}

/* GetVersion: the version of the API that this host was built with. */
static MI_Result get_version(MI_Uint32 *version)
{
    if (version == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    *version = MI_VERSION;
    return MI_RESULT_OK;
}

/* GetSystemName: read once. A host name that changes later is not seen. */
static MI_Result get_system_name(const MI_Char **name)
{
    if (name == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    fork_do_once(&name_once, read_system_name);
    *name = system_name;
    return MI_RESULT_OK;
}

/* The tables are the host's own; a gateway puts its own between them and the module. */
MI_Server *server_table(void)
{
    static const MI_ServerFT server_ft = {
        .GetVersion = get_version,
        .GetSystemName = get_system_name,
    };
    /* Not const because of the signature of MI_Main(). */
    static MI_Server server = {
        .serverFT = &server_ft,
        .contextFT = &context_ft.known,
        .instanceFT = &instance_ft,
        .propertySetFT = &property_set_ft,
        .filterFT = &filter_ft,
    };
    return &server;
}

/* SPDX-License-Identifier: MIT */
/* Any bytes as a shim, and as the template of one. What is taken for settings is whole and lies in
 * the bytes; and a shim that is made of the template is found again as it was made. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "shim/proof.h"
#include "tools/module/shim_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool good)
{
    if (!good) {
        abort();
    }
}

static void check_settings(const struct shim_examined *examined)
{
    const struct miguard_shim *shim = &examined->shim;

    if (examined->kind != SHIM_KIND_SHIM) {
        must(examined->kind == SHIM_KIND_PROVIDER || examined->problem[0] != '\0');
        return;
    }
    must(proof_settings_sound(shim, sizeof(*shim)) && examined->same_build);
    must(strlen(shim->version) < sizeof(shim->version) && shim->path[0] == '/');
    must(strlen(shim->provider) < sizeof(shim->provider) &&
         strlen(shim->path) < sizeof(shim->path));
}

static void check_made(const struct shim_template *own)
{
    const struct miguard_shim wanted = {.magic = MIGUARD_SHIM_MAGIC,
                                        .size = sizeof(wanted),
                                        .version = "v",
                                        .provider = "p.so",
                                        .path = "/p.so"};
    struct shim_examined examined;
    unsigned char *made = shim_make(own, &wanted);

    if (made == NULL) {
        return;
    }
    shim_examine_bytes(made, own->size, own, &examined);
    if (examined.kind == SHIM_KIND_SHIM) {
        must(memcmp(&examined.shim, &wanted, sizeof(wanted)) == 0 && examined.same_build);
    }
    base_free(made);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct shim_template own = {data, size};
    struct shim_examined examined;

    shim_examine_bytes(data, size, &own, &examined);
    check_settings(&examined);
    check_made(&own);
    return 0;
}

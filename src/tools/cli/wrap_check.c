/* SPDX-License-Identifier: MIT */
/*
 * miguard wrap --check: whether a file is a shim, around what, and whether it would load that now.
 *
 * The proof is the one that the shim makes itself (shim/proof.c), under the identity of the one who
 * asks: a file that belongs to this user is trusted here, and not by a host that runs as another.
 */
#include "tools/cli/wrap.h"

#include <stdlib.h>
#include <string.h>

#include "shim/proof.h"

enum { HASH_TEXT = 2 * MIGUARD_SHIM_HASH + 1 };

static void hash_text(const unsigned char hash[MIGUARD_SHIM_HASH], char text[HASH_TEXT])
{
    for (size_t i = 0; i < MIGUARD_SHIM_HASH; i++) {
        snprintf(text + 2 * i, 3, "%02x", hash[i]);
    }
}

static void say_row(const char *label, const char *value)
{
    printf("    %-11s", label);
    print_safe(stdout, value, false);
    putchar('\n');
}

/* What the settings of a shim say. */
static void say_shim(const struct shim_examined *examined)
{
    const struct miguard_shim *shim = &examined->shim;
    char text[HASH_TEXT + 32];

    say_row("provider", shim->provider);
    say_row("file", shim->path);
    hash_text(shim->hash, text);
    say_row("sha256", text);
    snprintf(text, sizeof(text), "uid %u, mode %04o", shim->owner, shim->mode);
    say_row("owner", text);
    snprintf(text, sizeof(text), "miguard %.32s%s", shim->version,
             examined->same_build ? "" : ", another build than this one");
    say_row("wrapped by", text);
}

/* A string, or null for an empty one; NULL out of memory. */
static json_t *string_json(const char *text)
{
    char *valid = valid_utf8(text);
    json_t *json = text[0] == '\0' ? json_null() : valid == NULL ? NULL : json_string(valid);

    free(valid);
    return json;
}

/* One line, with the same content as the text. */
static int print_check_json(const struct wrap_target *target, bool good, const char *problem)
{
    const struct miguard_shim *shim = &target->examined.shim;
    bool wrapped = target->examined.kind == SHIM_KIND_SHIM;
    char hash[HASH_TEXT] = "", mode[8] = "";

    if (wrapped) {
        hash_text(shim->hash, hash);
        snprintf(mode, sizeof(mode), "%04o", shim->mode & 07777);
    }
    json_t *json =
        json_pack("{s:o, s:b, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:b, s:o}", "file",
                  string_json(target->path), "wrapped", wrapped, "in_order", good, "version",
                  string_json(shim->version), "provider", string_json(shim->provider), "path",
                  string_json(shim->path), "sha256", string_json(hash), "owner",
                  wrapped ? json_integer(shim->owner) : json_null(), "mode", string_json(mode),
                  "in_place", shim->beside != 0, "same_build", target->examined.same_build,
                  "problem", string_json(problem));
    bool printed = json != NULL && print_json(stdout, json);

    json_decref(json);
    return printed ? CLI_YES : complain(CLI_UNABLE, "out of memory");
}

/* Of a file that is no shim: why it guards nothing. */
static const char *not_wrapped(const struct shim_examined *examined)
{
    return examined->kind == SHIM_KIND_PROVIDER ? "a provider that is not wrapped"
                                                : examined->problem;
}

int wrap_check(const struct wrap_request *request, const struct wrap_target *target)
{
    const struct shim_examined *examined = &target->examined;
    char problem[PROOF_PROBLEM] = "";
    struct proof proof;
    bool good = false;

    if (examined->kind != SHIM_KIND_SHIM) {
        snprintf(problem, sizeof(problem), "%s", not_wrapped(examined));
    } else if (proof_take(&examined->shim, problem, &proof) == PROOF_GOOD) {
        good = true;
        proof_release(&proof);
    }
    if (request->json) {
        int printed = print_check_json(target, good, problem);
        return printed != CLI_YES ? printed : good ? CLI_YES : CLI_NO;
    }
    wrap_say(target->path, "%s%s%s",
             examined->kind != SHIM_KIND_SHIM ? "not wrapped"
             : good                           ? "wrapped, in order"
                                              : "wrapped, and refuses to load",
             problem[0] != '\0' ? ": " : "", problem);
    if (examined->kind == SHIM_KIND_SHIM) {
        say_shim(examined);
    }
    return good ? CLI_YES : CLI_NO;
}

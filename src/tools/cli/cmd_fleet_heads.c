/* SPDX-License-Identifier: MIT */
/*
 * miguard fleet heads: the heads of all hosts as one list, which may be signed.
 *
 * The store is verified first, as by `fleet verify`, and the last record of each chain becomes a
 * head. Where something is wrong with a chain its head is not written: a list must not make anew
 * what it should have shown. With the list that was made before in --heads a host that wrote its
 * past anew is found here, and does not get into the next list.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "tools/cli/commands.h"
#include "tools/cli/findings.h"
#include "tools/cli/fleet_inputs.h"
#include "tools/cli/sign_open.h"

struct request {
    struct fleet_inputs inputs;
    const char *output, *sign, *password_file;
    bool partial;
    uint64_t written, left_out;
};

static const struct option_row options[] = {
    TEXT("--output", "FILE", struct request, output,
         "make FILE, which must not exist, instead of writing to standard output"),
    TEXT("--sign", "KEY", struct request, sign,
         "sign it with this secret key, in FILE.minisig (miguard key create, or minisign)",
         .needs = "--output"),
    TEXT("--password-file", "FILE", struct request, password_file,
         "the password of the key is its only line; without this it is asked for on the terminal",
         .needs = "--sign"),
    FLEET_KEYS(struct request, inputs),
    FLEET_HEADS(struct request, inputs),
    FLEET_SIGNED_BY(struct request, inputs),
    FLAG("--partial", struct request, partial,
         "the store begins later than the logs: what was before the first record of a chain is not "
         "missing"),
};

/* ---- the list ------------------------------------------------------------------------------- */

/* A wrong clock changes nothing about a head. */
static bool is_sound(const struct fleet_row *row)
{
    const unsigned wrong = FLEET_NEVER_HEARD | FLEET_WENT_BACK | FLEET_RESTARTED | FLEET_WRONG_KEY;

    return row->report.records > 0 && row->report.by_severity[VERIFY_ALARM] == 0 &&
           (row->facts & wrong) == 0;
}

/* A line is made for machines and ends at its newline: a name with one would make another line. */
static void add_name(struct text *text, const char *name)
{
    for (const char *at = name; *at != '\0'; at++) {
        text_append_bytes(text, (unsigned char)*at > ' ' && *at != 127 ? at : "_", 1);
    }
}

static void add_head(struct text *text, const struct fleet_row *row)
{
    char hash[CHAIN_HEX_SIZE];

    chain_hex(row->report.head, hash);
    text_format(text, "%016" PRIx64 " %" PRIu64 ":%s ", row->chain, row->report.last, hash);
    add_name(text, row->host);
    text_append(text, "\n");
}

static void make_list(struct request *request, const struct fleet_report *report, struct text *text)
{
    char now[FINDINGS_TIME_SIZE];

    findings_time(clock_wall() * INT64_C(1000000000), now);
    text_format(text, "# heads of audit logs, %s: CHAIN SEQ:HASH HOST, for miguard fleet verify\n",
                now);
    for (size_t i = 0; i < report->row_count; i++) {
        const struct fleet_row *row = &report->rows[i];
        if (is_sound(row)) {
            add_head(text, row);
            request->written++;
        } else {
            request->left_out++;
            complain(CLI_NO, "%s: chain %016" PRIx64 " is left out: see miguard fleet verify",
                     row->host[0] != '\0' ? row->host : "(unknown host)", row->chain);
        }
    }
}

/* ---- writing -------------------------------------------------------------------------------- */

static int make_file(const char *path, const struct text *text)
{
    if (sign_make_file(path, text->data, text->length, 0644)) {
        return CLI_YES;
    }
    return complain(CLI_UNABLE, "%s: %s", path,
                    errno == EEXIST ? "exists; a list is never overwritten" : strerror(errno));
}

/* The trusted comment says what it is, so that a signature of another file cannot stand for it. */
static int make_signature(const struct request *request, const struct sign_secret *secret,
                          const struct text *list, const char *name)
{
    uint8_t digest[SIGN_DIGEST];
    struct text text = TEXT_EMPTY;
    char comment[64];

    sign_digest(list->data, list->length, digest);
    snprintf(comment, sizeof(comment), "miguard heads %" PRIu64, request->written);
    int status = sign_write(secret, digest, comment, &text) && !text.failed
                     ? make_file(name, &text)
                     : complain(CLI_UNABLE, "out of memory");
    text_release(&text);
    return status;
}

/* The signature first: a list without it is one that was never finished. Without the list the
 * signature goes as well, or the next try would find it and refuse. */
static int make_both(const struct request *request, const struct sign_secret *secret,
                     const struct text *list)
{
    char *name = NULL;

    if (asprintf(&name, "%s.minisig", request->output) < 0) {
        return complain(CLI_UNABLE, "out of memory");
    }
    int status = make_signature(request, secret, list, name);
    if (status == CLI_YES) {
        status = make_file(request->output, list);
        if (status != CLI_YES) {
            (void)unlink(name);
        }
    }
    free(name);
    return status;
}

static int write_signed(const struct request *request, const struct text *list)
{
    struct sign_secret secret;
    int status = sign_begin() ? sign_open_secret(request->sign, request->password_file, &secret)
                              : complain(CLI_UNABLE, "no random numbers");

    if (status == CLI_YES) {
        status = make_both(request, &secret, list);
        sign_wipe(&secret);
    }
    return status;
}

static int write_list(const struct request *request, const struct text *list)
{
    if (list->failed) {
        return complain(CLI_UNABLE, "out of memory");
    }
    if (request->sign != NULL) {
        return write_signed(request, list);
    }
    if (request->output != NULL) {
        return make_file(request->output, list);
    }
    return fwrite(list->data, 1, list->length, stdout) == list->length
               ? CLI_YES
               : complain(CLI_UNABLE, "standard output cannot be written");
}

/* ---- all ------------------------------------------------------------------------------------ */

static int collect_heads(const struct command_line *line, struct request *request)
{
    struct fleet_report report;
    struct text list = TEXT_EMPTY;

    request->inputs.fleet.now = clock_wall() * INT64_C(1000000000);
    request->inputs.fleet.slack = INT64_MAX / 2;
    request->inputs.fleet.partial = request->partial;
    int status = fleet_inputs_verify(line, &request->inputs, &report);
    if (status != CLI_YES) {
        return status;
    }
    make_list(request, &report, &list);
    fleet_release(&report);
    status = request->written > 0 ? write_list(request, &list)
                                  : complain(CLI_NO, "there is no head to write");
    text_release(&list);
    return status == CLI_YES && request->left_out > 0 ? CLI_NO : status;
}

static int run_heads(const struct command_line *line)
{
    struct request request = {0};
    int status = CLI_YES;

    if (command_parse(line, &request, &status)) {
        status = collect_heads(line, &request);
    }
    fleet_inputs_release(&request.inputs);
    return status;
}

COMMAND(fleet, heads) = {
    .about = "Verifies the store and writes the last record of each chain as a list of heads, one "
             "line each: CHAIN SEQ:HASH HOST. Kept elsewhere and given to `miguard fleet verify "
             "--heads`, it proves later that no host and no collector wrote its past anew.",
    .notes = "A chain with which something is wrong is left out and named. Give the list before in "
             "--heads: then a head that is not met any more is such a thing.",
    .exits = "Exit status: 0 every chain is in the list; 1 some are not, or the list in --heads is "
             "not the one that was signed; 2 wrong usage; 3 it could not be done.",
    .operand = OPERANDS("FOLDER...", struct request, inputs.places),
    OPTIONS(options),
    .run = run_heads,
};

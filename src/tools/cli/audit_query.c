/* SPDX-License-Identifier: MIT */
#include "tools/cli/audit_query.h"

#include <stdlib.h>
#include <string.h>

const char query_help[] =
    "QUERY is any of these. All must hold; one that is given more than once holds when one of its\n"
    "values does. In a GLOB * stands for any text and ? for one character.\n"
    "\n"
    "  --start TIME, --end TIME    from the beginning of TIME, to its end: 2026-03-01,\n"
    "                              2026-03-01T12:00, with Z or +01:00 (else local time), 2h, 3d\n"
    "                              (ago), now, recent (10 minutes), today, yesterday, this-week,\n"
    "                              week-ago, this-month, this-year, boot\n"
    "  --user GLOB                 name or id of whom the session belongs to, or who used it\n"
    "  --bound-user GLOB           only of the first\n"
    "  --current-user GLOB         only of the second (the effective user)\n"
    "  --any-user GLOB             these, and the real, saved and login user\n"
    "  --group GLOB                name or id, as --user\n"
    "  --provider GLOB             file name of the provider module\n"
    "  --class GLOB                in any case\n"
    "  --method GLOB               of an Invoke, in any case\n"
    "  --namespace GLOB            in any case; / and \\ are the same\n"
    "  --operation NAME            GetInstance, Invoke, SessionClose ...\n"
    "  --decision WORD             allow, deny or would-deny (permissive mode)\n"
    "  --action WORD, --reason WORD, --code CODE\n"
    "                              as miguard-audit-record(5) lists them\n"
    "  --component NAME            this component differed: euid, groups, cap-effective ...\n"
    "  --rule GLOB                 the policy rule that decided\n"
    "  --session ID, --context ID  in hexadecimal\n"
    "  --id ID                     the decision id that the refused caller was told\n"
    "  --sequence N[-M]            the number in the log\n"
    "  --pid N[-M], --tid N[-M], --executable GLOB, --host GLOB\n"
    "  --text WORD                 anywhere in the record's texts, in any case\n";

static int complain_value(const struct arguments *arguments, const char *option, const char *value,
                          const struct miguard_error *error)
{
    const char *const *words = query_words(option);
    const char *nearest = words == NULL ? NULL : nearest_word(value, words);

    if (error->status == MIGUARD_NO_MEMORY) {
        return complain(CLI_UNABLE, "out of memory");
    }
    if (nearest != NULL) {
        return complain(CLI_USAGE, "%s: %s '%s' is unknown; did you mean %s?", arguments->command,
                        option, value, nearest);
    }
    return complain(CLI_USAGE, "%s: %s %s", arguments->command, option, error->detail);
}

bool query_argument(struct arguments *arguments, struct query *query, int *ret_status)
{
    struct miguard_error error = {0};
    const char *value = NULL;

    for (size_t i = 0; query_options[i] != NULL; i++) {
        if (!arguments_value(arguments, query_options[i], &value)) {
            continue;
        }
        if (value == NULL) {
            *ret_status = CLI_USAGE;
        } else if (query_add(query, query_options[i], value, &error) == MIGUARD_OK) {
            *ret_status = CLI_YES;
        } else {
            *ret_status = complain_value(arguments, query_options[i], value, &error);
        }
        return true;
    }
    return false;
}

const char **query_known(const char *const *own)
{
    size_t own_count = 0, count = 0;

    while (own[own_count] != NULL) {
        own_count++;
    }
    while (query_options[count] != NULL) {
        count++;
    }
    const char **known = calloc(own_count + count + 1, sizeof(*known));
    if (known != NULL) {
        memcpy(known, own, own_count * sizeof(*known));
        memcpy(known + own_count, query_options, count * sizeof(*known));
    }
    return known;
}

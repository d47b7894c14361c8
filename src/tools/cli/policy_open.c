/* SPDX-License-Identifier: MIT */
/*
 * Reading and testing the policy that is meant, and printing findings. Every `miguard policy`
 * command calls it, and the `audit` commands to find the log.
 *
 * policy_set_load() has three sources: the standard places, standard input (load_standard_input()),
 * and a file or folder that was named (load_named()). All end in the reader of the library,
 * draft_load() or draft_load_text(), and in policy_compile(), so that a policy means here exactly
 * what it means to the guard.
 */
#include "tools/cli/policy_open.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/policy/show.h"

/* ---- text ----------------------------------------------------------------------------------- */

/* The line breaks are kept; everything else passes print_safe(). */
void print_lines(FILE *stream, const char *text)
{
    while (*text != '\0') {
        size_t length = strcspn(text, "\n");
        char *line = strndup(text, length);
        print_safe(stream, line == NULL ? "(out of memory)" : line, false);
        free(line);
        fputc('\n', stream);
        text += length + (text[length] == '\n');
    }
}

/* As diagnostics_write() orders them. */
void print_findings(FILE *stream, const struct diagnostics *findings)
{
    struct text text = TEXT_EMPTY;

    diagnostics_write(findings, &text);
    if (text.failed) {
        complain(CLI_UNABLE, "out of memory");
    } else if (text.length > 0) {
        print_lines(stream, text.data);
    }
    text_release(&text);
}

/* File names and messages may hold any bytes, and are made UTF-8. */
json_t *findings_json(const struct diagnostics *findings)
{
    json_t *list = json_array();

    for (size_t i = 0; list != NULL && i < findings->count; i++) {
        const struct diagnostic *item = &findings->items[i];
        char *message = valid_utf8(item->message), *file = valid_utf8(item->file);
        json_array_append_new(list,
                              json_pack("{s:s, s:s?, s:I, s:I, s:s?}", "severity",
                                        item->severity == DIAGNOSTIC_ERROR ? "error" : "warning",
                                        "file", file, "line", (json_int_t)item->line, "column",
                                        (json_int_t)item->column, "message", message));
        free(message);
        free(file);
    }
    return list;
}

json_t *policy_json(const struct policy_draft *draft)
{
    struct text text = TEXT_EMPTY;

    show_json(draft, &text);
    json_t *json = text.failed ? NULL : json_loads(text.data, JSON_DECODE_ANY, NULL);
    text_release(&text);
    return json;
}

void print_policy_value(const json_t *value)
{
    const json_t *text = json_object_get(value, "text");

    if (value == NULL) {
        fputs("(absent)", stdout);
    } else if (json_is_string(value) || text != NULL) {
        print_safe(stdout, json_string_value(text != NULL ? text : value), false);
    } else if (json_is_array(value)) {
        for (size_t i = 0; i < json_array_size(value); i++) {
            fputs(i == 0 ? "" : ", ", stdout);
            print_policy_value(json_array_get(value, i));
        }
    } else if (json_is_object(value)) {
        const char *key, *between = "{";
        json_t *member;
        json_object_foreach((json_t *)(uintptr_t)value, key, member)
        {
            printf("%s%s: ", between, key);
            print_policy_value(member);
            between = "; ";
        }
        fputs("}", stdout);
    } else {
        char *dump = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
        print_safe(stdout, dump != NULL ? dump : "(out of memory)", false);
        free(dump);
    }
}

/* ---- reading -------------------------------------------------------------------------------- */

/* The environment of a set-id program is its caller's and must not choose the policy. */
const char *policy_path(const char *given)
{
    const char *path = given != NULL ? given : secure_getenv("MIGUARD_POLICY");

    return path == NULL || path[0] == '\0' ? NULL : path;
}

/* One byte more than a policy may have is read, so that the reader of policies reports the excess
 * itself, with its own message. The text ends in a NUL, which the length does not count. Freed by
 * the caller; NULL after a message. */
char *read_policy_source(const char *path, size_t *ret_length)
{
    bool standard = strcmp(path, "-") == 0;
    FILE *file = standard ? stdin : fopen(path, "re");
    char *source = malloc(DRAFT_MAX_FILE + 2);

    if (file == NULL) {
        complain(CLI_UNABLE, "%s: %s", path, strerror(errno));
    } else if (source == NULL) {
        complain(CLI_UNABLE, "out of memory");
    }
    bool bad = file == NULL || source == NULL;
    if (!bad) {
        *ret_length = fread(source, 1, DRAFT_MAX_FILE + 1, file);
        source[*ret_length] = '\0';
        if (ferror(file)) {
            complain(CLI_UNABLE, "%s: it cannot be read", path);
            bad = true;
        }
    }
    if (file != NULL && !standard) {
        fclose(file);
    }
    if (bad) {
        free(source);
        return NULL;
    }
    return source;
}

/* A bad policy is a no with findings, which the caller prints; everything else is a message.
 * BAD_POLICY without a finding means that memory ran out while it was made. */
static int load_status(const char *label, enum miguard_status status,
                       const struct diagnostics *findings)
{
    if (status == MIGUARD_OK) {
        return CLI_YES;
    }
    return status == MIGUARD_BAD_POLICY && findings->errors > 0
               ? CLI_NO
               : complain(CLI_UNABLE, "%s: %s", label, miguard_status_text(status));
}

/* Has no owner and no folder, so trust does not apply. */
static int load_standard_input(struct policy_set *set)
{
    size_t length = 0;
    char *source = read_policy_source("-", &length);

    if (source == NULL) {
        return CLI_UNABLE;
    }
    enum miguard_status status =
        draft_load_text("<stdin>", source, length, &set->draft, &set->findings);
    free(source);
    return load_status(set->label, status, &set->findings);
}

/* Adds what reading with trust finds and reading without does not, as warnings. The file is read
 * twice for that. */
static int add_trust_warnings(const char *path, struct policy_set *set)
{
    struct diagnostics strict = DIAGNOSTICS_EMPTY;
    struct policy_draft *draft = NULL;
    int status = CLI_YES;

    if (draft_load(&path, 1, DRAFT_TRUST_ALL, &draft, &strict) == MIGUARD_NO_MEMORY) {
        status = complain(CLI_UNABLE, "out of memory");
    }
    for (size_t i = 0; i < strict.count; i++) {
        const struct diagnostic *item = &strict.items[i];
        struct policy_place place = {item->file, item->line, item->column};
        if (item->severity == DIAGNOSTIC_ERROR) {
            diagnostic_add(&set->findings, DIAGNOSTIC_WARNING, &place, NULL, 0, "%s",
                           item->message);
        }
    }
    draft_free(draft);
    diagnostics_release(&strict);
    return status;
}

/* access(2) first, for a message about the file itself instead of a finding in it. Without trust,
 * since a policy is written and checked where it is not in force yet; what trust would refuse then
 * becomes a warning. */
static int load_named(const char *path, struct policy_set *set)
{
    if (access(path, R_OK) < 0) {
        return complain(CLI_UNABLE, "%s: %s", path, strerror(errno));
    }
    int status = load_status(
        path, draft_load(&path, 1, DRAFT_TRUST_NONE, &set->draft, &set->findings), &set->findings);
    return status == CLI_YES ? add_trust_warnings(path, set) : status;
}

/* Compiled also for commands that only print: a policy that does not compile is not in order. The
 * label is what messages call it; it is borrowed from path. */
int policy_set_load(const char *path, struct policy_set *ret_set)
{
    struct policy_set *set = ret_set;
    int status;

    memset(set, 0, sizeof(*set));
    set->label = path == NULL ? "the policy in force" : strcmp(path, "-") == 0 ? "<stdin>" : path;
    if (path == NULL) {
        status = load_status(set->label,
                             draft_load(NULL, 0, DRAFT_TRUST_ALL, &set->draft, &set->findings),
                             &set->findings);
    } else {
        status = strcmp(path, "-") == 0 ? load_standard_input(set) : load_named(path, set);
    }
    if (status == CLI_YES && policy_compile(set->draft, &set->policy) != MIGUARD_OK) {
        status = complain(CLI_UNABLE, "out of memory");
    }
    return status;
}

/* The tests run in this process; no provider is called. */
int policy_set_test(struct policy_set *set)
{
    return selftest_run(set->draft, set->policy, &set->tested, &set->findings) == MIGUARD_OK
               ? CLI_YES
               : complain(CLI_UNABLE, "out of memory");
}

/* Leaves {0}, so that a second call does nothing. */
void policy_set_release(struct policy_set *set)
{
    selftest_release(&set->tested);
    if (set->policy != NULL) {
        policy_release(set->policy);
    }
    draft_free(set->draft);
    diagnostics_release(&set->findings);
    memset(set, 0, sizeof(*set));
}

/* SPDX-License-Identifier: MIT */
/*
 * The one place where a refusal becomes a sentence. decision.c makes the data, a front end asks for
 * the text.
 *
 * Everything is of bounded size: a refusal is made where memory may have run out.
 */
#include "guard/refusal.h"

#include <stdio.h>
#include <string.h>

#include "identity/cut.h"
#include "identity/identity.h"

/* Copies at most limit bytes, up to a whole character, and marks a cut. to has room for limit and
 * the mark. */
static void copy_cut(char *to, const char *text, size_t limit)
{
    if (text == NULL) {
        text = "";
    }
    size_t length = strnlen(text, limit + 1);
    if (length > limit) {
        length = cut_whole(text, limit);
    }
    snprintf(to, limit + REFUSAL_CUT_MARK, "%.*s%s", (int)length, text,
             text[length] != '\0' ? "..." : "");
}

struct refusal refusal_new(enum guard_answer answer, enum audit_reason reason,
                           miguard_components mismatch)
{
    return (struct refusal){.answer = answer, .reason = reason, .mismatch = mismatch};
}

void refusal_set_rule(struct refusal *refusal, const char *rule, const char *source,
                      const char *rule_reason)
{
    copy_cut(refusal->rule, rule, REFUSAL_RULE);
    copy_cut(refusal->source, source, REFUSAL_SOURCE);
    copy_cut(refusal->rule_reason, rule_reason, REFUSAL_REASON);
}

/* The text that is being made, and its whole size; the NUL is always within. */
struct sentence {
    char *text;
    size_t size;
};

/* Drops what does not fit. */
static void append(const struct sentence *sentence, const char *text)
{
    size_t length = strlen(sentence->text);
    snprintf(sentence->text + length, sentence->size - length, "%s", text);
}

/* ": euid, groups differ", or nothing. Names only: the caller may not learn the bound values. */
static void append_components(const struct sentence *sentence, miguard_components mismatch)
{
    const char *separator = ": ";

    for (uint32_t bit = 0; bit < MIGUARD_COMPONENT_COUNT; bit++) {
        if ((mismatch >> bit & 1) != 0) {
            append(sentence, separator);
            append(sentence, miguard_component_name((miguard_components)1 << bit));
            separator = ", ";
        }
    }
    if (mismatch != 0) {
        append(sentence, " differ");
    }
}

/* A rule's own reason is left out where it only repeats the built-in one. */
void refusal_sentence(const struct refusal *refusal, char *ret_text, size_t size)
{
    const struct sentence sentence = {ret_text, size};
    const char *reason = audit_reasons[refusal->reason].text;

    snprintf(ret_text, size, "miguard: %s", reason);
    append_components(&sentence, refusal->mismatch);
    if (refusal->rule[0] != '\0') {
        append(&sentence, "; rule \"");
        append(&sentence, refusal->rule);
        append(&sentence, "\" at ");
        append(&sentence, refusal->source[0] != '\0' ? refusal->source : "an unknown place");
    }
    if (refusal->rule_reason[0] != '\0' && strcmp(refusal->rule_reason, reason) != 0) {
        append(&sentence, ": ");
        append(&sentence, refusal->rule_reason);
    }
    if (refusal->decision_id[0] != '\0') {
        append(&sentence, "; decision ");
        append(&sentence, refusal->decision_id);
    }
}

static enum miguard_status status_of(enum guard_answer answer)
{
    switch (answer) {
    case GUARD_DENIED:
        break;
    case GUARD_INVALID:
        return MIGUARD_BAD_HANDLE;
    case GUARD_LIMIT:
        return MIGUARD_LIMIT;
    case GUARD_FAILED:
        return MIGUARD_NOT_SUPPORTED;
    }
    return MIGUARD_DENIED;
}

enum miguard_status refusal_export(const struct refusal *refusal,
                                   struct miguard_refusal *ret_refusal)
{
    enum miguard_status status = status_of(refusal->answer);

    if (ret_refusal != NULL) {
        _Static_assert(sizeof(ret_refusal->rule) >= sizeof(refusal->rule) &&
                           sizeof(ret_refusal->source) >= sizeof(refusal->source) &&
                           sizeof(ret_refusal->decision_id) >= sizeof(refusal->decision_id) &&
                           sizeof(ret_refusal->sentence) >= REFUSAL_SENTENCE,
                       "everything fits");
        memset(ret_refusal, 0, sizeof(*ret_refusal));
        ret_refusal->status = status;
        ret_refusal->reason = audit_reasons[refusal->reason].name;
        ret_refusal->difference = refusal->mismatch;
        memcpy(ret_refusal->rule, refusal->rule, sizeof(refusal->rule));
        memcpy(ret_refusal->source, refusal->source, sizeof(refusal->source));
        memcpy(ret_refusal->decision_id, refusal->decision_id, sizeof(refusal->decision_id));
        refusal_sentence(refusal, ret_refusal->sentence, sizeof(ret_refusal->sentence));
    }
    return status;
}

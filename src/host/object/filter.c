/* SPDX-License-Identifier: MIT */
/*
 * Filters that hold their expression but do not evaluate it: the correct answer for a language
 * without an evaluator is INVALID_PARAMETER and no match (MI_Filter_Evaluate).
 *
 * Queries are not served, so no filter reaches a provider; the table is there because MI_Server has
 * a place for it, and an inline function of MI.h would jump to a NULL slot.
 */
#include "host/object/object.h"

/* The two pointers are in reserved[], which MI_Filter has for its maker. */
void filter_init(MI_Filter *filter, const char *language, const char *expression)
{
    *filter = (MI_Filter){
        .ft = &filter_ft,
        .reserved = {(ptrdiff_t)language, (ptrdiff_t)expression},
    };
}

/* Evaluate: false and an error, so that a caller that ignores the result gets no match rather than
 * every instance. */
static MI_Result filter_evaluate(const MI_Filter *self, const MI_Instance *instance,
                                 MI_Boolean *ret_match)
{
    (void)self;
    (void)instance;
    if (ret_match != NULL) {
        *ret_match = MI_FALSE;
    }
    return MI_RESULT_INVALID_PARAMETER;
}

/* GetExpression: the texts are borrowed; the provider may parse them itself. */
static MI_Result filter_get_expression(const MI_Filter *self, const MI_Char **ret_language,
                                       const MI_Char **ret_expression)
{
    if (self == NULL || ret_language == NULL || ret_expression == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    *ret_language = (const MI_Char *)self->reserved[0];
    *ret_expression = (const MI_Char *)self->reserved[1];
    return MI_RESULT_OK;
}

const MI_FilterFT filter_ft = {
    .Evaluate = filter_evaluate,
    .GetExpression = filter_get_expression,
};

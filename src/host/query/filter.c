/* SPDX-License-Identifier: MIT */
/*
 * Filters, as a provider sees the query of its request.
 *
 * A provider may evaluate a filter itself, read the expression, or ignore both: the host looks at
 * each posted instance again in any case.
 */
#include "host/query/query.h"

/* The three pointers are in reserved[], which MI_Filter has for its maker. */
void filter_init(MI_Filter *filter, const char *language, const char *expression,
                 const struct wql *query)
{
    *filter = (MI_Filter){
        .ft = &filter_ft,
        .reserved = {(ptrdiff_t)language, (ptrdiff_t)expression, (ptrdiff_t)query},
    };
}

/* Evaluate: a condition that cannot be decided is no match and no error, as for the host itself.
 * Without an evaluator it is false and an error, so that a caller that ignores the result gets no
 * match rather than every instance. */
static MI_Result filter_evaluate(const MI_Filter *self, const MI_Instance *instance,
                                 MI_Boolean *ret_match)
{
    bool match = false;

    if (ret_match != NULL) {
        *ret_match = MI_FALSE;
    }
    if (self == NULL || self->reserved[2] == 0 || instance == NULL || ret_match == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    (void)wql_match((const struct wql *)self->reserved[2], instance, &match);
    *ret_match = match ? MI_TRUE : MI_FALSE;
    return MI_RESULT_OK;
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

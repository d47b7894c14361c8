/* SPDX-License-Identifier: MIT */
/*
 * Queries: an enumeration of the class behind FROM, whose results are looked at when they are
 * posted. A provider may get the query as a filter and post less; it is not relied on.
 */
#include "host/server/host.h"

#include <string.h>

#include "base/alloc.h"
#include "host/object/object.h"
#include "host/query/query.h"
#include "host/server/lifecycle.h"

/* Results are reduced to what stands behind SELECT, and their keys. The provider gets no set: it
 * must also post what the condition reads. */
static MI_Result plan_selection(struct request *request)
{
    MI_PropertySet *set = NULL;

    MI_Result result = wql_selection(request->query, &set);
    if (result != MI_RESULT_OK || set == NULL) {
        return result;
    }
    if (request->set != NULL) {
        request->set->ft->Delete(request->set);
    }
    request->set = set;
    request->pass_set = false;
    request->project = true;
    return MI_RESULT_OK;
}

/* Lifecycle indications are not kept, so a subscription begins with the next one. */
static bool can_begin(const char *bookmark)
{
    return bookmark == NULL || strcmp(bookmark, MI_SUBSCRIBE_BOOKMARK_OLDEST) == 0 ||
           strcmp(bookmark, MI_SUBSCRIBE_BOOKMARK_NEWEST) == 0;
}

/* A subscription to a class of lifecycle indications that no provider of its own serves; decl is
 * that class. */
static MI_Result check_lifecycle(const struct request *request, const MI_ClassDecl *decl)
{
    if (!can_begin(request->bookmark)) {
        return MI_RESULT_NOT_SUPPORTED;
    }
    return wql_check(request->query, decl);
}

/* A class without a declaration cannot be compared with: its provider is dynamic, and what does not
 * fit does not match. */
static MI_Result check_class(const struct catalogue *catalogue, struct request *request)
{
    struct plan_class found = {0};

    MI_Result result = plan_find_class(catalogue, request->name_space, request->class_name, &found);
    bool served = result == MI_RESULT_OK && found.provider != NULL &&
                  found.provider->ft->EnableIndications != NULL;
    if (request->kind == REQUEST_SUBSCRIBE && result != MI_RESULT_INVALID_NAMESPACE && !served) {
        const MI_ClassDecl *decl = lifecycle_class(request->class_name, &request->lifecycle_types);
        if (decl != NULL) {
            return check_lifecycle(request, decl);
        }
    }
    if (result != MI_RESULT_OK || found.decl == NULL) {
        return result;
    }
    if (request->kind == REQUEST_SUBSCRIBE && (found.decl->flags & MI_FLAG_INDICATION) == 0) {
        return MI_RESULT_INVALID_QUERY;
    }
    return wql_check(request->query, found.decl);
}

MI_Result plan_query(const struct catalogue *catalogue, const struct request_input *input,
                     MI_Uint32 flags, struct request *request)
{
    MI_Result result = wql_new(input->dialect, input->expression, &request->query);
    if (result != MI_RESULT_OK) {
        return result;
    }
    const struct wql *query = request->query;
    filter_init(&request->filter, wql_language(query), wql_text(query), query);
    request->class_name = base_copy_text(wql_class(query));
    if (request->class_name == NULL) {
        return MI_RESULT_SERVER_LIMITS_EXCEEDED;
    }
    result = check_class(catalogue, request);
    if (result == MI_RESULT_OK) {
        result = request->lifecycle_types != 0
                     ? plan_lifecycle(catalogue, wql_isa(query, "SourceInstance"), request)
                     : plan_enumerate(catalogue, flags, request);
    }
    if (result == MI_RESULT_OK && request->kind == REQUEST_SUBSCRIBE && request->step_count == 0) {
        result = MI_RESULT_NOT_SUPPORTED; /* it would wait for nothing */
    }
    return result == MI_RESULT_OK ? plan_selection(request) : result;
}

bool plan_selects(const struct request *request, const MI_Instance *instance)
{
    bool match = true;

    if (request->query != NULL) {
        (void)wql_match(request->query, instance, &match);
    }
    return match;
}

/* SPDX-License-Identifier: MIT */
/* Classes for `miguard run --table`: one line each, or one for each property and method. */
#include "tools/cli/run_table.h"

#include <stdlib.h>
#include <string.h>

#include "tools/cli/cli.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A class by its name alone has no more. */
static bool add_summary(struct run_table *table, const MI_Class *item, bool counted)
{
    static const char *const names[] = {"Class", "Superclass", "Properties", "Methods"};
    const MI_Char *name = NULL, *parent = NULL;
    MI_Uint32 properties = 0, methods = 0;
    char counts[2][16];

    MI_Class_GetClassName(item, &name);
    if (MI_Class_GetParentClassName(item, &parent) != MI_RESULT_OK) {
        parent = NULL;
    }
    MI_Class_GetElementCount(item, &properties);
    MI_Class_GetMethodCount(item, &methods);
    snprintf(counts[0], sizeof(counts[0]), "%u", properties);
    snprintf(counts[1], sizeof(counts[1]), "%u", methods);
    return run_table_add_cells(table, names,
                               (const char *const[]){name, parent, counts[0], counts[1]},
                               counted ? COUNT(names) : 2);
}

/* class_name is that of a reference, or NULL; ends are "[]", "()" or nothing. */
static bool add_element(struct run_table *table, const char *name, MI_Type type,
                        const char *class_name, const char *ends, bool key)
{
    static const char *const names[] = {"Element", "Type", "Key"};
    bool array = (type & MI_ARRAY) != 0;
    char *shown = NULL, *typed = NULL;
    bool good = asprintf(&shown, "%s%s", name, ends) >= 0;

    shown = good ? shown : NULL;
    good = asprintf(&typed, "%s%s%s%s", class_name != NULL ? class_name : "",
                    class_name != NULL ? " " : "", mof_type_name(type), array ? "[]" : "") >= 0 &&
           good;
    typed = good ? typed : NULL;
    good = good && run_table_add_cells(table, names,
                                       (const char *const[]){shown, typed, key ? "key" : NULL},
                                       COUNT(names));
    free(shown);
    free(typed);
    return good;
}

static bool add_property(struct run_table *table, const MI_Class *item, MI_Uint32 index)
{
    MI_Char *class_name = NULL;
    const MI_Char *name = NULL;
    MI_Uint32 flags = 0;
    MI_Type type = MI_BOOLEAN;

    if (MI_Class_GetElementAt(item, index, &name, NULL, NULL, &type, &class_name, NULL, &flags) !=
        MI_RESULT_OK) {
        return true;
    }
    bool reference = scalar_type(type) == MI_REFERENCE;
    return add_element(table, name, type, reference ? class_name : NULL, "",
                       (flags & MI_FLAG_KEY) != 0);
}

static bool add_method(struct run_table *table, const MI_Class *item, MI_Uint32 index)
{
    MI_QualifierSet ignored = {0};
    MI_ParameterSet parameters = {0};
    const MI_Char *name = NULL;
    MI_Type type = MI_UINT32;

    if (MI_Class_GetMethodAt(item, index, &name, &ignored, &parameters) != MI_RESULT_OK) {
        return true;
    }
    MI_ParameterSet_GetMethodReturnType(&parameters, &type, &ignored);
    return add_element(table, name, scalar_type(type), NULL, "()", false);
}

bool run_table_add_class(struct run_table *table, const MI_Class *item, enum run_table_depth depth)
{
    MI_Uint32 properties = 0, methods = 0;
    bool good = true;

    if (depth != RUN_TABLE_ELEMENTS) {
        return add_summary(table, item, depth == RUN_TABLE_COUNTS);
    }
    MI_Class_GetElementCount(item, &properties);
    MI_Class_GetMethodCount(item, &methods);
    for (MI_Uint32 i = 0; i < properties && good; i++) {
        good = add_property(table, item, i);
    }
    for (MI_Uint32 i = 0; i < methods && good; i++) {
        good = add_method(table, item, i);
    }
    return good;
}

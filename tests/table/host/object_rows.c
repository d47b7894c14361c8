/* SPDX-License-Identifier: MIT */
/*
 * The functions of instances, classes, qualifier and parameter sets, property sets and filters
 * (reference F.8, G.1, G.2 and the classes of G.5).
 */
#include "rows.h"

#include <stdint.h>
#include <string.h>

#include "host/object/object.h"
#include "host/query/query.h"

#include "../../unit/host_decls.h"

static bool same_text(const MI_Char *a, const MI_Char *b)
{
    return a != NULL && strcmp(a, b) == 0;
}

static MI_Value text(const char *string)
{
    MI_Value value;

    memset(&value, 0, sizeof(value));
    value.string = (MI_Char *)(uintptr_t)string;
    return value;
}

/* ---- instances ------------------------------------------------------------------------------- */

static MI_Instance *fixed, *dynamic;

static void life_rows(void)
{
    struct test_thing thing;
    MI_Instance *clone = NULL;
    MI_Boolean is = MI_TRUE;

    NO_HANDLE(MI_Instance, MI_Instance_Clone, &clone);
    ROW(OK, MI_Instance_Clone, "of a class", fixed, &clone);
    EFFECT(clone != NULL && clone != fixed && clone->classDecl == fixed->classDecl);
    NO_HANDLE(MI_Instance, MI_Instance_Delete);
    ROW(OK, MI_Instance_Delete, "a clone", clone);
    ROW(INVALID_PARAMETER, MI_Instance_Clone, "nowhere to answer", fixed, NULL);

    memset(&thing, 0xA5, sizeof(thing));
    instance_construct(&test_thing_decl, &thing.instance);
    NO_HANDLE(MI_Instance, MI_Instance_Destruct);
    ROW(OK, MI_Instance_Destruct, "in the caller's memory", &thing.instance);

    NO_HANDLE(MI_Instance, MI_Instance_IsA, &test_base_decl, &is);
    ROW(OK, MI_Instance_IsA, "its own class", fixed, &test_thing_decl, &is);
    EFFECT(is == MI_TRUE);
    ROW(OK, MI_Instance_IsA, "its base class", fixed, &test_base_decl, &is);
    EFFECT(is == MI_TRUE);
    ROW(OK, MI_Instance_IsA, "a dynamic one is no declared one", dynamic, &test_base_decl, &is);
    EFFECT(is == MI_FALSE);
    ROW(INVALID_PARAMETER, MI_Instance_IsA, "no class", fixed, NULL, &is);
    ROW(INVALID_PARAMETER, MI_Instance_IsA, "nowhere to answer", fixed, &test_base_decl, NULL);
}

static void name_rows(void)
{
    const MI_Char *name = "before";
    MI_Class *class_object = NULL;

    NO_HANDLE(MI_Instance, MI_Instance_GetClassName, &name);
    ROW(OK, MI_Instance_GetClassName, "declared", fixed, &name);
    EFFECT(same_text(name, "Test_Thing"));
    ROW(INVALID_PARAMETER, MI_Instance_GetClassName, "nowhere to answer", fixed, NULL);
    NO_HANDLE(MI_Instance, MI_Instance_SetNameSpace, "root/a");
    NO_HANDLE(MI_Instance, MI_Instance_GetNameSpace, &name);
    ROW(OK, MI_Instance_GetNameSpace, "not set", fixed, &name);
    EFFECT(name == NULL);
    ROW(OK, MI_Instance_SetNameSpace, "a name", fixed, "root/a");
    ROW(OK, MI_Instance_GetNameSpace, "what was set", fixed, &name);
    EFFECT(same_text(name, "root/a"));
    ROW(INVALID_PARAMETER, MI_Instance_GetNameSpace, "nowhere to answer", fixed, NULL);
    NO_HANDLE(MI_Instance, MI_Instance_SetServerName, "server");
    NO_HANDLE(MI_Instance, MI_Instance_GetServerName, &name);
    ROW(OK, MI_Instance_GetServerName, "not set", fixed, &name);
    EFFECT(name == NULL);
    ROW(OK, MI_Instance_SetServerName, "a name", fixed, "server");
    ROW(OK, MI_Instance_GetServerName, "what was set", fixed, &name);
    EFFECT(same_text(name, "server"));
    ROW(INVALID_PARAMETER, MI_Instance_GetServerName, "nowhere to answer", fixed, NULL);
    NO_HANDLE(MI_Instance, MI_Instance_GetClass, &class_object);
    ROW(OK, MI_Instance_GetClass, "a new object", fixed, &class_object);
    MI_Class_Delete(class_object);
    ROW(INVALID_PARAMETER, MI_Instance_GetClass, "nowhere to answer", fixed, NULL);
}

static void adding_rows(void)
{
    MI_Value value = text("v"), number = {.uint32 = 4};
    MI_Datetime no_day = {.isTimestamp = MI_TRUE,
                          .u = {.timestamp = {.year = 2026, .month = 2, .day = 30}}};
    MI_Value impossible;
    MI_Uint32 count = 0;

    memset(&impossible, 0, sizeof(impossible));
    impossible.datetime = no_day;
    NO_HANDLE(MI_Instance, MI_Instance_AddElement, "A", &value, MI_STRING, 0);
    ROW(OK, MI_Instance_AddElement, "a string", dynamic, "A", &value, MI_STRING, MI_FLAG_KEY);
    ROW(OK, MI_Instance_AddElement, "a number", dynamic, "N", &number, MI_UINT32, 0);
    ROW(OK, MI_Instance_AddElement, "NULL", dynamic, "Z", NULL, MI_UINT32, MI_FLAG_NULL);
    ROW(ALREADY_EXISTS, MI_Instance_AddElement, "the name in other letters", dynamic, "a", &value,
        MI_STRING, 0);
    ROW(FAILED, MI_Instance_AddElement, "an instance of a declared class", fixed, "A", &value,
        MI_STRING, 0);
    ROW(INVALID_PARAMETER, MI_Instance_AddElement, "no CIM identifier", dynamic, "a b", &value,
        MI_STRING, 0);
    ROW(INVALID_PARAMETER, MI_Instance_AddElement, "no name", dynamic, NULL, &value, MI_STRING, 0);
    ROW(INVALID_PARAMETER, MI_Instance_AddElement, "no such type", dynamic, "T", &value,
        (MI_Type)77, 0);
    ROW(INVALID_PARAMETER, MI_Instance_AddElement, "30 February", dynamic, "D", &impossible,
        MI_DATETIME, 0);
    ROW(INVALID_PARAMETER, MI_Instance_AddElement, "borrowed and adopted", dynamic, "B", &value,
        MI_STRING, MI_FLAG_BORROW | MI_FLAG_ADOPT);
    NO_HANDLE(MI_Instance, MI_Instance_GetElementCount, &count);
    ROW(OK, MI_Instance_GetElementCount, "three", dynamic, &count);
    EFFECT(count == 3);
    ROW(INVALID_PARAMETER, MI_Instance_GetElementCount, "nowhere to answer", dynamic, NULL);
}

static void setting_rows(void)
{
    MI_Value value = text("w"), number = {.uint32 = 5}, got;
    MI_Value impossible;
    MI_Uint32 flags = 0, index = 99;
    MI_Type type = MI_BOOLEAN;
    const MI_Char *name = NULL;

    memset(&impossible, 0, sizeof(impossible));
    impossible.datetime.isTimestamp = MI_TRUE;
    impossible.datetime.u.timestamp.month = 13;
    NO_HANDLE(MI_Instance, MI_Instance_SetElement, "A", &value, MI_STRING, 0);
    NO_HANDLE(MI_Instance, MI_Instance_SetElementAt, 0, &value, MI_STRING, 0);
    NO_HANDLE(MI_Instance, MI_Instance_GetElement, "A", &got, &type, &flags, &index);
    NO_HANDLE(MI_Instance, MI_Instance_GetElementAt, 0, &name, &got, &type, &flags);

    ROW(OK, MI_Instance_SetElement, "copied", dynamic, "A", &value, MI_STRING, 0);
    ROW(OK, MI_Instance_GetElement, "what was set", dynamic, "a", &got, &type, &flags, &index);
    EFFECT(got.string != value.string && same_text(got.string, "w") && type == MI_STRING);
    EFFECT(index == 0 && (flags & (MI_FLAG_NULL | MI_FLAG_NOT_MODIFIED)) == 0);
    ROW(OK, MI_Instance_SetElement, "borrowed", dynamic, "A", &value, MI_STRING, MI_FLAG_BORROW);
    ROW(OK, MI_Instance_GetElement, "borrowed", dynamic, "A", &got, &type, &flags, &index);
    EFFECT(got.string == value.string);
    ROW(INVALID_PARAMETER, MI_Instance_SetElement, "borrowed and adopted", dynamic, "A", &value,
        MI_STRING, MI_FLAG_BORROW | MI_FLAG_ADOPT);
    ROW(NO_SUCH_PROPERTY, MI_Instance_SetElement, "no such element", dynamic, "X", &value,
        MI_STRING, 0);
    ROW(TYPE_MISMATCH, MI_Instance_SetElement, "declared as a string", dynamic, "A", &number,
        MI_UINT32, 0);
    ROW(INVALID_PARAMETER, MI_Instance_SetElement, "no name", dynamic, NULL, &value, MI_STRING, 0);
    ROW(INVALID_PARAMETER, MI_Instance_SetElement, "a thirteenth month", fixed, "When", &impossible,
        MI_DATETIME, 0);
    ROW(OK, MI_Instance_SetElementAt, "a number", dynamic, 1, &number, MI_UINT32, 0);
    ROW(OK, MI_Instance_GetElementAt, "a number", dynamic, 1, &name, &got, &type, &flags);
    EFFECT(same_text(name, "N") && got.uint32 == 5);
    ROW(OK, MI_Instance_SetElementAt, "NULL", dynamic, 1, NULL, MI_UINT32, 0);
    ROW(OK, MI_Instance_GetElementAt, "NULL", dynamic, 1, &name, &got, &type, &flags);
    EFFECT((flags & MI_FLAG_NULL) != 0);
    ROW(TYPE_MISMATCH, MI_Instance_SetElementAt, "declared as a number", dynamic, 1, &value,
        MI_STRING, 0);
    ROW(FAILED, MI_Instance_SetElementAt, "one too far", dynamic, 3, &value, MI_STRING, 0);
    ROW(INVALID_PARAMETER, MI_Instance_SetElementAt, "a thirteenth month", fixed, WHEN, &impossible,
        MI_DATETIME, 0);
    ROW(NO_SUCH_PROPERTY, MI_Instance_GetElement, "no such element", dynamic, "X", &got, &type,
        &flags, &index);
    ROW(INVALID_PARAMETER, MI_Instance_GetElement, "no name", dynamic, NULL, &got, &type, &flags,
        &index);
    ROW(INVALID_PARAMETER, MI_Instance_GetElementAt, "one too far", dynamic, 3, &name, &got, &type,
        &flags);
}

static void clearing_rows(void)
{
    MI_Uint32 flags = 0;

    NO_HANDLE(MI_Instance, MI_Instance_ClearElement, "A");
    NO_HANDLE(MI_Instance, MI_Instance_ClearElementAt, 0);
    ROW(OK, MI_Instance_ClearElement, "a string", dynamic, "A");
    EFFECT(MI_Instance_GetElement(dynamic, "A", NULL, NULL, &flags, NULL) == MI_RESULT_OK &&
           (flags & MI_FLAG_NULL) != 0);
    ROW(NO_SUCH_PROPERTY, MI_Instance_ClearElement, "no such element", dynamic, "X");
    ROW(INVALID_PARAMETER, MI_Instance_ClearElement, "no name", dynamic, NULL);
    ROW(OK, MI_Instance_ClearElementAt, "a number", dynamic, 1);
    ROW(FAILED, MI_Instance_ClearElementAt, "one too far", dynamic, 3);
}

/* Empty and NULL are two things. */
static void empty_rows(void)
{
    MI_Value none = text(NULL), empty, got;
    MI_Uint32 flags = 0;

    memset(&empty, 0, sizeof(empty));
    ROW(OK, MI_Instance_SetElement, "a string that is NULL", fixed, "Text", &none, MI_STRING, 0);
    ROW(OK, MI_Instance_GetElement, "is NULL then", fixed, "Text", &got, NULL, &flags, NULL);
    EFFECT((flags & MI_FLAG_NULL) != 0);
    ROW(OK, MI_Instance_SetElement, "an empty array", fixed, "Names", &empty, MI_STRINGA, 0);
    ROW(OK, MI_Instance_GetElement, "is empty, not NULL", fixed, "Names", &got, NULL, &flags, NULL);
    EFFECT((flags & MI_FLAG_NULL) == 0 && got.stringa.size == 0);
    ROW(OK, MI_Instance_GetElement, "not touched", fixed, "Ratio", &got, NULL, &flags, NULL);
    EFFECT((flags & MI_FLAG_NOT_MODIFIED) != 0);
}

/* ---- classes --------------------------------------------------------------------------------- */

static void class_name_rows(const MI_Class *thing, const MI_Class *base)
{
    const MI_Char *name = NULL;
    MI_Class *parent = NULL, *clone = NULL;

    NO_HANDLE(MI_Class, MI_Class_GetClassName, &name);
    ROW(OK, MI_Class_GetClassName, "declared", thing, &name);
    EFFECT(same_text(name, "Test_Thing"));
    ROW(INVALID_PARAMETER, MI_Class_GetClassName, "nowhere to answer", thing, NULL);
    NO_HANDLE(MI_Class, MI_Class_GetNameSpace, &name);
    ROW(OK, MI_Class_GetNameSpace, "set", thing, &name);
    EFFECT(same_text(name, "root/a"));
    ROW(INVALID_PARAMETER, MI_Class_GetNameSpace, "nowhere to answer", thing, NULL);
    NO_HANDLE(MI_Class, MI_Class_GetServerName, &name);
    ROW(OK, MI_Class_GetServerName, "set", thing, &name);
    EFFECT(same_text(name, "server"));
    ROW(INVALID_PARAMETER, MI_Class_GetServerName, "nowhere to answer", thing, NULL);
    NO_HANDLE(MI_Class, MI_Class_GetParentClassName, &name);
    ROW(OK, MI_Class_GetParentClassName, "derived", thing, &name);
    EFFECT(same_text(name, "Test_Base"));
    ROW(INVALID_PARAMETER, MI_Class_GetParentClassName, "nowhere to answer", thing, NULL);
    NO_HANDLE(MI_Class, MI_Class_GetParentClass, &parent);
    ROW(OK, MI_Class_GetParentClass, "derived", thing, &parent);
    MI_Class_Delete(parent);
    parent = NULL;
    ROW(INVALID_SUPERCLASS, MI_Class_GetParentClass, "a root class", base, &parent);
    EFFECT(parent == NULL);
    ROW(INVALID_PARAMETER, MI_Class_GetParentClass, "nowhere to answer", thing, NULL);
    NO_HANDLE(MI_Class, MI_Class_Clone, &clone);
    ROW(OK, MI_Class_Clone, "of a class", thing, &clone);
    EFFECT(clone != NULL && clone != thing);
    NO_HANDLE(MI_Class, MI_Class_Delete);
    ROW(OK, MI_Class_Delete, "a clone", clone);
    ROW(INVALID_PARAMETER, MI_Class_Clone, "nowhere to answer", thing, NULL);
}

static void class_element_rows(const MI_Class *thing)
{
    MI_Uint32 count = 0, flags = 0, index = 99;
    const MI_Char *name = NULL;
    MI_Char *reference = NULL;
    MI_Boolean exists = MI_FALSE;
    MI_QualifierSet qualifiers;
    MI_Value value;
    MI_Type type = MI_BOOLEAN;

    NO_HANDLE(MI_Class, MI_Class_GetElementCount, &count);
    ROW(OK, MI_Class_GetElementCount, "all", thing, &count);
    EFFECT(count == THING_ELEMENTS);
    ROW(INVALID_PARAMETER, MI_Class_GetElementCount, "nowhere to answer", thing, NULL);
    NO_HANDLE(MI_Class, MI_Class_GetElement, "Number", &value, &exists, &type, &reference,
              &qualifiers, &flags, &index);
    ROW(OK, MI_Class_GetElement, "with a default", thing, "number", &value, &exists, &type,
        &reference, &qualifiers, &flags, &index);
    EFFECT(exists && value.uint32 == 7 && type == MI_UINT32 && index == NUMBER);
    ROW(NO_SUCH_PROPERTY, MI_Class_GetElement, "no such element", thing, "X", &value, &exists,
        &type, &reference, &qualifiers, &flags, &index);
    ROW(INVALID_PARAMETER, MI_Class_GetElement, "no name", thing, NULL, &value, &exists, &type,
        &reference, &qualifiers, &flags, &index);
    NO_HANDLE(MI_Class, MI_Class_GetElementAt, 0, &name, &value, &exists, &type, &reference,
              &qualifiers, &flags);
    ROW(OK, MI_Class_GetElementAt, "a reference", thing, FRIEND, &name, &value, &exists, &type,
        &reference, &qualifiers, &flags);
    EFFECT(same_text(reference, "Test_Base") && !exists);
    ROW(INVALID_PARAMETER, MI_Class_GetElementAt, "one too far", thing, THING_ELEMENTS, &name,
        &value, &exists, &type, &reference, &qualifiers, &flags);
}

static void qualifier_rows(const MI_Class *thing)
{
    MI_QualifierSet set;
    MI_Uint32 count = 0, flags = 0, index = 99;
    const MI_Char *name = NULL;
    MI_Value value;
    MI_Type type = MI_BOOLEAN;

    NO_HANDLE(MI_Class, MI_Class_GetClassQualifierSet, &set);
    ROW(OK, MI_Class_GetClassQualifierSet, "three", thing, &set);
    ROW(INVALID_PARAMETER, MI_Class_GetClassQualifierSet, "nowhere to answer", thing, NULL);
    NO_HANDLE(MI_QualifierSet, MI_QualifierSet_GetQualifierCount, &count);
    ROW(OK, MI_QualifierSet_GetQualifierCount, "three", &set, &count);
    EFFECT(count == 3);
    ROW(INVALID_PARAMETER, MI_QualifierSet_GetQualifierCount, "nowhere to answer", &set, NULL);
    NO_HANDLE(MI_QualifierSet, MI_QualifierSet_GetQualifierAt, 0, &name, &type, &flags, &value);
    ROW(OK, MI_QualifierSet_GetQualifierAt, "the first", &set, 0, &name, &type, &flags, &value);
    EFFECT(same_text(name, "Description") && same_text(value.string, test_description));
    ROW(INVALID_PARAMETER, MI_QualifierSet_GetQualifierAt, "one too far", &set, 3, &name, &type,
        &flags, &value);
    NO_HANDLE(MI_QualifierSet, MI_QualifierSet_GetQualifier, "Values", &type, &flags, &value,
              &index);
    ROW(OK, MI_QualifierSet_GetQualifier, "by its name", &set, "values", &type, &flags, &value,
        &index);
    EFFECT(type == MI_STRINGA && index == 1);
    ROW(NOT_FOUND, MI_QualifierSet_GetQualifier, "no such qualifier", &set, "X", &type, &flags,
        &value, &index);
    ROW(INVALID_PARAMETER, MI_QualifierSet_GetQualifier, "no name", &set, NULL, &type, &flags,
        &value, &index);
}

static void method_rows(const MI_Class *thing)
{
    MI_QualifierSet qualifiers;
    MI_ParameterSet set;
    MI_Uint32 count = 0, index = 99;
    const MI_Char *name = NULL;
    MI_Char *reference = NULL;
    MI_Type type = MI_BOOLEAN;

    NO_HANDLE(MI_Class, MI_Class_GetMethodCount, &count);
    ROW(OK, MI_Class_GetMethodCount, "one", thing, &count);
    EFFECT(count == 1);
    ROW(INVALID_PARAMETER, MI_Class_GetMethodCount, "nowhere to answer", thing, NULL);
    NO_HANDLE(MI_Class, MI_Class_GetMethodAt, 0, &name, &qualifiers, &set);
    ROW(OK, MI_Class_GetMethodAt, "the first", thing, 0, &name, &qualifiers, &set);
    EFFECT(same_text(name, "Work"));
    ROW(INVALID_PARAMETER, MI_Class_GetMethodAt, "one too far", thing, 1, &name, &qualifiers, &set);
    NO_HANDLE(MI_Class, MI_Class_GetMethod, "Work", &qualifiers, &set, &index);
    ROW(OK, MI_Class_GetMethod, "by its name", thing, "work", &qualifiers, &set, &index);
    EFFECT(index == 0);
    ROW(METHOD_NOT_FOUND, MI_Class_GetMethod, "no such method", thing, "X", &qualifiers, &set,
        &index);
    ROW(INVALID_PARAMETER, MI_Class_GetMethod, "no name", thing, NULL, &qualifiers, &set, &index);
    ROW(OK, MI_Class_GetMethod, "by its name", thing, "Work", &qualifiers, &set, &index);
    NO_HANDLE(MI_ParameterSet, MI_ParameterSet_GetMethodReturnType, &type, &qualifiers);
    ROW(OK, MI_ParameterSet_GetMethodReturnType, "a number", &set, &type, &qualifiers);
    EFFECT(type == MI_UINT32);
    NO_HANDLE(MI_ParameterSet, MI_ParameterSet_GetParameterCount, &count);
    ROW(OK, MI_ParameterSet_GetParameterCount, "without the return value", &set, &count);
    EFFECT(count == 2);
    ROW(INVALID_PARAMETER, MI_ParameterSet_GetParameterCount, "nowhere to answer", &set, NULL);
    NO_HANDLE(MI_ParameterSet, MI_ParameterSet_GetParameterAt, 0, &name, &type, &reference,
              &qualifiers);
    ROW(OK, MI_ParameterSet_GetParameterAt, "the first", &set, 0, &name, &type, &reference,
        &qualifiers);
    EFFECT(same_text(name, "Input"));
    ROW(INVALID_PARAMETER, MI_ParameterSet_GetParameterAt, "one too far", &set, 2, &name, &type,
        &reference, &qualifiers);
    NO_HANDLE(MI_ParameterSet, MI_ParameterSet_GetParameter, "Input", &type, &reference,
              &qualifiers, &index);
    ROW(OK, MI_ParameterSet_GetParameter, "by its name", &set, "output", &type, &reference,
        &qualifiers, &index);
    EFFECT(type == MI_UINT16A && index == 1);
    ROW(NO_SUCH_PROPERTY, MI_ParameterSet_GetParameter, "no such parameter", &set, "X", &type,
        &reference, &qualifiers, &index);
    ROW(INVALID_PARAMETER, MI_ParameterSet_GetParameter, "no name", &set, NULL, &type, &reference,
        &qualifiers, &index);
}

static void class_rows(void)
{
    MI_Class *thing = NULL, *base = NULL;

    class_new(&test_thing_decl, "root/a", "server", &thing);
    class_new(&test_base_decl, "root/a", "server", &base);
    class_name_rows(thing, base);
    class_element_rows(thing);
    qualifier_rows(thing);
    method_rows(thing);
    MI_Class_Delete(thing);
    MI_Class_Delete(base);
}

/* ---- property sets and filters --------------------------------------------------------------- */

static void property_set_rows(void)
{
    MI_PropertySet *set = NULL, *clone = NULL;
    MI_Uint32 count = 99;
    MI_Boolean has = MI_FALSE;
    const MI_Char *name = NULL;

    property_set_new(&set);
    NO_HANDLE(MI_PropertySet, MI_PropertySet_AddElement, "A");
    ROW(OK, MI_PropertySet_AddElement, "a name", set, "A");
    ROW(ALREADY_EXISTS, MI_PropertySet_AddElement, "the name in other letters", set, "a");
    ROW(INVALID_PARAMETER, MI_PropertySet_AddElement, "no name", set, NULL);
    NO_HANDLE(MI_PropertySet, MI_PropertySet_GetElementCount, &count);
    ROW(OK, MI_PropertySet_GetElementCount, "one", set, &count);
    EFFECT(count == 1);
    ROW(INVALID_PARAMETER, MI_PropertySet_GetElementCount, "nowhere to answer", set, NULL);
    NO_HANDLE(MI_PropertySet, MI_PropertySet_ContainsElement, "A", &has);
    ROW(OK, MI_PropertySet_ContainsElement, "in other letters", set, "a", &has);
    EFFECT(has == MI_TRUE);
    ROW(OK, MI_PropertySet_ContainsElement, "another name", set, "b", &has);
    EFFECT(has == MI_FALSE);
    ROW(INVALID_PARAMETER, MI_PropertySet_ContainsElement, "no name", set, NULL, &has);
    ROW(INVALID_PARAMETER, MI_PropertySet_ContainsElement, "nowhere to answer", set, "A", NULL);
    NO_HANDLE(MI_PropertySet, MI_PropertySet_GetElementAt, 0, &name);
    ROW(OK, MI_PropertySet_GetElementAt, "the first", set, 0, &name);
    EFFECT(same_text(name, "A"));
    ROW(INVALID_PARAMETER, MI_PropertySet_GetElementAt, "one too far", set, 1, &name);
    ROW(INVALID_PARAMETER, MI_PropertySet_GetElementAt, "nowhere to answer", set, 0, NULL);
    NO_HANDLE(MI_PropertySet, MI_PropertySet_Clone, &clone);
    ROW(OK, MI_PropertySet_Clone, "one name", set, &clone);
    EFFECT(MI_PropertySet_GetElementCount(clone, &count) == MI_RESULT_OK && count == 1);
    ROW(INVALID_PARAMETER, MI_PropertySet_Clone, "nowhere to answer", set, NULL);
    NO_HANDLE(MI_PropertySet, MI_PropertySet_Clear);
    ROW(OK, MI_PropertySet_Clear, "one name", set);
    EFFECT(MI_PropertySet_GetElementCount(set, &count) == MI_RESULT_OK && count == 0);
    NO_HANDLE(MI_PropertySet, MI_PropertySet_Delete);
    ROW(OK, MI_PropertySet_Delete, "a clone", clone);
    NO_HANDLE(MI_PropertySet, MI_PropertySet_Destruct);
    ROW(OK, MI_PropertySet_Destruct, "once", set);
    MI_PropertySet_Delete(set);
}

static void filter_rows(void)
{
    MI_Filter filter, unknown, below;
    struct wql *query = NULL, *ordered = NULL;
    MI_Boolean matches = MI_FALSE;
    const MI_Char *language = NULL, *expression = NULL;
    MI_Value number = {.uint32 = 3};
    static const char text_of_it[] = "select * from Test_Thing where Number = 3";
    static const char ordered_text[] = "select * from Test_Other where N < 3";

    MI_Instance_SetElement(fixed, "Number", &number, MI_UINT32, 0);
    wql_new("WQL", text_of_it, &query);
    filter_init(&filter, "WQL", text_of_it, query);
    filter_init(&unknown, "XPath", "//Thing", NULL);
    NO_HANDLE(MI_Filter, MI_Filter_Evaluate, fixed, &matches);
    ROW(OK, MI_Filter_Evaluate, "a match", &filter, fixed, &matches);
    EFFECT(matches == MI_TRUE);
    number.uint32 = 4;
    MI_Instance_SetElement(fixed, "Number", &number, MI_UINT32, 0);
    ROW(OK, MI_Filter_Evaluate, "no match", &filter, fixed, &matches);
    EFFECT(matches == MI_FALSE);
    ROW(INVALID_PARAMETER, MI_Filter_Evaluate, "no instance", &filter, NULL, &matches);
    ROW(INVALID_PARAMETER, MI_Filter_Evaluate, "nowhere to answer", &filter, fixed, NULL);
    matches = MI_TRUE;
    ROW(INVALID_PARAMETER, MI_Filter_Evaluate, "an unknown language", &unknown, fixed, &matches);
    EFFECT(matches == MI_FALSE);
    wql_new("WQL", ordered_text, &ordered);
    filter_init(&below, "WQL", ordered_text, ordered);
    matches = MI_TRUE;
    ROW(OK, MI_Filter_Evaluate, "NULL has no place in an order: no match", &below, dynamic,
        &matches);
    EFFECT(matches == MI_FALSE);
    wql_free(ordered);
    NO_HANDLE(MI_Filter, MI_Filter_GetExpression, &language, &expression);
    ROW(OK, MI_Filter_GetExpression, "as it was given", &filter, &language, &expression);
    EFFECT(same_text(language, "WQL") && same_text(expression, text_of_it));
    ROW(INVALID_PARAMETER, MI_Filter_GetExpression, "nowhere for the language", &filter, NULL,
        &expression);
    ROW(INVALID_PARAMETER, MI_Filter_GetExpression, "nowhere for the expression", &filter,
        &language, NULL);
    wql_free(query);
}

void object_rows(void)
{
    instance_new(&test_thing_decl, &fixed);
    instance_new_dynamic("Test_Other", 0, &dynamic);
    life_rows();
    name_rows();
    adding_rows();
    setting_rows();
    clearing_rows();
    empty_rows();
    class_rows();
    property_set_rows();
    filter_rows();
    MI_Instance_Delete(fixed);
    MI_Instance_Delete(dynamic);
}

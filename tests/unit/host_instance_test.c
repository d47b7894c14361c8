/* SPDX-License-Identifier: MIT */
/* Instances, static and dynamic: element semantics, ownership, copies, conversion, bad input. */
#include "host/object/object.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/object/instance_internal.h"
#include "host_decls.h"

static MI_Instance *new_thing(void)
{
    MI_Instance *thing = NULL;
    ck_assert_int_eq(instance_new(&test_thing_decl, &thing), MI_RESULT_OK);
    return thing;
}

/* A dynamic instance with the elements of a thing, each NULL. */
static MI_Instance *new_dynamic(void)
{
    MI_Instance *thing = NULL;
    ck_assert_int_eq(instance_new_dynamic("Test_Thing", 0, &thing), MI_RESULT_OK);
    for (MI_Uint32 i = 0; i < THING_ELEMENTS; i++) {
        const MI_PropertyDecl *property = test_thing_properties[i];
        ck_assert_int_eq(MI_Instance_AddElement(thing, property->name, NULL,
                                                (MI_Type)property->type,
                                                property->flags & MI_FLAG_KEY),
                         MI_RESULT_OK);
    }
    return thing;
}

static MI_Instance *new_base(const char *id)
{
    MI_Instance *base = NULL;
    MI_Value value = {.string = (char *)(uintptr_t)id};
    ck_assert_int_eq(instance_new(&test_base_decl, &base), MI_RESULT_OK);
    ck_assert_int_eq(MI_Instance_SetElement(base, "Id", &value, MI_STRING, 0), MI_RESULT_OK);
    return base;
}

static void set_text(MI_Instance *self, const char *name, const char *text)
{
    MI_Value value = {.string = (char *)(uintptr_t)text};
    ck_assert_int_eq(MI_Instance_SetElement(self, name, &value, MI_STRING, 0), MI_RESULT_OK);
}

static const char *text_of(const MI_Instance *self, const char *name)
{
    MI_Value value = {0};
    MI_Type type = MI_BOOLEAN;
    MI_Uint32 flags = 0;
    ck_assert_int_eq(instance_element_find(self, name, &value, &type, &flags), MI_RESULT_OK);
    ck_assert_int_eq(type, MI_STRING);
    return value.string;
}

static MI_Uint32 flags_of(const MI_Instance *self, const char *name)
{
    MI_Uint32 flags = 0;
    ck_assert_int_eq(instance_element_find(self, name, NULL, NULL, &flags), MI_RESULT_OK);
    return flags;
}

static bool is_null(const MI_Instance *self, const char *name)
{
    return (flags_of(self, name) & MI_FLAG_NULL) != 0;
}

/* ---- element semantics (reference F.8), for both kinds of instance --------------------- */

enum call { SET, SET_AT, GET, GET_AT, CLEAR, CLEAR_AT, ADD };
#define BOTH (MI_FLAG_BORROW | MI_FLAG_ADOPT)
static MI_Value some_text = {.string = (char *)(uintptr_t) "text"};
static MI_Value some_number = {.uint32 = 5};

static const struct {
    enum call call;
    const char *name; /* or index */
    MI_Uint32 index;
    MI_Value *value;
    MI_Type type;
    MI_Uint32 flags;
    MI_Result on_static, on_dynamic;
} semantics[] = {
    /* names that are not there */
    {GET, "Nobody", 0, NULL, 0, 0, MI_RESULT_NO_SUCH_PROPERTY, MI_RESULT_NO_SUCH_PROPERTY},
    {SET, "Nobody", 0, &some_text, MI_STRING, 0, MI_RESULT_NO_SUCH_PROPERTY,
     MI_RESULT_NO_SUCH_PROPERTY},
    {CLEAR, "Nobody", 0, NULL, 0, 0, MI_RESULT_NO_SUCH_PROPERTY, MI_RESULT_NO_SUCH_PROPERTY},
    {GET, NULL, 0, NULL, 0, 0, MI_RESULT_INVALID_PARAMETER, MI_RESULT_INVALID_PARAMETER},
    {SET, NULL, 0, &some_text, MI_STRING, 0, MI_RESULT_INVALID_PARAMETER,
     MI_RESULT_INVALID_PARAMETER},
    {CLEAR, NULL, 0, NULL, 0, 0, MI_RESULT_INVALID_PARAMETER, MI_RESULT_INVALID_PARAMETER},
    /* names are found whatever their case, and with a wrong code in the declaration */
    {GET, "iD", 0, NULL, 0, 0, MI_RESULT_OK, MI_RESULT_OK},
    {SET, "TEXT", 0, &some_text, MI_STRING, 0, MI_RESULT_OK, MI_RESULT_OK},
    {CLEAR, "text", 0, NULL, 0, 0, MI_RESULT_OK, MI_RESULT_OK},
    /* indices: the count itself is already outside */
    {GET_AT, NULL, RATIO, NULL, 0, 0, MI_RESULT_OK, MI_RESULT_OK},
    {GET_AT, NULL, THING_ELEMENTS, NULL, 0, 0, MI_RESULT_INVALID_PARAMETER,
     MI_RESULT_INVALID_PARAMETER},
    {SET_AT, NULL, THING_ELEMENTS, &some_text, MI_STRING, 0, MI_RESULT_FAILED, MI_RESULT_FAILED},
    {CLEAR_AT, NULL, THING_ELEMENTS, NULL, 0, 0, MI_RESULT_FAILED, MI_RESULT_FAILED},
    {SET_AT, NULL, 0xFFFFFFFF, &some_text, MI_STRING, 0, MI_RESULT_FAILED, MI_RESULT_FAILED},
    {SET_AT, NULL, TEXT, &some_text, MI_STRING, 0, MI_RESULT_OK, MI_RESULT_OK},
    {CLEAR_AT, NULL, TEXT, NULL, 0, 0, MI_RESULT_OK, MI_RESULT_OK},
    /* types */
    {SET, "Text", 0, &some_number, MI_UINT32, 0, MI_RESULT_TYPE_MISMATCH, MI_RESULT_TYPE_MISMATCH},
    {SET, "Number", 0, &some_number, MI_SINT32, 0, MI_RESULT_TYPE_MISMATCH,
     MI_RESULT_TYPE_MISMATCH},
    {SET, "Text", 0, NULL, MI_UINT32, 0, MI_RESULT_TYPE_MISMATCH, MI_RESULT_TYPE_MISMATCH},
    {SET, "Number", 0, &some_number, (MI_Type)77, 0, MI_RESULT_TYPE_MISMATCH,
     MI_RESULT_TYPE_MISMATCH},
    /* memory flags */
    {SET, "Text", 0, &some_text, MI_STRING, MI_FLAG_BORROW, MI_RESULT_OK, MI_RESULT_OK},
    {SET, "Text", 0, &some_text, MI_STRING, MI_FLAG_ADOPT, MI_RESULT_OK, MI_RESULT_OK},
    {SET, "Text", 0, &some_text, MI_STRING, BOTH, MI_RESULT_INVALID_PARAMETER,
     MI_RESULT_INVALID_PARAMETER},
    {SET, "Text", 0, NULL, MI_STRING, 0, MI_RESULT_OK, MI_RESULT_OK},
    {SET, "Text", 0, &some_text, MI_STRING, MI_FLAG_NULL, MI_RESULT_OK, MI_RESULT_OK},
    /* adding */
    {ADD, "New", 0, &some_text, MI_STRING, 0, MI_RESULT_FAILED, MI_RESULT_OK},
    {ADD, "tEXT", 0, &some_text, MI_STRING, 0, MI_RESULT_FAILED, MI_RESULT_ALREADY_EXISTS},
    {ADD, "no-name", 0, &some_text, MI_STRING, 0, MI_RESULT_FAILED, MI_RESULT_INVALID_PARAMETER},
    {ADD, "9lives", 0, &some_text, MI_STRING, 0, MI_RESULT_FAILED, MI_RESULT_INVALID_PARAMETER},
    {ADD, "", 0, &some_text, MI_STRING, 0, MI_RESULT_FAILED, MI_RESULT_INVALID_PARAMETER},
    {ADD, NULL, 0, &some_text, MI_STRING, 0, MI_RESULT_FAILED, MI_RESULT_INVALID_PARAMETER},
    {ADD, "New", 0, &some_text, (MI_Type)32, 0, MI_RESULT_FAILED, MI_RESULT_INVALID_PARAMETER},
    {ADD, "New", 0, &some_text, MI_STRING, BOTH, MI_RESULT_FAILED, MI_RESULT_INVALID_PARAMETER},
    {ADD, "New", 0, NULL, MI_STRING, 0, MI_RESULT_FAILED, MI_RESULT_OK},
    {ADD, "_n3w", 0, &some_number, MI_UINT32, MI_FLAG_KEY, MI_RESULT_FAILED, MI_RESULT_OK},
};

static MI_Result make_call(MI_Instance *self, int row)
{
    const char *name = semantics[row].name;
    MI_Uint32 index = semantics[row].index;
    MI_Value *value = semantics[row].value;
    MI_Type type = semantics[row].type;
    MI_Uint32 flags = semantics[row].flags;

    switch (semantics[row].call) {
    case SET:
        return MI_Instance_SetElement(self, name, value, type, flags);
    case SET_AT:
        return MI_Instance_SetElementAt(self, index, value, type, flags);
    case GET:
        return MI_Instance_GetElement(self, name, NULL, NULL, NULL, NULL);
    case GET_AT:
        return MI_Instance_GetElementAt(self, index, NULL, NULL, NULL, NULL);
    case CLEAR:
        return MI_Instance_ClearElement(self, name);
    case CLEAR_AT:
        return MI_Instance_ClearElementAt(self, index);
    default:
        return MI_Instance_AddElement(self, name, value, type, flags);
    }
}

START_TEST(element_semantics)
{
    MI_Instance *fixed = new_thing();
    MI_Instance *dynamic = new_dynamic();
    ck_assert_int_eq(make_call(fixed, _i), semantics[_i].on_static);
    ck_assert_int_eq(make_call(dynamic, _i), semantics[_i].on_dynamic);
    instance_delete(fixed);
    instance_delete(dynamic);
}
END_TEST

/* What an element is after a Set: NULL or not, modified or not. */
START_TEST(null_empty_and_modified)
{
    MI_Instance *both[] = {new_thing(), new_dynamic()};
    MI_StringA empty = {NULL, 0};
    const MI_Char *none = NULL;

    for (int i = 0; i < 2; i++) {
        MI_Instance *self = both[i];
        MI_Value value;
        MI_Type type;
        MI_Uint32 flags = 0;

        /* an empty array is no NULL */
        ck_assert(is_null(self, "Names"));
        ck_assert_int_eq(
            MI_Instance_SetElement(self, "Names", (MI_Value *)(void *)&empty, MI_STRINGA, 0),
            MI_RESULT_OK);
        memset(&value, 0xEE, sizeof(value));
        ck_assert_int_eq(MI_Instance_GetElement(self, "Names", &value, &type, &flags, NULL),
                         MI_RESULT_OK);
        ck_assert_uint_eq(flags & (MI_FLAG_NULL | MI_FLAG_NOT_MODIFIED), 0);
        ck_assert_uint_eq(value.array.size, 0);
        ck_assert_ptr_null(value.array.data);
        ck_assert_int_eq(type, MI_STRINGA);

        /* a NULL pointer as string is one */
        set_text(self, "Text", "something");
        ck_assert(!is_null(self, "Text"));
        ck_assert_int_eq(
            MI_Instance_SetElement(self, "Text", (MI_Value *)(void *)&none, MI_STRING, 0),
            MI_RESULT_OK);
        memset(&value, 0xEE, sizeof(value));
        ck_assert_int_eq(MI_Instance_GetElement(self, "Text", &value, NULL, &flags, NULL),
                         MI_RESULT_OK);
        ck_assert_ptr_null(value.string);
        ck_assert_uint_ne(flags & MI_FLAG_NULL, 0);
        ck_assert_uint_eq(flags & MI_FLAG_NOT_MODIFIED, 0);

        /* cleared: NULL and as if never touched */
        set_text(self, "Text", "something");
        ck_assert_int_eq(MI_Instance_ClearElement(self, "Text"), MI_RESULT_OK);
        ck_assert(is_null(self, "Text"));
        ck_assert_uint_ne(flags_of(self, "Text") & MI_FLAG_NOT_MODIFIED, 0);
        instance_delete(self);
    }
}
END_TEST

START_TEST(set_reads_no_more_than_the_type_has)
{
    struct test_thing thing;
    ck_assert_int_eq(instance_construct(&test_thing_decl, &thing.instance), MI_RESULT_OK);

    const char **text = malloc(sizeof(*text)); /* what X_Set_ of a string passes */
    *text = "short";
    ck_assert_int_eq(
        MI_Instance_SetElementAt(&thing.instance, TEXT, (MI_Value *)(void *)text, MI_STRING, 0),
        MI_RESULT_OK);
    free(text);
    ck_assert_str_eq(thing.Text.value, "short");
    ck_assert_uint_eq(thing.Text.exists, 1);
    ck_assert_uint_eq(thing.Text.flags, 2);

    MI_Boolean *flag = malloc(1);
    *flag = MI_TRUE;
    ck_assert_int_eq(
        MI_Instance_SetElementAt(&thing.instance, FLAG, (MI_Value *)(void *)flag, MI_BOOLEAN, 0),
        MI_RESULT_OK);
    /* and a getter writes no more */
    *flag = MI_FALSE;
    ck_assert_int_eq(
        MI_Instance_GetElement(&thing.instance, "Flag", (MI_Value *)(void *)flag, NULL, NULL, NULL),
        MI_RESULT_OK);
    ck_assert_uint_eq(*flag, MI_TRUE);
    free(flag);
    ck_assert_int_eq(MI_Instance_Destruct(&thing.instance), MI_RESULT_OK);
}
END_TEST

START_TEST(borrowed_and_owned)
{
    char text[] = "mine";
    MI_Value value = {.string = text};
    struct test_thing thing;
    ck_assert_int_eq(instance_construct(&test_thing_decl, &thing.instance), MI_RESULT_OK);

    ck_assert_int_eq(
        MI_Instance_SetElement(&thing.instance, "Text", &value, MI_STRING, MI_FLAG_BORROW),
        MI_RESULT_OK);
    ck_assert_ptr_eq(thing.Text.value, text);
    ck_assert_uint_eq(thing.Text.flags, 3);

    MI_Instance *clone = NULL;
    ck_assert_int_eq(MI_Instance_Clone(&thing.instance, &clone), MI_RESULT_OK);
    text[0] = 'X';
    ck_assert_str_eq(text_of(clone, "Text"), "mine"); /* a clone owns all it has */
    ck_assert_str_eq(text_of(&thing.instance, "Text"), "Xine");

    /* overwriting releases what was owned, also when the new value is part of the old */
    ck_assert_int_eq(MI_Instance_GetElement(clone, "Text", &value, NULL, NULL, NULL), MI_RESULT_OK);
    ck_assert_int_eq(MI_Instance_SetElement(clone, "Text", &value, MI_STRING, 0), MI_RESULT_OK);
    ck_assert_str_eq(text_of(clone, "Text"), "mine");

    /* ADOPT copies: the caller's block stays the caller's */
    value.string = strdup("adopted");
    ck_assert_int_eq(MI_Instance_SetElement(clone, "Text", &value, MI_STRING, MI_FLAG_ADOPT),
                     MI_RESULT_OK);
    ck_assert_ptr_ne(text_of(clone, "Text"), value.string);
    free(value.string);
    ck_assert_str_eq(text_of(clone, "Text"), "adopted");

    /* borrowing a scalar means nothing */
    MI_Value number = {.uint32 = 9};
    ck_assert_int_eq(
        MI_Instance_SetElement(&thing.instance, "Number", &number, MI_UINT32, MI_FLAG_BORROW),
        MI_RESULT_OK);
    ck_assert_uint_eq(thing.Number.flags, 2);
    ck_assert_int_eq(MI_Instance_Destruct(&thing.instance), MI_RESULT_OK);
    instance_delete(clone);
}
END_TEST

START_TEST(construct_on_garbage)
{
    struct test_thing thing;
    memset(&thing, 0xA5, sizeof(thing));
    ck_assert_int_eq(instance_construct(&test_thing_decl, &thing.instance), MI_RESULT_OK);
    ck_assert_ptr_eq(thing.instance.ft, &instance_ft);
    ck_assert_ptr_eq(thing.instance.classDecl, &test_thing_decl);
    ck_assert_ptr_null(thing.instance.nameSpace);
    ck_assert(is_null(&thing.instance, "Names"));
    ck_assert(is_null(&thing.instance, "Friend"));
    ck_assert(is_null(&thing.instance, "Number"));
    ck_assert(is_null(&thing.instance, "Text"));
    /* defaults on request, which count as not modified */
    instance_apply_defaults(&thing.instance);
    ck_assert_uint_eq(thing.Number.value, 7);
    ck_assert_str_eq(thing.Text.value, "plain");
    ck_assert_uint_ne(flags_of(&thing.instance, "Text") & MI_FLAG_NOT_MODIFIED, 0);

    /* a provider writes names that are not ours to free */
    thing.instance.nameSpace = "literal";
    set_text(&thing.instance, "Text", "other");
    ck_assert_int_eq(MI_Instance_Destruct(&thing.instance), MI_RESULT_OK);
    ck_assert_ptr_null(thing.instance.ft);
    ck_assert_int_eq(MI_Instance_Destruct(&thing.instance), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(instance_construct(&test_thing_decl, &thing.instance), MI_RESULT_OK);
    ck_assert_int_eq(MI_Instance_Delete(&thing.instance), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(MI_Instance_Destruct(&thing.instance), MI_RESULT_OK);

    MI_Instance *heap = new_thing();
    ck_assert_int_eq(MI_Instance_Destruct(heap), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(MI_Instance_Delete(heap), MI_RESULT_OK);
}
END_TEST

START_TEST(names_and_kinship)
{
    const MI_Char *name = "?";
    MI_Boolean is = MI_TRUE;
    MI_Instance *thing = new_thing();
    ck_assert_int_eq(MI_Instance_GetNameSpace(thing, &name), MI_RESULT_OK);
    ck_assert_ptr_null(name);
    ck_assert_int_eq(MI_Instance_SetNameSpace(thing, "root/test"), MI_RESULT_OK);
    ck_assert_int_eq(MI_Instance_SetServerName(thing, "here"), MI_RESULT_OK);
    ck_assert_int_eq(MI_Instance_GetNameSpace(thing, &name), MI_RESULT_OK);
    ck_assert_int_eq(MI_Instance_SetNameSpace(thing, name), MI_RESULT_OK); /* its own */
    ck_assert_int_eq(MI_Instance_GetServerName(thing, &name), MI_RESULT_OK);
    ck_assert_str_eq(name, "here");
    ck_assert_int_eq(MI_Instance_GetClassName(thing, &name), MI_RESULT_OK);
    ck_assert_str_eq(name, "Test_Thing");

    ck_assert_int_eq(MI_Instance_IsA(thing, &test_base_decl, &is), MI_RESULT_OK);
    ck_assert_uint_eq(is, MI_TRUE);
    const MI_ClassDecl twin = test_base_decl; /* the same name is not the same class */
    ck_assert_int_eq(MI_Instance_IsA(thing, &twin, &is), MI_RESULT_OK);
    ck_assert_uint_eq(is, MI_FALSE);
    ck_assert_int_eq(MI_Instance_IsA(thing, NULL, &is), MI_RESULT_INVALID_PARAMETER);

    MI_Instance *clone = NULL;
    ck_assert_int_eq(MI_Instance_Clone(thing, &clone), MI_RESULT_OK);
    ck_assert_ptr_eq(clone->classDecl, &test_thing_decl);
    ck_assert_str_eq(clone->nameSpace, "root/test");
    ck_assert_str_eq(clone->serverName, "here");
    ck_assert_ptr_ne(clone->nameSpace, thing->nameSpace);
    instance_delete(clone);
    instance_delete(thing);

    MI_Instance *dynamic = new_dynamic();
    ck_assert_int_eq(MI_Instance_IsA(dynamic, &test_thing_decl, &is), MI_RESULT_OK);
    ck_assert_uint_eq(is, MI_FALSE);
    instance_delete(dynamic);
}
END_TEST

/* Reference F.4: reading a method's declaration as a class's would leave the object. */
START_TEST(parameters)
{
    struct test_parameters in;
    MI_Boolean is = MI_TRUE;
    MI_Class *class = NULL;
    MI_MethodDecl *exact = malloc(sizeof(*exact)); /* 88 bytes: a longer read is a finding */
    *exact = test_method;
    const MI_ClassDecl *decl = (const MI_ClassDecl *)(const void *)exact;

    ck_assert_ptr_null(decl_method_fault(exact));
    ck_assert_int_eq(instance_construct(decl, &in.instance), MI_RESULT_OK);
    in.MIReturn.value = 3;
    in.MIReturn.exists = MI_TRUE;
    set_text(&in.instance, "Input", "in");
    ck_assert_int_eq(MI_Instance_IsA(&in.instance, &test_thing_decl, &is), MI_RESULT_OK);
    ck_assert_uint_eq(is, MI_FALSE);
    ck_assert_int_eq(MI_Instance_GetClass(&in.instance, &class), MI_RESULT_NOT_SUPPORTED);
    ck_assert_ptr_null(class);
    MI_Instance *clone = NULL;
    ck_assert_int_eq(MI_Instance_Clone(&in.instance, &clone), MI_RESULT_OK);
    ck_assert_str_eq(text_of(clone, "input"), "in");
    ck_assert_int_eq(MI_Instance_Destruct(&in.instance), MI_RESULT_OK);

    MI_Instance *dynamic = NULL;
    ck_assert_int_eq(instance_new_dynamic("Parameters", MI_FLAG_METHOD, &dynamic), MI_RESULT_OK);
    MI_Value value = {.string = (char *)(uintptr_t) "dynamic"};
    ck_assert_int_eq(MI_Instance_AddElement(dynamic, "Input", &value, MI_STRING, MI_FLAG_IN),
                     MI_RESULT_OK);
    ck_assert_uint_eq(flags_of(dynamic, "Input"), MI_FLAG_PARAMETER | MI_FLAG_IN);
    ck_assert_int_eq(MI_Instance_IsA(dynamic, decl, &is), MI_RESULT_OK);
    ck_assert_uint_eq(is, MI_FALSE);
    MI_Instance *converted = NULL;
    ck_assert_int_eq(instance_convert_to(dynamic, decl, NULL, &converted), MI_RESULT_OK);
    ck_assert_ptr_eq(converted->classDecl, decl);
    ck_assert_str_eq(text_of(converted, "Input"), "dynamic");
    instance_delete(converted);
    instance_delete(dynamic);
    instance_delete(clone);
    free(exact);
}
END_TEST

START_TEST(dynamic_grows_and_stays_where_it_is)
{
    MI_Instance *self = NULL;
    char name[16];
    ck_assert_int_eq(instance_new_dynamic("Big", MI_FLAG_INDICATION, &self), MI_RESULT_OK);
    MI_Instance *before = self;
    for (MI_Uint32 i = 0; i < 500; i++) {
        (void)snprintf(name, sizeof(name), "e%u", i);
        MI_Value value = {.uint32 = i};
        ck_assert_int_eq(MI_Instance_AddElement(self, name, &value, MI_UINT32, 0), MI_RESULT_OK);
    }
    ck_assert_ptr_eq(before, self);
    MI_Uint32 count = 0;
    ck_assert_int_eq(MI_Instance_GetElementCount(self, &count), MI_RESULT_OK);
    ck_assert_uint_eq(count, 500);
    MI_Instance *clone = NULL;
    ck_assert_int_eq(MI_Instance_Clone(self, &clone), MI_RESULT_OK);
    ck_assert_uint_ne(clone->classDecl->flags & MI_FLAG_INDICATION, 0);
    for (MI_Uint32 i = 0; i < 500; i++) {
        const MI_Char *found = NULL;
        MI_Value value = {0};
        ck_assert_int_eq(MI_Instance_GetElementAt(clone, i, &found, &value, NULL, NULL),
                         MI_RESULT_OK);
        (void)snprintf(name, sizeof(name), "e%u", i);
        ck_assert_str_eq(found, name);
        ck_assert_uint_eq(value.uint32, i);
    }
    instance_delete(clone);

    /* copied by value, and without its table, it still reads right */
    MI_Instance by_value = *self;
    by_value.ft = NULL;
    ck_assert_uint_eq(instance_element_count(&by_value), 500);
    instance_delete(self);
}
END_TEST

START_TEST(dynamic_limits)
{
    MI_Instance *self = NULL;
    char name[16];
    ck_assert_int_eq(instance_new_dynamic("C", MI_FLAG_KEY, &self), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(instance_new_dynamic("no name", 0, &self), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(instance_new_dynamic(NULL, 0, &self), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(instance_new_dynamic("C", 0, NULL), MI_RESULT_INVALID_PARAMETER);
    ck_assert_ptr_null(self);
    ck_assert_int_eq(instance_new_dynamic("C", 0, &self), MI_RESULT_OK);
    MI_Result result = MI_RESULT_OK;
    MI_Uint32 added = 0;
    for (; result == MI_RESULT_OK && added < 5000; added++) {
        (void)snprintf(name, sizeof(name), "e%u", added);
        result = MI_Instance_AddElement(self, name, NULL, MI_BOOLEAN, 0);
    }
    ck_assert_int_eq(result, MI_RESULT_SERVER_LIMITS_EXCEEDED);
    ck_assert_uint_eq(instance_element_count(self), 4096);
    instance_delete(self);
}
END_TEST

/* ---- what arrives from elsewhere -------------------------------------------------------- */

/* Reference F.5: on a provider's stack, no table, strings that nobody may free. */
START_TEST(hand_built_without_a_table)
{
    MI_Uint8 bytes[] = {1, 2, 3};
    struct test_base friend = {.instance.classDecl = &test_base_decl, .Id = {"friend", 1, 0}};
    const struct test_thing thing = {
        .instance = {.classDecl = &test_thing_decl, .nameSpace = "root/x"},
        .Id = {"one", MI_TRUE, 0},
        .Number = {99, MI_TRUE, 0},
        .Bytes = {{bytes, 3}, MI_TRUE, 0},
        .Friend = {&friend.instance, MI_TRUE, 0},
    };
    ck_assert_uint_eq(instance_element_count(&thing.instance), THING_ELEMENTS);
    ck_assert_str_eq(instance_class_name(&thing.instance), "Test_Thing");
    ck_assert_str_eq(text_of(&thing.instance, "Id"), "one");
    ck_assert(is_null(&thing.instance, "Text"));

    MI_Instance *copy = NULL;
    ck_assert_int_eq(instance_copy(&thing.instance, &copy), MI_RESULT_OK);
    ck_assert_ptr_eq(copy->ft, &instance_ft);
    ck_assert_ptr_eq(copy->classDecl, &test_thing_decl);
    ck_assert_str_eq(copy->nameSpace, "root/x");
    struct test_thing *fields = (struct test_thing *)copy;
    ck_assert_str_eq(fields->Id.value, "one");
    ck_assert_uint_eq(fields->Number.value, 99);
    ck_assert_uint_eq(fields->Bytes.value.size, 3);
    ck_assert_ptr_ne(fields->Bytes.value.data, bytes);
    ck_assert_str_eq(text_of(fields->Friend.value, "Id"), "friend");
    ck_assert_uint_eq(fields->Text.exists, MI_FALSE); /* not the default: the original has none */
    instance_delete(copy);

    /* with our table but not our making it is read, not written */
    struct test_base marked = friend;
    marked.instance.ft = &instance_ft;
    MI_Value value = {.string = (char *)(uintptr_t) "x"};
    ck_assert_str_eq(text_of(&marked.instance, "Id"), "friend");
    ck_assert_int_eq(MI_Instance_SetElement(&marked.instance, "Id", &value, MI_STRING, 0),
                     MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(MI_Instance_Destruct(&marked.instance), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(MI_Instance_Delete(&marked.instance), MI_RESULT_INVALID_PARAMETER);
    instance_delete(&marked.instance);
    ck_assert_str_eq(marked.Id.value, "friend");

    MI_Instance nothing = {0};
    ck_assert_uint_eq(instance_element_count(&nothing), 0);
    ck_assert_ptr_null(instance_class_name(&nothing));
    ck_assert_int_eq(instance_copy(&nothing, &copy), MI_RESULT_INVALID_PARAMETER);
}
END_TEST

/* A foreign table over a dynamic instance: everything goes through the table. */
static unsigned foreign_calls;

static MI_Result foreign_name(const MI_Instance *self, const MI_Char **name)
{
    (void)self;
    foreign_calls++;
    *name = "Foreign_Class";
    return MI_RESULT_OK;
}

static MI_Result foreign_count(const MI_Instance *self, MI_Uint32 *count)
{
    (void)self;
    foreign_calls++;
    *count = 2;
    return MI_RESULT_OK;
}

static MI_Result foreign_at(const MI_Instance *self, MI_Uint32 index, const MI_Char **name,
                            MI_Value *value, MI_Type *type, MI_Uint32 *flags)
{
    (void)self;
    foreign_calls++;
    *name = index == 0 ? "Id" : "Empty";
    value->string = index == 0 ? (char *)(uintptr_t) "far" : NULL;
    *type = MI_STRING;
    *flags = index == 0 ? MI_FLAG_KEY : 0;
    return MI_RESULT_OK;
}

START_TEST(foreign_instances)
{
    static const MI_InstanceFT foreign_ft = {
        .GetClassName = foreign_name, .GetElementCount = foreign_count, .GetElementAt = foreign_at};
    static const MI_InstanceFT empty_ft = {0};
    MI_ClassDecl decl = {.flags = MI_FLAG_CLASS, .owningClass = (MI_Class *)(intptr_t)-1};
    MI_Instance dynamic = {.ft = &foreign_ft, .classDecl = &decl};
    MI_Instance *copy = NULL;

    ck_assert_int_eq(instance_copy(&dynamic, &copy), MI_RESULT_OK);
    ck_assert_uint_gt(foreign_calls, 0);
    ck_assert_str_eq(instance_class_name(copy), "Foreign_Class");
    ck_assert_str_eq(text_of(copy, "ID"), "far");
    ck_assert(is_null(copy, "Empty"));
    ck_assert(instance_keys_equal(copy, &dynamic));
    instance_delete(copy);

    /* a static one is read by its declaration, whatever its table would say */
    struct test_base fixed = {.instance = {.ft = &foreign_ft, .classDecl = &test_base_decl},
                              .Id = {"near", 1, 0}};
    foreign_calls = 0;
    ck_assert_int_eq(instance_copy(&fixed.instance, &copy), MI_RESULT_OK);
    ck_assert_uint_eq(foreign_calls, 0);
    ck_assert_str_eq(text_of(copy, "Id"), "near");
    instance_delete(copy);

    /* a table without slots is no jump to address 0 */
    dynamic.ft = &empty_ft;
    ck_assert_uint_eq(instance_element_count(&dynamic), 0);
    ck_assert_ptr_null(instance_class_name(&dynamic));
    ck_assert_int_eq(instance_copy(&dynamic, &copy), MI_RESULT_INVALID_PARAMETER);
    dynamic.classDecl = NULL;
    ck_assert_int_eq(instance_copy(&dynamic, &copy), MI_RESULT_INVALID_PARAMETER);
}
END_TEST

/* Two instances that contain each other: an end is found, and it is an error. */
START_TEST(circles_end)
{
    struct test_thing a = {.instance.classDecl = &test_thing_decl, .Id = {"a", 1, 0}};
    struct test_thing b = {.instance.classDecl = &test_thing_decl, .Id = {"b", 1, 0}};
    a.Inner.value = &b.instance;
    a.Inner.exists = MI_TRUE;
    b.Inner.value = &a.instance;
    b.Inner.exists = MI_TRUE;
    MI_Instance *copy = NULL;
    MI_Value value = {.instance = &a.instance};
    MI_Value other = {.instance = &b.instance};
    ck_assert_int_eq(instance_copy(&a.instance, &copy), MI_RESULT_SERVER_LIMITS_EXCEEDED);
    ck_assert_ptr_null(copy);
    ck_assert_int_eq(instance_convert_to(&a.instance, &test_thing_decl, NULL, &copy),
                     MI_RESULT_SERVER_LIMITS_EXCEEDED);
    ck_assert(!value_equal(MI_INSTANCE, &value, &other));
    ck_assert(!value_equal(MI_INSTANCE, &value, &value));
}
END_TEST

/* No circle and not deep: each level holds the next ten times, which unfolds to 111,111. */
START_TEST(wide_graphs_end)
{
    enum { LEVELS = 6, WIDTH = 10 };
    struct test_thing level[LEVELS];
    const MI_Instance *next[LEVELS][WIDTH];
    MI_Instance *copy = NULL;
    for (int i = 0; i < LEVELS; i++) {
        level[i] = (struct test_thing){.instance.classDecl = &test_thing_decl};
        for (int k = 0; k < WIDTH && i + 1 < LEVELS; k++) {
            next[i][k] = &level[i + 1].instance;
        }
        level[i].Many.value.data = next[i];
        level[i].Many.value.size = i + 1 < LEVELS ? WIDTH : 0;
        level[i].Many.exists = MI_TRUE;
    }
    ck_assert_int_eq(instance_copy(&level[0].instance, &copy), MI_RESULT_SERVER_LIMITS_EXCEEDED);
    ck_assert_ptr_null(copy);
    ck_assert_int_eq(instance_convert_to(&level[0].instance, &test_thing_decl, NULL, &copy),
                     MI_RESULT_SERVER_LIMITS_EXCEEDED);
    ck_assert_ptr_null(copy);
    ck_assert_int_eq(instance_copy(&level[1].instance, &copy), MI_RESULT_OK);
    instance_delete(copy);
}
END_TEST

START_TEST(nesting_up_to_the_limit)
{
    MI_Instance *inner = new_thing();
    MI_Result result = MI_RESULT_OK;
    int depth = 1;
    while (result == MI_RESULT_OK && depth < 100) {
        MI_Instance *outer = new_thing();
        MI_Value value = {.instance = inner};
        result = MI_Instance_SetElement(outer, "Inner", &value, MI_INSTANCE, 0);
        instance_delete(inner);
        inner = outer;
        depth++;
    }
    ck_assert_int_eq(result, MI_RESULT_SERVER_LIMITS_EXCEEDED);
    ck_assert_int_eq(depth, 34); /* 33 went in one into another; the 34th was refused */
    instance_delete(inner);
}
END_TEST

/* ---- declarations ------------------------------------------------------------------------ */

static const MI_PropertyDecl p_ok = {.name = "P", .type = MI_STRING, .offset = 64};
static const MI_PropertyDecl p_again = {.name = "p", .type = MI_UINT8, .offset = 80};
static const MI_PropertyDecl p_nameless = {.type = MI_STRING, .offset = 64};
static const MI_PropertyDecl p_illegal = {.name = "a b", .type = MI_STRING, .offset = 64};
static const MI_PropertyDecl p_type = {.name = "P", .type = 32, .offset = 64};
static const MI_PropertyDecl p_header = {.name = "P", .type = MI_STRING, .offset = 8};
static const MI_PropertyDecl p_odd = {.name = "P", .type = MI_STRING, .offset = 65};
static const MI_PropertyDecl p_end = {.name = "P", .type = MI_STRING, .offset = 88};
static const MI_PropertyDecl p_far = {.name = "P", .type = MI_STRING, .offset = 0xFFFFFFF8};
static const MI_PropertyDecl p_over = {.name = "Q", .type = MI_UINT32, .offset = 68};
static const MI_PropertyDecl p_qualified = {
    .name = "P", .type = MI_STRING, .offset = 64, .numQualifiers = 1};
static const MI_PropertyDecl *const list_ok[] = {&p_ok};
static const MI_PropertyDecl *const list_again[] = {&p_ok, &p_again};
static const MI_PropertyDecl *const list_nameless[] = {&p_nameless};
static const MI_PropertyDecl *const list_illegal[] = {&p_illegal};
static const MI_PropertyDecl *const list_type[] = {&p_type};
static const MI_PropertyDecl *const list_header[] = {&p_header};
static const MI_PropertyDecl *const list_odd[] = {&p_odd};
static const MI_PropertyDecl *const list_end[] = {&p_end};
static const MI_PropertyDecl *const list_far[] = {&p_far};
static const MI_PropertyDecl *const list_over[] = {&p_ok, &p_over};
static const MI_PropertyDecl *const list_qualified[] = {&p_qualified};
static const MI_PropertyDecl *const list_null[] = {NULL};
static const MI_ClassDecl circle_b;
static const MI_ClassDecl circle_a = {.name = "A", .size = 96, .superClassDecl = &circle_b};
static const MI_ClassDecl circle_b = {.name = "B", .size = 96, .superClassDecl = &circle_a};
static const MI_MethodDecl *const null_methods[] = {NULL};

static const struct {
    const char *fault; /* NULL: sound */
    bool layout;       /* the fault is one of layout, which already construction refuses */
    MI_ClassDecl decl;
} declarations[] = {
    {NULL, false, {.name = "C", .size = 96, .properties = list_ok, .numProperties = 1}},
    {NULL, false, {.name = "C", .size = 64}},
    {"no name", true, {.size = 96}},
    {"name is not a CIM identifier", false, {.name = "C C", .size = 96}},
    {"class with the method flag", false, {.flags = MI_FLAG_METHOD, .name = "C", .size = 96}},
    {"absurd size", true, {.name = "C", .size = 63}},
    {"absurd size", true, {.name = "C", .size = 0xFFFFFFFF}},
    {"too many elements", true, {.name = "C", .size = 96, .numProperties = 0xFFFFFFFF}},
    {"elements missing", true, {.name = "C", .size = 96, .numProperties = 1}},
    {"element is NULL",
     true,
     {.name = "C", .size = 96, .properties = list_null, .numProperties = 1}},
    {"element without a name",
     true,
     {.name = "C", .size = 96, .properties = list_nameless, .numProperties = 1}},
    {"element name is not a CIM identifier",
     false,
     {.name = "C", .size = 96, .properties = list_illegal, .numProperties = 1}},
    {"element of an unknown type",
     true,
     {.name = "C", .size = 96, .properties = list_type, .numProperties = 1}},
    {"element inside the instance header",
     true,
     {.name = "C", .size = 96, .properties = list_header, .numProperties = 1}},
    {"element not aligned",
     true,
     {.name = "C", .size = 96, .properties = list_odd, .numProperties = 1}},
    {"element beyond the end of the instance",
     true,
     {.name = "C", .size = 96, .properties = list_end, .numProperties = 1}},
    {"element beyond the end of the instance",
     true,
     {.name = "C", .size = 96, .properties = list_far, .numProperties = 1}},
    {"elements overlap",
     true,
     {.name = "C", .size = 96, .properties = list_over, .numProperties = 2}},
    {"two elements of one name",
     false,
     {.name = "C", .size = 96, .properties = list_again, .numProperties = 2}},
    {"qualifiers missing",
     false,
     {.name = "C", .size = 96, .properties = list_qualified, .numProperties = 1}},
    {"too many qualifiers", false, {.name = "C", .size = 96, .numQualifiers = 5000}},
    {"superclasses without end", false, {.name = "C", .size = 96, .superClassDecl = &circle_a}},
    {"methods missing", false, {.name = "C", .size = 96, .numMethods = 1}},
    {"too many methods", false, {.name = "C", .size = 96, .numMethods = 0xFFFFFFFF}},
    {"no declaration", false, {.name = "C", .size = 96, .methods = null_methods, .numMethods = 1}},
};

START_TEST(declaration_faults)
{
    const MI_ClassDecl *decl = &declarations[_i].decl;
    MI_Instance *instance = NULL;
    ck_assert_pstr_eq(decl_fault(decl), declarations[_i].fault);
    if (declarations[_i].layout) {
        ck_assert_int_eq(instance_new(decl, &instance), MI_RESULT_INVALID_PARAMETER);
        ck_assert_ptr_null(instance);
    }
    /* whatever is wrong: looking does no harm */
    MI_Uint32 index = 0;
    struct decl_element element;
    (void)decl_element_find(decl, "P", &index);
    (void)decl_element_at(decl, 0, &element);
    (void)decl_method_find(decl, "M");
    (void)decl_derives_from(decl, "Nothing");
    const struct {
        MI_Instance instance;
        MI_Uint64 fields[4];
    } hostile = {.instance.classDecl = decl};
    (void)instance_keys_complete(&hostile.instance);
    if (instance_copy(&hostile.instance, &instance) == MI_RESULT_OK) {
        instance_delete(instance);
    }
}
END_TEST

/* Only a parameter, only a streamed one, and only at the offset that says "none". */
static const struct {
    const char *fault;
    MI_Uint32 flags, offset, method_flags;
} streams[] = {
    {NULL, MI_FLAG_OUT | MI_FLAG_STREAM, UINT32_MAX, MI_FLAG_METHOD},
    {NULL, MI_FLAG_OUT | MI_FLAG_STREAM, 64, MI_FLAG_METHOD},
    {"element beyond the end of the instance", MI_FLAG_OUT, UINT32_MAX, MI_FLAG_METHOD},
    {"element beyond the end of the instance", MI_FLAG_OUT | MI_FLAG_STREAM, UINT32_MAX - 7,
     MI_FLAG_METHOD},
    {"element beyond the end of the instance", MI_FLAG_OUT | MI_FLAG_STREAM, 96, MI_FLAG_METHOD},
    {"element beyond the end of the instance", MI_FLAG_STREAM, UINT32_MAX, MI_FLAG_CLASS},
};

START_TEST(streamed_parameters)
{
    const MI_ParameterDecl streamed = {
        .flags = streams[_i].flags, .name = "S", .type = MI_STRINGA, .offset = streams[_i].offset};
    const MI_ParameterDecl plain = {.name = "P", .type = MI_UINT32, .offset = 88};
    const MI_ParameterDecl *const list[] = {&streamed, &plain};
    const MI_MethodDecl method = {.flags = streams[_i].method_flags,
                                  .name = "M",
                                  .parameters = list,
                                  .numParameters = 2,
                                  .size = 96};
    const MI_ClassDecl *layout = (const MI_ClassDecl *)(const void *)&method;
    bool is_sound = streams[_i].fault == NULL;
    MI_Instance *instance = NULL, *copy = NULL;
    struct decl_element element;

    ck_assert_pstr_eq(decl_layout_fault(layout), streams[_i].fault);
    ck_assert_ptr_eq(decl_stream_find(&method, "s"),
                     (streams[_i].flags & MI_FLAG_STREAM) != 0 ? &streamed : NULL);
    ck_assert_ptr_null(decl_stream_find(&method, "P"));
    ck_assert_int_eq(decl_element_at(layout, 0, &element), streams[_i].offset == 64);
    ck_assert_int_eq(instance_new(layout, &instance),
                     is_sound ? MI_RESULT_OK : MI_RESULT_INVALID_PARAMETER);
    if (is_sound) {
        MI_Value value = {.uint32 = 7};
        ck_assert_ptr_null(decl_method_fault(&method));
        ck_assert_int_eq(MI_Instance_SetElement(instance, "P", &value, MI_UINT32, 0), MI_RESULT_OK);
        ck_assert_int_eq(instance_copy(instance, &copy), MI_RESULT_OK);
        value.uint32 = 0;
        ck_assert_int_eq(instance_element_find(copy, "P", &value, NULL, NULL), MI_RESULT_OK);
        ck_assert_uint_eq(value.uint32, 7);
        instance_delete(copy);
        instance_delete(instance);
    }
}
END_TEST

START_TEST(declaration_look_ups)
{
    const MI_ClassDecl *classes[] = {&test_base_decl, NULL, &test_thing_decl};
    const MI_SchemaDecl schema = {.classDecls = classes, .numClassDecls = 3};
    ck_assert_ptr_eq(decl_class_find(&schema, "test_THING"), &test_thing_decl);
    ck_assert_ptr_null(decl_class_find(&schema, "Test"));
    ck_assert_ptr_null(decl_class_find(NULL, "Test_Thing"));
    ck_assert_ptr_null(decl_class_find(&schema, NULL));
    ck_assert_ptr_eq(decl_method_find(&test_thing_decl, "WORK"), &test_method);
    ck_assert_ptr_null(decl_method_find(&test_thing_decl, "Play"));
    ck_assert_ptr_null(decl_method_find(test_method_as_class(), "Work"));
    ck_assert(decl_derives_from(&test_thing_decl, "Test_Base"));
    ck_assert(decl_derives_from(&test_thing_decl, "test_thing"));
    ck_assert(!decl_derives_from(&test_base_decl, "Test_Thing"));
    ck_assert(!decl_derives_from(test_method_as_class(), "Work"));
    ck_assert_ptr_null(decl_fault(&test_thing_decl));
    ck_assert_ptr_null(decl_fault(&test_base_decl));
    ck_assert_uint_eq(decl_name_code("Id"), (MI_Uint32)('i' << 16 | 'd' << 8 | 2));
    ck_assert_uint_eq(decl_name_code(""), 0);
    ck_assert_uint_eq(decl_name_code(NULL), 0);
    ck_assert(decl_name_equal("AbZ", "aBz"));
    ck_assert(!decl_name_equal("[", "{")); /* next to the letters, not letters */
    ck_assert(!decl_name_equal("ab", "abc"));
    ck_assert(!decl_name_equal(NULL, NULL));
    ck_assert(decl_name_legal("_x9"));
    ck_assert(decl_name_legal("\xC3\xA4"));
    ck_assert(!decl_name_legal("9x"));
}
END_TEST

/* ---- conversion (reference D.4) --------------------------------------------------------- */

static const MI_ClassDecl *const schema_classes[] = {&test_base_decl, &test_thing_decl};
static const MI_SchemaDecl test_schema = {.classDecls = schema_classes, .numClassDecls = 2};

static void add(MI_Instance *self, const char *name, MI_Type type, const void *value,
                MI_Uint32 flags)
{
    ck_assert_int_eq(MI_Instance_AddElement(self, name, value, type, flags), MI_RESULT_OK);
}

/* One element of a dynamic instance against the declaration of Test_Thing. */
START_TEST(conversion_of_one_element)
{
    static const char *number = "17";
    static const char *word = "word";
    static const char *texts[] = {"1", "255"};
    static const char *bad_texts[] = {"1", "256"};
    static const char *null_texts[] = {"1", NULL};
    static const MI_ConstStringA text_array = {texts, 2};
    static const MI_ConstStringA bad_text_array = {bad_texts, 2};
    static const MI_ConstStringA null_text_array = {null_texts, 2};
    static const MI_Uint32 raw = 17;
    static const MI_Sint32 signed_raw = 17;
    const struct {
        const char *name;
        MI_Type type;
        const void *value;
        bool reject_unknown;
        MI_Result result;
    } rows[] = {
        {"number", MI_UINT32, &raw, false, MI_RESULT_OK},
        {"Number", MI_STRING, &number, false, MI_RESULT_OK},
        {"Number", MI_STRING, &word, false, MI_RESULT_TYPE_MISMATCH},
        {"Number", MI_SINT32, &signed_raw, false, MI_RESULT_TYPE_MISMATCH},
        {"Text", MI_STRING, &word, false, MI_RESULT_OK},
        {"Text", MI_UINT32, &raw, false, MI_RESULT_TYPE_MISMATCH},
        {"Bytes", MI_STRINGA, &text_array, false, MI_RESULT_OK},
        {"Bytes", MI_STRINGA, &bad_text_array, false, MI_RESULT_TYPE_MISMATCH},
        {"Bytes", MI_STRINGA, &null_text_array, false, MI_RESULT_TYPE_MISMATCH},
        {"Bytes", MI_STRING, &number, false, MI_RESULT_TYPE_MISMATCH},
        {"Friend", MI_STRING, &word, false, MI_RESULT_TYPE_MISMATCH},
        {"Stranger", MI_STRING, &word, false, MI_RESULT_OK},
        {"Stranger", MI_STRING, &word, true, MI_RESULT_NO_SUCH_PROPERTY},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        MI_Instance *from = NULL;
        MI_Instance *to = NULL;
        const struct instance_convert how = {.reject_unknown = rows[i].reject_unknown};
        ck_assert_int_eq(instance_new_dynamic("Test_Thing", 0, &from), MI_RESULT_OK);
        add(from, rows[i].name, rows[i].type, rows[i].value, 0);
        ck_assert_int_eq(instance_convert_to(from, &test_thing_decl, &how, &to), rows[i].result);
        ck_assert((to != NULL) == (rows[i].result == MI_RESULT_OK));
        instance_delete(to);
        instance_delete(from);
    }
}
END_TEST

START_TEST(conversion_keeps_names_and_defaults)
{
    MI_Instance *from = NULL;
    MI_Instance *to = NULL;
    const struct instance_convert keys = {.keys_required = true};
    ck_assert_int_eq(instance_new_dynamic("Test_Thing", 0, &from), MI_RESULT_OK);
    ck_assert_int_eq(MI_Instance_SetNameSpace(from, "root/a"), MI_RESULT_OK);
    add(from, "Text", MI_STRING, NULL, 0); /* NULL on purpose beats the default */
    ck_assert_int_eq(instance_convert_to(from, &test_thing_decl, &keys, &to),
                     MI_RESULT_NO_SUCH_PROPERTY);
    ck_assert_ptr_null(to);
    add(from, "ID", MI_STRING, NULL, 0); /* a NULL key is a missing key */
    ck_assert_int_eq(instance_convert_to(from, &test_thing_decl, &keys, &to),
                     MI_RESULT_NO_SUCH_PROPERTY);
    set_text(from, "Id", "k");
    ck_assert_int_eq(instance_convert_to(from, &test_thing_decl, &keys, &to), MI_RESULT_OK);
    ck_assert_ptr_eq(to->classDecl, &test_thing_decl);
    ck_assert_str_eq(to->nameSpace, "root/a");
    ck_assert_str_eq(((struct test_thing *)to)->Id.value, "k");
    ck_assert_uint_eq(((struct test_thing *)to)->Number.value, 7);
    ck_assert(is_null(to, "Text"));
    instance_delete(to);
    instance_delete(from);
}
END_TEST

/* A value of each kind, and the text of it. */
START_TEST(texts_of_one_element)
{
    static const MI_Boolean yes = MI_TRUE;
    static const MI_Sint8 lowest = -128;
    static const MI_Uint64 highest = UINT64_MAX;
    static const MI_Real32 third = 0.25F;
    static const MI_Real64 large = 1e300, none = NAN, endless = -INFINITY;
    static const MI_Char16 euro = 0x20AC, half = 0xD800, zero = 0;
    static const MI_Datetime moment = {1, {.timestamp = {2026, 11, 22, 9, 15, 0, 0, -60}}};
    static const MI_Datetime impossible = {1, {.timestamp = {2026, 2, 29, 0, 0, 0, 0, 0}}};
    static const char *word = "word";
    static const struct {
        MI_Type type;
        const void *value;
        const char *text; /* NULL: there is none */
    } rows[] = {
        {MI_BOOLEAN, &yes, "TRUE"},
        {MI_SINT8, &lowest, "-128"},
        {MI_UINT64, &highest, "18446744073709551615"},
        {MI_REAL32, &third, "0.25"},
        {MI_REAL64, &large, "1.0000000000000001e+300"},
        {MI_REAL64, &none, NULL},
        {MI_REAL64, &endless, NULL},
        {MI_CHAR16, &euro, "\xE2\x82\xAC"},
        {MI_CHAR16, &half, NULL},
        {MI_CHAR16, &zero, NULL},
        {MI_DATETIME, &moment, "20261122091500.000000-060"},
        {MI_DATETIME, &impossible, NULL},
        {MI_STRING, &word, "word"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        MI_Instance *from = NULL, *to = NULL;
        MI_Array one = {(void *)(uintptr_t)rows[i].value, 1};
        MI_Type type = MI_BOOLEAN;
        MI_Value value;
        MI_Uint32 flags = 0;
        MI_Result wanted = rows[i].text == NULL ? MI_RESULT_NOT_SUPPORTED : MI_RESULT_OK;

        for (int array = 0; array < 2; array++) {
            ck_assert_int_eq(instance_new_dynamic("Any", 0, &from), MI_RESULT_OK);
            MI_Type from_type = (MI_Type)((unsigned)rows[i].type | (array ? MI_ARRAY : 0U));
            MI_Value first = {0};
            memcpy(&first, array ? &one : rows[i].value, value_size(from_type));
            ck_assert_int_eq(instance_append_element(from, "V", &first, from_type, MI_FLAG_KEY),
                             MI_RESULT_OK);
            ck_assert_int_eq(instance_append_element(from, "N", NULL, from_type, MI_FLAG_NULL),
                             MI_RESULT_OK);
            to = NULL;
            ck_assert_msg(instance_texts(from, &to) == wanted, "row %zu", i);
            if (rows[i].text != NULL) {
                ck_assert_int_eq(MI_Instance_GetElement(to, "V", &value, &type, &flags, NULL),
                                 MI_RESULT_OK);
                ck_assert_int_eq(type, array ? MI_STRINGA : MI_STRING);
                ck_assert_uint_ne(flags & MI_FLAG_KEY, 0);
                ck_assert_str_eq(array ? value.stringa.data[0] : value.string, rows[i].text);
                ck_assert(is_null(to, "N"));
            }
            instance_delete(to);
            instance_delete(from);
        }
    }
}
END_TEST

/* To strings and back: nothing is lost, at any depth. */
START_TEST(texts_are_read_back)
{
    MI_Instance *from = NULL, *inner = NULL, *texts = NULL, *back = NULL;
    MI_Uint8 bytes[] = {1, 255};
    MI_Value value = {.uint8a = {bytes, 2}}, got;
    MI_Type type = MI_BOOLEAN;
    const struct instance_convert how = {.schema = NULL, .reject_unknown = true};

    ck_assert_int_eq(instance_new(&test_thing_decl, &from), MI_RESULT_OK);
    ck_assert_int_eq(instance_new(&test_thing_decl, &inner), MI_RESULT_OK);
    set_text(from, "Id", "k");
    set_text(inner, "Id", "in");
    ck_assert_int_eq(MI_Instance_SetElement(from, "Bytes", &value, MI_UINT8A, 0), MI_RESULT_OK);
    value = (MI_Value){.uint32 = 5};
    ck_assert_int_eq(MI_Instance_SetElement(inner, "Number", &value, MI_UINT32, 0), MI_RESULT_OK);
    value = (MI_Value){.instance = inner};
    ck_assert_int_eq(MI_Instance_SetElement(from, "Inner", &value, MI_INSTANCE, 0), MI_RESULT_OK);
    MI_Instance *list[] = {inner, NULL};
    value = (MI_Value){.instancea = {list, 2}};
    ck_assert_int_eq(MI_Instance_SetElement(from, "Many", &value, MI_INSTANCEA, 0), MI_RESULT_OK);
    ck_assert_int_eq(MI_Instance_SetNameSpace(from, "root/a"), MI_RESULT_OK);

    ck_assert_int_eq(instance_texts(from, &texts), MI_RESULT_OK);
    ck_assert_str_eq(texts->nameSpace, "root/a");
    ck_assert_int_eq(MI_Instance_GetElement(texts, "Inner", &got, &type, NULL, NULL), MI_RESULT_OK);
    ck_assert_int_eq(type, MI_INSTANCE);
    ck_assert_int_eq(MI_Instance_GetElement(got.instance, "Number", &got, &type, NULL, NULL),
                     MI_RESULT_OK);
    ck_assert_int_eq(type, MI_STRING);
    ck_assert_str_eq(got.string, "5");
    ck_assert_int_eq(MI_Instance_GetElement(texts, "Many", &got, &type, NULL, NULL), MI_RESULT_OK);
    ck_assert_int_eq(type, MI_INSTANCEA);
    ck_assert_uint_eq(got.instancea.size, 2);
    ck_assert_ptr_null(got.instancea.data[1]);

    ck_assert_int_eq(instance_convert_to(texts, &test_thing_decl, &how, &back), MI_RESULT_OK);
    ck_assert_uint_eq(((struct test_thing *)back)->Bytes.value.data[1], 255);
    ck_assert_int_eq(instance_texts(NULL, &texts), MI_RESULT_INVALID_PARAMETER);
    instance_delete(back);
    instance_delete(texts);
    instance_delete(inner);
    instance_delete(from);
}
END_TEST

/* A number becomes many times larger. */
START_TEST(texts_are_limited)
{
    enum { MOST = 1 << 20 };
    static MI_Uint8 bytes[MOST];

    for (MI_Uint32 more = 0; more < 2; more++) {
        MI_Instance *from = NULL, *texts = NULL;
        MI_Value value = {.uint8a = {bytes, MOST - 1 + more}};
        ck_assert_int_eq(instance_new_dynamic("Any", 0, &from), MI_RESULT_OK);
        add(from, "V", MI_UINT8A, &value, 0);
        add(from, "W", MI_UINT8, &value, 0);
        ck_assert_int_eq(instance_texts(from, &texts),
                         more == 0 ? MI_RESULT_OK : MI_RESULT_SERVER_LIMITS_EXCEEDED);
        instance_delete(texts);
        instance_delete(from);
    }
}
END_TEST

START_TEST(texts_of_a_circle_end)
{
    MI_Instance *from = NULL, *texts = NULL;

    ck_assert_int_eq(instance_new(&test_thing_decl, &from), MI_RESULT_OK);
    set_text(from, "Id", "k");
    ((struct test_thing *)from)->Inner =
        (MI_ConstInstanceField){.value = from, .exists = MI_TRUE, .flags = 1};
    ck_assert_int_eq(instance_texts(from, &texts), MI_RESULT_SERVER_LIMITS_EXCEEDED);
    ck_assert_ptr_null(texts);
    ((struct test_thing *)from)->Inner = (MI_ConstInstanceField){0};
    instance_delete(from);
}
END_TEST

/* What the provider may cast must have the layout it casts to. */
START_TEST(conversion_of_nested_instances)
{
    MI_Instance *from = NULL;
    MI_Instance *nested = NULL;
    MI_Instance *to = NULL;
    struct instance_convert how = {.schema = &test_schema, .keys_required = true};
    const char *key = "nested";

    static const struct {
        const char *element, *class;
        bool key;
        MI_Result result;
        const MI_ClassDecl *decl; /* NULL: a dynamic copy */
    } rows[] = {
        {"Friend", "Test_Base", true, MI_RESULT_OK, &test_base_decl},
        {"Friend", "test_thing", true, MI_RESULT_OK, &test_thing_decl}, /* a subclass */
        {"Friend", "Unknown", true, MI_RESULT_OK, &test_base_decl},     /* as declared */
        {"Friend", "Test_Base", false, MI_RESULT_NO_SUCH_PROPERTY, NULL},
        {"Inner", "Test_Base", false, MI_RESULT_OK, &test_base_decl},
        {"Many", "Test_Thing", true, MI_RESULT_OK, &test_thing_decl},
        {"Many", "Unknown", true, MI_RESULT_OK, NULL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ck_assert_int_eq(instance_new_dynamic("Test_Thing", 0, &from), MI_RESULT_OK);
        ck_assert_int_eq(instance_new_dynamic(rows[i].class, 0, &nested), MI_RESULT_OK);
        const char *id = "outer";
        add(from, "Id", MI_STRING, &id, MI_FLAG_KEY);
        if (rows[i].key) {
            add(nested, "Id", MI_STRING, &key, MI_FLAG_KEY);
        }
        MI_Instance *pair[] = {nested, NULL};
        MI_InstanceA array = {pair, 2};
        bool many = strcmp(rows[i].element, "Many") == 0;
        bool reference = strcmp(rows[i].element, "Friend") == 0;
        add(from, rows[i].element,
            many        ? MI_INSTANCEA
            : reference ? MI_REFERENCE
                        : MI_INSTANCE,
            many ? (void *)&array : (void *)&nested, 0);
        to = NULL;
        ck_assert_int_eq(instance_convert_to(from, &test_thing_decl, &how, &to), rows[i].result);
        if (to != NULL) {
            MI_Value value = {0};
            ck_assert_int_eq(instance_element_find(to, rows[i].element, &value, NULL, NULL),
                             MI_RESULT_OK);
            const MI_Instance *got = many ? value.instancea.data[0] : value.instance;
            ck_assert(rows[i].decl == NULL ? got->classDecl->owningClass != NULL
                                           : got->classDecl == rows[i].decl);
            if (many) {
                ck_assert_uint_eq(value.instancea.size, 2);
                ck_assert_ptr_null(value.instancea.data[1]);
            }
        }
        instance_delete(to);
        instance_delete(nested);
        instance_delete(from);
    }
}
END_TEST

START_TEST(nested_instance_of_an_unrelated_class)
{
    static const MI_ClassDecl other_decl = {
        .flags = MI_FLAG_CLASS, .name = "Other", .size = sizeof(MI_Instance)};
    const MI_ClassDecl *classes[] = {&test_base_decl, &test_thing_decl, &other_decl};
    const MI_SchemaDecl schema = {.classDecls = classes, .numClassDecls = 3};
    const struct instance_convert how = {.schema = &schema};
    struct test_base other = {.instance.classDecl = &other_decl};
    struct test_thing from = {.instance.classDecl = &test_thing_decl,
                              .Inner = {&other.instance, MI_TRUE, 0}};
    MI_Instance *to = NULL;
    ck_assert_int_eq(instance_convert_to(&from.instance, &test_thing_decl, &how, &to),
                     MI_RESULT_TYPE_MISMATCH);
    ck_assert_ptr_null(to);
    ck_assert_int_eq(instance_convert_to(NULL, &test_thing_decl, &how, &to),
                     MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(instance_convert_to(&from.instance, NULL, &how, &to),
                     MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(instance_convert_to(&from.instance, &test_thing_decl, &how, NULL),
                     MI_RESULT_INVALID_PARAMETER);
}
END_TEST

/* ---- keys and projection ----------------------------------------------------------------- */

START_TEST(keys)
{
    MI_Instance *a = new_base("k");
    MI_Instance *b = new_thing();
    ck_assert(!instance_keys_complete(b));
    ck_assert(!instance_keys_equal(b, b)); /* a NULL key names nothing */
    set_text(b, "Id", "k");
    ck_assert(instance_keys_complete(b));
    ck_assert(instance_keys_equal(a, b));
    set_text(b, "Id", "K");
    ck_assert(!instance_keys_equal(a, b));
    ck_assert(!instance_keys_equal(a, NULL));
    ck_assert(!instance_keys_complete(NULL));

    MI_Instance *keyless = NULL;
    ck_assert_int_eq(instance_new_dynamic("X", 0, &keyless), MI_RESULT_OK);
    ck_assert(!instance_keys_equal(keyless, keyless));
    ck_assert(instance_keys_complete(keyless));

    /* references are equal by their keys, embedded instances by all they have */
    MI_Value left = {.instance = a};
    set_text(b, "Id", "k");
    MI_Value right = {.instance = b};
    ck_assert(value_equal(MI_REFERENCE, &left, &right));
    ck_assert(!value_equal(MI_INSTANCE, &left, &right));
    MI_Instance *twin = NULL;
    ck_assert_int_eq(instance_copy(b, &twin), MI_RESULT_OK);
    MI_Value other = {.instance = twin};
    ck_assert(value_equal(MI_INSTANCE, &right, &other));
    set_text(twin, "Text", "changed");
    ck_assert(!value_equal(MI_INSTANCE, &right, &other));
    instance_delete(twin);
    instance_delete(keyless);
    instance_delete(a);
    instance_delete(b);
}
END_TEST

START_TEST(projection)
{
    MI_Instance *thing = new_thing();
    MI_PropertySet *set = NULL;
    instance_apply_defaults(thing);
    set_text(thing, "Id", "k");
    ck_assert_int_eq(property_set_new(&set), MI_RESULT_OK);
    ck_assert_int_eq(MI_PropertySet_AddElement(set, "NUMBER"), MI_RESULT_OK);

    ck_assert_int_eq(instance_project(thing, NULL, false), MI_RESULT_OK);
    ck_assert(!is_null(thing, "Text"));
    ck_assert_int_eq(instance_project(thing, set, true), MI_RESULT_OK);
    ck_assert(!is_null(thing, "Id"));
    ck_assert(!is_null(thing, "Number"));
    ck_assert(is_null(thing, "Text"));
    ck_assert_int_eq(instance_project(thing, set, false), MI_RESULT_OK);
    ck_assert(is_null(thing, "Id"));
    ck_assert_int_eq(MI_PropertySet_Clear(set), MI_RESULT_OK);
    ck_assert_int_eq(instance_project(thing, set, true), MI_RESULT_OK);
    ck_assert(is_null(thing, "Number"));
    ck_assert_int_eq(instance_project(NULL, set, true), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(MI_PropertySet_Delete(set), MI_RESULT_OK);
    instance_delete(thing);
}
END_TEST

START_TEST(null_arguments)
{
    MI_Instance *thing = new_thing();
    const MI_Char *name;
    MI_Boolean flag;
    MI_Instance *out;
    MI_Class *class;
    MI_Uint32 count;

    ck_assert_int_eq(instance_ft.Clone(NULL, &out), MI_RESULT_INVALID_PARAMETER);
    ck_assert_ptr_null(out);
    ck_assert_int_eq(instance_ft.Clone(thing, NULL), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(instance_ft.Destruct(NULL), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(instance_ft.Delete(NULL), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(instance_ft.IsA(NULL, &test_base_decl, &flag), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(instance_ft.IsA(thing, &test_base_decl, NULL), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(instance_ft.GetClassName(NULL, &name), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(instance_ft.GetClassName(thing, NULL), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(instance_ft.SetNameSpace(NULL, "x"), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(instance_ft.GetNameSpace(NULL, &name), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(instance_ft.GetNameSpace(thing, NULL), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(instance_ft.SetServerName(NULL, "x"), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(instance_ft.GetServerName(NULL, &name), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(instance_ft.GetServerName(thing, NULL), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(instance_ft.GetElementCount(NULL, &count), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(instance_ft.GetElementCount(thing, NULL), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(instance_ft.AddElement(NULL, "x", NULL, MI_STRING, 0),
                     MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(instance_ft.SetElement(NULL, "x", NULL, MI_STRING, 0),
                     MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(instance_ft.SetElementAt(NULL, 0, NULL, MI_STRING, 0),
                     MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(instance_ft.GetElement(NULL, "x", NULL, NULL, NULL, NULL),
                     MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(instance_ft.GetElementAt(NULL, 0, NULL, NULL, NULL, NULL),
                     MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(instance_ft.ClearElement(NULL, "x"), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(instance_ft.ClearElementAt(NULL, 0), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(instance_ft.GetClass(NULL, &class), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(instance_ft.GetClass(thing, NULL), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(instance_construct(&test_base_decl, NULL), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(instance_new(NULL, &out), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(instance_copy(NULL, &out), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(instance_element_at(NULL, 0, NULL, NULL, NULL, NULL),
                     MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(instance_element_find(thing, NULL, NULL, NULL, NULL),
                     MI_RESULT_INVALID_PARAMETER);
    ck_assert_uint_eq(instance_element_count(NULL), 0);
    instance_delete(NULL);
    instance_delete(thing);
}
END_TEST

/* No slot may be NULL: the wrappers do not look (reference 0). */
START_TEST(every_slot_is_there)
{
    const void *slots[sizeof(MI_InstanceFT) / sizeof(void *)];
    memcpy(slots, &instance_ft, sizeof(slots));
    for (size_t i = 0; i < sizeof(slots) / sizeof(slots[0]); i++) {
        ck_assert_ptr_nonnull(slots[i]);
    }
}
END_TEST

/* ---- CIM_Error --------------------------------------------------------------------------- */

static const struct {
    MI_Uint32 code;
    const char *type;
    MI_Result result;
} errors[] = {
    {0, "MI", MI_RESULT_OK},
    {2, "MI", MI_RESULT_ACCESS_DENIED},
    {28, "mi", MI_RESULT_SERVER_IS_SHUTTING_DOWN},
    {18, "MI", MI_RESULT_FAILED}, /* unused number */
    {29, "MI", MI_RESULT_FAILED},
    {0xFFFFFFFF, "MI", MI_RESULT_FAILED},
    {13, "ERRNO", MI_RESULT_FAILED}, /* EACCES, not TYPE_MISMATCH */
    {2, "HRESULT", MI_RESULT_FAILED},
    {5, "WIN32", MI_RESULT_FAILED},
    {0, "ERRNO", MI_RESULT_OK},
    {0, "WINRM", MI_RESULT_OK},
    {0, "WHAT", MI_RESULT_FAILED},
    {2, NULL, MI_RESULT_FAILED},
    {0, NULL, MI_RESULT_FAILED},
};

START_TEST(error_results)
{
    ck_assert_int_eq(error_result_from(errors[_i].code, errors[_i].type), errors[_i].result);
}
END_TEST

START_TEST(error_instances)
{
    MI_Instance *error = NULL;
    MI_Value value = {0};
    ck_assert_int_eq(error_instance_new(MI_RESULT_FAILED, 13, "ERRNO", "no way", &error),
                     MI_RESULT_OK);
    ck_assert_str_eq(instance_class_name(error), "CIM_Error");
    ck_assert_str_eq(text_of(error, "Message"), "no way");
    ck_assert_str_eq(text_of(error, "MessageID"), "ERRNO 13");
    ck_assert_str_eq(text_of(error, "error_Type"), "ERRNO");
    ck_assert_int_eq(instance_element_find(error, "error_Code", &value, NULL, NULL), MI_RESULT_OK);
    ck_assert_uint_eq(value.uint32, 13);
    ck_assert_int_eq(error_instance_result(error), MI_RESULT_FAILED);
    ck_assert_ptr_null(decl_fault(error->classDecl));
    for (MI_Uint32 i = 0; i < error->classDecl->numProperties; i++) {
        const MI_PropertyDecl *property = error->classDecl->properties[i];
        ck_assert_uint_eq(property->code, decl_name_code(property->name));
    }
    ck_assert_uint_eq(error->classDecl->code, decl_name_code("CIM_Error"));
    instance_delete(error);

    ck_assert_int_eq(error_instance_new(MI_RESULT_ACCESS_DENIED, 2, "MI", NULL, &error),
                     MI_RESULT_OK);
    ck_assert_str_eq(text_of(error, "Message"), "access denied");
    ck_assert_int_eq(instance_element_find(error, "error_Category", &value, NULL, NULL),
                     MI_RESULT_OK);
    ck_assert_uint_eq(value.uint16, MI_ERRORCATEGORY_ACCESS_DENIED);
    ck_assert_int_eq(error_instance_result(error), MI_RESULT_ACCESS_DENIED);
    instance_delete(error);
    ck_assert_int_eq(error_instance_new(MI_RESULT_FAILED, 1, "MI", NULL, NULL),
                     MI_RESULT_INVALID_PARAMETER);

    /* what a provider may post instead */
    ck_assert_int_eq(error_instance_result(NULL), MI_RESULT_FAILED);
    MI_Uint16 narrow = 2;
    MI_Uint32 status = 6;
    ck_assert_int_eq(instance_new_dynamic("My_Error", 0, &error), MI_RESULT_OK);
    ck_assert_int_eq(error_instance_result(error), MI_RESULT_FAILED);
    add(error, "cimstatuscode", MI_UINT32, &status, 0);
    ck_assert_int_eq(error_instance_result(error), MI_RESULT_NOT_FOUND);
    value.uint32 = 0;
    ck_assert_int_eq(MI_Instance_SetElement(error, "CIMStatusCode", &value, MI_UINT32, 0),
                     MI_RESULT_OK);
    ck_assert_int_eq(error_instance_result(error), MI_RESULT_FAILED);
    value.uint32 = 4711;
    ck_assert_int_eq(MI_Instance_SetElement(error, "CIMStatusCode", &value, MI_UINT32, 0),
                     MI_RESULT_OK);
    ck_assert_int_eq(error_instance_result(error), MI_RESULT_FAILED);
    ck_assert_int_eq(MI_Instance_ClearElement(error, "CIMStatusCode"), MI_RESULT_OK);
    ck_assert_int_eq(error_instance_result(error), MI_RESULT_FAILED);
    instance_delete(error);
    ck_assert_int_eq(instance_new_dynamic("My_Error", 0, &error), MI_RESULT_OK);
    add(error, "CIMStatusCode", MI_UINT16, &narrow, 0);
    ck_assert_int_eq(error_instance_result(error), MI_RESULT_FAILED);
    instance_delete(error);
}
END_TEST

#define ADD_ROWS(tcase, test, table)                                                               \
    tcase_add_loop_test(tcase, test, 0, (int)(sizeof(table) / sizeof((table)[0])))

int main(void)
{
    Suite *suite = suite_create("host instances");
    TCase *elements = tcase_create("elements");
    tcase_set_timeout(elements, 60);
    ADD_ROWS(elements, element_semantics, semantics);
    tcase_add_test(elements, null_empty_and_modified);
    tcase_add_test(elements, set_reads_no_more_than_the_type_has);
    tcase_add_test(elements, borrowed_and_owned);
    tcase_add_test(elements, construct_on_garbage);
    tcase_add_test(elements, names_and_kinship);
    tcase_add_test(elements, parameters);
    tcase_add_test(elements, dynamic_grows_and_stays_where_it_is);
    tcase_add_test(elements, dynamic_limits);
    tcase_add_test(elements, null_arguments);
    tcase_add_test(elements, every_slot_is_there);
    suite_add_tcase(suite, elements);
    TCase *origin = tcase_create("origin");
    tcase_set_timeout(origin, 60);
    tcase_add_test(origin, hand_built_without_a_table);
    tcase_add_test(origin, foreign_instances);
    tcase_add_test(origin, circles_end);
    tcase_add_test(origin, nesting_up_to_the_limit);
    suite_add_tcase(suite, origin);
    TCase *decls = tcase_create("declarations");
    ADD_ROWS(decls, declaration_faults, declarations);
    ADD_ROWS(decls, streamed_parameters, streams);
    tcase_add_test(decls, declaration_look_ups);
    suite_add_tcase(suite, decls);
    TCase *conversion = tcase_create("conversion");
    tcase_set_timeout(conversion, 60);
    tcase_add_test(conversion, conversion_of_one_element);
    tcase_add_test(conversion, conversion_keeps_names_and_defaults);
    tcase_add_test(conversion, conversion_of_nested_instances);
    tcase_add_test(conversion, nested_instance_of_an_unrelated_class);
    tcase_add_test(conversion, keys);
    tcase_add_test(conversion, texts_of_one_element);
    tcase_add_test(conversion, texts_are_read_back);
    tcase_add_test(conversion, texts_of_a_circle_end);
    tcase_add_test(conversion, projection);
    suite_add_tcase(suite, conversion);
    TCase *sizes = tcase_create("sizes");
    tcase_set_timeout(sizes, 60);
    tcase_set_tags(sizes, "values");
    tcase_add_test(sizes, wide_graphs_end);
    tcase_add_test(sizes, texts_are_limited);
    suite_add_tcase(suite, sizes);
    TCase *error = tcase_create("errors");
    ADD_ROWS(error, error_results, errors);
    tcase_add_test(error, error_instances);
    suite_add_tcase(suite, error);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}

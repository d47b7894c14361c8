/* SPDX-License-Identifier: MIT */
/* Classes, qualifier sets, parameter sets, property sets and filters. */
#include "host/object/object.h"
#include "host/query/query.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host_decls.h"

static MI_Class *thing_class(void)
{
    MI_Class *class = NULL;
    ck_assert_int_eq(class_new(&test_thing_decl, "root/test", "here", &class), MI_RESULT_OK);
    return class;
}

START_TEST(class_names)
{
    const MI_Char *name = NULL;
    MI_Uint32 count = 0;
    MI_Class *class = thing_class();
    ck_assert_int_eq(MI_Class_GetClassName(class, &name), MI_RESULT_OK);
    ck_assert_str_eq(name, "Test_Thing");
    ck_assert_int_eq(MI_Class_GetNameSpace(class, &name), MI_RESULT_OK);
    ck_assert_str_eq(name, "root/test");
    ck_assert_int_eq(MI_Class_GetServerName(class, &name), MI_RESULT_OK);
    ck_assert_str_eq(name, "here");
    ck_assert_int_eq(MI_Class_GetElementCount(class, &count), MI_RESULT_OK);
    ck_assert_uint_eq(count, THING_ELEMENTS);
    ck_assert_int_eq(MI_Class_GetMethodCount(class, &count), MI_RESULT_OK);
    ck_assert_uint_eq(count, 1);
    ck_assert_int_eq(MI_Class_Delete(class), MI_RESULT_OK);
}
END_TEST

START_TEST(class_elements)
{
    MI_Class *class = thing_class();
    const MI_Char *name = NULL;
    MI_Value value;
    MI_Boolean exists = 9;
    MI_Type type = MI_BOOLEAN;
    MI_Char *reference = NULL;
    MI_QualifierSet qualifiers;
    MI_Uint32 flags = 0;
    MI_Uint32 index = 0;
    MI_Uint32 count = 0;

    ck_assert_int_eq(MI_Class_GetElement(class, "NUMBER", &value, &exists, &type, &reference,
                                         &qualifiers, &flags, &index),
                     MI_RESULT_OK);
    ck_assert_uint_eq(value.uint32, 7);
    ck_assert_uint_eq(exists, MI_TRUE);
    ck_assert_int_eq(type, MI_UINT32);
    ck_assert_ptr_null(reference);
    ck_assert_uint_eq(flags, MI_FLAG_PROPERTY);
    ck_assert_uint_eq(index, NUMBER);
    ck_assert_int_eq(MI_QualifierSet_GetQualifierCount(&qualifiers, &count), MI_RESULT_OK);
    ck_assert_uint_eq(count, 0);

    ck_assert_int_eq(MI_Class_GetElementAt(class, FRIEND, &name, &value, &exists, &type, &reference,
                                           NULL, &flags),
                     MI_RESULT_OK);
    ck_assert_str_eq(name, "Friend");
    ck_assert_str_eq(reference, "Test_Base");
    ck_assert_uint_eq(exists, MI_FALSE);
    ck_assert_int_eq(
        MI_Class_GetElementAt(class, THING_ELEMENTS, &name, NULL, NULL, NULL, NULL, NULL, NULL),
        MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(MI_Class_GetElement(class, "Nobody", NULL, NULL, NULL, NULL, NULL, NULL, NULL),
                     MI_RESULT_NO_SUCH_PROPERTY);
    ck_assert_int_eq(MI_Class_GetElement(class, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
                     MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(MI_Class_Delete(class), MI_RESULT_OK);
}
END_TEST

START_TEST(qualifier_sets)
{
    MI_Class *class = thing_class();
    MI_QualifierSet set;
    const MI_Char *name = NULL;
    MI_Type type = MI_BOOLEAN;
    MI_Uint32 flags = 0;
    MI_Uint32 index = 0;
    MI_Uint32 count = 0;
    MI_Value value;

    ck_assert_int_eq(MI_Class_GetClassQualifierSet(class, &set), MI_RESULT_OK);
    ck_assert_int_eq(MI_QualifierSet_GetQualifierCount(&set, &count), MI_RESULT_OK);
    ck_assert_uint_eq(count, 3);
    ck_assert_int_eq(MI_QualifierSet_GetQualifierAt(&set, 0, &name, &type, &flags, &value),
                     MI_RESULT_OK);
    ck_assert_str_eq(name, "Description");
    ck_assert_str_eq(value.string, "a thing for tests");
    ck_assert_uint_eq(flags, MI_FLAG_TRANSLATABLE);
    ck_assert_int_eq(MI_QualifierSet_GetQualifier(&set, "VALUES", &type, &flags, &value, &index),
                     MI_RESULT_OK);
    ck_assert_int_eq(type, MI_STRINGA);
    ck_assert_uint_eq(index, 1);
    ck_assert_uint_eq(value.stringa.size, 2);
    ck_assert_str_eq(value.stringa.data[1], "two");
    ck_assert_int_eq(MI_QualifierSet_GetQualifier(&set, "Nothing", &type, &flags, &value, NULL),
                     MI_RESULT_OK);
    ck_assert_uint_ne(flags & MI_FLAG_NULL, 0);
    ck_assert_ptr_null(value.string);
    ck_assert_int_eq(MI_QualifierSet_GetQualifier(&set, "Key", NULL, NULL, NULL, NULL),
                     MI_RESULT_NOT_FOUND);
    ck_assert_int_eq(MI_QualifierSet_GetQualifierAt(&set, 3, &name, NULL, NULL, NULL),
                     MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(MI_QualifierSet_GetQualifier(&set, NULL, NULL, NULL, NULL, NULL),
                     MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(MI_QualifierSet_GetQualifierCount(&set, NULL), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(MI_Class_Delete(class), MI_RESULT_OK);
}
END_TEST

START_TEST(methods_and_parameters)
{
    MI_Class *class = thing_class();
    MI_QualifierSet qualifiers;
    MI_ParameterSet set;
    const MI_Char *name = NULL;
    MI_Type type = MI_BOOLEAN;
    MI_Char *reference = (char *)class;
    MI_Uint32 index = 9;
    MI_Uint32 count = 0;

    ck_assert_int_eq(MI_Class_GetMethodAt(class, 0, &name, &qualifiers, &set), MI_RESULT_OK);
    ck_assert_str_eq(name, "Work");
    ck_assert_int_eq(MI_Class_GetMethodAt(class, 1, &name, &qualifiers, &set),
                     MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(MI_Class_GetMethod(class, "Play", NULL, NULL, NULL),
                     MI_RESULT_METHOD_NOT_FOUND);
    ck_assert_int_eq(MI_Class_GetMethod(class, NULL, NULL, NULL, NULL),
                     MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(MI_Class_GetMethod(class, "wORK", &qualifiers, &set, &index), MI_RESULT_OK);
    ck_assert_uint_eq(index, 0);
    ck_assert_int_eq(MI_QualifierSet_GetQualifierCount(&qualifiers, &count), MI_RESULT_OK);
    ck_assert_uint_eq(count, 1);

    ck_assert_int_eq(MI_ParameterSet_GetMethodReturnType(&set, &type, &qualifiers), MI_RESULT_OK);
    ck_assert_int_eq(type, MI_UINT32);
    ck_assert_int_eq(MI_QualifierSet_GetQualifierCount(&qualifiers, &count), MI_RESULT_OK);
    ck_assert_uint_eq(count, 1);
    ck_assert_int_eq(MI_ParameterSet_GetParameterCount(&set, &count), MI_RESULT_OK);
    ck_assert_uint_eq(count, 2); /* MIReturn is no parameter */
    ck_assert_int_eq(MI_ParameterSet_GetParameterAt(&set, 0, &name, &type, &reference, &qualifiers),
                     MI_RESULT_OK);
    ck_assert_str_eq(name, "Input");
    ck_assert_int_eq(type, MI_STRING);
    ck_assert_ptr_null(reference);
    ck_assert_int_eq(MI_ParameterSet_GetParameterAt(&set, 2, &name, NULL, NULL, NULL),
                     MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(MI_ParameterSet_GetParameter(&set, "OUTPUT", &type, NULL, NULL, &index),
                     MI_RESULT_OK);
    ck_assert_uint_eq(index, 1);
    ck_assert_int_eq(MI_ParameterSet_GetParameter(&set, "MIReturn", &type, NULL, NULL, &index),
                     MI_RESULT_NO_SUCH_PROPERTY);
    ck_assert_int_eq(MI_ParameterSet_GetParameter(&set, NULL, NULL, NULL, NULL, NULL),
                     MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(MI_Class_Delete(class), MI_RESULT_OK);
}
END_TEST

START_TEST(parents_and_clones)
{
    MI_Class *class = thing_class();
    MI_Class *parent = NULL;
    MI_Class *clone = NULL;
    const MI_Char *name = NULL;
    ck_assert_int_eq(MI_Class_GetParentClassName(class, &name), MI_RESULT_OK);
    ck_assert_str_eq(name, "Test_Base");
    ck_assert_int_eq(MI_Class_GetParentClass(class, &parent), MI_RESULT_OK);
    ck_assert_int_eq(MI_Class_GetClassName(parent, &name), MI_RESULT_OK);
    ck_assert_str_eq(name, "Test_Base");
    ck_assert_int_eq(MI_Class_GetParentClassName(parent, &name), MI_RESULT_INVALID_SUPERCLASS);
    ck_assert_ptr_null(name);
    MI_Class *none = class;
    ck_assert_int_eq(MI_Class_GetParentClass(parent, &none), MI_RESULT_INVALID_SUPERCLASS);
    ck_assert_ptr_null(none);
    ck_assert_int_eq(MI_Class_Clone(class, &clone), MI_RESULT_OK);
    ck_assert_int_eq(MI_Class_Delete(class), MI_RESULT_OK);
    ck_assert_int_eq(MI_Class_GetNameSpace(clone, &name), MI_RESULT_OK);
    ck_assert_str_eq(name, "root/test");
    ck_assert_int_eq(MI_Class_Delete(clone), MI_RESULT_OK);
    ck_assert_int_eq(MI_Class_Delete(parent), MI_RESULT_OK);
}
END_TEST

/* The class outlives the instance, and an instance made from the class outlives that. */
START_TEST(class_of_a_dynamic_instance)
{
    MI_Instance *dynamic = NULL;
    MI_Class *class = NULL;
    MI_Class *clone = NULL;
    MI_Instance *made = NULL;
    MI_Value value = {.string = (char *)(uintptr_t) "v"};
    MI_Uint32 count = 0;

    ck_assert_int_eq(instance_new_dynamic("Dyn", 0, &dynamic), MI_RESULT_OK);
    ck_assert_int_eq(MI_Instance_AddElement(dynamic, "Id", &value, MI_STRING, MI_FLAG_KEY),
                     MI_RESULT_OK);
    ck_assert_int_eq(MI_Instance_AddElement(dynamic, "Flags", NULL, MI_UINT8A, 0), MI_RESULT_OK);
    ck_assert_int_eq(MI_Instance_GetClass(dynamic, &class), MI_RESULT_OK);
    ck_assert_ptr_ne(class->classDecl, dynamic->classDecl);
    instance_delete(dynamic);
    ck_assert_int_eq(MI_Class_GetElementCount(class, &count), MI_RESULT_OK);
    ck_assert_uint_eq(count, 2);
    ck_assert_int_eq(MI_Class_Clone(class, &clone), MI_RESULT_OK);
    ck_assert_ptr_eq(clone->classDecl, class->classDecl);
    ck_assert_int_eq(MI_Class_Delete(class->classDecl->owningClass), MI_RESULT_INVALID_PARAMETER);

    ck_assert_int_eq(instance_new(class->classDecl, &made), MI_RESULT_OK);
    ck_assert_int_eq(MI_Class_Delete(class), MI_RESULT_OK);
    ck_assert_int_eq(MI_Class_Delete(clone), MI_RESULT_OK);
    ck_assert_int_eq(MI_Instance_SetElement(made, "id", &value, MI_STRING, 0), MI_RESULT_OK);
    MI_Instance *copy = NULL;
    ck_assert_int_eq(instance_copy(made, &copy), MI_RESULT_OK);
    instance_delete(made);
    ck_assert_int_eq(MI_Instance_GetElement(copy, "Id", &value, NULL, NULL, NULL), MI_RESULT_OK);
    ck_assert_str_eq(value.string, "v");
    instance_delete(copy);
}
END_TEST

/* A declaration that another host counts is copied with all it leads to. */
START_TEST(class_over_a_foreign_declaration)
{
    static const MI_ClassFT foreign_ft = {0};
    MI_Class owner = {.ft = &foreign_ft};
    MI_ClassDecl *decl = malloc(sizeof(*decl));
    MI_Class *class = NULL;
    MI_QualifierSet qualifiers;
    MI_ParameterSet parameters;
    const MI_Char *name = NULL;
    MI_Value value;
    MI_Boolean exists = MI_FALSE;
    MI_Uint32 count = 0;

    *decl = test_thing_decl;
    decl->owningClass = &owner;
    ck_assert_int_eq(class_new(decl, NULL, NULL, &class), MI_RESULT_OK);
    free(decl);
    ck_assert_int_eq(MI_Class_GetNameSpace(class, &name), MI_RESULT_OK);
    ck_assert_ptr_null(name);
    ck_assert_int_eq(MI_Class_GetParentClassName(class, &name), MI_RESULT_OK);
    ck_assert_str_eq(name, "Test_Base");
    ck_assert_int_eq(
        MI_Class_GetElement(class, "Text", &value, &exists, NULL, NULL, NULL, NULL, NULL),
        MI_RESULT_OK);
    ck_assert_str_eq(value.string, "plain");
    ck_assert_ptr_ne(value.string, test_text_default);
    ck_assert_int_eq(MI_Class_GetClassQualifierSet(class, &qualifiers), MI_RESULT_OK);
    ck_assert_int_eq(MI_QualifierSet_GetQualifier(&qualifiers, "Values", NULL, NULL, &value, NULL),
                     MI_RESULT_OK);
    ck_assert_str_eq(value.stringa.data[0], "one");
    ck_assert_int_eq(MI_Class_GetMethod(class, "Work", NULL, &parameters, NULL), MI_RESULT_OK);
    ck_assert_int_eq(MI_ParameterSet_GetParameterCount(&parameters, &count), MI_RESULT_OK);
    ck_assert_uint_eq(count, 2);
    ck_assert_ptr_null(class->classDecl->methods[0]->function);
    ck_assert_int_eq(MI_Class_Delete(class), MI_RESULT_OK);
}
END_TEST

/* ---- the declarations of a module that may be unmapped ----------------------------------------
 */

/* A class declaration in memory of its own, as a module has it, with the lists of the original. */
static MI_ClassDecl *declare(const MI_ClassDecl *like, MI_ClassDecl *super)
{
    MI_ClassDecl *decl = malloc(sizeof(*decl));

    *decl = *like;
    decl->superClassDecl = super;
    return decl;
}

/* What the module's memory holds after it was unmapped. */
static void unmap(MI_ClassDecl *decl)
{
    memset(decl, 0xEE, sizeof(*decl));
    free(decl);
}

static bool is_a(const MI_Instance *instance, const MI_ClassDecl *decl)
{
    MI_Boolean is = MI_FALSE;
    ck_assert_int_eq(MI_Instance_IsA(instance, decl, &is), MI_RESULT_OK);
    return is != MI_FALSE;
}

/* The superclass is not listed in the schema. What is made of the copies outlives the module. */
START_TEST(declarations_of_a_module)
{
    MI_ClassDecl *base = declare(&test_base_decl, NULL);
    MI_ClassDecl *thing = declare(&test_thing_decl, base);
    const MI_ClassDecl *const list[] = {thing};
    const MI_SchemaDecl schema = {.classDecls = list, .numClassDecls = 1};
    struct decl_copy *copies = NULL;
    MI_Instance *posted = NULL, *taken = NULL;
    MI_Class *class = NULL, *parent = NULL;
    const MI_Char *name = NULL;
    MI_Value value = {.string = (char *)(uintptr_t) "i"};

    ck_assert_int_eq(decl_copy_schema(&schema, &copies), MI_RESULT_OK);
    const MI_SchemaDecl *copied = decl_copy_classes(copies);
    ck_assert_uint_eq(copied->numClassDecls, 1);
    ck_assert_ptr_eq(decl_copy_find(copies, thing), copied->classDecls[0]);
    ck_assert_ptr_eq(decl_copy_find(copies, base), copied->classDecls[0]->superClassDecl);
    ck_assert_ptr_eq(decl_copy_origin(copied->classDecls[0]), thing);
    /* A wrapper's declaration has the same properties; another class or layout has not. */
    MI_ClassDecl other = *thing;
    ck_assert_ptr_eq(decl_copy_find(copies, &other), copied->classDecls[0]);
    other.name = "Test_Other";
    ck_assert_ptr_null(decl_copy_find(copies, &other));
    other = *thing;
    other.size += 8;
    ck_assert_ptr_null(decl_copy_find(copies, &other));

    ck_assert_int_eq(instance_new(thing, &posted), MI_RESULT_OK);
    ck_assert_int_eq(MI_Instance_SetElement(posted, "Id", &value, MI_STRING, 0), MI_RESULT_OK);
    ck_assert_int_eq(instance_take(posted, copies, &taken), MI_RESULT_OK);
    ck_assert_int_eq(class_new(copied->classDecls[0], NULL, NULL, &class), MI_RESULT_OK);
    instance_delete(posted);
    unmap(thing);
    unmap(base);
    decl_copy_drop(copies);

    ck_assert_int_eq(MI_Instance_GetElement(taken, "Id", &value, NULL, NULL, NULL), MI_RESULT_OK);
    ck_assert_str_eq(value.string, "i");
    ck_assert(is_a(taken, &test_thing_decl) && is_a(taken, &test_base_decl));
    other = test_thing_decl;
    other.numProperties--; /* a caster would read less; but it is another declaration */
    ck_assert(!is_a(taken, &other));
    instance_delete(taken);
    ck_assert_int_eq(MI_Class_GetParentClass(class, &parent), MI_RESULT_OK);
    MI_Class_Delete(class);
    ck_assert_int_eq(MI_Class_GetClassName(parent, &name), MI_RESULT_OK);
    ck_assert_str_eq(name, "Test_Base");
    MI_Class_Delete(parent);
}
END_TEST

/* A declaration that is not in the module's schema: the copy has one of its own, at any depth. */
START_TEST(declarations_that_are_not_listed)
{
    MI_ClassDecl *base = declare(&test_base_decl, NULL);
    MI_Instance *outer = NULL, *inner = NULL, *taken = NULL;
    MI_Value value = {0};

    ck_assert_int_eq(instance_new_dynamic("Outer", 0, &outer), MI_RESULT_OK);
    ck_assert_int_eq(instance_new(base, &inner), MI_RESULT_OK);
    value.string = (char *)(uintptr_t) "i";
    ck_assert_int_eq(MI_Instance_SetElement(inner, "Id", &value, MI_STRING, 0), MI_RESULT_OK);
    value.instance = inner;
    ck_assert_int_eq(MI_Instance_AddElement(outer, "Inner", &value, MI_INSTANCE, 0), MI_RESULT_OK);
    ck_assert_int_eq(instance_take(outer, NULL, &taken), MI_RESULT_OK);
    instance_delete(inner);
    instance_delete(outer);
    unmap(base);
    ck_assert_int_eq(MI_Instance_GetElement(taken, "Inner", &value, NULL, NULL, NULL),
                     MI_RESULT_OK);
    ck_assert_str_eq(instance_class_name(value.instance), "Test_Base");
    ck_assert_int_eq(MI_Instance_GetElement(value.instance, "Id", &value, NULL, NULL, NULL),
                     MI_RESULT_OK);
    ck_assert_str_eq(value.string, "i");
    instance_delete(taken);
}
END_TEST

START_TEST(class_bad_input)
{
    MI_Class *class = NULL;
    const MI_ClassDecl broken = {.flags = MI_FLAG_CLASS, .name = "B", .size = 1};
    ck_assert_int_eq(class_new(NULL, NULL, NULL, &class), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(class_new(&broken, NULL, NULL, &class), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(class_new(&test_base_decl, NULL, NULL, NULL), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(class_new(test_method_as_class(), NULL, NULL, &class),
                     MI_RESULT_NOT_SUPPORTED);
    ck_assert_ptr_null(class);
    class = thing_class();
    const MI_ClassFT *ft = class->ft;
    ck_assert_int_eq(ft->GetClassName(NULL, NULL), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(ft->GetClassName(class, NULL), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(ft->GetNameSpace(NULL, NULL), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(ft->GetServerName(class, NULL), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(ft->GetElementCount(class, NULL), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(ft->GetClassQualifierSet(class, NULL), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(ft->GetMethodCount(NULL, NULL), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(ft->GetParentClassName(class, NULL), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(ft->GetParentClass(class, NULL), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(ft->Clone(class, NULL), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(ft->Delete(NULL), MI_RESULT_INVALID_PARAMETER);

    const void *slots[sizeof(MI_ClassFT) / sizeof(void *)];
    memcpy(slots, ft, sizeof(slots));
    for (size_t i = 0; i < sizeof(slots) / sizeof(slots[0]); i++) {
        ck_assert_ptr_nonnull(slots[i]);
    }
    ck_assert_int_eq(MI_Class_Delete(class), MI_RESULT_OK);
}
END_TEST

START_TEST(property_sets)
{
    MI_PropertySet *set = NULL;
    MI_PropertySet *clone = NULL;
    MI_Boolean contains = MI_TRUE;
    MI_Uint32 count = 9;
    const MI_Char *name = NULL;
    char long_name[16];

    ck_assert_int_eq(property_set_new(NULL), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(property_set_new(&set), MI_RESULT_OK);
    ck_assert_int_eq(MI_PropertySet_GetElementCount(set, &count), MI_RESULT_OK);
    ck_assert_uint_eq(count, 0);
    ck_assert_int_eq(MI_PropertySet_AddElement(set, "Alpha"), MI_RESULT_OK);
    ck_assert_int_eq(MI_PropertySet_AddElement(set, "ALPHA"), MI_RESULT_ALREADY_EXISTS);
    ck_assert_int_eq(MI_PropertySet_AddElement(set, ""), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(MI_PropertySet_AddElement(set, NULL), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(MI_PropertySet_ContainsElement(set, "alpha", &contains), MI_RESULT_OK);
    ck_assert_uint_eq(contains, MI_TRUE);
    ck_assert_int_eq(MI_PropertySet_ContainsElement(set, "beta", &contains), MI_RESULT_OK);
    ck_assert_uint_eq(contains, MI_FALSE);
    for (unsigned i = 0; i < 100; i++) {
        (void)snprintf(long_name, sizeof(long_name), "p%u", i);
        ck_assert_int_eq(MI_PropertySet_AddElement(set, long_name), MI_RESULT_OK);
    }
    ck_assert_int_eq(MI_PropertySet_Clone(set, &clone), MI_RESULT_OK);
    ck_assert_int_eq(MI_PropertySet_Clear(set), MI_RESULT_OK);
    ck_assert_int_eq(MI_PropertySet_GetElementAt(set, 0, &name), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(MI_PropertySet_AddElement(set, "Alpha"), MI_RESULT_OK);
    ck_assert_int_eq(MI_PropertySet_GetElementAt(clone, 100, &name), MI_RESULT_OK);
    ck_assert_str_eq(name, "p99");
    ck_assert_int_eq(MI_PropertySet_GetElementAt(clone, 101, &name), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(MI_PropertySet_Destruct(clone), MI_RESULT_OK);
    ck_assert_int_eq(MI_PropertySet_Delete(clone), MI_RESULT_OK);

    ck_assert_int_eq(property_set_ft.GetElementCount(NULL, &count), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(property_set_ft.GetElementCount(set, NULL), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(property_set_ft.ContainsElement(NULL, "x", &contains),
                     MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(property_set_ft.ContainsElement(set, "x", NULL), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(property_set_ft.AddElement(NULL, "x"), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(property_set_ft.GetElementAt(set, 0, NULL), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(property_set_ft.Clear(NULL), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(property_set_ft.Destruct(NULL), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(property_set_ft.Delete(NULL), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(property_set_ft.Clone(set, NULL), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(property_set_ft.Clone(NULL, &clone), MI_RESULT_INVALID_PARAMETER);
    ck_assert_ptr_null(clone);
    ck_assert_int_eq(MI_PropertySet_Delete(set), MI_RESULT_OK);
}
END_TEST

START_TEST(filters)
{
    MI_Filter filter;
    const MI_Char *language = NULL;
    const MI_Char *expression = NULL;
    MI_Boolean match = MI_TRUE;
    MI_Instance *instance = NULL;

    filter_init(&filter, "WQL", "select * from X", NULL);
    ck_assert_int_eq(MI_Filter_GetExpression(&filter, &language, &expression), MI_RESULT_OK);
    ck_assert_str_eq(language, "WQL");
    ck_assert_str_eq(expression, "select * from X");
    ck_assert_int_eq(instance_new(&test_base_decl, &instance), MI_RESULT_OK);
    ck_assert_int_eq(MI_Filter_Evaluate(&filter, instance, &match), MI_RESULT_INVALID_PARAMETER);
    ck_assert_uint_eq(match, MI_FALSE);
    ck_assert_int_eq(filter_ft.Evaluate(NULL, NULL, NULL), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(filter_ft.GetExpression(&filter, NULL, &expression),
                     MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(filter_ft.GetExpression(&filter, &language, NULL),
                     MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(filter_ft.GetExpression(NULL, &language, &expression),
                     MI_RESULT_INVALID_PARAMETER);
    instance_delete(instance);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("host classes");
    TCase *tcase = tcase_create("classes");
    tcase_add_test(tcase, class_names);
    tcase_add_test(tcase, class_elements);
    tcase_add_test(tcase, qualifier_sets);
    tcase_add_test(tcase, methods_and_parameters);
    tcase_add_test(tcase, parents_and_clones);
    tcase_add_test(tcase, class_of_a_dynamic_instance);
    tcase_add_test(tcase, class_over_a_foreign_declaration);
    tcase_add_test(tcase, declarations_of_a_module);
    tcase_add_test(tcase, declarations_that_are_not_listed);
    tcase_add_test(tcase, class_bad_input);
    tcase_add_test(tcase, property_sets);
    tcase_add_test(tcase, filters);
    suite_add_tcase(suite, tcase);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}

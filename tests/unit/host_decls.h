/* SPDX-License-Identifier: MIT */
/*
 * The classes that the host object tests work with, declared as a generator would: Test_Base with a
 * key, Test_Thing derived from it with a field of each interesting kind, and a method.
 */
#ifndef TESTS_UNIT_HOST_DECLS_H
#define TESTS_UNIT_HOST_DECLS_H

#include <MI.h>

#define COUNT_OF(array) (MI_Uint32)(sizeof(array) / sizeof((array)[0]))

struct test_base {
    MI_Instance instance;
    MI_ConstStringField Id;
};

struct test_thing {
    MI_Instance instance;
    MI_ConstStringField Id;
    MI_ConstUint32Field Number; /* default 7 */
    MI_ConstStringField Text;   /* default "plain" */
    MI_ConstBooleanField Flag;
    MI_ConstStringAField Names;
    MI_ConstUint8AField Bytes;
    MI_ConstReferenceField Friend; /* Test_Base REF */
    MI_ConstInstanceField Inner;
    MI_ConstInstanceAField Many;
    MI_ConstDatetimeField When;
    MI_ConstReal64Field Ratio;
};

struct test_parameters {
    MI_Instance instance;
    MI_ConstUint32Field MIReturn;
    MI_ConstStringField Input;
    MI_ConstUint16AField Output;
};

static const MI_Uint32 test_number_default = 7;
static const MI_Char *const test_text_default = "plain";
static const MI_Boolean test_true = MI_TRUE;
static const MI_Char *const test_description = "a thing for tests";
static const MI_Char *const test_values_data[] = {"one", "two"};
static const MI_ConstStringA test_values = {test_values_data, 2};
static const MI_Uint32 test_max_length = 12;

static const MI_Qualifier test_key_qualifier = {"Key", MI_BOOLEAN, MI_FLAG_DISABLEOVERRIDE,
                                                &test_true};
static const MI_Qualifier test_description_qualifier = {"Description", MI_STRING,
                                                        MI_FLAG_TRANSLATABLE, &test_description};
static const MI_Qualifier test_values_qualifier = {"Values", MI_STRINGA, 0, &test_values};
static const MI_Qualifier test_length_qualifier = {"MaxLen", MI_UINT32, 0, &test_max_length};
static const MI_Qualifier test_null_qualifier = {"Nothing", MI_STRING, 0, NULL};

static const MI_Qualifier *const test_key_qualifiers[] = {&test_key_qualifier,
                                                          &test_length_qualifier};
static const MI_Qualifier *const test_class_qualifiers[] = {
    &test_description_qualifier, &test_values_qualifier, &test_null_qualifier};

#define TEST_PROPERTY(SYMBOL, STRUCT, NAME, FLAGS, TYPE, CLASS, VALUE)                             \
    static const MI_PropertyDecl SYMBOL = {                                                        \
        .flags = MI_FLAG_PROPERTY | (FLAGS),                                                       \
        .name = #NAME,                                                                             \
        .type = (TYPE),                                                                            \
        .className = (CLASS),                                                                      \
        .offset = offsetof(struct STRUCT, NAME),                                                   \
        .origin = "Test",                                                                          \
        .propagator = "Test",                                                                      \
        .value = (VALUE),                                                                          \
    }

static const MI_PropertyDecl test_id = {
    .flags = MI_FLAG_PROPERTY | MI_FLAG_KEY,
    .code = 0x12345678, /* wrong on purpose: it must not hide the element */
    .name = "Id",
    .qualifiers = test_key_qualifiers,
    .numQualifiers = COUNT_OF(test_key_qualifiers),
    .type = MI_STRING,
    .offset = offsetof(struct test_thing, Id),
    .origin = "Test_Base",
    .propagator = "Test_Base",
};
TEST_PROPERTY(test_number, test_thing, Number, 0, MI_UINT32, NULL, &test_number_default);
TEST_PROPERTY(test_text, test_thing, Text, 0, MI_STRING, NULL, &test_text_default);
TEST_PROPERTY(test_flag, test_thing, Flag, 0, MI_BOOLEAN, NULL, NULL);
TEST_PROPERTY(test_names, test_thing, Names, 0, MI_STRINGA, NULL, NULL);
TEST_PROPERTY(test_bytes, test_thing, Bytes, 0, MI_UINT8A, NULL, NULL);
TEST_PROPERTY(test_friend, test_thing, Friend, MI_FLAG_REFERENCE, MI_REFERENCE, "Test_Base", NULL);
TEST_PROPERTY(test_inner, test_thing, Inner, 0, MI_INSTANCE, "Test_Base", NULL);
TEST_PROPERTY(test_many, test_thing, Many, 0, MI_INSTANCEA, NULL, NULL);
TEST_PROPERTY(test_when, test_thing, When, 0, MI_DATETIME, NULL, NULL);
TEST_PROPERTY(test_ratio, test_thing, Ratio, 0, MI_REAL64, NULL, NULL);

static const MI_PropertyDecl *const test_base_properties[] = {&test_id};
static const MI_PropertyDecl *const test_thing_properties[] = {
    &test_id,     &test_number, &test_text, &test_flag, &test_names, &test_bytes,
    &test_friend, &test_inner,  &test_many, &test_when, &test_ratio};

/* Indices into the above. */
enum { ID, NUMBER, TEXT, FLAG, NAMES, BYTES, FRIEND, INNER, MANY, WHEN, RATIO, THING_ELEMENTS };

/* Exactly as large as the API says, so that a sanitizer sees any reading beyond (reference F.4). */
static const MI_ParameterDecl test_return = {MI_FLAG_PARAMETER | MI_FLAG_OUT,
                                             0,
                                             "MIReturn",
                                             test_key_qualifiers,
                                             1,
                                             MI_UINT32,
                                             NULL,
                                             0,
                                             offsetof(struct test_parameters, MIReturn)};
static const MI_ParameterDecl test_input = {MI_FLAG_PARAMETER | MI_FLAG_IN,
                                            0,
                                            "Input",
                                            test_class_qualifiers,
                                            1,
                                            MI_STRING,
                                            NULL,
                                            0,
                                            offsetof(struct test_parameters, Input)};
static const MI_ParameterDecl test_output = {
    MI_FLAG_PARAMETER | MI_FLAG_OUT,         0, "Output", NULL, 0, MI_UINT16A, NULL, 0,
    offsetof(struct test_parameters, Output)};
static const MI_ParameterDecl *const test_parameter_list[] = {&test_return, &test_input,
                                                              &test_output};

/* `origin` lies where a class has superClassDecl: as a pointer it leads to text. */
static const MI_MethodDecl test_method = {
    .flags = MI_FLAG_METHOD,
    .name = "Work",
    .qualifiers = test_class_qualifiers,
    .numQualifiers = 1,
    .parameters = test_parameter_list,
    .numParameters = COUNT_OF(test_parameter_list),
    .size = sizeof(struct test_parameters),
    .returnType = MI_UINT32,
    .origin = "Test_Thing",
    .propagator = "Test_Thing",
};
static const MI_MethodDecl *const test_methods[] = {&test_method};

static const MI_ClassDecl test_base_decl = {
    .flags = MI_FLAG_CLASS,
    .name = "Test_Base",
    .properties = test_base_properties,
    .numProperties = COUNT_OF(test_base_properties),
    .size = sizeof(struct test_base),
};
static const MI_ClassDecl test_thing_decl = {
    .flags = MI_FLAG_CLASS,
    .name = "Test_Thing",
    .qualifiers = test_class_qualifiers,
    .numQualifiers = COUNT_OF(test_class_qualifiers),
    .properties = test_thing_properties,
    .numProperties = COUNT_OF(test_thing_properties),
    .size = sizeof(struct test_thing),
    .superClass = "Test_Base",
    .superClassDecl = &test_base_decl,
    .methods = test_methods,
    .numMethods = COUNT_OF(test_methods),
};

static inline const MI_ClassDecl *test_method_as_class(void)
{
    return (const MI_ClassDecl *)(const void *)&test_method;
}

#endif

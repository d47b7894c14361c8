/* SPDX-License-Identifier: MIT */
/*
 * Deserializers as a program uses them: what a serializer wrote is read as the same instance or
 * class, random ones of every type; with classes in the text, given, asked for, or without any; and
 * each text that is wrong has its result, and a message that says where.
 */
#include <check.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "host/object/instance_internal.h"
#include "host_decls.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const char *const formats[] = {"MI_XML", "MI_MOF_CIMV2_EXTV1"};
enum { XML, MOF, FORMATS };

static MI_Char *chars(const char *text)
{
    return (MI_Char *)(uintptr_t)text;
}

static MI_Application application_now(void)
{
    MI_Application application;

    ck_assert_int_eq(MI_Application_InitializeV1(0, NULL, NULL, &application), MI_RESULT_OK);
    return application;
}

static MI_Deserializer deserializer_of(int format)
{
    MI_Application application = application_now();
    MI_Deserializer deserializer;

    ck_assert_int_eq(
        MI_Application_NewDeserializer(&application, 0, chars(formats[format]), &deserializer),
        MI_RESULT_OK);
    return deserializer;
}

static MI_Serializer serializer_of(int format)
{
    MI_Application application = application_now();
    MI_Serializer serializer;

    ck_assert_int_eq(
        MI_Application_NewSerializer(&application, 0, chars(formats[format]), &serializer),
        MI_RESULT_OK);
    return serializer;
}

/* The caller frees it. */
static char *instance_text(int format, const MI_Instance *instance, MI_Uint32 flags)
{
    static MI_Uint8 buffer[1 << 20];
    MI_Serializer serializer = serializer_of(format);
    MI_Uint32 needed = 0;

    MI_Result result = MI_Serializer_SerializeInstance(&serializer, flags, instance, buffer,
                                                       sizeof(buffer), &needed);
    ck_assert_msg(result == MI_RESULT_OK, "result %d", (int)result);
    return strndup((char *)buffer, needed);
}

static char *class_text(int format, const MI_Class *item, MI_Uint32 flags)
{
    static MI_Uint8 buffer[1 << 20];
    MI_Serializer serializer = serializer_of(format);
    MI_Uint32 needed = 0;

    ck_assert_int_eq(
        MI_Serializer_SerializeClass(&serializer, flags, item, buffer, sizeof(buffer), &needed),
        MI_RESULT_OK);
    return strndup((char *)buffer, needed);
}

/* Reads a text that must be right. */
static MI_Instance *read_instance(int format, const char *text, MI_Class **classes, MI_Uint32 count)
{
    MI_Deserializer deserializer = deserializer_of(format);
    MI_Instance *instance = NULL, *error = NULL;
    MI_Uint32 read = 0;
    MI_Value message = {.string = chars("")};

    MI_Result result = MI_Deserializer_DeserializeInstance(
        &deserializer, 0, (MI_Uint8 *)chars(text), (MI_Uint32)strlen(text), classes, count, NULL,
        NULL, &read, &instance, &error);
    if (error != NULL) {
        (void)MI_Instance_GetElement(error, "Message", &message, NULL, NULL, NULL);
    }
    ck_assert_msg(result == MI_RESULT_OK, "%s\nresult %d, %s", text, (int)result, message.string);
    ck_assert_ptr_null(error);
    ck_assert_uint_eq(read, strlen(text));
    return instance;
}

static MI_Class *read_class(int format, const char *text, MI_Class *parent)
{
    MI_Deserializer deserializer = deserializer_of(format);
    MI_Instance *error = NULL;
    MI_Class *item = NULL;
    MI_Uint32 read = 0;
    MI_Value message = {.string = chars("")};

    MI_Result result = MI_Deserializer_DeserializeClass(
        &deserializer, 0, (MI_Uint8 *)chars(text), (MI_Uint32)strlen(text), parent, "here",
        "root/test", NULL, NULL, &read, &item, &error);
    if (error != NULL) {
        (void)MI_Instance_GetElement(error, "Message", &message, NULL, NULL, NULL);
    }
    ck_assert_msg(result == MI_RESULT_OK, "%s\nresult %d, %s", text, (int)result, message.string);
    ck_assert_uint_eq(read, strlen(text));
    return item;
}

/* ---- random values ----------------------------------------------------------------------------
 */

static uint64_t state;
static bool for_xml;
static unsigned serial; /* so that each instance has a class of its own */

static uint64_t next(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static unsigned below(unsigned most)
{
    return (unsigned)(next() >> 20) % most;
}

static uint32_t random_point(void)
{
    static const char marks[] = "\"\\<>&'\t\n\r ]]>/*${}";
    uint32_t point = below(2) == 0   ? (uint32_t)marks[below(sizeof(marks) - 1)]
                     : below(3) == 0 ? 1 + below(0x10FFFF)
                                     : 0x20 + below(0x5F);

    if (point >= 0xD800 && point < 0xE000) {
        return 'x';
    }
    return for_xml && (point == 0xFFFE || point == 0xFFFF ||
                       (point < 0x20 && point != '\t' && point != '\n' && point != '\r'))
               ? 'y'
               : point;
}

static void put_point(char **at, uint32_t point)
{
    const unsigned more = point < 0x80 ? 0 : point < 0x800 ? 1 : point < 0x10000 ? 2 : 3;
    static const unsigned char heads[] = {0, 0xC0, 0xE0, 0xF0};

    *(*at)++ = (char)(heads[more] | point >> (6 * more));
    for (unsigned i = more; i > 0; i--) {
        *(*at)++ = (char)(0x80 | (point >> (6 * (i - 1)) & 0x3F));
    }
}

/* The caller frees it. */
static char *random_text(void)
{
    char *text = calloc(64, 1), *at = text;

    for (unsigned count = below(12); count > 0; count--) {
        put_point(&at, random_point());
    }
    return text;
}

static MI_Datetime random_datetime(void)
{
    MI_Datetime value;

    memset(&value, 0, sizeof(value));
    value.isTimestamp = below(2);
    if (value.isTimestamp) {
        value.u.timestamp = (MI_Timestamp){
            below(10000), 1 + below(12), 1 + below(28),  below(24),
            below(60),    below(60),     below(1000000), (MI_Sint32)below(1999) - 999};
    } else {
        value.u.interval = (MI_Interval){below(100000000), below(24), below(60), below(60),
                                         below(1000000),   0,         0,         0};
    }
    return value;
}

static double random_real(bool narrow)
{
    double value = NAN;

    while (!isfinite(value)) {
        uint64_t bits = next();
        float small;
        memcpy(&small, &bits, sizeof(small));
        memcpy(&value, &bits, sizeof(value));
        value = narrow ? (double)small : value;
    }
    return value;
}

static MI_Instance *random_instance(unsigned depth, bool reference);

/* A value that release_value() ends. */
static MI_Value random_scalar(MI_Type type, unsigned depth)
{
    MI_Value value = {0};

    switch (type) {
    case MI_BOOLEAN:
        value.boolean = (MI_Boolean)below(2);
        break;
    case MI_REAL32:
        value.real32 = (float)random_real(true);
        break;
    case MI_REAL64:
        value.real64 = random_real(false);
        break;
    case MI_CHAR16:
        value.char16 = (MI_Char16)random_point();
        if (for_xml && ((value.char16 >= 0xD800 && value.char16 < 0xE000) ||
                        value.char16 >= 0xFFFE || value.char16 < ' ')) {
            value.char16 = 'z';
        }
        break;
    case MI_DATETIME:
        value.datetime = random_datetime();
        break;
    case MI_STRING:
        value.string = random_text();
        break;
    case MI_REFERENCE:
    case MI_INSTANCE:
        value.instance = random_instance(depth + 1, type == MI_REFERENCE);
        break;
    default:
        value.uint64 = next() >> (below(2) * below(63));
        break;
    }
    return value;
}

static void release_value(MI_Type type, MI_Value *value)
{
    if (type == MI_STRING) {
        free(value->string);
    } else if (type == MI_INSTANCE || type == MI_REFERENCE) {
        MI_Instance_Delete(value->instance);
    }
}

static void add_scalar(MI_Instance *to, const char *name, MI_Type type, MI_Uint32 flags,
                       unsigned depth)
{
    MI_Value value = random_scalar(type, depth);

    ck_assert_int_eq(MI_Instance_AddElement(to, name, &value, type, flags), MI_RESULT_OK);
    release_value(type, &value);
}

static void add_array(MI_Instance *to, const char *name, MI_Type scalar, unsigned depth)
{
    const bool pointer = scalar == MI_STRING || scalar == MI_INSTANCE || scalar == MI_REFERENCE;
    const size_t size = value_element_size(scalar);
    MI_Value values[4] = {{0}};
    char data[4 * 32] = {0};
    MI_Value array = {.array = {data, below(4)}};

    for (unsigned i = 0; i < array.array.size; i++) {
        if (!pointer || below(4) != 0) {
            values[i] = random_scalar(scalar, depth);
        }
        memcpy(data + i * size, &values[i], size);
    }
    ck_assert_int_eq(MI_Instance_AddElement(to, name, &array, (MI_Type)(scalar | MI_ARRAY), 0),
                     MI_RESULT_OK);
    for (unsigned i = 0; i < array.array.size; i++) {
        if (values[i].string != NULL) {
            release_value(scalar, &values[i]);
        }
    }
}

static MI_Instance *random_instance(unsigned depth, bool reference)
{
    MI_Instance *made = NULL;
    char name[32];

    snprintf(name, sizeof(name), "T_Class%u", serial++);
    ck_assert_int_eq(instance_new_dynamic(name, 0, &made), MI_RESULT_OK);
    if (below(3) == 0 && reference) {
        ck_assert_int_eq(MI_Instance_SetNameSpace(made, "root/some"), MI_RESULT_OK);
        if (below(2) == 0) {
            ck_assert_int_eq(MI_Instance_SetServerName(made, "server.example"), MI_RESULT_OK);
        }
    }
    for (unsigned i = 0, count = below(depth == 0 ? 12 : 4); i < count; i++) {
        MI_Type type = (MI_Type)below(depth < 3 ? 16 : 14);
        const MI_Uint32 key = reference || below(4) == 0 ? MI_FLAG_KEY : 0;
        snprintf(name, sizeof(name), "P%u", i);
        if (reference) {
            add_scalar(made, name, type == MI_INSTANCE ? MI_STRING : type, key, depth);
        } else if (below(6) == 0) {
            ck_assert_int_eq(MI_Instance_AddElement(made, name, NULL, type, key | MI_FLAG_NULL),
                             MI_RESULT_OK);
        } else if (below(3) == 0 && !(for_xml && type == MI_REFERENCE)) {
            add_array(made, name, type, depth);
        } else {
            add_scalar(made, name, type, key, depth);
        }
    }
    return made;
}

/* ---- comparing --------------------------------------------------------------------------------
 */

static void same_instance(const MI_Instance *a, const MI_Instance *b, bool reference);

static void same_scalar(MI_Type type, const void *a, const void *b)
{
    if (type != MI_INSTANCE && type != MI_REFERENCE) {
        ck_assert(value_equal(type, a, b));
        return;
    }
    const MI_Instance *left = *(MI_Instance *const *)a, *right = *(MI_Instance *const *)b;
    ck_assert((left == NULL) == (right == NULL));
    if (left != NULL) {
        same_instance(left, right, type == MI_REFERENCE);
    }
}

static void same_text(const char *a, const char *b)
{
    ck_assert((a == NULL) == (b == NULL));
    if (a != NULL) {
        ck_assert_str_eq(a, b);
    }
}

static void same_instance(const MI_Instance *a, const MI_Instance *b, bool reference)
{
    ck_assert_str_eq(instance_class_name(a), instance_class_name(b));
    if (reference) {
        same_text(a->nameSpace, b->nameSpace);
        same_text(a->serverName, b->serverName);
    }
    ck_assert_uint_eq(instance_element_count(a), instance_element_count(b));
    for (MI_Uint32 i = 0; i < instance_element_count(a); i++) {
        const char *names[2] = {NULL, NULL};
        MI_Value values[2] = {{0}};
        MI_Type types[2] = {MI_BOOLEAN, MI_BOOLEAN};
        MI_Uint32 flags[2] = {0, 0};
        const MI_Uint32 kept = MI_FLAG_NULL | MI_FLAG_KEY;
        ck_assert_int_eq(instance_element_at(a, i, &names[0], &values[0], &types[0], &flags[0]),
                         MI_RESULT_OK);
        ck_assert_int_eq(instance_element_at(b, i, &names[1], &values[1], &types[1], &flags[1]),
                         MI_RESULT_OK);
        ck_assert_str_eq(names[0], names[1]);
        ck_assert_int_eq(types[0], types[1]);
        ck_assert_uint_eq(flags[0] & kept, flags[1] & kept);
        if ((flags[0] & MI_FLAG_NULL) != 0) {
            continue;
        }
        if ((types[0] & MI_ARRAY) == 0) {
            same_scalar(types[0], &values[0], &values[1]);
            continue;
        }
        ck_assert_uint_eq(values[0].array.size, values[1].array.size);
        for (MI_Uint32 k = 0; k < values[0].array.size; k++) {
            const size_t size = value_element_size(types[0]);
            same_scalar((MI_Type)(types[0] & 15U), (char *)values[0].array.data + k * size,
                        (char *)values[1].array.data + k * size);
        }
    }
}

static unsigned rounds(void)
{
    return getenv("QUICK") != NULL ? 1000 : 10000;
}

static void seed(void)
{
    const char *given = getenv("SEED");

    state = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
    state = state == 0 ? 1 : state;
    printf("SEED=%llu\n", (unsigned long long)state);
}

START_TEST(random_instances_come_back)
{
    seed();
    for_xml = _i == XML;
    for (unsigned i = 0; i < rounds(); i++) {
        serial = 0;
        MI_Instance *first = random_instance(0, false);
        char *text = instance_text(_i, first, MI_SERIALIZER_FLAGS_INSTANCE_WITH_CLASS);
        MI_Instance *second = read_instance(_i, text, NULL, 0);
        same_instance(first, second, false);
        char *again = instance_text(_i, second, 0);
        char *plain = instance_text(_i, first, 0);
        ck_assert_str_eq(again, plain);
        free(text);
        free(again);
        free(plain);
        MI_Instance_Delete(first);
        MI_Instance_Delete(second);
    }
}
END_TEST

/* ---- random classes ---------------------------------------------------------------------------
 */

enum { MOST = 6 };

/* Everything that a random class points to. */
struct random_class {
    MI_ClassDecl decl;
    MI_PropertyDecl properties[MOST];
    MI_MethodDecl methods[MOST];
    MI_ParameterDecl parameters[MOST][MOST];
    MI_Qualifier qualifiers[200];
    const MI_PropertyDecl *property_list[MOST];
    const MI_MethodDecl *method_list[MOST];
    const MI_ParameterDecl *parameter_list[MOST][MOST];
    const MI_Qualifier *qualifier_list[200];
    MI_Value values[300];
    char *texts[300];
    unsigned qualifier_count, value_count, text_count;
    char names[100][16];
    unsigned name_count;
};

static const char *random_name(struct random_class *random, const char *head)
{
    char *name = random->names[random->name_count++];

    snprintf(name, sizeof(random->names[0]), "%s%u", head, random->name_count);
    return name;
}

/* A string or number, single, that lives as long as the class. */
static const void *random_constant(struct random_class *random, MI_Type type)
{
    MI_Value *value = &random->values[random->value_count++];

    *value = random_scalar(type, 9);
    if (type == MI_STRING) {
        random->texts[random->text_count++] = value->string;
    }
    return value;
}

/* The types that MOF shows by the value alone, or any. */
static MI_Type qualifier_type(void)
{
    static const MI_Type shown[] = {MI_BOOLEAN, MI_STRING, MI_REAL64, MI_CHAR16};

    return for_xml ? (MI_Type)below(14) : shown[below(COUNT(shown))];
}

static void random_qualifiers(struct random_class *random, const MI_Qualifier *const **ret_list,
                              MI_Uint32 *ret_count)
{
    static const MI_Uint32 flavors[] = {0,
                                        MI_FLAG_ENABLEOVERRIDE,
                                        MI_FLAG_DISABLEOVERRIDE | MI_FLAG_TRANSLATABLE,
                                        MI_FLAG_RESTRICTED,
                                        MI_FLAG_TOSUBCLASS | MI_FLAG_TOINSTANCE,
                                        MI_FLAG_ENABLEOVERRIDE | MI_FLAG_TOSUBCLASS};
    const unsigned count = below(3);

    *ret_list = &random->qualifier_list[random->qualifier_count];
    *ret_count = count;
    for (unsigned i = 0; i < count; i++) {
        MI_Qualifier *made = &random->qualifiers[random->qualifier_count];
        const MI_Type type = qualifier_type();
        *made = (MI_Qualifier){random_name(random, "Q"), (MI_Uint32)type,
                               flavors[below(COUNT(flavors))], random_constant(random, type)};
        random->qualifier_list[random->qualifier_count++] = made;
    }
}

static const char *object_class(MI_Type type)
{
    return (type & 15U) == MI_REFERENCE  ? "T_End"
           : (type & 15U) == MI_INSTANCE ? (below(2) == 0 ? "T_End" : NULL)
                                         : NULL;
}

static void random_parameters(struct random_class *random, unsigned method)
{
    MI_MethodDecl *to = &random->methods[method];
    MI_Uint32 size = sizeof(MI_Instance);

    to->parameters = random->parameter_list[method];
    to->numParameters = below(MOST);
    for (unsigned i = 0; i < to->numParameters; i++) {
        MI_ParameterDecl *made = &random->parameters[method][i];
        const MI_Type type = (MI_Type)(below(16) | (below(3) == 0 ? MI_ARRAY : 0));
        made->flags = MI_FLAG_PARAMETER | (below(2) == 0 ? MI_FLAG_IN : MI_FLAG_OUT);
        made->name = random_name(random, "A");
        made->type = (MI_Uint32)type;
        made->className = object_class(type);
        made->subscript = (type & MI_ARRAY) != 0 ? below(3) : 0;
        made->offset = size;
        size += 40;
        random_qualifiers(random, &made->qualifiers, &made->numQualifiers);
        random->parameter_list[method][i] = made;
    }
    to->size = size;
}

static struct random_class *random_class(void)
{
    struct random_class *random = calloc(1, sizeof(*random));
    MI_ClassDecl *decl = &random->decl;

    *decl = (MI_ClassDecl){.flags = MI_FLAG_CLASS | (below(4) == 0 ? MI_FLAG_ASSOCIATION : 0) |
                                    (below(4) == 0 ? MI_FLAG_ABSTRACT : 0),
                           .name = "T_Random",
                           .properties = random->property_list,
                           .numProperties = below(MOST),
                           .methods = random->method_list,
                           .numMethods = below(MOST),
                           .size = sizeof(MI_Instance),
                           .superClass = below(2) == 0 ? "T_Parent" : NULL};
    random_qualifiers(random, &decl->qualifiers, &decl->numQualifiers);
    for (unsigned i = 0; i < decl->numProperties; i++) {
        MI_PropertyDecl *made = &random->properties[i];
        MI_Type type = (MI_Type)(below(16) | (below(3) == 0 ? MI_ARRAY : 0));
        type = type == MI_REFERENCEA ? MI_REFERENCE : type;
        made->flags = MI_FLAG_PROPERTY | (below(4) == 0 ? MI_FLAG_KEY : 0) |
                      (below(4) == 0 ? MI_FLAG_READONLY : 0);
        made->name = random_name(random, "P");
        made->type = (MI_Uint32)type;
        made->className = object_class(type);
        made->subscript = (type & MI_ARRAY) != 0 ? below(3) : 0;
        made->offset = decl->size;
        made->origin = decl->superClass != NULL && below(2) == 0 ? "T_Parent" : "T_Random";
        made->propagator = made->origin;
        made->value = type < MI_REFERENCE && below(2) == 0 ? random_constant(random, type) : NULL;
        decl->size += 40;
        random_qualifiers(random, &made->qualifiers, &made->numQualifiers);
        random->property_list[i] = made;
    }
    for (unsigned i = 0; i < decl->numMethods; i++) {
        MI_MethodDecl *made = &random->methods[i];
        made->flags = MI_FLAG_METHOD | (below(3) == 0 ? MI_FLAG_STATIC : 0);
        made->name = random_name(random, "M");
        made->returnType = below(14);
        made->origin = "T_Random";
        random_qualifiers(random, &made->qualifiers, &made->numQualifiers);
        random_parameters(random, i);
        random->method_list[i] = made;
    }
    return random;
}

static void free_random_class(struct random_class *random)
{
    for (unsigned i = 0; i < random->text_count; i++) {
        free(random->texts[i]);
    }
    free(random);
}

static void same_class(const MI_ClassDecl *a, const MI_ClassDecl *b)
{
    ck_assert_str_eq(a->name, b->name);
    same_text(a->superClass, b->superClass);
    ck_assert_uint_eq(a->flags, b->flags);
    ck_assert_uint_eq(a->numProperties, b->numProperties);
    ck_assert_uint_eq(a->numMethods, b->numMethods);
    for (MI_Uint32 i = 0; i < a->numProperties; i++) {
        const MI_PropertyDecl *one = a->properties[i], *two = b->properties[i];
        ck_assert_str_eq(one->name, two->name);
        ck_assert_uint_eq(one->type, two->type);
        ck_assert_uint_eq(one->subscript, two->subscript);
        same_text(one->className, two->className);
        ck_assert_uint_eq(one->flags & (MI_FLAG_KEY | MI_FLAG_READONLY),
                          two->flags & (MI_FLAG_KEY | MI_FLAG_READONLY));
        ck_assert((one->value == NULL) == (two->value == NULL));
        if (one->value != NULL) {
            ck_assert(value_equal((MI_Type)one->type, one->value, two->value));
        }
        if (for_xml) {
            same_text(one->origin, two->origin);
            same_text(one->propagator, two->propagator);
        }
    }
    for (MI_Uint32 i = 0; i < a->numMethods; i++) {
        const MI_MethodDecl *one = a->methods[i], *two = b->methods[i];
        ck_assert_str_eq(one->name, two->name);
        ck_assert_uint_eq(one->returnType, two->returnType);
        ck_assert_uint_eq(one->flags, two->flags);
        ck_assert_uint_eq(one->numParameters, two->numParameters);
        for (MI_Uint32 k = 0; k < one->numParameters; k++) {
            ck_assert_str_eq(one->parameters[k]->name, two->parameters[k]->name);
            ck_assert_uint_eq(one->parameters[k]->type, two->parameters[k]->type);
            ck_assert_uint_eq(one->parameters[k]->flags, two->parameters[k]->flags);
            same_text(one->parameters[k]->className, two->parameters[k]->className);
        }
    }
}

START_TEST(random_classes_come_back)
{
    seed();
    for_xml = _i == XML;
    for (unsigned i = 0; i < rounds(); i++) {
        struct random_class *random = random_class();
        MI_Class *first = NULL;
        ck_assert_int_eq(class_new(&random->decl, "root/test", "here", &first), MI_RESULT_OK);
        char *text = class_text(_i, first, MI_SERIALIZER_FLAGS_CLASS_DEEP);
        MI_Class *second = read_class(_i, text, NULL);
        same_class(first->classDecl, second->classDecl);
        ck_assert_str_eq(second->namespaceName, "root/test");
        ck_assert_str_eq(second->serverName, "here");
        char *again = class_text(_i, second, MI_SERIALIZER_FLAGS_CLASS_DEEP);
        ck_assert_str_eq(text, again);
        free(text);
        free(again);
        MI_Class_Delete(first);
        MI_Class_Delete(second);
        free_random_class(random);
    }
}
END_TEST

/* ---- where the classes come from --------------------------------------------------------------
 */

static const char *const one_end[] = {
    "<INSTANCE CLASSNAME=\"T_End\"><PROPERTY NAME=\"Number\" TYPE=\"uint8\"><VALUE>7</VALUE>"
    "</PROPERTY></INSTANCE>",
    "instance of T_End { Number = 7; };",
};
static const char *const end_class[] = {
    "<CLASS NAME=\"T_End\"><PROPERTY NAME=\"Id\" TYPE=\"string\"><QUALIFIER NAME=\"Key\" "
    "TYPE=\"boolean\"><VALUE>TRUE</VALUE></QUALIFIER></PROPERTY><PROPERTY NAME=\"Number\" "
    "TYPE=\"uint8\"><VALUE>3</VALUE></PROPERTY></CLASS>",
    "class T_End { [Key] string Id; uint8 Number = 3; };",
};

static MI_Type type_of(const MI_Instance *instance, const char *name, MI_Uint32 *ret_flags)
{
    MI_Type type = MI_INSTANCEA;

    ck_assert_int_eq(MI_Instance_GetElement(instance, name, NULL, &type, ret_flags, NULL),
                     MI_RESULT_OK);
    return type;
}

/* With the class: all its elements, its types; what the text lacks is NULL, and no default. */
START_TEST(a_given_class_has_the_types)
{
    MI_Class *end = read_class(_i, end_class[_i], NULL);
    MI_Instance *instance = read_instance(_i, one_end[_i], &end, 1);
    MI_Uint32 flags = 0;

    ck_assert_uint_eq(instance_element_count(instance), 2);
    ck_assert_int_eq(type_of(instance, "Number", &flags), MI_UINT8);
    ck_assert_uint_eq(flags & MI_FLAG_NULL, 0);
    ck_assert_int_eq(type_of(instance, "Id", &flags), MI_STRING);
    ck_assert_uint_eq(flags & (MI_FLAG_NULL | MI_FLAG_KEY | MI_FLAG_NOT_MODIFIED),
                      MI_FLAG_NULL | MI_FLAG_KEY | MI_FLAG_NOT_MODIFIED);
    MI_Instance_Delete(instance);
    MI_Class_Delete(end);
}
END_TEST

/* Without: what the text has, by its own types. */
START_TEST(without_a_class_the_text_decides)
{
    MI_Instance *instance = read_instance(_i, one_end[_i], NULL, 0);
    MI_Uint32 flags = 0;

    ck_assert_uint_eq(instance_element_count(instance), 1);
    ck_assert_int_eq(type_of(instance, "Number", &flags), _i == XML ? MI_UINT8 : MI_SINT64);
    MI_Instance_Delete(instance);
}
END_TEST

START_TEST(mof_shows_some_types_by_itself)
{
    MI_Instance *instance = read_instance(
        MOF,
        "instance of T { A = 1; B = 18446744073709551615; C = 1.5; D = TRUE; E = 'c'; F = \"s\"; "
        "G = {1, -1}; H = {1, 2.5}; I = {}; J = NULL; K = {NULL, \"x\"}; L = instance of U {}; };",
        NULL, 0);
    static const MI_Type types[] = {MI_SINT64, MI_UINT64,  MI_REAL64,  MI_BOOLEAN, MI_CHAR16,
                                    MI_STRING, MI_SINT64A, MI_REAL64A, MI_STRINGA, MI_STRING};

    for (unsigned i = 0; i < COUNT(types); i++) {
        const char name[] = {(char)('A' + i), '\0'};
        MI_Uint32 flags = 0;
        ck_assert_msg(type_of(instance, name, &flags) == types[i], "%s", name);
    }
    MI_Instance_Delete(instance);
}
END_TEST

struct asked {
    unsigned calls;
    int format;
    MI_Result result;
    const char *text; /* of the class that is given; NULL: none */
    char name[40];
};

static MI_Result give_class(void *context, const MI_Char *server, const MI_Char *name_space,
                            const MI_Char *name, MI_Class **ret_class)
{
    struct asked *asked = context;

    (void)server;
    (void)name_space;
    asked->calls++;
    snprintf(asked->name, sizeof(asked->name), "%s", name);
    if (asked->text != NULL) {
        *ret_class = read_class(asked->format, asked->text, NULL);
    }
    return asked->result;
}

static MI_Result read_asking(int format, const char *text, struct asked *asked,
                             MI_Instance **ret_instance)
{
    MI_Deserializer deserializer = deserializer_of(format);
    MI_Instance *error = NULL;

    MI_Result result = MI_Deserializer_DeserializeInstance(
        &deserializer, 0, (MI_Uint8 *)chars(text), (MI_Uint32)strlen(text), NULL, 0, give_class,
        asked, NULL, ret_instance, &error);
    ck_assert((error != NULL) == (result != MI_RESULT_OK));
    MI_Instance_Delete(error);
    return result;
}

START_TEST(a_class_is_asked_for_once)
{
    struct asked asked = {.format = _i, .text = end_class[_i]};
    MI_Instance *instance = NULL;
    MI_Uint32 flags = 0;

    ck_assert_int_eq(read_asking(_i, one_end[_i], &asked, &instance), MI_RESULT_OK);
    ck_assert_uint_eq(asked.calls, 1);
    ck_assert_str_eq(asked.name, "T_End");
    ck_assert_int_eq(type_of(instance, "Number", &flags), MI_UINT8);
    MI_Instance_Delete(instance);
    /* Its answer is the answer; no class, or another one, is a mistake of the callback. */
    asked = (struct asked){.format = _i, .result = MI_RESULT_ACCESS_DENIED};
    ck_assert_int_eq(read_asking(_i, one_end[_i], &asked, &instance), MI_RESULT_ACCESS_DENIED);
    ck_assert_ptr_null(instance);
    asked = (struct asked){.format = _i};
    ck_assert_int_eq(read_asking(_i, one_end[_i], &asked, &instance), MI_RESULT_INVALID_PARAMETER);
    asked.text = _i == XML ? "<CLASS NAME=\"T_Other\"></CLASS>" : "class T_Other {};";
    ck_assert_int_eq(read_asking(_i, one_end[_i], &asked, &instance), MI_RESULT_INVALID_PARAMETER);
}
END_TEST

/* A class without what it inherits needs its superclass; the two ways give the same class. */
START_TEST(a_superclass_gives_its_elements)
{
    MI_Class *base = NULL, *thing = NULL;

    ck_assert_int_eq(class_new(&test_base_decl, NULL, NULL, &base), MI_RESULT_OK);
    const char *text = _i == XML ? "<CLASS NAME=\"Test_New\" SUPERCLASS=\"Test_Base\"><PROPERTY "
                                   "NAME=\"More\" TYPE=\"uint8\"></PROPERTY></CLASS>"
                                 : "class Test_New : Test_Base { uint8 More; };";
    MI_Class *made = read_class(_i, text, base);
    ck_assert_uint_eq(made->classDecl->numProperties, 2);
    ck_assert_str_eq(made->classDecl->properties[0]->name, "Id");
    ck_assert_str_eq(made->classDecl->properties[0]->propagator, "Test_Base");
    char *again = class_text(_i, made, 0);
    ck_assert_ptr_null(strstr(again, "\"Id\""));
    ck_assert_ptr_null(strstr(again, " Id;"));
    free(again);
    MI_Class_Delete(made);
    /* Without anybody to ask the text is the whole class. */
    made = read_class(_i, text, NULL);
    ck_assert_uint_eq(made->classDecl->numProperties, 1);
    MI_Class_Delete(made);
    /* Another superclass than the one that is named. */
    MI_Deserializer deserializer = deserializer_of(_i);
    MI_Instance *error = NULL;
    ck_assert_int_eq(class_new(&test_thing_decl, NULL, NULL, &thing), MI_RESULT_OK);
    ck_assert_int_eq(MI_Deserializer_DeserializeClass(&deserializer, 0, (MI_Uint8 *)chars(text),
                                                      (MI_Uint32)strlen(text), thing, NULL, NULL,
                                                      NULL, NULL, NULL, &made, &error),
                     MI_RESULT_INVALID_SUPERCLASS);
    MI_Instance_Delete(error);
    /* Asked for. */
    struct asked asked = {.format = _i,
                          .text = _i == XML ? "<CLASS NAME=\"Test_Base\"></CLASS>"
                                            : "class Test_Base {};"};
    ck_assert_int_eq(MI_Deserializer_DeserializeClass(&deserializer, 0, (MI_Uint8 *)chars(text),
                                                      (MI_Uint32)strlen(text), NULL, NULL, NULL,
                                                      give_class, &asked, NULL, &made, NULL),
                     MI_RESULT_OK);
    ck_assert_uint_eq(asked.calls, 1);
    MI_Class_Delete(made);
    MI_Class_Delete(base);
    MI_Class_Delete(thing);
}
END_TEST

/* ---- texts that are wrong ---------------------------------------------------------------------
 */

struct wrong {
    const char *text;
    MI_Result result;
    const char *message; /* how it begins, or a part of it */
};

static void check_wrong(int format, const struct wrong *row, bool class)
{
    MI_Deserializer deserializer = deserializer_of(format);
    MI_Class *end = read_class(format, end_class[format], NULL), *item = NULL;
    MI_Instance *instance = NULL, *error = NULL;
    MI_Value message = {.string = chars("")};
    MI_Uint32 read = 7;
    MI_Uint8 *text = (MI_Uint8 *)chars(row->text);

    MI_Result result =
        class ? MI_Deserializer_DeserializeClass(&deserializer, 0, text,
                                                 (MI_Uint32)strlen(row->text), NULL, NULL, NULL,
                                                 NULL, NULL, &read, &item, &error)
              : MI_Deserializer_DeserializeInstance(&deserializer, 0, text,
                                                    (MI_Uint32)strlen(row->text), &end, 1, NULL,
                                                    NULL, &read, &instance, &error);
    ck_assert_msg(error != NULL, "no error for %s", row->text);
    ck_assert_int_eq(MI_Instance_GetElement(error, "Message", &message, NULL, NULL, NULL),
                     MI_RESULT_OK);
    ck_assert_msg(result == row->result, "%s: %d, %s", row->text, (int)result, message.string);
    ck_assert_msg(strstr(message.string, row->message) != NULL, "%s: %s", row->text,
                  message.string);
    ck_assert(instance == NULL && item == NULL && read == 0);
    MI_Instance_Delete(error);
    MI_Class_Delete(end);
}

START_TEST(wrong_instances_in_mof)
{
    static const struct wrong rows[] = {
        {"", MI_RESULT_INVALID_PARAMETER, "the text has no instance"},
        {"class T_End {};", MI_RESULT_INVALID_PARAMETER, "the text has no instance"},
        {"instance of T_End\n{\n  Number = ;\n};", MI_RESULT_INVALID_PARAMETER,
         "line 3, column 12: a value is needed"},
        {"instance of T_End { Number = 256; };", MI_RESULT_TYPE_MISMATCH,
         "line 1, column 30: Number is of the type uint8, which 256 does not fit"},
        {"instance of T_End { Number = \"1\"; };", MI_RESULT_TYPE_MISMATCH,
         "uint8, which a string does not fit"},
        {"instance of T_End { Number = {1}; };", MI_RESULT_TYPE_MISMATCH,
         "one value, and no array"},
        {"instance of T_End { None = 1; };", MI_RESULT_NO_SUCH_PROPERTY,
         "line 1, column 21: the class T_End has no property None"},
        {"instance of T_Other { };", MI_RESULT_INVALID_PARAMETER,
         "line 1, column 1: the class T_Other is neither in the text nor given"},
        {"instance of T_End { Id = \"\xC3\"; };", MI_RESULT_INVALID_PARAMETER, "not UTF-8"},
        {"qualifier Key : boolean;", MI_RESULT_INVALID_PARAMETER, "declarations of qualifiers"},
        {"#pragma x", MI_RESULT_INVALID_PARAMETER, "pragmas are not supported"},
        {"class A { T_End REF R; }; instance of A { R = \"T_End.Id=7\"; };",
         MI_RESULT_TYPE_MISMATCH, "the path, at its character 10: Id is of the type string"},
        {"class A { T_End REF R; }; instance of A { R = \"T_End.\"; };",
         MI_RESULT_INVALID_PARAMETER, "line 1, column 47: the path, at its character 7: "},
        {"class A : B {}; class B : A {}; instance of A { };", MI_RESULT_INVALID_SUPERCLASS,
         "have no end"},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        check_wrong(MOF, &rows[i], false);
    }
}
END_TEST

START_TEST(wrong_classes_in_mof)
{
    static const struct wrong rows[] = {
        {"", MI_RESULT_INVALID_PARAMETER, "the text has no class"},
        {"class", MI_RESULT_INVALID_PARAMETER, "the name of a class is needed"},
        {"[Key] instance of A {};", MI_RESULT_INVALID_PARAMETER, "'class' is needed"},
        {"class A {\n  uint8;\n};", MI_RESULT_INVALID_PARAMETER,
         "line 2, column 8: a name is needed behind the type"},
        {"class A { B C; };", MI_RESULT_INVALID_PARAMETER, "REF is needed"},
        {"class A { uint8 B[0]; };", MI_RESULT_INVALID_PARAMETER, "a number from 1"},
        {"class A { uint8 B[4294967296]; };", MI_RESULT_INVALID_PARAMETER, "a number from 1"},
        {"class A { uint8 B[2; };", MI_RESULT_INVALID_PARAMETER, "']' is needed"},
        {"class A { uint8 B = 300; };", MI_RESULT_TYPE_MISMATCH, "which 300 does not fit"},
        {"class A { uint8 B; uint8 b; };", MI_RESULT_INVALID_PARAMETER,
         "b is declared before this"},
        {"class A { uint8 M(uint8 P, uint8 p); };", MI_RESULT_INVALID_PARAMETER,
         "two elements of one name"},
        {"class A { B REF M(); };", MI_RESULT_INVALID_PARAMETER, "returns no reference"},
        {"class A { uint8 M(,); };", MI_RESULT_INVALID_PARAMETER, "is needed"},
        {"class A { uint8 M(uint8 P; };", MI_RESULT_INVALID_PARAMETER, "',' or ')'"},
        {"[Q(1] class A {};", MI_RESULT_INVALID_PARAMETER, "')' is needed"},
        {"[Q : Loud] class A {};", MI_RESULT_INVALID_PARAMETER, "ToSubclass"},
        {"[Q : ] class A {};", MI_RESULT_INVALID_PARAMETER, "ToSubclass"},
        {"[Q{1, \"x\"}] class A {};", MI_RESULT_TYPE_MISMATCH, "not of the kind"},
        {"class A : A {};", MI_RESULT_INVALID_SUPERCLASS, "derives from itself"},
        {"class A { B REF R = \"C.D=1\"; };", MI_RESULT_NOT_SUPPORTED, "object as a default"},
        {"class A {}", MI_RESULT_INVALID_PARAMETER, "';' is needed"},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        check_wrong(MOF, &rows[i], true);
    }
}
END_TEST

#define END           "<INSTANCE CLASSNAME=\"T_End\">"
#define NUMBER(VALUE) END "<PROPERTY NAME=\"Number\" TYPE=\"uint8\">" VALUE "</PROPERTY></INSTANCE>"
#define REFERENCE(PATH)                                                                            \
    END "<PROPERTY.REFERENCE NAME=\"R\"><VALUE.REFERENCE>" PATH                                    \
        "</VALUE.REFERENCE></PROPERTY.REFERENCE></INSTANCE>"
#define EMBEDDED(TEXT)                                                                             \
    END "<PROPERTY NAME=\"E\" TYPE=\"string\" EmbeddedObject=\"object\"><VALUE>" TEXT              \
        "</VALUE></PROPERTY></INSTANCE>"

START_TEST(wrong_instances_in_xml)
{
    static const struct wrong rows[] = {
        {"", MI_RESULT_INVALID_PARAMETER, "line 1, column 1: this is not well-formed XML"},
        {"<INSTANCE", MI_RESULT_INVALID_PARAMETER, "not well-formed"},
        {END, MI_RESULT_INVALID_PARAMETER, "not well-formed"},
        {"<INSTANCE CLASSNAME=\"T_End\">\n </INSTANCES>", MI_RESULT_INVALID_PARAMETER,
         "line 2, column 4: this is not well-formed XML: mismatched tag"},
        {"<!DOCTYPE a [<!ENTITY b \"c\">]>" NUMBER("<VALUE>&b;</VALUE>"),
         MI_RESULT_INVALID_PARAMETER, "line 1, column 13: a document type is not allowed"},
        {"<!DOCTYPE a SYSTEM \"file:///etc/passwd\">" NUMBER("<VALUE>1</VALUE>"),
         MI_RESULT_INVALID_PARAMETER, "a document type is not allowed"},
        {NUMBER("<VALUE>&b;</VALUE>"), MI_RESULT_INVALID_PARAMETER, "undefined entity"},
        {NUMBER("<VALUE>\xC3</VALUE>"), MI_RESULT_INVALID_PARAMETER, "not well-formed"},
        {NUMBER("<VALUE>&#0;</VALUE>"), MI_RESULT_INVALID_PARAMETER, "not well-formed"},
        {NUMBER("<VALUE>256</VALUE>"), MI_RESULT_TYPE_MISMATCH,
         "line 1, column 66: Number is of the type uint8, which 256 does not fit"},
        {NUMBER("<VALUE></VALUE>"), MI_RESULT_TYPE_MISMATCH, "does not fit"},
        {NUMBER("<VALUE> 1</VALUE>"), MI_RESULT_TYPE_MISMATCH, "does not fit"},
        {NUMBER("<VALUE>1</VALUE><VALUE>2</VALUE>"), MI_RESULT_INVALID_PARAMETER, "has one value"},
        {NUMBER("<VALUE><A/></VALUE>"), MI_RESULT_INVALID_PARAMETER,
         "text is needed here, not the element A"},
        {NUMBER("1"), MI_RESULT_INVALID_PARAMETER, "an element is needed here, not text"},
        {NUMBER("<VALUE.ARRAY></VALUE.ARRAY>"), MI_RESULT_TYPE_MISMATCH, "one value, and no array"},
        {NUMBER("<VALUE.REFERENCE/>"), MI_RESULT_INVALID_PARAMETER, "VALUE is needed here"},
        {END "text</INSTANCE>", MI_RESULT_INVALID_PARAMETER, "an element is needed here, not text"},
        {END "text<PROPERTY NAME=\"Id\" TYPE=\"string\"/></INSTANCE>", MI_RESULT_INVALID_PARAMETER,
         "an element is needed here, not text"},
        {END "<METHOD/></INSTANCE>", MI_RESULT_INVALID_PARAMETER,
         "PROPERTY, PROPERTY.ARRAY or PROPERTY.REFERENCE is needed here, not the element METHOD"},
        {END "<PROPERTY NAME=\"Number\"/></INSTANCE>", MI_RESULT_INVALID_PARAMETER,
         "needs the attribute TYPE"},
        {END "<PROPERTY TYPE=\"uint8\"/></INSTANCE>", MI_RESULT_INVALID_PARAMETER,
         "needs the attribute NAME"},
        {END "<PROPERTY NAME=\"Number\" TYPE=\"int\"/></INSTANCE>", MI_RESULT_INVALID_PARAMETER,
         "int is no type"},
        {END "<PROPERTY NAME=\"Number\" TYPE=\"uint16\"/></INSTANCE>", MI_RESULT_TYPE_MISMATCH,
         "has another type than in the class T_End"},
        {END "<PROPERTY NAME=\"None\" TYPE=\"uint16\"/></INSTANCE>", MI_RESULT_NO_SUCH_PROPERTY,
         "has no property None"},
        {END "<PROPERTY NAME=\"Id\" TYPE=\"string\"/><PROPERTY NAME=\"Id\" TYPE=\"string\"/>"
             "</INSTANCE>",
         MI_RESULT_INVALID_PARAMETER, "Id has a value before this"},
        {"<INSTANCE/>", MI_RESULT_INVALID_PARAMETER, "needs the attribute CLASSNAME"},
        {"<INSTANCE CLASSNAME=\"T_Other\"/>", MI_RESULT_INVALID_PARAMETER,
         "the class T_Other is neither in the text nor given"},
        {"<OTHER/>", MI_RESULT_INVALID_PARAMETER, "INSTANCE, CLASS or CIM is needed here"},
        {"<CIM/>", MI_RESULT_INVALID_PARAMETER, "CIM has DECLARATION"},
        {"<CIM><DECLARATION><DECLGROUP><A/></DECLGROUP></DECLARATION></CIM>",
         MI_RESULT_INVALID_PARAMETER, "VALUE.OBJECT with INSTANCE or CLASS"},
        {"<CLASS NAME=\"A\"/>", MI_RESULT_INVALID_PARAMETER, "the text has no instance"},
        {REFERENCE(""), MI_RESULT_INVALID_PARAMETER, "VALUE.REFERENCE has a path"},
        {REFERENCE("<CLASSPATH/>"), MI_RESULT_INVALID_PARAMETER,
         "LOCALINSTANCEPATH or INSTANCENAME"},
        {REFERENCE("<INSTANCEPATH/>"), MI_RESULT_INVALID_PARAMETER, "has a namespace and"},
        {REFERENCE("<INSTANCENAME/>"), MI_RESULT_INVALID_PARAMETER,
         "needs the attribute CLASSNAME"},
        {REFERENCE("<INSTANCENAME CLASSNAME=\"A\"><KEYBINDING NAME=\"B\"/></INSTANCENAME>"),
         MI_RESULT_INVALID_PARAMETER, "KEYBINDING has KEYVALUE"},
        {REFERENCE("<INSTANCENAME CLASSNAME=\"A\"><KEYVALUE VALUETYPE=\"x\"/></INSTANCENAME>"),
         MI_RESULT_INVALID_PARAMETER, "VALUETYPE is string, boolean or numeric"},
        {EMBEDDED("x"), MI_RESULT_INVALID_PARAMETER, "the embedded instance: "},
        {EMBEDDED("&lt;CLASS NAME=&quot;A&quot;/&gt;"), MI_RESULT_INVALID_PARAMETER,
         "is one element INSTANCE"},
        {EMBEDDED("&lt;INSTANCE CLASSNAME=&quot;A&quot;/&gt;x"), MI_RESULT_INVALID_PARAMETER,
         "is one element INSTANCE"},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        check_wrong(XML, &rows[i], false);
    }
}
END_TEST

START_TEST(wrong_classes_in_xml)
{
    static const struct wrong rows[] = {
        {"<CLASS/>", MI_RESULT_INVALID_PARAMETER, "needs the attribute NAME"},
        {END "</INSTANCE>", MI_RESULT_INVALID_PARAMETER, "the text has no class"},
        {"<CLASS NAME=\"A b\"/>", MI_RESULT_INVALID_PARAMETER, "not a CIM identifier"},
        {"<CLASS NAME=\"A\" SUPERCLASS=\"a\"/>", MI_RESULT_INVALID_SUPERCLASS,
         "derives from itself"},
        {"<CLASS NAME=\"A\"><QUALIFIER NAME=\"B\"/></CLASS>", MI_RESULT_INVALID_PARAMETER,
         "needs the attribute TYPE"},
        {"<CLASS NAME=\"A\"><METHOD NAME=\"B\"/></CLASS>", MI_RESULT_INVALID_PARAMETER,
         "needs the attribute TYPE"},
        {"<CLASS NAME=\"A\"><METHOD NAME=\"B\" TYPE=\"uint8\"><VALUE/></METHOD></CLASS>",
         MI_RESULT_INVALID_PARAMETER, "PARAMETER is needed here"},
        {"<CLASS NAME=\"A\"><METHOD NAME=\"B\" TYPE=\"uint8\"><PARAMETER NAME=\"C\" "
         "TYPE=\"uint8\"><VALUE/></PARAMETER></METHOD></CLASS>",
         MI_RESULT_INVALID_PARAMETER, "nothing more is needed here"},
        {"<CLASS NAME=\"A\"><PROPERTY.ARRAY NAME=\"B\" TYPE=\"uint8\" ARRAYSIZE=\"-1\"/></CLASS>",
         MI_RESULT_INVALID_PARAMETER, "ARRAYSIZE is a number"},
        {"<CLASS NAME=\"A\"><PROPERTY NAME=\"B\" TYPE=\"uint8\"/><PROPERTY NAME=\"b\" "
         "TYPE=\"uint8\"/></CLASS>",
         MI_RESULT_INVALID_PARAMETER, "b is declared before this"},
        {"<CLASS NAME=\"A\"><PROPERTY NAME=\"B\" TYPE=\"char16\"><VALUE>ab</VALUE></PROPERTY>"
         "</CLASS>",
         MI_RESULT_INVALID_PARAMETER, "a char16 is one character"},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        check_wrong(XML, &rows[i], true);
    }
}
END_TEST

/* As other writers of CIM-XML do it: a key alone, VALUETYPE, a declaration, comments. */
START_TEST(xml_of_others_is_read)
{
    MI_Class *end = read_class(XML, end_class[XML], NULL);
    MI_Class *other = read_class(XML,
                                 "<CLASS NAME=\"A\"><PROPERTY.REFERENCE NAME=\"R\"/><PROPERTY "
                                 "NAME=\"E\" TYPE=\"string\" EMBEDDEDOBJECT=\"object\"/></CLASS>",
                                 NULL);
    MI_Class *classes[] = {end, other};
    MI_Value value = {0}, key = {0};
    MI_Type type = MI_BOOLEAN;
    const char *text =
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<!-- a comment -->\n<INSTANCE "
        "CLASSNAME=\"a\">\n  <QUALIFIER NAME=\"Q\" TYPE=\"string\"/>\n  <PROPERTY.REFERENCE "
        "NAME=\"r\"><VALUE.REFERENCE><INSTANCENAME CLASSNAME=\"T_End\"><KEYVALUE "
        "VALUETYPE=\"string\">one</KEYVALUE></INSTANCENAME></VALUE.REFERENCE>"
        "</PROPERTY.REFERENCE>\n  <PROPERTY NAME=\"E\" TYPE=\"string\" "
        "EMBEDDEDOBJECT=\"instance\"><VALUE><![CDATA[ <INSTANCE CLASSNAME=\"T_End\"/> ]]></VALUE>"
        "</PROPERTY></INSTANCE>";
    MI_Instance *instance = read_instance(XML, text, classes, 2);

    ck_assert_int_eq(MI_Instance_GetElement(instance, "R", &value, &type, NULL, NULL),
                     MI_RESULT_OK);
    ck_assert_int_eq(type, MI_REFERENCE);
    ck_assert_int_eq(MI_Instance_GetElement(value.reference, "Id", &key, NULL, NULL, NULL),
                     MI_RESULT_OK);
    ck_assert_str_eq(key.string, "one");
    ck_assert_uint_eq(instance_element_count(value.reference), 1);
    ck_assert_int_eq(MI_Instance_GetElement(instance, "E", &value, &type, NULL, NULL),
                     MI_RESULT_OK);
    ck_assert_str_eq(instance_class_name(value.instance), "T_End");
    MI_Instance_Delete(instance);
    MI_Class_Delete(end);
    MI_Class_Delete(other);
}
END_TEST

/* The namespace of an instance comes back with its class; what follows the text is left. */
START_TEST(an_xml_text_ends_with_its_element)
{
    MI_Deserializer deserializer = deserializer_of(XML);
    MI_Instance *first = NULL, *second = NULL;
    MI_Uint32 read = 0;

    ck_assert_int_eq(instance_new(&test_base_decl, &first), MI_RESULT_OK);
    ck_assert_int_eq(MI_Instance_SetNameSpace(first, "root/a b"), MI_RESULT_OK);
    ck_assert_int_eq(MI_Instance_SetServerName(first, "<server>"), MI_RESULT_OK);
    char *text = instance_text(XML, first, MI_SERIALIZER_FLAGS_INSTANCE_WITH_CLASS);
    char *longer = calloc(strlen(text) + 10, 1);
    strcat(strcpy(longer, text), "\n<MORE");
    ck_assert_int_eq(MI_Deserializer_DeserializeInstance(&deserializer, 0, (MI_Uint8 *)longer,
                                                         (MI_Uint32)strlen(longer), NULL, 0, NULL,
                                                         NULL, &read, &second, NULL),
                     MI_RESULT_OK);
    ck_assert_uint_eq(read, strlen(text));
    ck_assert_str_eq(second->nameSpace, "root/a b");
    ck_assert_str_eq(second->serverName, "<server>");
    free(text);
    free(longer);
    MI_Instance_Delete(first);
    MI_Instance_Delete(second);
}
END_TEST

/* ---- limits -----------------------------------------------------------------------------------
 */

/* The text within another instance, as each format has it. Both are the caller's; it frees them. */
static char *wrap(int format, const char *text)
{
    char *outer = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&outer, &length);

    fputs(format == MOF ? "instance of A { P = "
                        : "<INSTANCE CLASSNAME=\"A\"><PROPERTY NAME=\"P\" TYPE=\"string\" "
                          "EmbeddedObject=\"object\"><VALUE>",
          out);
    for (; *text != '\0'; text++) {
        if (format == XML && (*text == '<' || *text == '&')) {
            fputs(*text == '<' ? "&lt;" : "&amp;", out);
        } else {
            fputc(*text, out);
        }
    }
    fputs(format == MOF ? "; }" : "</VALUE></PROPERTY></INSTANCE>", out);
    fclose(out);
    return outer;
}

static MI_Result result_of(int format, const char *text)
{
    MI_Deserializer deserializer = deserializer_of(format);
    MI_Instance *instance = NULL;

    MI_Result result = MI_Deserializer_DeserializeInstance(
        &deserializer, 0, (MI_Uint8 *)chars(text), (MI_Uint32)strlen(text), NULL, 0, NULL, NULL,
        NULL, &instance, NULL);
    MI_Instance_Delete(instance);
    return result;
}

/* The class name, for which no object is made. */
static MI_Result name_result_of(int format, const char *text)
{
    MI_Deserializer deserializer = deserializer_of(format);
    char name[] = "A";
    MI_Uint32 room = sizeof(name);

    return MI_Deserializer_Instance_GetClassName(&deserializer, (MI_Uint8 *)chars(text),
                                                 (MI_Uint32)strlen(text), name, &room, NULL);
}

/* Instances within each other: 32 levels come back, one more does not. The reader has the limit by
 * itself, before any object is made. */
START_TEST(depth_has_a_limit)
{
    char *text = strdup(_i == XML ? "<INSTANCE CLASSNAME=\"A\"/>" : "instance of A {}");

    for (unsigned depth = 1; depth <= 33; depth++) {
        const MI_Result wanted = depth <= 32 ? MI_RESULT_OK : MI_RESULT_SERVER_LIMITS_EXCEEDED;
        char *whole = NULL, *outer = wrap(_i, text);
        ck_assert_int_gt(asprintf(&whole, "%s%s", text, _i == XML ? "" : ";"), 0);
        ck_assert_int_eq(result_of(_i, whole), wanted);
        ck_assert_int_eq(name_result_of(_i, whole), wanted);
        free(whole);
        free(text);
        text = outer;
    }
    free(text);
}
END_TEST

/* A path is read when the object is made: it counts as a level, too. */
START_TEST(a_path_counts_as_a_level)
{
    char *text = strdup("instance of A { R = \"A.K=1\"; }");

    for (unsigned depth = 2; depth <= 33; depth++) {
        char *whole = NULL, *outer = wrap(MOF, text);
        ck_assert_int_gt(asprintf(&whole,
                                  "class A { [Key] uint8 K; A REF R; [EmbeddedObject] string P; };"
                                  "%s;",
                                  text),
                         0);
        ck_assert_int_eq(result_of(MOF, whole),
                         depth <= 32 ? MI_RESULT_OK : MI_RESULT_SERVER_LIMITS_EXCEEDED);
        free(whole);
        free(text);
        text = outer;
    }
    free(text);
}
END_TEST

/* A long text within several others would be copied for each of them. With QUICK=1 only the two
 * depths beside the limit are read. */
START_TEST(texts_within_texts_have_a_limit)
{
    const size_t length = 15 << 20;
    char *text = malloc(length + 200), *end = text;

    end = stpcpy(end, "<INSTANCE CLASSNAME=\"A\"><PROPERTY NAME=\"P\" TYPE=\"string\"><VALUE>");
    memset(end, 'x', length);
    strcpy(end + length, "</VALUE></PROPERTY></INSTANCE>");
    for (unsigned depth = 0; depth <= 5; depth++) {
        char *outer = wrap(XML, text);
        if (depth >= 4 || getenv("QUICK") == NULL) {
            ck_assert_int_eq(result_of(XML, text),
                             depth <= 4 ? MI_RESULT_OK : MI_RESULT_SERVER_LIMITS_EXCEEDED);
        }
        free(text);
        text = outer;
    }
    free(text);
}
END_TEST

/* Elements within elements that mean nothing. */
START_TEST(deep_xml_is_refused)
{
    enum { DEPTH = 100000 };
    MI_Deserializer deserializer = deserializer_of(XML);
    MI_Instance *instance = NULL;
    char *text = malloc(3 * DEPTH);

    for (size_t i = 0; i < DEPTH; i++) {
        memcpy(text + 3 * i, "<A>", 3);
    }
    ck_assert_int_eq(MI_Deserializer_DeserializeInstance(&deserializer, 0, (MI_Uint8 *)text,
                                                         3 * DEPTH, NULL, 0, NULL, NULL, NULL,
                                                         &instance, NULL),
                     MI_RESULT_SERVER_LIMITS_EXCEEDED);
    free(text);
}
END_TEST

/* ---- the table of results ---------------------------------------------------------------------
 */

START_TEST(wrong_calls_are_refused)
{
    MI_Deserializer deserializer = deserializer_of(_i), zero = {0};
    MI_Uint8 *text = (MI_Uint8 *)chars(one_end[_i]);
    const MI_Uint32 length = (MI_Uint32)strlen(one_end[_i]);
    MI_Class foreign = {0}, *list[] = {&foreign}, *item = NULL;
    MI_Instance *instance = NULL, *error = NULL;
    MI_Uint32 read = 0;

#define REFUSED(CALL)                                                                              \
    do {                                                                                           \
        read = 7;                                                                                  \
        instance = (MI_Instance *)&read;                                                           \
        item = (MI_Class *)&read;                                                                  \
        ck_assert_int_eq(CALL, MI_RESULT_INVALID_PARAMETER);                                       \
        ck_assert(read == 0 && (instance == NULL || item == NULL) && error != NULL);               \
        MI_Instance_Delete(error);                                                                 \
    } while (0)
#define INSTANCE(D, FLAGS, TEXT, CLASSES, NUMBER, OUT)                                             \
    MI_Deserializer_DeserializeInstance(D, FLAGS, TEXT, length, CLASSES, NUMBER, NULL, NULL,       \
                                        &read, OUT, &error)
#define CLASS(D, FLAGS, TEXT, PARENT, OUT)                                                         \
    MI_Deserializer_DeserializeClass(D, FLAGS, TEXT, length, PARENT, NULL, NULL, NULL, NULL,       \
                                     &read, OUT, &error)
    REFUSED(INSTANCE(NULL, 0, text, NULL, 0, &instance));
    REFUSED(INSTANCE(&zero, 0, text, NULL, 0, &instance));
    REFUSED(INSTANCE(&deserializer, 1, text, NULL, 0, &instance));
    REFUSED(INSTANCE(&deserializer, 0, NULL, NULL, 0, &instance));
    REFUSED(INSTANCE(&deserializer, 0, text, NULL, 1, &instance));
    REFUSED(INSTANCE(&deserializer, 0, text, list, 1, &instance));
    REFUSED(CLASS(NULL, 0, text, NULL, &item));
    REFUSED(CLASS(&zero, 0, text, NULL, &item));
    REFUSED(CLASS(&deserializer, 1, text, NULL, &item));
    REFUSED(CLASS(&deserializer, 0, NULL, NULL, &item));
    REFUSED(CLASS(&deserializer, 0, text, &foreign, &item));
    ck_assert_int_eq(INSTANCE(&deserializer, 0, text, NULL, 0, NULL), MI_RESULT_INVALID_PARAMETER);
    MI_Instance_Delete(error);
    ck_assert_int_eq(CLASS(&deserializer, 0, text, NULL, NULL), MI_RESULT_INVALID_PARAMETER);
    MI_Instance_Delete(error);
    /* Beyond the limit of a text, without reading it. */
    ck_assert_int_eq(MI_Deserializer_DeserializeInstance(&deserializer, 0, text, (16 << 20) + 1,
                                                         NULL, 0, NULL, NULL, &read, &instance,
                                                         NULL),
                     MI_RESULT_SERVER_LIMITS_EXCEEDED);
    ck_assert_int_eq(MI_Deserializer_Close(&deserializer), MI_RESULT_OK);
    REFUSED(INSTANCE(&deserializer, 0, text, NULL, 0, &instance));
    ck_assert_int_eq(MI_Deserializer_Close(&deserializer), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(MI_Deserializer_Close(NULL), MI_RESULT_INVALID_PARAMETER);
}
END_TEST

START_TEST(names_are_found_without_reading_values)
{
    MI_Deserializer deserializer = deserializer_of(_i);
    MI_Uint8 *instance = (MI_Uint8 *)chars(one_end[_i]);
    const MI_Uint32 instance_length = (MI_Uint32)strlen(one_end[_i]);
    const char *derived =
        _i == XML ? "<CLASS NAME=\"A\" SUPERCLASS=\"Bc\"></CLASS>" : "class A : Bc {};";
    MI_Uint8 *class = (MI_Uint8 *)chars(derived);
    const MI_Uint32 class_length = (MI_Uint32)strlen(derived);
    MI_Instance *error = NULL;
    MI_Uint32 length = 0;
    char name[16] = "";

    ck_assert_int_eq(MI_Deserializer_Instance_GetClassName(&deserializer, instance, instance_length,
                                                           NULL, &length, &error),
                     MI_RESULT_FAILED);
    ck_assert_uint_eq(length, 6);
    MI_Instance_Delete(error);
    length = 5;
    ck_assert_int_eq(MI_Deserializer_Instance_GetClassName(&deserializer, instance, instance_length,
                                                           name, &length, NULL),
                     MI_RESULT_FAILED);
    ck_assert(length == 6 && name[0] == '\0');
    ck_assert_int_eq(MI_Deserializer_Instance_GetClassName(&deserializer, instance, instance_length,
                                                           name, &length, &error),
                     MI_RESULT_OK);
    ck_assert_str_eq(name, "T_End");
    ck_assert_ptr_null(error);
    length = sizeof(name);
    ck_assert_int_eq(MI_Deserializer_Class_GetClassName(&deserializer, class, class_length, name,
                                                        &length, &error),
                     MI_RESULT_OK);
    ck_assert_str_eq(name, "A");
    length = sizeof(name);
    ck_assert_int_eq(MI_Deserializer_Class_GetParentClassName(&deserializer, class, class_length,
                                                              name, &length, &error),
                     MI_RESULT_OK);
    ck_assert_str_eq(name, "Bc");
    length = sizeof(name);
    ck_assert_int_eq(MI_Deserializer_Class_GetParentClassName(
                         &deserializer, (MI_Uint8 *)chars(end_class[_i]),
                         (MI_Uint32)strlen(end_class[_i]), name, &length, &error),
                     MI_RESULT_INVALID_SUPERCLASS);
    MI_Instance_Delete(error);
    ck_assert_int_eq(MI_Deserializer_Class_GetClassName(&deserializer, instance, instance_length,
                                                        name, &length, &error),
                     MI_RESULT_INVALID_PARAMETER);
    MI_Instance_Delete(error);
    ck_assert_int_eq(
        MI_Deserializer_Class_GetClassName(&deserializer, class, class_length, name, NULL, &error),
        MI_RESULT_INVALID_PARAMETER);
    MI_Instance_Delete(error);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("deserializer");
    TCase *tests = tcase_create("deserializer"), *sizes = tcase_create("sizes");

    tcase_set_timeout(tests, 600);
    tcase_add_loop_test(tests, random_instances_come_back, XML, FORMATS);
    tcase_add_loop_test(tests, random_classes_come_back, XML, FORMATS);
    tcase_add_loop_test(tests, a_given_class_has_the_types, XML, FORMATS);
    tcase_add_loop_test(tests, without_a_class_the_text_decides, XML, FORMATS);
    tcase_add_test(tests, mof_shows_some_types_by_itself);
    tcase_add_loop_test(tests, a_class_is_asked_for_once, XML, FORMATS);
    tcase_add_loop_test(tests, a_superclass_gives_its_elements, XML, FORMATS);
    tcase_add_test(tests, wrong_instances_in_mof);
    tcase_add_test(tests, wrong_classes_in_mof);
    tcase_add_test(tests, wrong_instances_in_xml);
    tcase_add_test(tests, wrong_classes_in_xml);
    tcase_add_test(tests, xml_of_others_is_read);
    tcase_add_test(tests, an_xml_text_ends_with_its_element);
    tcase_add_loop_test(tests, depth_has_a_limit, XML, FORMATS);
    tcase_add_test(tests, a_path_counts_as_a_level);
    tcase_add_test(tests, deep_xml_is_refused);
    tcase_add_loop_test(tests, wrong_calls_are_refused, XML, FORMATS);
    tcase_add_loop_test(tests, names_are_found_without_reading_values, XML, FORMATS);
    suite_add_tcase(suite, tests);
    tcase_set_timeout(sizes, 600);
    tcase_set_tags(sizes, "values");
    tcase_add_test(sizes, texts_within_texts_have_a_limit);
    suite_add_tcase(suite, sizes);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * Serializers as a program uses them: the text of instances and classes in MOF and XML, the size of
 * the buffer, every result code.
 */
#include <check.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "host/object/object.h"
#include "host_decls.h"

static MI_Application application;

/* Any string as what the API takes: it does not say const. */
static MI_Char *chars(const char *text)
{
    return (MI_Char *)(uintptr_t)text;
}

static MI_Serializer serializer_of(const char *format)
{
    MI_Serializer serializer;

    ck_assert_int_eq(MI_Application_InitializeV1(0, NULL, NULL, &application), MI_RESULT_OK);
    ck_assert_int_eq(MI_Application_NewSerializer(&application, 0, chars(format), &serializer),
                     MI_RESULT_OK);
    return serializer;
}

static const char *const formats[] = {"MI_XML", "MI_MOF_CIMV2_EXTV1"};
enum { XML, MOF };

/* The text with a NUL behind it, which the caller frees; NULL after the failure *ret_result. */
static char *text_of(int format, const MI_Instance *instance, MI_Uint32 flags,
                     MI_Result *ret_result)
{
    MI_Serializer serializer = serializer_of(formats[format]);
    MI_Uint32 needed = 0, again = 0;

    *ret_result = MI_Serializer_SerializeInstance(&serializer, flags, instance, NULL, 0, &needed);
    if (needed == 0) {
        return NULL;
    }
    ck_assert_int_eq(*ret_result, MI_RESULT_FAILED);
    char *text = calloc(needed + 1, 1);
    *ret_result = MI_Serializer_SerializeInstance(&serializer, flags, instance, (MI_Uint8 *)text,
                                                  needed, &again);
    ck_assert_uint_eq(needed, again);
    ck_assert_uint_eq(strlen(text), needed);
    return text;
}

static char *class_text_of(int format, const MI_ClassDecl *decl, MI_Uint32 flags)
{
    MI_Serializer serializer = serializer_of(formats[format]);
    MI_Class *item = NULL;
    MI_Uint32 needed = 0;

    ck_assert_int_eq(class_new(decl, "root/test", NULL, &item), MI_RESULT_OK);
    ck_assert_int_eq(MI_Serializer_SerializeClass(&serializer, flags, item, NULL, 0, &needed),
                     MI_RESULT_FAILED);
    ck_assert_uint_gt(needed, 0);
    char *text = calloc(needed + 1, 1);
    ck_assert_int_eq(
        MI_Serializer_SerializeClass(&serializer, flags, item, (MI_Uint8 *)text, needed, &needed),
        MI_RESULT_OK);
    MI_Class_Delete(item);
    return text;
}

static void add(MI_Instance *instance, const char *name, MI_Type type, MI_Value value,
                MI_Uint32 flags)
{
    ck_assert_int_eq(MI_Instance_AddElement(instance, name, &value, type, flags), MI_RESULT_OK);
}

static MI_Instance *dynamic(const char *class_name)
{
    MI_Instance *instance = NULL;

    ck_assert_int_eq(instance_new_dynamic(class_name, 0, &instance), MI_RESULT_OK);
    return instance;
}

static MI_Instance *with_string(const char *class_name, const char *value)
{
    MI_Instance *instance = dynamic(class_name);

    add(instance, "Id", MI_STRING, (MI_Value){.string = chars(value)}, MI_FLAG_KEY);
    return instance;
}

static void check_text(int format, const MI_Instance *instance, const char *wanted)
{
    MI_Result result;
    char *text = text_of(format, instance, 0, &result);

    ck_assert_int_eq(result, MI_RESULT_OK);
    ck_assert_str_eq(text, wanted);
    free(text);
}

/* ---- instances --------------------------------------------------------------------------------
 */

/* The open client's own test has these two texts. */
START_TEST(an_instance_has_the_text_of_the_open_host)
{
    MI_Instance *instance = dynamic("TestInstance");

    add(instance, "string", MI_STRING, (MI_Value){.string = chars("Test string")}, 0);
    check_text(XML, instance,
               "<INSTANCE CLASSNAME=\"TestInstance\"><PROPERTY NAME=\"string\" TYPE=\"string\" "
               "MODIFIED=\"TRUE\"><VALUE>Test string</VALUE></PROPERTY></INSTANCE>");
    check_text(MOF, instance, "instance of TestInstance\n{\n    string = \"Test string\";\n};\n\n");
    MI_Instance_Delete(instance);
}
END_TEST

/* One row for each type: how its value is written in XML and in MOF. */
START_TEST(each_type_has_its_form)
{
    static const MI_Datetime moment = {1, {.timestamp = {2026, 11, 28, 15, 4, 5, 6, -60}}};
    static const MI_Datetime span = {0, {.interval = {1, 2, 3, 4, 5, 0, 0, 0}}};
    const struct {
        MI_Type type;
        MI_Value value;
        const char *xml, *mof;
    } rows[] = {
        {MI_BOOLEAN, {.boolean = MI_TRUE}, "TRUE", "TRUE"},
        {MI_BOOLEAN, {.boolean = MI_FALSE}, "FALSE", "FALSE"},
        {MI_UINT8, {.uint8 = 255}, "255", "255"},
        {MI_SINT8, {.sint8 = -128}, "-128", "-128"},
        {MI_UINT16, {.uint16 = 65535}, "65535", "65535"},
        {MI_SINT16, {.sint16 = -32768}, "-32768", "-32768"},
        {MI_UINT32, {.uint32 = UINT32_MAX}, "4294967295", "4294967295"},
        {MI_SINT32, {.sint32 = INT32_MIN}, "-2147483648", "-2147483648"},
        {MI_UINT64, {.uint64 = UINT64_MAX}, "18446744073709551615", "18446744073709551615"},
        {MI_SINT64, {.sint64 = INT64_MIN}, "-9223372036854775808", "-9223372036854775808"},
        {MI_REAL32, {.real32 = 0.5F}, "0.5", "0.5"},
        {MI_REAL64, {.real64 = 1e300}, "1.0000000000000001e+300", "1.0000000000000001e+300"},
        {MI_REAL64, {.real64 = -2}, "-2.0", "-2.0"},
        {MI_REAL64, {.real64 = 1e22}, "1.0e+22", "1.0e+22"},
        {MI_CHAR16, {.char16 = 'c'}, "c", "'c'"},
        {MI_CHAR16, {.char16 = '<'}, "&lt;", "'<'"},
        {MI_CHAR16, {.char16 = '\''}, "'", "'\\x0027'"},
        {MI_CHAR16, {.char16 = 0x20AC}, "\xE2\x82\xAC", "'\\x20AC'"},
        {MI_DATETIME,
         {.datetime = moment},
         "20261128150405.000006-060",
         "\"20261128150405.000006-060\""},
        {MI_DATETIME,
         {.datetime = span},
         "00000001020304.000005:000",
         "\"00000001020304.000005:000\""},
        {MI_STRING, {.string = chars("")}, "", "\"\""},
        {MI_STRING,
         {.string = chars("a\t<&\"\\>\r\n")},
         "a&#9;&lt;&amp;&quot;\\&gt;&#13;&#10;",
         "\"a\\t<&\\\"\\\\>\\r\\n\""},
        {MI_STRING,
         {.string = chars("\xE2\x80\xAE\xF0\x9F\x98\x80")},
         "\xE2\x80\xAE\xF0\x9F\x98\x80",
         "\"\\x202E\xF0\x9F\x98\x80\""},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        static const char *const names[] = {
            "boolean", "uint8",  "sint8",  "uint16", "sint16", "uint32",   "sint32",
            "uint64",  "sint64", "real32", "real64", "char16", "datetime", "string",
        };
        char wanted[300];
        MI_Instance *instance = dynamic("T_One");
        add(instance, "P", rows[i].type, rows[i].value, 0);
        snprintf(wanted, sizeof(wanted),
                 "<INSTANCE CLASSNAME=\"T_One\"><PROPERTY NAME=\"P\" TYPE=\"%s\" MODIFIED=\"TRUE\">"
                 "<VALUE>%s</VALUE></PROPERTY></INSTANCE>",
                 names[rows[i].type], rows[i].xml);
        check_text(XML, instance, wanted);
        snprintf(wanted, sizeof(wanted), "instance of T_One\n{\n    P = %s;\n};\n\n", rows[i].mof);
        check_text(MOF, instance, wanted);
        MI_Instance_Delete(instance);
    }
}
END_TEST

/* NULL, arrays with and without elements, NULL in an array, instances and references in it. */
START_TEST(objects_and_arrays_have_their_form)
{
    MI_Instance *outer = dynamic("T_Outer"), *inner = with_string("T_Inner", "x<\"y\"");
    MI_Uint16 numbers[] = {1, 2};
    MI_Char *texts[] = {chars("a"), NULL};

    ck_assert_int_eq(MI_Instance_SetNameSpace(inner, "root/test"), MI_RESULT_OK);
    ck_assert_int_eq(MI_Instance_AddElement(outer, "Nothing", NULL, MI_UINT8, MI_FLAG_NULL),
                     MI_RESULT_OK);
    add(outer, "Numbers", MI_UINT16A, (MI_Value){.uint16a = {numbers, 2}}, 0);
    add(outer, "Empty", MI_UINT16A, (MI_Value){.uint16a = {NULL, 0}}, 0);
    add(outer, "Texts", MI_STRINGA, (MI_Value){.stringa = {texts, 2}}, 0);
    add(outer, "Friend", MI_REFERENCE, (MI_Value){.reference = inner}, 0);
    add(outer, "Part", MI_INSTANCE, (MI_Value){.instance = inner}, 0);
    check_text(XML, outer,
               "<INSTANCE CLASSNAME=\"T_Outer\">"
               "<PROPERTY NAME=\"Nothing\" TYPE=\"uint8\" MODIFIED=\"TRUE\"></PROPERTY>"
               "<PROPERTY.ARRAY NAME=\"Numbers\" TYPE=\"uint16\" MODIFIED=\"TRUE\"><VALUE.ARRAY>"
               "<VALUE>1</VALUE><VALUE>2</VALUE></VALUE.ARRAY></PROPERTY.ARRAY>"
               "<PROPERTY.ARRAY NAME=\"Empty\" TYPE=\"uint16\" MODIFIED=\"TRUE\"><VALUE.ARRAY>"
               "</VALUE.ARRAY></PROPERTY.ARRAY>"
               "<PROPERTY.ARRAY NAME=\"Texts\" TYPE=\"string\" MODIFIED=\"TRUE\"><VALUE.ARRAY>"
               "<VALUE>a</VALUE><VALUE.NULL/></VALUE.ARRAY></PROPERTY.ARRAY>"
               "<PROPERTY.REFERENCE NAME=\"Friend\" MODIFIED=\"TRUE\"><VALUE.REFERENCE>"
               "<LOCALINSTANCEPATH><LOCALNAMESPACEPATH><NAMESPACE NAME=\"root\"/>"
               "<NAMESPACE NAME=\"test\"/></LOCALNAMESPACEPATH><INSTANCENAME CLASSNAME=\"T_Inner\">"
               "<KEYBINDING NAME=\"Id\"><KEYVALUE VALUETYPE=\"string\" TYPE=\"string\">"
               "x&lt;&quot;y&quot;</KEYVALUE></KEYBINDING></INSTANCENAME></LOCALINSTANCEPATH>"
               "</VALUE.REFERENCE></PROPERTY.REFERENCE>"
               "<PROPERTY NAME=\"Part\" TYPE=\"string\" EmbeddedObject=\"instance\" "
               "MODIFIED=\"TRUE\"><VALUE>&lt;INSTANCE CLASSNAME=&quot;T_Inner&quot;&gt;"
               "&lt;PROPERTY NAME=&quot;Id&quot; TYPE=&quot;string&quot; "
               "MODIFIED=&quot;TRUE&quot;&gt;&lt;VALUE&gt;x&amp;lt;&amp;quot;y&amp;quot;"
               "&lt;/VALUE&gt;&lt;/PROPERTY&gt;&lt;/INSTANCE&gt;</VALUE></PROPERTY></INSTANCE>");
    check_text(MOF, outer,
               "instance of T_Outer\n{\n    Nothing = NULL;\n    Numbers = {1, 2};\n"
               "    Empty = {};\n    Texts = {\"a\", NULL};\n"
               "    Friend = \"root/test:T_Inner.Id=\\\"x<\\\\\\\"y\\\\\\\"\\\"\";\n"
               "    Part = instance of T_Inner\n    {\n        Id = \"x<\\\"y\\\"\";\n    };\n"
               "};\n\n");
    MI_Instance_Delete(outer);
    MI_Instance_Delete(inner);
}
END_TEST

/* What a format has no form for is refused, and nothing is given out. */
START_TEST(what_has_no_form_is_refused)
{
    MI_Instance *end = with_string("T_End", "x");
    MI_Instance *list[] = {end};
    const struct {
        const char *what;
        MI_Type type;
        MI_Value value;
        bool xml, mof; /* can be written */
    } rows[] = {
        {"NaN", MI_REAL64, {.real64 = NAN}, false, false},
        {"infinity", MI_REAL32, {.real32 = -INFINITY}, false, false},
        {"not UTF-8", MI_STRING, {.string = chars("\xC3(")}, false, false},
        {"a control character", MI_STRING, {.string = chars("\x1B")}, false, true},
        {"U+FFFE", MI_STRING, {.string = chars("\xEF\xBF\xBE")}, false, true},
        {"a NUL", MI_CHAR16, {.char16 = 0}, false, true},
        {"half a pair", MI_CHAR16, {.char16 = 0xD800}, false, true},
        {"an array of references", MI_REFERENCEA, {.referencea = {list, 1}}, false, true},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        MI_Instance *instance = dynamic("T_One");
        MI_Result results[2];
        add(instance, "P", rows[i].type, rows[i].value, 0);
        free(text_of(XML, instance, 0, &results[XML]));
        free(text_of(MOF, instance, 0, &results[MOF]));
        ck_assert_msg(results[XML] == (rows[i].xml ? MI_RESULT_OK : MI_RESULT_NOT_SUPPORTED),
                      "%s: XML: %d", rows[i].what, (int)results[XML]);
        ck_assert_msg(results[MOF] == (rows[i].mof ? MI_RESULT_OK : MI_RESULT_NOT_SUPPORTED),
                      "%s: MOF: %d", rows[i].what, (int)results[MOF]);
        MI_Instance_Delete(instance);
    }
    MI_Instance_Delete(end);
}
END_TEST

/* A provider may write what it likes into its own struct. */
START_TEST(an_impossible_datetime_is_refused)
{
    struct test_thing thing;
    MI_Result result;

    ck_assert_int_eq(instance_construct(&test_thing_decl, &thing.instance), MI_RESULT_OK);
    *(MI_Boolean *)(uintptr_t)&thing.When.exists = MI_TRUE;
    MI_Datetime *when = (MI_Datetime *)(uintptr_t)&thing.When.value;
    *when = (MI_Datetime){1, {.timestamp = {2026, 13, 1, 0, 0, 0, 0, 0}}};
    for (int format = XML; format <= MOF; format++) {
        ck_assert_ptr_null(text_of(format, &thing.instance, 0, &result));
        ck_assert_int_eq(result, MI_RESULT_NOT_SUPPORTED);
    }
    MI_Instance_Destruct(&thing.instance);
}
END_TEST

/* Instances in instances up to the limit, and one more. */
START_TEST(nesting_has_a_limit)
{
    for (unsigned depth = 30; depth <= 34; depth++) {
        MI_Instance *instance = dynamic("T_Level");
        for (unsigned i = 1; i < depth; i++) {
            MI_Instance *outer = dynamic("T_Level");
            if (MI_Instance_AddElement(outer, "P", &(MI_Value){.instance = instance}, MI_INSTANCE,
                                       MI_FLAG_BORROW) != MI_RESULT_OK) {
                ck_abort_msg("depth %u", i);
            }
            instance = outer;
        }
        for (int format = XML; format <= MOF; format++) {
            MI_Result result;
            free(text_of(format, instance, 0, &result));
            ck_assert_int_eq(result, depth <= 32 ? MI_RESULT_OK : MI_RESULT_SERVER_LIMITS_EXCEEDED);
        }
        while (instance != NULL) {
            MI_Value value = {0};
            MI_Instance *inner = NULL;
            if (MI_Instance_GetElement(instance, "P", &value, NULL, NULL, NULL) == MI_RESULT_OK) {
                inner = value.instance;
            }
            MI_Instance_Delete(instance);
            instance = inner;
        }
    }
}
END_TEST

START_TEST(size_has_a_limit)
{
    const size_t size = (16 << 20) + 1;
    MI_Instance *instance = dynamic("T_Large");
    char *large = malloc(size);
    MI_Result result;

    memset(large, 'x', size - 1);
    large[size - 1] = '\0';
    add(instance, "P", MI_STRING, (MI_Value){.string = large}, 0);
    for (int format = XML; format <= MOF; format++) {
        ck_assert_ptr_null(text_of(format, instance, 0, &result));
        ck_assert_int_eq(result, MI_RESULT_SERVER_LIMITS_EXCEEDED);
    }
    MI_Instance_Delete(instance);
    free(large);
}
END_TEST

/* ---- classes ----------------------------------------------------------------------------------
 */

START_TEST(a_class_has_its_text)
{
    char *xml = class_text_of(XML, &test_base_decl, 0);
    char *mof = class_text_of(MOF, &test_base_decl, 0);

    ck_assert_str_eq(xml, "<CLASS NAME=\"Test_Base\"><PROPERTY NAME=\"Id\" TYPE=\"string\" "
                          "CLASSORIGIN=\"Test_Base\"><QUALIFIER NAME=\"Key\" TYPE=\"boolean\" "
                          "OVERRIDABLE=\"false\"><VALUE>TRUE</VALUE></QUALIFIER><QUALIFIER "
                          "NAME=\"MaxLen\" TYPE=\"uint32\"><VALUE>12</VALUE></QUALIFIER>"
                          "</PROPERTY></CLASS>");
    ck_assert_str_eq(mof, "class Test_Base\n{\n    [Key : DisableOverride, MaxLen(12)]\n"
                          "    string Id;\n};\n\n");
    free(xml);
    free(mof);
}
END_TEST

/* Methods, parameters, flavors, defaults; inherited elements only where they are asked for. */
START_TEST(a_deep_class_has_all_elements)
{
    for (int format = XML; format <= MOF; format++) {
        static const char *const parts[][2] = {
            {"SUPERCLASS=\"Test_Base\"", "class Test_Thing : Test_Base"},
            {"PROPAGATED=\"true\"", "string Id;"},
            {"<VALUE>plain</VALUE>", "string Text = \"plain\""},
            {"<VALUE.ARRAY><VALUE>one</VALUE><VALUE>two</VALUE></VALUE.ARRAY>",
             "Values{\"one\", \"two\"}"},
            {"TRANSLATABLE=\"true\"", ": Translatable"},
            {"<PROPERTY.REFERENCE NAME=\"Friend\" REFERENCECLASS=\"Test_Base\"",
             "Test_Base REF Friend;"},
            {"<QUALIFIER NAME=\"EmbeddedInstance\" TYPE=\"string\"><VALUE>Test_Base</VALUE>",
             "[EmbeddedInstance(\"Test_Base\")]\n    string Inner;"},
            {"<QUALIFIER NAME=\"EmbeddedObject\" TYPE=\"boolean\"><VALUE>TRUE</VALUE>",
             "[EmbeddedObject]\n    string Many[];"},
            {"<METHOD NAME=\"Work\" TYPE=\"uint32\"", "uint32 Work("},
            {"<PARAMETER.ARRAY NAME=\"Output\" TYPE=\"uint16\"><QUALIFIER NAME=\"Out\"",
             "[Out] uint16 Output[]"},
        };
        char *deep = class_text_of(format, &test_thing_decl, MI_SERIALIZER_FLAGS_CLASS_DEEP);
        char *shallow = class_text_of(format, &test_thing_decl, 0);
        for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
            ck_assert_msg(strstr(deep, parts[i][format]) != NULL, "%s lacks %s", deep,
                          parts[i][format]);
        }
        ck_assert_ptr_null(strstr(shallow, format == XML ? "PROPAGATED" : "string Id"));
        ck_assert_ptr_null(strstr(deep, "MIReturn"));
        free(deep);
        free(shallow);
    }
}
END_TEST

/* The class of each instance in it stands before it, once. */
START_TEST(an_instance_brings_its_classes)
{
    MI_Instance *outer = dynamic("T_Outer"), *one = with_string("T_Inner", "1");
    MI_Instance *two = with_string("T_Inner", "2");
    MI_Result result;

    add(outer, "One", MI_INSTANCE, (MI_Value){.instance = one}, 0);
    add(outer, "Two", MI_REFERENCE, (MI_Value){.reference = two}, 0);
    char *mof = text_of(MOF, outer, MI_SERIALIZER_FLAGS_INSTANCE_WITH_CLASS, &result);
    ck_assert_int_eq(result, MI_RESULT_OK);
    ck_assert(strncmp(mof, "class T_Outer\n{\n    [EmbeddedObject]\n    string One;\n", 52) == 0);
    char *first = strstr(mof, "class T_Inner\n{\n    [Key]\n    string Id;\n};");
    ck_assert_ptr_nonnull(first);
    ck_assert_ptr_null(strstr(first + 1, "class T_Inner"));
    ck_assert_ptr_nonnull(strstr(first, "instance of T_Outer"));
    free(mof);
    char *xml = text_of(XML, outer, MI_SERIALIZER_FLAGS_INSTANCE_WITH_CLASS, &result);
    ck_assert_int_eq(result, MI_RESULT_OK);
    ck_assert(strncmp(xml,
                      "<CIM CIMVERSION=\"2.6.0\" DTDVERSION=\"2.3.1\"><DECLARATION><DECLGROUP>"
                      "<VALUE.OBJECT><CLASS NAME=\"T_Outer\">",
                      101) == 0);
    ck_assert_ptr_nonnull(strstr(xml, "<VALUE.OBJECT><INSTANCE CLASSNAME=\"T_Outer\">"));
    free(xml);
    /* Another dynamic instance of the class with an element that the first one lacks. */
    add(two, "More", MI_UINT8, (MI_Value){.uint8 = 1}, 0);
    MI_Instance_Delete(outer);
    outer = dynamic("T_Outer");
    add(outer, "One", MI_INSTANCE, (MI_Value){.instance = one}, 0);
    add(outer, "Two", MI_INSTANCE, (MI_Value){.instance = two}, 0);
    ck_assert_ptr_null(text_of(MOF, outer, MI_SERIALIZER_FLAGS_INSTANCE_WITH_CLASS, &result));
    ck_assert_int_eq(result, MI_RESULT_NOT_SUPPORTED);
    MI_Instance_Delete(outer);
    MI_Instance_Delete(one);
    MI_Instance_Delete(two);
}
END_TEST

/* ---- the table of results ---------------------------------------------------------------------
 */

START_TEST(formats_are_known_by_their_names)
{
    MI_Serializer serializer;
    const struct {
        const char *format;
        MI_Uint32 flags;
        MI_Result result;
    } rows[] = {
        {"MI_XML", 0, MI_RESULT_OK},
        {"MI_MOF_CIMV2_EXTV1", 0, MI_RESULT_OK},
        {"mi_xml", 0, MI_RESULT_NOT_SUPPORTED},
        {"MI_XML ", 0, MI_RESULT_NOT_SUPPORTED},
        {"", 0, MI_RESULT_NOT_SUPPORTED},
        {"MI_XML", 1, MI_RESULT_INVALID_PARAMETER},
        {NULL, 0, MI_RESULT_INVALID_PARAMETER},
    };

    ck_assert_int_eq(MI_Application_InitializeV1(0, NULL, NULL, &application), MI_RESULT_OK);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        memset(&serializer, 0xFF, sizeof(serializer));
        ck_assert_int_eq(MI_Application_NewSerializer(&application, rows[i].flags,
                                                      chars(rows[i].format), &serializer),
                         rows[i].result);
        ck_assert_uint_eq(serializer.reserved1 != 0, rows[i].result == MI_RESULT_OK);
    }
    ck_assert_int_eq(application.ft->NewSerializer(&application, 0, chars("MI_XML"), NULL),
                     MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(application.ft->NewSerializer(NULL, 0, chars("MI_XML"), &serializer),
                     MI_RESULT_INVALID_PARAMETER);
}
END_TEST

START_TEST(wrong_calls_are_refused)
{
    for (int format = XML; format <= MOF; format++) {
        MI_Serializer serializer = serializer_of(formats[format]), zero = {0};
        MI_Deserializer *other = (MI_Deserializer *)(void *)&serializer;
        MI_Instance *instance = with_string("T_One", "x");
        MI_Class foreign = {0};
        MI_Class *item = NULL;
        MI_Uint8 buffer[500], untouched[500];
        MI_Uint32 needed = 7;

        ck_assert_int_eq(class_new(&test_base_decl, NULL, NULL, &item), MI_RESULT_OK);
#define REFUSED(CALL)                                                                              \
    do {                                                                                           \
        needed = 7;                                                                                \
        ck_assert_int_eq(CALL, MI_RESULT_INVALID_PARAMETER);                                       \
        ck_assert_uint_eq(needed, 0);                                                              \
    } while (0)
        REFUSED(MI_Serializer_SerializeInstance(NULL, 0, instance, buffer, 500, &needed));
        REFUSED(MI_Serializer_SerializeInstance(&zero, 0, instance, buffer, 500, &needed));
        REFUSED(MI_Serializer_SerializeInstance(&serializer, 2, instance, buffer, 500, &needed));
        REFUSED(MI_Serializer_SerializeInstance(&serializer, 0, NULL, buffer, 500, &needed));
        REFUSED(MI_Serializer_SerializeClass(NULL, 0, item, buffer, 500, &needed));
        REFUSED(MI_Serializer_SerializeClass(&zero, 0, item, buffer, 500, &needed));
        REFUSED(MI_Serializer_SerializeClass(&serializer, 2, item, buffer, 500, &needed));
        REFUSED(MI_Serializer_SerializeClass(&serializer, 0, NULL, buffer, 500, &needed));
        REFUSED(MI_Serializer_SerializeClass(&serializer, 0, &foreign, buffer, 500, &needed));
        ck_assert_int_eq(
            MI_Serializer_SerializeInstance(&serializer, 0, instance, buffer, 500, NULL),
            MI_RESULT_INVALID_PARAMETER);
        ck_assert_int_eq(MI_Serializer_SerializeClass(&serializer, 0, item, buffer, 500, NULL),
                         MI_RESULT_INVALID_PARAMETER);
        /* One byte too few: nothing is written. */
        ck_assert_int_eq(
            MI_Serializer_SerializeInstance(&serializer, 0, instance, buffer, 500, &needed),
            MI_RESULT_OK);
        MI_Uint32 short_by_one = needed - 1;
        memset(buffer, 0xAA, sizeof(buffer));
        memset(untouched, 0xAA, sizeof(untouched));
        ck_assert_int_eq(MI_Serializer_SerializeInstance(&serializer, 0, instance, buffer,
                                                         short_by_one, &needed),
                         MI_RESULT_FAILED);
        ck_assert_uint_eq(needed, short_by_one + 1);
        ck_assert_mem_eq(buffer, untouched, sizeof(buffer));
        /* One kind of handle is not the other, and a closed one is none. */
        ck_assert_int_eq(MI_Deserializer_Close(other) == MI_RESULT_OK, 0);
        ck_assert_int_eq(MI_Serializer_Close(&serializer), MI_RESULT_OK);
        REFUSED(MI_Serializer_SerializeInstance(&serializer, 0, instance, buffer, 500, &needed));
        ck_assert_int_eq(MI_Serializer_Close(&serializer), MI_RESULT_INVALID_PARAMETER);
        ck_assert_int_eq(MI_Serializer_Close(NULL), MI_RESULT_INVALID_PARAMETER);
        MI_Class_Delete(item);
        MI_Instance_Delete(instance);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("serializer");
    TCase *tests = tcase_create("serializer"), *sizes = tcase_create("sizes");

    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, an_instance_has_the_text_of_the_open_host);
    tcase_add_test(tests, each_type_has_its_form);
    tcase_add_test(tests, objects_and_arrays_have_their_form);
    tcase_add_test(tests, what_has_no_form_is_refused);
    tcase_add_test(tests, an_impossible_datetime_is_refused);
    tcase_add_test(tests, nesting_has_a_limit);
    tcase_add_test(tests, a_class_has_its_text);
    tcase_add_test(tests, a_deep_class_has_all_elements);
    tcase_add_test(tests, an_instance_brings_its_classes);
    tcase_add_test(tests, formats_are_known_by_their_names);
    tcase_add_test(tests, wrong_calls_are_refused);
    suite_add_tcase(suite, tests);
    tcase_set_timeout(sizes, 120);
    tcase_set_tags(sizes, "values");
    tcase_add_test(sizes, size_has_a_limit);
    suite_add_tcase(suite, sizes);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}

/* SPDX-License-Identifier: MIT */
/* Values: sizes, copies, equality and text forms. */
#include "host/object/object.h"

#include <check.h>
#include <limits.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

START_TEST(sizes_are_those_of_the_fields)
{
    static const struct {
        MI_Type type;
        size_t size, element;
    } rows[] = {
        {MI_BOOLEAN, 1, 1},    {MI_UINT8, 1, 1},       {MI_SINT8, 1, 1},     {MI_UINT16, 2, 2},
        {MI_SINT16, 2, 2},     {MI_UINT32, 4, 4},      {MI_SINT32, 4, 4},    {MI_UINT64, 8, 8},
        {MI_SINT64, 8, 8},     {MI_REAL32, 4, 4},      {MI_REAL64, 8, 8},    {MI_CHAR16, 2, 2},
        {MI_DATETIME, 36, 36}, {MI_STRING, 8, 8},      {MI_REFERENCE, 8, 8}, {MI_INSTANCE, 8, 8},
        {MI_BOOLEANA, 16, 1},  {MI_DATETIMEA, 16, 36}, {MI_STRINGA, 16, 8},  {MI_INSTANCEA, 16, 8},
        {(MI_Type)32, 0, 0},   {(MI_Type)-1, 0, 0},    {(MI_Type)255, 0, 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ck_assert_uint_eq(value_size(rows[i].type), rows[i].size);
        ck_assert_uint_eq(value_element_size(rows[i].type), rows[i].element);
    }
}
END_TEST

/* The block has exactly the bytes of the type: a longer read is a sanitizer's finding. */
START_TEST(copy_reads_only_what_the_type_has)
{
    for (unsigned type = MI_BOOLEAN; type <= MI_INSTANCEA; type++) {
        size_t size = value_size((MI_Type)type);
        void *from = calloc(1, size);
        MI_Value to;
        memset(&to, 0xEE, sizeof(to));
        ck_assert_int_eq(value_copy((MI_Type)type, from, &to), MI_RESULT_OK);
        ck_assert_int_eq(memcmp(from, &to, size), 0);
        value_release((MI_Type)type, &to);
        free(from);
    }
}
END_TEST

START_TEST(copy_of_strings_is_deep)
{
    char first[] = "one";
    char *data[] = {first, NULL, first};
    MI_StringA array = {data, 3};
    MI_Value copy;

    ck_assert_int_eq(value_copy(MI_STRINGA, &array, &copy), MI_RESULT_OK);
    first[0] = 'X';
    ck_assert_uint_eq(copy.stringa.size, 3);
    ck_assert_str_eq(copy.stringa.data[0], "one");
    ck_assert_ptr_null(copy.stringa.data[1]);
    ck_assert_str_eq(copy.stringa.data[2], "one");
    ck_assert_ptr_ne(copy.stringa.data[0], copy.stringa.data[2]);
    value_release(MI_STRINGA, &copy);
    ck_assert_ptr_null(copy.stringa.data);
    ck_assert_uint_eq(copy.stringa.size, 0);
}
END_TEST

START_TEST(copy_refuses_what_it_cannot_trust)
{
    MI_Uint8 byte = 1;
    MI_Value to;
    static MI_Instance *instances[1];

    const struct {
        MI_Type type;
        MI_Array array;
        MI_Result result;
    } rows[] = {
        {MI_UINT8A, {NULL, 0}, MI_RESULT_OK},
        {MI_UINT8A, {&byte, 0}, MI_RESULT_OK}, /* empty, wherever data points */
        {MI_UINT8A, {NULL, 1}, MI_RESULT_INVALID_PARAMETER},
        {MI_UINT64A, {&byte, UINT_MAX}, MI_RESULT_SERVER_LIMITS_EXCEEDED},
        {MI_INSTANCEA, {(void *)instances, 10001}, MI_RESULT_SERVER_LIMITS_EXCEEDED},
        {MI_REFERENCEA, {(void *)instances, 10001}, MI_RESULT_SERVER_LIMITS_EXCEEDED},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ck_assert_int_eq(value_copy(rows[i].type, &rows[i].array, &to), rows[i].result);
        if (rows[i].result == MI_RESULT_OK) {
            ck_assert_uint_eq(to.array.size, 0);
            ck_assert_ptr_null(to.array.data);
        }
    }
    ck_assert_int_eq(value_copy((MI_Type)32, &byte, &to), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(value_copy(MI_UINT8, NULL, &to), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(value_copy(MI_UINT8, &byte, NULL), MI_RESULT_INVALID_PARAMETER);
    value_release(MI_STRING, NULL);
    value_release((MI_Type)99, &to);
}
END_TEST

START_TEST(equality)
{
    const char *abc = "abc";
    char copy[] = "abc";
    const char *also_abc = copy;
    const char *upper = "ABC";
    const char *none = NULL;
    ck_assert(value_equal(MI_STRING, &abc, &also_abc));
    ck_assert(!value_equal(MI_STRING, &abc, &upper)); /* case counts */
    ck_assert(!value_equal(MI_STRING, &abc, &none));
    ck_assert(value_equal(MI_STRING, &none, &none));

    MI_Boolean yes = 1;
    MI_Boolean also_yes = 77;
    ck_assert(value_equal(MI_BOOLEAN, &yes, &also_yes));

    MI_Real64 zero = 0.0;
    MI_Real64 minus_zero = -0.0;
    MI_Real64 nan_value = (MI_Real64)NAN;
    ck_assert(value_equal(MI_REAL64, &zero, &minus_zero));
    ck_assert(!value_equal(MI_REAL64, &nan_value, &nan_value));

    MI_Datetime a = {.isTimestamp = 0, .u.interval = {.days = 3, .__padding1 = 1}};
    MI_Datetime b = {.isTimestamp = 0, .u.interval = {.days = 3, .__padding1 = 2}};
    ck_assert(value_equal(MI_DATETIME, &a, &b));
    b.isTimestamp = 1;
    ck_assert(!value_equal(MI_DATETIME, &a, &b));

    MI_Uint16 left_data[] = {1, 2};
    MI_Uint16 right_data[] = {1, 2};
    MI_Uint16A left = {left_data, 2};
    MI_Uint16A right = {right_data, 2};
    ck_assert(value_equal(MI_UINT16A, &left, &right));
    right_data[1] = 3;
    ck_assert(!value_equal(MI_UINT16A, &left, &right));
    right.size = 1;
    ck_assert(!value_equal(MI_UINT16A, &left, &right));
    ck_assert(!value_equal((MI_Type)40, &left, &left));
    ck_assert(!value_equal(MI_UINT16A, NULL, &left));
}
END_TEST

/* Text forms of integers and booleans: what becomes of them, as a number. */
static const struct {
    MI_Type type;
    const char *text;
    MI_Result result;
    MI_Sint64 number;
} integers[] = {
    {MI_BOOLEAN, "true", MI_RESULT_OK, 1},
    {MI_BOOLEAN, "TRUE", MI_RESULT_OK, 1},
    {MI_BOOLEAN, "False", MI_RESULT_OK, 0},
    {MI_BOOLEAN, "1", MI_RESULT_TYPE_MISMATCH, 0},
    {MI_BOOLEAN, "yes", MI_RESULT_TYPE_MISMATCH, 0},
    {MI_BOOLEAN, "", MI_RESULT_TYPE_MISMATCH, 0},
    {MI_UINT8, "0", MI_RESULT_OK, 0},
    {MI_UINT8, "255", MI_RESULT_OK, 255},
    {MI_UINT8, "256", MI_RESULT_TYPE_MISMATCH, 0},
    {MI_UINT8, "-1", MI_RESULT_TYPE_MISMATCH, 0},
    {MI_UINT8, "-0", MI_RESULT_OK, 0},
    {MI_SINT8, "-128", MI_RESULT_OK, -128},
    {MI_SINT8, "-129", MI_RESULT_TYPE_MISMATCH, 0},
    {MI_SINT8, "127", MI_RESULT_OK, 127},
    {MI_SINT8, "128", MI_RESULT_TYPE_MISMATCH, 0},
    {MI_UINT16, "65535", MI_RESULT_OK, 65535},
    {MI_UINT16, "65536", MI_RESULT_TYPE_MISMATCH, 0},
    {MI_SINT16, "-32768", MI_RESULT_OK, -32768},
    {MI_UINT32, "42", MI_RESULT_OK, 42},
    {MI_UINT32, "+42", MI_RESULT_OK, 42},
    {MI_UINT32, "0x2A", MI_RESULT_OK, 42},
    {MI_UINT32, "0042", MI_RESULT_OK, 42},
    {MI_UINT32, "0x", MI_RESULT_TYPE_MISMATCH, 0},
    {MI_UINT32, "2A", MI_RESULT_TYPE_MISMATCH, 0},
    {MI_UINT32, " 42", MI_RESULT_TYPE_MISMATCH, 0},
    {MI_UINT32, "42 ", MI_RESULT_TYPE_MISMATCH, 0},
    {MI_UINT32, "4.2", MI_RESULT_TYPE_MISMATCH, 0},
    {MI_UINT32, "", MI_RESULT_TYPE_MISMATCH, 0},
    {MI_UINT32, "-", MI_RESULT_TYPE_MISMATCH, 0},
    {MI_UINT32, "4294967296", MI_RESULT_TYPE_MISMATCH, 0},
    {MI_SINT32, "-2147483648", MI_RESULT_OK, INT_MIN},
    {MI_UINT64, "18446744073709551615", MI_RESULT_OK, -1},
    {MI_UINT64, "18446744073709551616", MI_RESULT_TYPE_MISMATCH, 0},
    {MI_SINT64, "-9223372036854775808", MI_RESULT_OK, LLONG_MIN},
    {MI_SINT64, "9223372036854775808", MI_RESULT_TYPE_MISMATCH, 0},
    {MI_CHAR16, "A", MI_RESULT_OK, 'A'},
    {MI_CHAR16, "\xC3\xA4", MI_RESULT_OK, 0xE4},
    {MI_CHAR16, "\xE2\x82\xAC", MI_RESULT_OK, 0x20AC},
    {MI_CHAR16, "\xF0\x9F\x98\x80", MI_RESULT_TYPE_MISMATCH, 0}, /* beyond the basic plane */
    {MI_CHAR16, "\xED\xA0\x80", MI_RESULT_TYPE_MISMATCH, 0},     /* half a surrogate pair */
    {MI_CHAR16, "\xC0\x80", MI_RESULT_TYPE_MISMATCH, 0},         /* overlong */
    {MI_CHAR16, "\x80", MI_RESULT_TYPE_MISMATCH, 0},
    {MI_CHAR16, "AB", MI_RESULT_TYPE_MISMATCH, 0},
    {MI_CHAR16, "", MI_RESULT_TYPE_MISMATCH, 0},
    {MI_UINT32A, "1", MI_RESULT_TYPE_MISMATCH, 0},
    {MI_INSTANCE, "x", MI_RESULT_TYPE_MISMATCH, 0},
    {MI_REFERENCE, "x", MI_RESULT_TYPE_MISMATCH, 0},
    {(MI_Type)32, "1", MI_RESULT_INVALID_PARAMETER, 0},
};

static MI_Sint64 as_number(MI_Type type, const MI_Value *value)
{
    switch (type) {
    case MI_SINT8:
        return value->sint8;
    case MI_SINT16:
        return value->sint16;
    case MI_SINT32:
        return value->sint32;
    default:
        return (MI_Sint64)value->uint64; /* zeroed before, little-endian */
    }
}

START_TEST(integers_from_text)
{
    MI_Value value = {0};
    ck_assert_int_eq(value_from_text(integers[_i].type, integers[_i].text, &value),
                     integers[_i].result);
    ck_assert_int_eq(as_number(integers[_i].type, &value), integers[_i].number);
}
END_TEST

static const struct {
    const char *text;
    MI_Result result;
    double number;
} reals[] = {
    {"1.5", MI_RESULT_OK, 1.5},
    {"-0.25e2", MI_RESULT_OK, -25},
    {"+1E-1", MI_RESULT_OK, 0.1},
    {".5", MI_RESULT_OK, 0.5},
    {"5.", MI_RESULT_OK, 5},
    {"7", MI_RESULT_OK, 7},
    {"1e400", MI_RESULT_TYPE_MISMATCH, 0},
    {".", MI_RESULT_TYPE_MISMATCH, 0},
    {"e5", MI_RESULT_TYPE_MISMATCH, 0},
    {"1e", MI_RESULT_TYPE_MISMATCH, 0},
    {"1,5", MI_RESULT_TYPE_MISMATCH, 0},
    {"nan", MI_RESULT_TYPE_MISMATCH, 0},
    {"inf", MI_RESULT_TYPE_MISMATCH, 0},
    {"0x1p3", MI_RESULT_TYPE_MISMATCH, 0},
    {" 1", MI_RESULT_TYPE_MISMATCH, 0},
    {"", MI_RESULT_TYPE_MISMATCH, 0},
    {"-", MI_RESULT_TYPE_MISMATCH, 0},
};

START_TEST(reals_from_text)
{
    MI_Value value = {0};
    (void)setlocale(LC_ALL, "de_DE.UTF-8"); /* if there is one: the point stays a point */
    ck_assert_int_eq(value_from_text(MI_REAL64, reals[_i].text, &value), reals[_i].result);
    ck_assert(value.real64 >= reals[_i].number && value.real64 <= reals[_i].number);
}
END_TEST

START_TEST(real32_has_its_own_range)
{
    MI_Value value = {0};
    ck_assert_int_eq(value_from_text(MI_REAL32, "1.5", &value), MI_RESULT_OK);
    ck_assert(value.real32 >= 1.5f && value.real32 <= 1.5f);
    ck_assert_int_eq(value_from_text(MI_REAL32, "1e39", &value), MI_RESULT_TYPE_MISMATCH);
}
END_TEST

static const struct {
    const char *text;
    MI_Result result;
    MI_Datetime value;
} datetimes[] = {
    {"20261122091500.000001+060",
     MI_RESULT_OK,
     {1, {.timestamp = {2026, 11, 22, 9, 15, 0, 1, 60}}}},
    {"20240229235959.999999-720",
     MI_RESULT_OK,
     {1, {.timestamp = {2024, 2, 29, 23, 59, 59, 999999, -720}}}},
    {"00000003040506.000007:000", MI_RESULT_OK, {0, {.interval = {3, 4, 5, 6, 7, 0, 0, 0}}}},
    {"99999999235959.999999:000",
     MI_RESULT_OK,
     {0, {.interval = {99999999, 23, 59, 59, 999999, 0, 0, 0}}}},
    {"20230229000000.000000+000", MI_RESULT_TYPE_MISMATCH, {0}}, /* no leap year */
    {"19000229000000.000000+000", MI_RESULT_TYPE_MISMATCH, {0}},
    {"20261322000000.000000+000", MI_RESULT_TYPE_MISMATCH, {0}},
    {"20261100000000.000000+000", MI_RESULT_TYPE_MISMATCH, {0}},
    {"20261122240000.000000+000", MI_RESULT_TYPE_MISMATCH, {0}},
    {"20261122096000.000000+000", MI_RESULT_TYPE_MISMATCH, {0}},
    {"20261122091560.000000+000", MI_RESULT_TYPE_MISMATCH, {0}},
    {"2026112209150*.******+000", MI_RESULT_TYPE_MISMATCH, {0}},
    {"20261122091500.000000+0000", MI_RESULT_TYPE_MISMATCH, {0}},
    {"20261122091500.000000+00", MI_RESULT_TYPE_MISMATCH, {0}},
    {"20261122091500,000000+000", MI_RESULT_TYPE_MISMATCH, {0}},
    {"00000003240506.000007:000", MI_RESULT_TYPE_MISMATCH, {0}},
    {"00000003040506.000007:001", MI_RESULT_TYPE_MISMATCH, {0}},
    {"2026", MI_RESULT_TYPE_MISMATCH, {0}},
    {"", MI_RESULT_TYPE_MISMATCH, {0}},
};

START_TEST(datetimes_from_text)
{
    MI_Value value = {0};
    ck_assert_int_eq(value_from_text(MI_DATETIME, datetimes[_i].text, &value),
                     datetimes[_i].result);
    ck_assert(value_equal(MI_DATETIME, &value, &datetimes[_i].value));
}
END_TEST

START_TEST(strings_from_text)
{
    MI_Value value = {0};
    ck_assert_int_eq(value_from_text(MI_STRING, "", &value), MI_RESULT_OK);
    ck_assert_str_eq(value.string, "");
    value_release(MI_STRING, &value);
    ck_assert_int_eq(value_from_text(MI_STRING, NULL, &value), MI_RESULT_INVALID_PARAMETER);
    ck_assert_int_eq(value_from_text(MI_STRING, "x", NULL), MI_RESULT_INVALID_PARAMETER);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("host values");
    TCase *values = tcase_create("values");
    tcase_add_test(values, sizes_are_those_of_the_fields);
    tcase_add_test(values, copy_reads_only_what_the_type_has);
    tcase_add_test(values, copy_of_strings_is_deep);
    tcase_add_test(values, copy_refuses_what_it_cannot_trust);
    tcase_add_test(values, equality);
    suite_add_tcase(suite, values);
    TCase *texts = tcase_create("text");
    tcase_add_loop_test(texts, integers_from_text, 0, sizeof(integers) / sizeof(integers[0]));
    tcase_add_loop_test(texts, reals_from_text, 0, sizeof(reals) / sizeof(reals[0]));
    tcase_add_test(texts, real32_has_its_own_range);
    tcase_add_loop_test(texts, datetimes_from_text, 0, sizeof(datetimes) / sizeof(datetimes[0]));
    tcase_add_test(texts, strings_from_text);
    suite_add_tcase(suite, texts);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}

/* SPDX-License-Identifier: MIT */
/*
 * Reading instances in MOF: rows of text and what it gives, written again in one canonical form, or
 * line, column and sentence of the error.
 */
#include "host/mof/mof.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the tree, as text ---------------------------------------------------------------------- */

static void print_value(FILE *out, const struct mof_value *value);

static void print_instance(FILE *out, const struct mof_instance *instance)
{
    fprintf(out, "%s%s%s%s%s{", instance->server != NULL ? instance->server : "",
            instance->server != NULL ? "!" : "",
            instance->name_space != NULL ? instance->name_space : "",
            instance->name_space != NULL ? ":" : "", instance->class_name);
    for (const struct mof_property *at = instance->properties; at != NULL; at = at->next) {
        fprintf(out, "%s=", at->name);
        print_value(out, &at->value);
        fputc(';', out);
    }
    fputc('}', out);
}

static void print_value(FILE *out, const struct mof_value *value)
{
    static const char letters[] = {[MOF_BOOLEAN] = 'b', [MOF_INTEGER] = 'i', [MOF_REAL] = 'r'};

    switch (value->kind) {
    case MOF_NULL:
        fputs("null", out);
        break;
    case MOF_CHAR:
        fprintf(out, "c%04X", value->character);
        break;
    case MOF_STRING:
        fprintf(out, "<%s>", value->text);
        break;
    case MOF_INSTANCE:
        print_instance(out, value->instance);
        break;
    case MOF_ARRAY:
        fprintf(out, "[%zu", value->count);
        for (const struct mof_value *at = value->items; at != NULL; at = at->next) {
            fputc(' ', out);
            print_value(out, at);
        }
        fputc(']', out);
        break;
    default:
        fprintf(out, "%c%s", letters[value->kind], value->text);
        break;
    }
}

/* "LINE:COLUMN: TEXT" for an error. On the heap. */
static char *read_and_print(const char *input, bool path)
{
    struct mof_document *document = NULL;
    struct mof_error error;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    ck_assert_ptr_nonnull(out);
    if (path ? mof_read_path(input, &document, &error)
             : mof_read(input, strlen(input), &document, &error)) {
        for (const struct mof_instance *at = document->instances; at != NULL; at = at->next) {
            print_instance(out, at);
        }
        mof_free(document);
    } else {
        fprintf(out, "%u:%u: %s", error.line, error.column, error.text);
    }
    fclose(out);
    return text;
}

struct row {
    const char *input, *expected;
};

static void check_row(const struct row *row, bool path)
{
    char *text = read_and_print(row->input, path);

    ck_assert_msg(strcmp(text, row->expected) == 0, "%s\n  gives    %s\n  expected %s", row->input,
                  text, row->expected);
    free(text);
}

#define A(value) "instance of A { p = " value "; };"

static const struct row documents[] = {
    {"", ""},
    {" // nothing\n /* at all */ ", ""},
    {"instance of A { };", "A{}"},
    {"INSTANCE OF A{};Instance of B{x=1;};", "A{}B{x=i1;}"},
    {A("NULL"), "A{p=null;}"},
    {A("null"), "A{p=null;}"},
    {A("TRUE"), "A{p=bTRUE;}"},
    {A("fAlSe"), "A{p=bFALSE;}"},
    {A("0"), "A{p=i0;}"},
    {A("-0"), "A{p=i0;}"},
    {A("+42"), "A{p=i42;}"},
    {A("-42"), "A{p=i-42;}"},
    {A("18446744073709551615"), "A{p=i18446744073709551615;}"},
    {A("-9223372036854775808"), "A{p=i-9223372036854775808;}"},
    {A("0x1F"), "A{p=i31;}"},
    {A("-0Xff"), "A{p=i-255;}"},
    {A("017"), "A{p=i15;}"},
    {A("101b"), "A{p=i5;}"},
    {A("0B"), "A{p=i0;}"},
    {A("1.5"), "A{p=r1.5;}"},
    {A("-.5e3"), "A{p=r-.5e3;}"},
    {A("1e+20"), "A{p=r1e+20;}"},
    {A("6.0221408599999999e+23"), "A{p=r6.0221408599999999e+23;}"},
    {A("'c'"), "A{p=c0063;}"},
    {A("'\\''"), "A{p=c0027;}"},
    {A("'\\xD800'"), "A{p=cD800;}"},
    {A("'\\x0'"), "A{p=c0000;}"},
    {A("'\xC3\xA9'"), "A{p=c00E9;}"},
    {A("\"\""), "A{p=<>;}"},
    {A("\"a\" \"b\"\n \"\" /* and */ \"c\""), "A{p=<abc>;}"},
    {A("\"\\b\\t\\n\\f\\r\\\"\\'\\\\\""), "A{p=<\b\t\n\f\r\"'\\>;}"},
    {A("\"\\x41\\X1f\\x00e9g\\x20ACx\""), "A{p=<A\x1F\xC3\xA9g\xE2\x82\xACx>;}"},
    {A("\"\\xD83D\\xDE00\""), "A{p=<\xF0\x9F\x98\x80>;}"},
    {A("\"\xF0\x9F\x98\x80\""), "A{p=<\xF0\x9F\x98\x80>;}"},
    {A("\"a // b /* c */\""), "A{p=<a // b /* c */>;}"},
    {A("{}"), "A{p=[0];}"},
    {A("{1}"), "A{p=[1 i1];}"},
    {A("{1, -2 , 0x3}"), "A{p=[3 i1 i-2 i3];}"},
    {A("{\"a\", NULL, \"b\" \"c\"}"), "A{p=[3 <a> null <bc>];}"},
    {A("instance of B { q = 1; }"), "A{p=B{q=i1;};}"},
    {A("{instance of B { }, instance of C { r = {}; }}"), "A{p=[2 B{} C{r=[0];}];}"},
    {"instance of B as $b { q = 1; }; instance of A { p = $B; r = {$b, $b}; };",
     "B{q=i1;}A{p=B{q=i1;};r=[2 B{q=i1;} B{q=i1;}];}"},
    {"instance of A { instance = 1; of = 2; as = 3; null = 4; };",
     "A{instance=i1;of=i2;as=i3;null=i4;}"},

    {"x", "1:1: 'instance of CLASS { ... };' is needed, not 'x'"},
    {"class A { };", "1:1: only instances are read, not declarations of classes"},
    {"Qualifier Key : boolean;", "1:1: only instances are read, not declarations of qualifiers"},
    {"#pragma locale(\"en\")", "1:1: pragmas are not supported"},
    {"[Key] instance of A { };", "1:1: qualifiers of an instance are not supported"},
    {"instance A { };", "1:10: 'of' is needed behind 'instance', not 'A'"},
    {"instance of { };", "1:13: the name of a class is needed, not '{'"},
    {"instance of A as b { };", "1:18: the $alias is needed behind 'as', not 'b'"},
    {"instance of A as $ { };", "1:19: the name of an alias is needed behind $"},
    {"instance of A { }", "1:18: ';' is needed behind the instance, not the end of the text"},
    {"instance of A\n{ p = 1 }", "2:9: ';' is needed behind the value, not '}'"},
    {"instance of A\n{ p 1; };", "2:5: '=' is needed behind the name of a property, not '1'"},
    {"instance of A {\n\tp = x;\n};",
     "2:6: a value is needed: a number, \"text\", 'c', TRUE, FALSE, NULL, {...}, instance of or "
     "$alias, not 'x'"},
    {"instance of A { p = 1; P = 2; };", "1:24: P has a value before this"},
    {"instance of A { [x] p = 1; };", "1:17: qualifiers of an instance are not supported"},
    {"instance of A { \"p\" = 1; };",
     "1:17: the name of a property or '}' is needed, not a string"},
    {A("{1 2}"), "1:24: ',' or '}' is needed behind the element of an array, not '2'"},
    {A("{1,}"), "1:24: a value is needed: a number, \"text\", 'c', TRUE, FALSE, NULL, {...}, "
                "instance of or $alias, not '}'"},
    {A("{{1}}"), "1:22: a value is needed: a number, \"text\", 'c', TRUE, FALSE, NULL, {...}, "
                 "instance of or $alias, not '{'"},
    {A("$b"), "1:21: no instance before this one has the alias $b"},
    {"instance of A as $a { p = $a; };", "1:27: no instance before this one has the alias $a"},
    {"instance of A as $a { }; instance of A as $A { };",
     "1:49: the instance before this has an alias that was given before: $A"},
    {A("instance of B as $b { }"), "1:35: an instance within another has no alias"},
    {A("18446744073709551616"), "1:40: the number is larger than 64 bits can hold"},
    {A("08"), "1:22: no digit of an octal number, which begins with 0"},
    {A("12z"), "1:23: no digit of this number"},
    {A("0x"), "1:23: a digit is needed here"},
    {A("-"), "1:22: a digit is needed here"},
    {A("1.5f"), "1:24: no digit of this number"},
    {A("'ab'"), "1:23: ' is needed behind one character"},
    {A("''"), "1:22: a character is needed between the quotes"},
    {A("'\xF0\x9F\x98\x80'"), "1:23: a char16 holds no character beyond U+FFFF"},
    {A("\"\xC3\xA9\\q\""),
     "1:24: no such escape; those of MOF are \\b \\t \\n \\f \\r \\\" \\' \\\\ and \\xHHHH"},
    {A("\"\\xg\""), "1:24: \\x needs 1 to 4 hexadecimal digits"},
    {A("\"\\x0\""), "1:25: a string cannot hold a NUL"},
    {A("\"\\xD800\""), "1:28: one half of a surrogate pair; the other half is needed behind it"},
    {A("\"\\xD800\\x41\""),
     "1:32: one half of a surrogate pair; the other half is needed before this"},
    {A("\"\\xDC00\""), "1:28: one half of a surrogate pair; the other half is needed before it"},
    {A("\"\xFF\""), "1:22: this is not UTF-8"},
    {"instance of A { p = \"x\n\"; };",
     "1:23: the string has no end: \" is missing; a line break is \\n"},
    {"instance of A { /* p", "1:17: the comment has no end: */ is missing"},
    {"instance of A { ! };", "1:17: no sign of MOF"},
};

static const struct row paths[] = {
    {"A", "A{}"},
    {"A=@", "A{}"},
    {"A.k=1", "A{k=i1;}"},
    {"A.k=\"x.y:z\",l=TRUE,m='c'", "A{k=<x.y:z>;l=bTRUE;m=c0063;}"},
    {"root/test:A.k=\"a:b\"", "root/test:A{k=<a:b>;}"},
    {"//host/root/test:A.k=1", "host!root/test:A{k=i1;}"},
    {"A.k=\"B.l=\\\"x\\\"\"", "A{k=<B.l=\"x\">;}"},
    {"", "1:1: the name of a class is needed, not the end of the text"},
    {"A.", "1:3: the name of a key is needed, not the end of the text"},
    {"A.k", "1:4: '=' is needed behind the name of a property, not the end of the text"},
    {"A.k=1,", "1:7: the name of a key is needed, not the end of the text"},
    {"A.k=1;", "1:6: '.KEY=VALUE' or ',KEY=VALUE' is needed, not ';'"},
    {"A.k=1,K=2", "1:7: K has a value before this"},
    {"A=x", "1:3: '@' is needed behind '=', not 'x'"},
};

START_TEST(document_row)
{
    check_row(&documents[_i], false);
}
END_TEST

START_TEST(path_row)
{
    check_row(&paths[_i], true);
}
END_TEST

/* ---- limits --------------------------------------------------------------------------------- */

static char *repeated(const char *before, const char *text, unsigned count, const char *behind)
{
    char *made = calloc(1, strlen(before) + strlen(text) * count + strlen(behind) + 1);

    ck_assert_ptr_nonnull(made);
    strcpy(made, before);
    char *at = made + strlen(before);
    for (unsigned i = 0; i < count; i++) {
        at = stpcpy(at, text);
    }
    strcpy(at, behind);
    return made;
}

static void expect_error(char *input, const char *text)
{
    char *answer = read_and_print(input, false);

    ck_assert_msg(strstr(answer, text) != NULL, "%.200s: %.200s", input, answer);
    free(answer);
    free(input);
}

START_TEST(limits)
{
    struct mof_document *document = NULL;
    struct mof_error error;

    expect_error(repeated("", "instance of A { p = ", 33, "1"), "nested more than 32 deep");
    expect_error(repeated("", "instance of A { };", 1025, ""), "more than 1024 instances");
    ck_assert(!mof_read("", (size_t)MOF_MAX_BYTES + 1, &document, &error));
    ck_assert_str_eq(error.text, "the text is longer than 16 MiB");
    ck_assert(!mof_read("A\0", 2, &document, &error));
    ck_assert_ptr_null(document);
}
END_TEST

/* Each instance names the one before it twice: the tree would have 2^40 of them. */
START_TEST(aliases_do_not_multiply)
{
    char *text = NULL, line[128];
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    ck_assert_ptr_nonnull(out);
    fputs("instance of A as $a0 { };\n", out);
    for (int i = 1; i <= 40; i++) {
        snprintf(line, sizeof(line), "instance of A as $a%d { p = {$a%d, $a%d}; };\n", i, i - 1,
                 i - 1);
        fputs(line, out);
    }
    fclose(out);
    expect_error(text, "aliases stand for more than 1 MiB");
}
END_TEST

/* A chain of aliases is as deep as instances that are written in place. */
START_TEST(aliases_have_depth)
{
    char *text = NULL, line[128];
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    ck_assert_ptr_nonnull(out);
    fputs("instance of A as $a0 { p = instance of A { }; };\n", out);
    for (int i = 1; i <= 31; i++) {
        snprintf(line, sizeof(line), "instance of A as $a%d { p = $a%d; };\n", i, i - 1);
        fputs(line, out);
    }
    fclose(out);
    expect_error(text, "32:29: instances are nested more than 32 deep");
}
END_TEST

#define ROWS(table) ((int)(sizeof(table) / sizeof((table)[0])))

int main(void)
{
    Suite *suite = suite_create("mof");
    TCase *all = tcase_create("all");

    tcase_add_loop_test(all, document_row, 0, ROWS(documents));
    tcase_add_loop_test(all, path_row, 0, ROWS(paths));
    tcase_add_test(all, limits);
    tcase_add_test(all, aliases_do_not_multiply);
    tcase_add_test(all, aliases_have_depth);
    tcase_set_timeout(all, 60);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}

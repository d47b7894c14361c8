/* SPDX-License-Identifier: MIT */
/* Which spellings are one name, and which classes a query names. */
#include "policy/cim_name.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "policy/cim_query.h"

#define LENGTH(table) ((int)(sizeof(table) / sizeof((table)[0])))
#define LONG16        "abcdefghijklmnop"
#define LONG64        LONG16 LONG16 LONG16 LONG16

static const struct {
    const char *written, *normal; /* NULL: not read */
} spaces[] = {
    {"root/cimv2", "root/cimv2"},
    {"Root/CIMv2", "Root/CIMv2"}, /* case is the matching's */
    {"root\\cimv2", "root/cimv2"},
    {"/vendor/cimv2", "vendor/cimv2"},
    {"\\root\\cimv2\\", "root/cimv2"},
    {"root//cimv2", "root/cimv2"},
    {"root/\\/cimv2//", "root/cimv2"},
    {"interop", "interop"},
    {"root/v1.0/a-b_c", "root/v1.0/a-b_c"},
    {LONG64 "/" LONG64 "/" LONG64 "/" LONG16 LONG16 LONG16 "abcdefghijkl",
     LONG64 "/" LONG64 "/" LONG64 "/" LONG16 LONG16 LONG16 "abcdefghijkl"}, /* 255 */
    {LONG64 "/" LONG64 "/" LONG64 "/" LONG16 LONG16 LONG16 "abcdefghijklm", NULL},
    {LONG64 LONG64 LONG64 LONG64, NULL},
    {"", NULL},
    {"/", NULL},
    {"\\\\", NULL},
    {"//server/root/cimv2", NULL},
    {"\\\\.\\root\\cimv2", NULL},
    {".", NULL},
    {"root/.", NULL},
    {"root/..", NULL},
    {"root/./cimv2", NULL},
    {"root/../cimv2", NULL},
    {"root/cimv2.", NULL},
    {"root/.cimv2", NULL},
    {" root/cimv2", NULL},
    {"root/cimv2 ", NULL},
    {"root /cimv2", NULL},
    {"root/ci mv2", NULL},
    {"root/cimv2\n", NULL},
    {"root/cimv2\t", NULL},
    {"root/\x01", NULL},
    {"root/cimv2\x7F", NULL},
    {"root/caf\xC3\xA9", NULL},
    {"root/\xFF", NULL},
    {"root/cimv2:CIM_X", NULL},
    {"root%2Fcimv2", NULL},
    {"root/*", NULL},
    {"\"root/cimv2\"", NULL},
};

START_TEST(space_row)
{
    char normal[CIM_SPACE_SIZE + 1];

    memset(normal, '#', sizeof(normal));
    bool read = cim_space_normalise(spaces[_i].written, normal);
    ck_assert_msg(read == (spaces[_i].normal != NULL), "'%s'", spaces[_i].written);
    ck_assert_str_eq(normal, read ? spaces[_i].normal : "");
    ck_assert_int_eq(normal[CIM_SPACE_SIZE], '#');
}
END_TEST

static const struct {
    const char *name;
    bool valid;
} classes[] = {
    {"CIM_Process", true},
    {"__Event", true},
    {"a1", true},
    {"", false},
    {"1a", false},
    {"A B", false},
    {" A", false},
    {"A ", false},
    {"A-B", false},
    {"A.B", false},
    {"A/B", false},
    {"A:B", false},
    {"caf\xC3\xA9", false},
    {"A\n", false},
    {LONG64 LONG64 + 1, true},
    {LONG64 LONG64, false},
};

START_TEST(class_row)
{
    ck_assert_msg(cim_class_valid(classes[_i].name) == classes[_i].valid, "'%s'", classes[_i].name);
}
END_TEST

/* ---- queries --------------------------------------------------------------------------------- */

/* classes: with a blank between them; NULL: not read. */
static const struct {
    const char *query, *classes;
} queries[] = {
    {"SELECT * FROM CIM_X", "CIM_X"},
    {"select * from cim_x", "cim_x"},
    {"\t\r\n SeLeCt\n*\tFROM\r\nCIM_X \n", "CIM_X"},
    {"SELECT*FROM CIM_X", "CIM_X"},
    {"SELECT a FROM CIM_X", "CIM_X"},
    {"SELECT a , b.c,d FROM CIM_X", "CIM_X"},
    {"SELECT * FROM CIM_X WHERE a = 1", "CIM_X"},
    {"SELECT * FROM CIM_X WHERE(a=1)", "CIM_X"},
    {"SELECT * FROM CIM_X WHERE a >= 1.5 AND NOT (b <> 'x' OR c != -3)", "CIM_X"},
    {"SELECT * FROM CIM_X WHERE a LIKE 'x%' ORDER BY b", "CIM_X"},
    {"SELECT * FROM CIM_X WHERE a = ' FROM CIM_Y'", "CIM_X"},
    {"SELECT * FROM CIM_X WHERE a = \"select ' from \" AND b = '\"'", "CIM_X"},
    {"SELECT * FROM CIM_X WHERE a = 'it''s'", "CIM_X"},
    {"SELECT * FROM CIM_X WHERE a = 'C:\\\\dir\\\\'", "CIM_X"},
    {"SELECT * FROM CIM_X WHERE a = 'C:\\dir'", "CIM_X"},
    {"SELECT * FROM CIM_X WHERE a = 'caf\xC3\xA9'", "CIM_X"},
    {"SELECT * FROM CIM_X WITHIN 10 WHERE a = 1", "CIM_X"},
    {"SELECT * FROM CIM_X GROUP WITHIN 10 HAVING n > 5", "CIM_X"},
    {"SELECT x.a, x.* FROM CIM_X AS x WHERE x.b = 1", "CIM_X"},
    {"SELECT * FROM CIM_X WHERE a ISA 'CIM_Y'", "CIM_X CIM_Y"},
    {"SELECT * FROM CIM_X WHERE a isa CIM_Y", "CIM_X CIM_Y"},
    {"SELECT * FROM CIM_X WHERE a ISA \"cim_x\"", "CIM_X"},
    {"SELECT * FROM CIM_X WHERE a.CIM_Y::b = 1", "CIM_X CIM_Y"},
    {"SELECT CIM_Y::a FROM CIM_X", "CIM_Y CIM_X"},
    {"SELECT * FROM CIM_X WHERE a ISA 'B' AND c ISA 'C'", "CIM_X B C"},
    {"SELECT * FROM from_x WHERE selected = fromage", "from_x"},

    {"SELECT * FROM CIM_X WHERE a ISA 'B' AND c ISA 'C' OR d ISA 'D'", NULL}, /* too many */
    {"", NULL},
    {"SELECT", NULL},
    {"SELECT *", NULL},
    {"SELECT * FROM", NULL},
    {"SELECT FROM CIM_X", NULL},
    {"SELECT a b FROM CIM_X", NULL},
    {"SELECT a, FROM CIM_X", NULL},
    {"SELECT *, a FROM CIM_X", NULL},
    {"SELECT * FROM 'CIM_X'", NULL},
    {"SELECT * FROM \"CIM_X\"", NULL},
    {"SELECT * FROM [CIM_X]", NULL},
    {"SELECT * FROM CIM-X", NULL},
    {"SELECT * FROM 1CIM", NULL},
    {"SELECT * FROM root.CIM_X", NULL},
    {"SELECT * FROM CIM_X.a", NULL},
    {"SELECT * FROM root/cimv2:CIM_X", NULL},
    {"SELECT * FROM CIM_X, CIM_Y", NULL},
    {"SELECT * FROM CIM_X x", NULL},
    {"SELECT * FROM CIM_X AS", NULL},
    {"SELECT * FROM CIM_X AS x, CIM_Y AS y", NULL},
    {"SELECT * FROM CIM_X JOIN CIM_Y ON a = b", NULL},
    {"SELECT * FROM CIM_X WHERE a = 1 JOIN CIM_Y", NULL},
    {"SELECT * FROM CIM_X WHERE a IN (SELECT b FROM CIM_Y)", NULL},
    {"SELECT * FROM CIM_X UNION SELECT * FROM CIM_Y", NULL},
    {"SELECT * FROM CIM_X;", NULL},
    {"SELECT * FROM CIM_X; SELECT * FROM CIM_Y", NULL},
    {"SELECT * FROM CIM_X WHERE a = 1;", NULL},
    {"SELECT * FROM SELECT", NULL},
    {"SELECT * FROM FROM CIM_X", NULL},
    {"SELECT * FROM WHERE", NULL},
    {"SELECT 'a FROM CIM_X' FROM CIM_Y", NULL},
    {"SELECT f(a) FROM CIM_X", NULL},
    {"SELECT /* FROM CIM_X */ * FROM CIM_Y", NULL},
    {"SELECT * FROM CIM_X -- FROM CIM_Y", NULL},
    {"SELECT * FROM CIM_X WHERE a = 1 -- b", NULL},
    {"SELECT * FROM CIM_X WHERE a = /* */ 1", NULL},
    {"SELECT * FROM CIM_X WHERE a = 'open", NULL},
    {"SELECT * FROM CIM_X WHERE a = 'x\\' FROM CIM_Y WHERE b = '", NULL},
    {"SELECT * FROM CIM_X WHERE a = 'x\\\\\\'y'", NULL},
    {"SELECT * FROM CIM_X WHERE a = 'x\\", NULL},
    {"SELECT * FROM CIM_X WHERE a = 'x\\' AND b = 'y'", NULL},
    {"SELECT * FROM CIM_X WHERE a = (SELECT b)", NULL},
    {"SELECT * FROM CIM_X WHERE a = 'caf\xC3'", NULL},
    {"SELECT * FROM CIM_X WHERE a = 'x\ny'", NULL},
    {"SELECT * FROM CIM_X\x0B", NULL},
    {"SELECT\xC2\xA0* FROM CIM_X", NULL},
    {"SELECT * FROM caf\xC3\xA9", NULL},
    {"SELECT * FROM CIM_X WHERE a ISA", NULL},
    {"SELECT * FROM CIM_X WHERE a ISA 'CIM Y'", NULL},
    {"SELECT * FROM CIM_X WHERE a ISA ('CIM_Y')", NULL},
    {"SELECT * FROM CIM_X WHERE ::a = 1", NULL},
    {"SELECT * FROM CIM_X WHERE a::", NULL},
    {"SELECT * FROM CIM_X WHERE a : b", NULL},
    {"SELECT * FROM meta_class", NULL},
    {"SELECT * FROM META_CLASS WHERE __this ISA 'CIM_X'", NULL},
    {"ASSOCIATORS OF {CIM_X.a=1}", NULL},
    {"REFERENCES OF {CIM_X.a=1} WHERE ClassDefsOnly", NULL},
    {"SELECT DISTINCT a FROM CIM_X", NULL},
    {"CREATE CLASS CIM_X", NULL},
    {"SELECT * FROM " LONG64 LONG64, NULL},
};

static void put_names(const struct cim_names *names, char text[CIM_CLASSES * CIM_CLASS_SIZE])
{
    size_t length = 0;

    text[0] = '\0';
    for (int i = 0; i < CIM_CLASSES && names->classes[i][0] != '\0'; i++) {
        length += (size_t)snprintf(text + length, CIM_CLASSES * CIM_CLASS_SIZE - length, "%s%s",
                                   i == 0 ? "" : " ", names->classes[i]);
    }
}

START_TEST(query_row)
{
    char found[CIM_CLASSES * CIM_CLASS_SIZE];
    struct cim_names names;
    const struct cim_written written = {.operation = OPERATION_QUERY_INSTANCES,
                                        .name_space = "root",
                                        .dialect = "WQL",
                                        .query = queries[_i].query};

    cim_names_read(&names, &written);
    put_names(&names, found);
    ck_assert_msg(names.unreadable == (queries[_i].classes != NULL ? 0 : CALL_UNREADABLE_CLASS) &&
                      (queries[_i].classes == NULL || strcmp(found, queries[_i].classes) == 0),
                  "%s: %u %s", queries[_i].query, names.unreadable, found);
}
END_TEST

START_TEST(dialects)
{
    static const struct {
        const char *name;
        bool known;
    } rows[] = {{"WQL", true},   {"wql", true},   {"CQL", true},   {"DMTF:CQL", true},
                {"", false},     {"WQL ", false}, {"SQL", false},  {"W", false},
                {"CQLX", false}, {NULL, false},   {"DMTF:", false}};
    struct cim_names names;

    for (int i = 0; i < LENGTH(rows); i++) {
        memset(&names, 0, sizeof(names));
        ck_assert_msg(cim_query_read(rows[i].name, "SELECT * FROM A", &names) == rows[i].known,
                      "%s", rows[i].name);
    }
}
END_TEST

/* ---- what an operation needs ----------------------------------------------------------------- */

static unsigned unreadable(enum operation operation, const char *space, const char *class_name,
                           const char *method)
{
    struct cim_names names;
    const struct cim_written written = {.operation = operation,
                                        .name_space = space,
                                        .classes = {class_name, "Other"},
                                        .method = method};

    cim_names_read(&names, &written);
    return names.unreadable;
}

START_TEST(needed_names)
{
    for (unsigned i = 0; i < OPERATION_COUNT; i++) {
        enum operation operation = (enum operation)i;
        bool space = i >= OPERATION_GET_INSTANCE && i <= OPERATION_ENUMERATE_CLASSES;
        bool class_name = space && i != OPERATION_ENUMERATE_CLASSES;
        unsigned missing = (space ? CALL_UNREADABLE_SPACE : 0u) |
                           (class_name ? CALL_UNREADABLE_CLASS : 0u) |
                           (i == OPERATION_INVOKE ? CALL_UNREADABLE_METHOD : 0u);
        ck_assert_uint_eq(unreadable(operation, NULL, NULL, NULL), missing);
        ck_assert_uint_eq(unreadable(operation, "", "", ""), missing);
        ck_assert_uint_eq(unreadable(operation, "root", "A", "M"), 0);
        ck_assert_uint_eq(unreadable(operation, " ", "A", "M"), CALL_UNREADABLE_SPACE);
        ck_assert_uint_eq(unreadable(operation, "root", "A ", "M"), CALL_UNREADABLE_CLASS);
        ck_assert_uint_eq(unreadable(operation, "root", "A", "M "), CALL_UNREADABLE_METHOD);
        ck_assert_uint_eq(unreadable(operation, "root", "A", "1M"), CALL_UNREADABLE_METHOD);
        ck_assert_uint_eq(unreadable(operation, "root", "A", LONG64 LONG64),
                          CALL_UNREADABLE_METHOD);
        ck_assert_uint_eq(unreadable(operation, "root", "A", LONG64 LONG64 + 1), 0);
    }
}
END_TEST

START_TEST(names_that_are_kept)
{
    struct cim_names names;
    struct cim_written written = {.operation = OPERATION_ASSOCIATOR_INSTANCES,
                                  .name_space = "\\root\\x",
                                  .classes = {"A", "a", "B"}};

    cim_names_read(&names, &written);
    ck_assert_str_eq(names.name_space, "root/x");
    ck_assert_str_eq(names.classes[0], "A");
    ck_assert_str_eq(names.classes[1], "B"); /* one class once */
    ck_assert_str_eq(names.classes[2], "");
    written.classes[1] = "no class";
    written.name_space = " root ";
    cim_names_read(&names, &written);
    ck_assert_uint_eq(names.unreadable, CALL_UNREADABLE_SPACE | CALL_UNREADABLE_CLASS);
    ck_assert_str_eq(names.name_space, " root "); /* for the record */
    ck_assert_str_eq(names.classes[1], "no class");
    ck_assert_str_eq(names.classes[2], "B");
    written = (struct cim_written){.name_space = LONG64 LONG64 LONG64 LONG64, .class_hidden = true};
    cim_names_read(&names, &written);
    ck_assert_str_eq(names.name_space, written.name_space); /* one byte more than can be read */
    ck_assert_uint_eq(names.unreadable, CALL_UNREADABLE_SPACE | CALL_UNREADABLE_CLASS);
    written = (struct cim_written){.operation = OPERATION_INVOKE,
                                   .name_space = LONG64 LONG64 LONG64 LONG64 "x",
                                   .classes = {LONG64 LONG64 "x"},
                                   .method = LONG64 LONG64 "x"};
    cim_names_read(&names, &written);
    ck_assert_ptr_nonnull(strstr(names.name_space, "p...[257 bytes #"));
    ck_assert_ptr_nonnull(strstr(names.classes[0], "p...[129 bytes #"));
    ck_assert_str_eq(names.method, names.classes[0]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cim name");
    TCase *tests = tcase_create("cim name");

    tcase_add_loop_test(tests, space_row, 0, LENGTH(spaces));
    tcase_add_loop_test(tests, class_row, 0, LENGTH(classes));
    tcase_add_loop_test(tests, query_row, 0, LENGTH(queries));
    tcase_add_test(tests, dialects);
    tcase_add_test(tests, needed_names);
    tcase_add_test(tests, names_that_are_kept);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}

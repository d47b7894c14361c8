/* SPDX-License-Identifier: MIT */
/*
 * What the command prints of an instance in MOF, it reads again as the same instance: random ones
 * of a class with every type of CIM, through the host's own conversion.
 *
 * The command's files are compiled in here, since no library has them.
 */
#include <check.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "host/object/object.h"
#include "miguard/host.h"
#include "tools/cli/render.c"
#include "tools/cli/run_mof.c"
#include "tools/cli/terminal.c"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* ---- a class with every type ---------------------------------------------------------------- */

/* Each field as long as the longest: an array of 16 bytes or a datetime, and the two behind it. */
enum { TYPES = 32, FIELD_BYTES = 48 };

struct every {
    MI_Instance instance;
    _Alignas(8) char fields[TYPES][FIELD_BYTES];
};

static MI_PropertyDecl decls[TYPES];
static const MI_PropertyDecl *properties[TYPES];
static char names[TYPES][8];
static MI_SchemaDecl schema;
static const MI_ProviderFT provider_ft;

struct end {
    MI_Instance instance;
    MI_ConstStringField Id;
    MI_ConstUint16Field Number;
};

#define END_PROPERTY(NAME, TYPE)                                                                   \
    {                                                                                              \
        .flags = MI_FLAG_PROPERTY | MI_FLAG_KEY, .name = #NAME, .type = TYPE,                      \
        .offset = offsetof(struct end, NAME), .origin = "T_End", .propagator = "T_End"             \
    }
static const MI_PropertyDecl end_id = END_PROPERTY(Id, MI_STRING);
static const MI_PropertyDecl end_number = END_PROPERTY(Number, MI_UINT16);
static const MI_PropertyDecl *const end_properties[] = {&end_id, &end_number};
static const MI_ClassDecl end_decl = {.flags = MI_FLAG_CLASS,
                                      .name = "T_End",
                                      .properties = end_properties,
                                      .numProperties = COUNT(end_properties),
                                      .size = sizeof(struct end),
                                      .schema = &schema,
                                      .providerFT = &provider_ft};
static MI_ClassDecl every_decl = {.flags = MI_FLAG_CLASS,
                                  .name = "T_Every",
                                  .properties = properties,
                                  .numProperties = TYPES,
                                  .size = sizeof(struct every),
                                  .schema = &schema,
                                  .providerFT = &provider_ft};
static const MI_ClassDecl *const classes[] = {&end_decl, &every_decl};

static MI_Module *every_main(MI_Server *server)
{
    static MI_Module module = {
        .version = MI_VERSION, .charSize = sizeof(MI_Char), .schemaDecl = &schema};

    (void)server;
    return &module;
}

/* The value of MI_Type without the array bit, then with it; arrays of references are none of MOF's
 * scalars but the host has them. */
static void declare_all(void)
{
    for (unsigned i = 0; i < TYPES; i++) {
        MI_Type type = (MI_Type)(i < 16 ? i : MI_ARRAY | (i - 16));
        snprintf(names[i], sizeof(names[i]), "P%u", i);
        decls[i] = (MI_PropertyDecl){
            .flags = MI_FLAG_PROPERTY | (scalar_type(type) == MI_REFERENCE ? MI_FLAG_REFERENCE : 0),
            .name = names[i],
            .type = type,
            .className = scalar_type(type) >= MI_REFERENCE ? "T_End" : NULL,
            .offset = (MI_Uint32)(offsetof(struct every, fields) + (size_t)i * FIELD_BYTES),
            .origin = "T_Every",
            .propagator = "T_Every"};
        properties[i] = &decls[i];
    }
    decls[13].flags |= MI_FLAG_KEY; /* a string */
    schema = (MI_SchemaDecl){.classDecls = classes, .numClassDecls = COUNT(classes)};
}

/* ---- random values -------------------------------------------------------------------------- */

static uint64_t state;

/* splitmix64 */
static uint64_t next(void)
{
    uint64_t z = (state += UINT64_C(0x9E3779B97F4A7C15));

    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

static unsigned below(unsigned most)
{
    return (unsigned)(next() % most);
}

/* Of all planes, with what a terminal must not see, and MOF must escape, more often. */
static uint32_t random_point(void)
{
    static const uint32_t special[] = {'"',     '\\',   '\n',   '\r',   '\t',   1,       0x1B,
                                       0x7F,    0x9B,   0x200B, 0x202E, 0xFFFE, 0xE0001, 0x10FFFF,
                                       0x1F600, 0xFEFF, '/',    '*',    '{',    '$',     0xE9};
    uint32_t point = below(2) == 0   ? special[below(COUNT(special))]
                     : below(3) == 0 ? 1 + below(0x10FFFF)
                                     : 0x20 + below(0x5F);

    return (point >= 0xD800 && point < 0xE000) || point == 0xFFFD ? 'x' : point;
}

static char *random_text(char text[64])
{
    char *at = text;

    for (unsigned count = below(12); count > 0; count--) {
        uint32_t point = random_point();
        if (point < 0x80) {
            *at++ = (char)point;
        } else if (point < 0x800) {
            *at++ = (char)(0xC0 | point >> 6);
            *at++ = (char)(0x80 | (point & 0x3F));
        } else {
            if (point >= 0x10000) {
                *at++ = (char)(0xF0 | point >> 18);
                *at++ = (char)(0x80 | (point >> 12 & 0x3F));
            } else {
                *at++ = (char)(0xE0 | point >> 12);
            }
            *at++ = (char)(0x80 | (point >> 6 & 0x3F));
            *at++ = (char)(0x80 | (point & 0x3F));
        }
    }
    *at = '\0';
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

static MI_Instance *random_end(void)
{
    MI_Instance *end = NULL;
    MI_Value value = {0};
    char text[64];

    ck_assert_int_eq(instance_new(&end_decl, &end), MI_RESULT_OK);
    value.string = random_text(text);
    ck_assert_int_eq(MI_Instance_SetElement(end, "Id", &value, MI_STRING, 0), MI_RESULT_OK);
    value.uint16 = (MI_Uint16)next();
    ck_assert_int_eq(MI_Instance_SetElement(end, "Number", &value, MI_UINT16, 0), MI_RESULT_OK);
    return end;
}

/* MOF has no number that is not finite. */
static double random_real(bool narrow)
{
    double value;

    do {
        uint64_t bits = next();
        uint32_t half = (uint32_t)bits;
        float small;
        memcpy(&value, &bits, sizeof(value));
        memcpy(&small, &half, sizeof(small));
        value = narrow ? (double)small : value;
    } while (!isfinite(value));
    return below(3) == 0 ? (double)(int)below(100) : value;
}

/* Text and instances are on the heap: release_value(). */
static MI_Value random_value(MI_Type type)
{
    MI_Value value = {.uint64 = below(3) == 0 ? below(3) : next()};
    char text[64];

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
    case MI_DATETIME:
        value.datetime = random_datetime();
        break;
    case MI_STRING:
        value.string = strdup(random_text(text));
        break;
    case MI_REFERENCE:
    case MI_INSTANCE:
        value.instance = random_end();
        break;
    default:
        break;
    }
    return value;
}

static void release_value(MI_Type type, MI_Value *value)
{
    if (type == MI_STRING) {
        free(value->string);
    } else if (type >= MI_REFERENCE) {
        MI_Instance_Delete(value->instance);
    }
}

static void set_scalar(MI_Instance *instance, unsigned i)
{
    MI_Value value = random_value(decls[i].type);

    ck_assert_int_eq(MI_Instance_SetElement(instance, names[i], &value, decls[i].type, 0),
                     MI_RESULT_OK);
    release_value(decls[i].type, &value);
}

static void set_array(MI_Instance *instance, unsigned i)
{
    enum { MOST = 9 };
    const MI_Type type = scalar_type(decls[i].type);
    const size_t size = value_element_size(type);
    MI_Value items[MOST], array = {0};
    unsigned count = below(MOST);
    char *packed = calloc(MOST, size);

    ck_assert_ptr_nonnull(packed);
    for (unsigned k = 0; k < count; k++) {
        items[k] = random_value(type);
        memcpy(packed + k * size, &items[k], size);
    }
    array.array.data = packed;
    array.array.size = count;
    ck_assert_int_eq(MI_Instance_SetElement(instance, names[i], &array, decls[i].type, 0),
                     MI_RESULT_OK);
    for (unsigned k = 0; k < count; k++) {
        release_value(type, &items[k]);
    }
    free(packed);
}

static MI_Instance *random_instance(void)
{
    MI_Instance *instance = NULL;

    ck_assert_int_eq(instance_new(&every_decl, &instance), MI_RESULT_OK);
    for (unsigned i = 0; i < TYPES; i++) {
        if (below(4) != 0) {
            (decls[i].type & MI_ARRAY) != 0 ? set_array(instance, i) : set_scalar(instance, i);
        }
    }
    return instance;
}

/* ---- the way round -------------------------------------------------------------------------- */

static void expect_same(const MI_Instance *a, const MI_Instance *b, const char *text)
{
    for (MI_Uint32 i = 0; i < TYPES; i++) {
        MI_Value x, y;
        MI_Uint32 x_flags = 0, y_flags = 0;
        ck_assert_int_eq(instance_element_at(a, i, NULL, &x, NULL, &x_flags), MI_RESULT_OK);
        ck_assert_int_eq(instance_element_at(b, i, NULL, &y, NULL, &y_flags), MI_RESULT_OK);
        ck_assert_msg((x_flags & MI_FLAG_NULL) == (y_flags & MI_FLAG_NULL), "%s: %s", names[i],
                      text);
        ck_assert_msg((x_flags & MI_FLAG_NULL) != 0 || value_equal(decls[i].type, &x, &y), "%s: %s",
                      names[i], text);
    }
}

static void go_round(const struct run_shape *shape, MI_Application *application)
{
    MI_Instance *instance = random_instance(), *made = NULL, *again = NULL;
    const struct instance_convert how = {.schema = &schema, .reject_unknown = true};
    struct run_input input = {.name = "text"};
    struct mof_error error;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    ck_assert_ptr_nonnull(out);
    render_mof(out, instance, below(2) == 0);
    ck_assert_int_eq(fclose(out), 0);
    ck_assert_msg(mof_read(text, size, &input.mof, &error), "%u:%u: %s in\n%s", error.line,
                  error.column, error.text, text);
    ck_assert_int_eq(MI_Application_NewInstance(application, "T_Every", NULL, &made), MI_RESULT_OK);
    ck_assert_msg(run_mof_add(application, shape, &input, made) == CLI_YES, "%s", text);
    MI_Result result = instance_convert_to(made, &every_decl, &how, &again);
    ck_assert_msg(result == MI_RESULT_OK, "%d: %s", (int)result, text);
    expect_same(instance, again, text);
    mof_free(input.mof);
    instance_delete(instance);
    instance_delete(made);
    instance_delete(again);
    free(text);
}

START_TEST(printed_instances_are_read_again)
{
    const char *quick = getenv("QUICK"), *seed = getenv("SEED");
    struct miguard_host *host = NULL;
    struct miguard_error host_error;
    MI_Session session = MI_SESSION_NULL;
    MI_Application application = MI_APPLICATION_NULL;

    state = seed != NULL ? (uint64_t)strtoull(seed, NULL, 10) : (uint64_t)time(NULL);
    printf("SEED=%llu\n", (unsigned long long)state);
    fflush(stdout);
    declare_all();
    ck_assert_int_eq(miguard_host_new(NULL, &host, &host_error), MIGUARD_OK);
    ck_assert_msg(miguard_host_add(host, every_main, "root/test", &host_error) == MIGUARD_OK, "%s",
                  host_error.detail);
    ck_assert_int_eq(miguard_host_session(host, &session, &host_error), MIGUARD_OK);
    ck_assert_int_eq(MI_Session_GetApplication(&session, &application), MI_RESULT_OK);
    const struct run_shape shape = {&session, "root/test", "T_Every", NULL};
    for (int i = quick != NULL ? 500 : 5000; i > 0; i--) {
        go_round(&shape, &application);
    }
    MI_Session_Close(&session, NULL, NULL);
    miguard_host_free(host);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mof_round");
    TCase *all = tcase_create("all");

    tcase_set_timeout(all, 300);
    tcase_add_test(all, printed_instances_are_read_again);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}

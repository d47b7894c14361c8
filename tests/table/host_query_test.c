/* SPDX-License-Identifier: MIT */
/*
 * Queries through the embedded server: each row is a condition or a query, with the instances that
 * it finds or the error that it ends with. The rows of comparisons were computed by a model of the
 * rules in another language; the others are written by hand.
 */
#include <MI.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/object/object.h"
#include "host/query/query.h"
#include "miguard/host.h"

#define SPACE    "root/query"
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static unsigned passed, failed;

static void check(bool good, const char *what, const char *query, const char *got)
{
    passed += good;
    failed += !good;
    if (!good) {
        printf("FAIL %s: %s: got %s\n", what, query, got);
    }
}

/* ---- the classes ------------------------------------------------------------------------- */

struct inner {
    MI_Instance instance;
    MI_ConstStringField Label;
    MI_ConstUint32Field Size;
};

struct item {
    MI_Instance instance;
    MI_ConstStringField Name;
    MI_ConstUint8Field U8;
    MI_ConstSint8Field S8;
    MI_ConstUint16Field U16;
    MI_ConstSint16Field S16;
    MI_ConstUint32Field U32;
    MI_ConstSint32Field S32;
    MI_ConstUint64Field U64;
    MI_ConstSint64Field S64;
    MI_ConstReal32Field R32;
    MI_ConstReal64Field R64;
    MI_ConstChar16Field C16;
    MI_ConstBooleanField Flag;
    MI_ConstStringField Text;
    MI_ConstDatetimeField When;
    MI_ConstStringAField Tags;
    MI_ConstReferenceField Other;
    MI_ConstInstanceField Inner;
};

#define PROPERTY(STRUCT, MEMBER, TYPE, FLAGS, CLASS)                                               \
    {                                                                                              \
        .flags = MI_FLAG_PROPERTY | (FLAGS), .name = #MEMBER, .type = (TYPE), .className = CLASS,  \
        .offset = offsetof(struct STRUCT, MEMBER), .origin = "Q", .propagator = "Q"                \
    }

static const MI_PropertyDecl inner_decls[] = {
    PROPERTY(inner, Label, MI_STRING, 0, NULL),
    PROPERTY(inner, Size, MI_UINT32, 0, NULL),
};
static const MI_PropertyDecl *const inner_properties[] = {&inner_decls[0], &inner_decls[1]};
static const MI_PropertyDecl item_decls[] = {
    PROPERTY(item, Name, MI_STRING, MI_FLAG_KEY, NULL),
    PROPERTY(item, U8, MI_UINT8, 0, NULL),
    PROPERTY(item, S8, MI_SINT8, 0, NULL),
    PROPERTY(item, U16, MI_UINT16, 0, NULL),
    PROPERTY(item, S16, MI_SINT16, 0, NULL),
    PROPERTY(item, U32, MI_UINT32, 0, NULL),
    PROPERTY(item, S32, MI_SINT32, 0, NULL),
    PROPERTY(item, U64, MI_UINT64, 0, NULL),
    PROPERTY(item, S64, MI_SINT64, 0, NULL),
    PROPERTY(item, R32, MI_REAL32, 0, NULL),
    PROPERTY(item, R64, MI_REAL64, 0, NULL),
    PROPERTY(item, C16, MI_CHAR16, 0, NULL),
    PROPERTY(item, Flag, MI_BOOLEAN, 0, NULL),
    PROPERTY(item, Text, MI_STRING, 0, NULL),
    PROPERTY(item, When, MI_DATETIME, 0, NULL),
    PROPERTY(item, Tags, MI_STRINGA, 0, NULL),
    PROPERTY(item, Other, MI_REFERENCE, MI_FLAG_REFERENCE, "Q_Item"),
    PROPERTY(item, Inner, MI_INSTANCE, 0, NULL),
};
static const MI_PropertyDecl *item_properties[COUNT(item_decls)];

static MI_SchemaDecl schema;
static const MI_ProviderFT item_ft, special_ft, silent_ft;

static const MI_ClassDecl inner_decl = {.flags = MI_FLAG_CLASS,
                                        .name = "Q_Inner",
                                        .properties = inner_properties,
                                        .numProperties = COUNT(inner_properties),
                                        .size = sizeof(struct inner),
                                        .schema = &schema};
static const MI_ClassDecl special_inner_decl = {.flags = MI_FLAG_CLASS,
                                                .name = "Q_SpecialInner",
                                                .properties = inner_properties,
                                                .numProperties = COUNT(inner_properties),
                                                .size = sizeof(struct inner),
                                                .superClass = "Q_Inner",
                                                .superClassDecl = &inner_decl,
                                                .schema = &schema};
static const MI_ClassDecl base_decl = {.flags = MI_FLAG_CLASS | MI_FLAG_ABSTRACT,
                                       .name = "Q_Base",
                                       .properties = item_properties,
                                       .numProperties = 1,
                                       .size = sizeof(struct item),
                                       .schema = &schema};
static const MI_ClassDecl item_decl = {.flags = MI_FLAG_CLASS,
                                       .name = "Q_Item",
                                       .properties = item_properties,
                                       .numProperties = COUNT(item_decls),
                                       .size = sizeof(struct item),
                                       .superClass = "Q_Base",
                                       .superClassDecl = &base_decl,
                                       .schema = &schema,
                                       .providerFT = &item_ft};
/* Derived, with one instance of its own. */
static const MI_ClassDecl special_decl = {.flags = MI_FLAG_CLASS,
                                          .name = "Q_Special",
                                          .properties = item_properties,
                                          .numProperties = COUNT(item_decls),
                                          .size = sizeof(struct item),
                                          .superClass = "Q_Base",
                                          .superClassDecl = &base_decl,
                                          .schema = &schema,
                                          .providerFT = &special_ft};
static const MI_ClassDecl silent_decl = {.flags = MI_FLAG_CLASS,
                                         .name = "Q_Silent",
                                         .properties = item_properties,
                                         .numProperties = 1,
                                         .size = sizeof(struct item),
                                         .schema = &schema,
                                         .providerFT = &silent_ft};
static const MI_ClassDecl *const classes[] = {&inner_decl, &special_inner_decl, &base_decl,
                                              &item_decl,  &special_decl,       &silent_decl};

/* ---- the instances ----------------------------------------------------------------------- */

#define SET(FIELD, VALUE) ((FIELD).value = (VALUE), (FIELD).exists = MI_TRUE)

static void set_text(MI_Instance *instance, const char *name, const char *text)
{
    MI_Value value = {.string = (MI_Char *)(uintptr_t)text};
    MI_Instance_SetElement(instance, name, &value, MI_STRING, 0);
}

static void set_when(struct item *item, const char *text)
{
    MI_Datetime when;

    if (value_from_text(MI_DATETIME, text, &when) == MI_RESULT_OK) {
        SET(item->When, when);
    }
}

static void set_inner(MI_Context *context, struct item *item, const MI_ClassDecl *decl,
                      const char *label, MI_Uint32 size)
{
    MI_Instance *inner = NULL;
    MI_Value value;

    if (MI_Context_NewInstance(context, decl, &inner) != MI_RESULT_OK) {
        return;
    }
    set_text(inner, "Label", label);
    SET(((struct inner *)(void *)inner)->Size, size);
    value.instance = inner;
    MI_Instance_SetElement(&item->instance, "Inner", &value, MI_INSTANCE, 0);
    MI_Instance_Delete(inner);
}

static void fill_a(MI_Context *context, struct item *item)
{
    SET(item->U8, 1);
    SET(item->S8, -1);
    SET(item->U16, 1);
    SET(item->S16, -1);
    SET(item->U32, 1);
    SET(item->S32, -1);
    SET(item->U64, 1);
    SET(item->S64, -1);
    SET(item->R32, 1.5F);
    SET(item->R64, -2.5);
    SET(item->C16, 'A');
    SET(item->Flag, MI_TRUE);
    set_text(&item->instance, "Text", "Alpha");
    set_when(item, "20200101000000.000000+000");
    set_inner(context, item, &inner_decl, "in one", 10);
}

static void fill_b(MI_Context *context, struct item *item)
{
    SET(item->U8, 255);
    SET(item->S8, 127);
    SET(item->U16, 65535);
    SET(item->S16, 32767);
    SET(item->U32, 4294967295U);
    SET(item->S32, 2147483647);
    SET(item->U64, 18446744073709551615ULL);
    SET(item->S64, 9223372036854775807LL);
    SET(item->R32, 0.0F);
    SET(item->R64, 1e300);
    SET(item->C16, 0x20AC);
    SET(item->Flag, MI_FALSE);
    set_text(&item->instance, "Text", "beta");
    set_when(item, "20210615123000.500000+120");
    set_inner(context, item, &special_inner_decl, "IN TWO", 20);
}

static void fill_c(MI_Context *context, struct item *item)
{
    (void)context;
    SET(item->U8, 0);
    SET(item->S8, -128);
    SET(item->U16, 0);
    SET(item->S16, -32768);
    SET(item->U32, 0);
    SET(item->S32, -2147483647 - 1);
    SET(item->U64, 0);
    SET(item->S64, -9223372036854775807LL - 1);
    SET(item->R32, -1.5F);
    SET(item->R64, 2.5);
    SET(item->C16, 0);
    SET(item->Flag, MI_TRUE);
    set_text(&item->instance, "Text", "gamma delta");
    set_when(item, "00000001000000.000000:000");
}

static void fill_nothing(MI_Context *context, struct item *item)
{
    (void)context;
    (void)item;
}

static void post(MI_Context *context, const MI_ClassDecl *decl, const char *name,
                 void (*fill)(MI_Context *, struct item *))
{
    struct item item;

    if (MI_Context_ConstructInstance(context, decl, &item.instance) == MI_RESULT_OK) {
        set_text(&item.instance, "Name", name);
        fill(context, &item);
        MI_Context_PostInstance(context, &item.instance);
        MI_Instance_Destruct(&item.instance);
    }
}

/* What the provider got as a filter: the number of its own matches, or -1 without. */
static int filter_matches;
static MI_Uint32 module_flags;

static void enumerate_items(void *self, MI_Context *context, const MI_Char *name_space,
                            const MI_Char *class_name, const MI_PropertySet *set,
                            MI_Boolean keys_only, const MI_Filter *filter)
{
    const MI_Char *language = NULL, *expression = NULL;
    MI_Boolean match = MI_FALSE;
    struct item item;
    (void)self, (void)name_space, (void)class_name, (void)set, (void)keys_only;

    filter_matches = -1;
    if (filter != NULL && MI_Filter_GetExpression(filter, &language, &expression) == MI_RESULT_OK &&
        MI_Context_ConstructInstance(context, &item_decl, &item.instance) == MI_RESULT_OK) {
        fill_a(context, &item);
        MI_Result result = MI_Filter_Evaluate(filter, &item.instance, &match);
        filter_matches = result == MI_RESULT_OK && strcmp(language, "WQL") == 0 &&
                                 strncmp(expression, "SELECT", 6) == 0
                             ? match
                             : 99;
        MI_Instance_Destruct(&item.instance);
    }
    post(context, &item_decl, "a", fill_a);
    post(context, &item_decl, "b", fill_b);
    post(context, &item_decl, "c", fill_c);
    post(context, &item_decl, "n", fill_nothing);
    MI_Context_PostResult(context, MI_RESULT_OK);
}

static void enumerate_special(void *self, MI_Context *context, const MI_Char *name_space,
                              const MI_Char *class_name, const MI_PropertySet *set,
                              MI_Boolean keys_only, const MI_Filter *filter)
{
    (void)self, (void)name_space, (void)class_name, (void)set, (void)keys_only, (void)filter;
    post(context, &special_decl, "s", fill_b);
    MI_Context_PostResult(context, MI_RESULT_OK);
}

static const MI_ProviderFT item_ft = {.EnumerateInstances = enumerate_items};
static const MI_ProviderFT special_ft = {.EnumerateInstances = enumerate_special};
static const MI_ProviderFT silent_ft;

/* A class that no declaration describes: elements as in Q_Item, but dynamic. */
static void enumerate_dynamic(void *self, MI_Context *context, const MI_Char *name_space,
                              const MI_Char *class_name, const MI_PropertySet *set,
                              MI_Boolean keys_only, const MI_Filter *filter)
{
    MI_Instance *instance = NULL;
    MI_Value name = {.string = (MI_Char *)(uintptr_t) "d"}, number = {.uint32 = 7};
    (void)self, (void)name_space, (void)set, (void)keys_only, (void)filter;

    if (MI_Context_NewDynamicInstance(context, class_name, 0, &instance) == MI_RESULT_OK) {
        MI_Instance_AddElement(instance, "Name", &name, MI_STRING, MI_FLAG_KEY);
        MI_Instance_AddElement(instance, "Number", &number, MI_UINT32, 0);
        MI_Instance_AddElement(instance, "Digits",
                               &(MI_Value){.string = (MI_Char *)(uintptr_t) "7"}, MI_STRING, 0);
        MI_Context_PostInstance(context, instance);
        MI_Instance_Delete(instance);
    }
    MI_Context_PostResult(context, MI_RESULT_OK);
}

static const MI_ProviderFT dynamic_ft = {.EnumerateInstances = enumerate_dynamic};

static MI_Module *query_main(MI_Server *server)
{
    static MI_Module module;
    (void)server;

    for (size_t i = 0; i < COUNT(item_decls); i++) {
        item_properties[i] = &item_decls[i];
    }
    schema = (MI_SchemaDecl){.classDecls = classes, .numClassDecls = COUNT(classes)};
    module = (MI_Module){.version = MI_VERSION,
                         .flags = module_flags,
                         .charSize = sizeof(MI_Char),
                         .schemaDecl = &schema,
                         .dynamicProviderFT = &dynamic_ft};
    return &module;
}

/* ---- conditions: SELECT * FROM Q_Item WHERE ... ------------------------------------------- */

static const struct {
    const char *condition, *names;
} conditions[] = {
    /* computed */
    {"U8 = 1", "a"},
    {"U8 <> 1", "bcn"},
    {"U8 < 1", "c"},
    {"U8 <= 1", "ac"},
    {"U8 > 1", "b"},
    {"U8 >= 1", "ab"},
    {"U8 = -1", ""},
    {"U8 <> -1", "abcn"},
    {"U8 < -1", ""},
    {"U8 <= -1", ""},
    {"U8 > -1", "abc"},
    {"U8 >= -1", "abc"},
    {"S8 = -1", "a"},
    {"S8 <> -1", "bcn"},
    {"S8 < -1", "c"},
    {"S8 <= -1", "ac"},
    {"S8 > -1", "b"},
    {"S8 >= -1", "ab"},
    {"S8 = 200", ""},
    {"S8 <> 200", "abcn"},
    {"S8 < 200", "abc"},
    {"S8 <= 200", "abc"},
    {"S8 > 200", ""},
    {"S8 >= 200", ""},
    {"U16 = 65535", "b"},
    {"U16 <> 65535", "acn"},
    {"U16 < 65535", "ac"},
    {"U16 <= 65535", "abc"},
    {"U16 > 65535", ""},
    {"U16 >= 65535", "b"},
    {"S16 = -32768", "c"},
    {"S16 <> -32768", "abn"},
    {"S16 < -32768", ""},
    {"S16 <= -32768", "c"},
    {"S16 > -32768", "ab"},
    {"S16 >= -32768", "abc"},
    {"U32 = 4294967295", "b"},
    {"U32 <> 4294967295", "acn"},
    {"U32 < 4294967295", "ac"},
    {"U32 <= 4294967295", "abc"},
    {"U32 > 4294967295", ""},
    {"U32 >= 4294967295", "b"},
    {"S32 = 0", ""},
    {"S32 <> 0", "abcn"},
    {"S32 < 0", "ac"},
    {"S32 <= 0", "ac"},
    {"S32 > 0", "b"},
    {"S32 >= 0", "b"},
    {"U64 = 18446744073709551615", "b"},
    {"U64 <> 18446744073709551615", "acn"},
    {"U64 < 18446744073709551615", "ac"},
    {"U64 <= 18446744073709551615", "abc"},
    {"U64 > 18446744073709551615", ""},
    {"U64 >= 18446744073709551615", "b"},
    {"U64 = -1", ""},
    {"U64 <> -1", "abcn"},
    {"U64 < -1", ""},
    {"U64 <= -1", ""},
    {"U64 > -1", "abc"},
    {"U64 >= -1", "abc"},
    {"S64 = -9223372036854775808", "c"},
    {"S64 <> -9223372036854775808", "abn"},
    {"S64 < -9223372036854775808", ""},
    {"S64 <= -9223372036854775808", "c"},
    {"S64 > -9223372036854775808", "ab"},
    {"S64 >= -9223372036854775808", "abc"},
    {"S64 = 9223372036854775808", ""},
    {"S64 <> 9223372036854775808", "abcn"},
    {"S64 < 9223372036854775808", "abc"},
    {"S64 <= 9223372036854775808", "abc"},
    {"S64 > 9223372036854775808", ""},
    {"S64 >= 9223372036854775808", ""},
    {"R32 = 1.5", "a"},
    {"R32 <> 1.5", "bcn"},
    {"R32 < 1.5", "bc"},
    {"R32 <= 1.5", "abc"},
    {"R32 > 1.5", ""},
    {"R32 >= 1.5", "a"},
    {"R32 = -0.5", ""},
    {"R32 <> -0.5", "abcn"},
    {"R32 < -0.5", "c"},
    {"R32 <= -0.5", "c"},
    {"R32 > -0.5", "ab"},
    {"R32 >= -0.5", "ab"},
    {"R64 = 2.5", "c"},
    {"R64 <> 2.5", "abn"},
    {"R64 < 2.5", "a"},
    {"R64 <= 2.5", "ac"},
    {"R64 > 2.5", "b"},
    {"R64 >= 2.5", "bc"},
    {"R64 = 1e300", "b"},
    {"R64 <> 1e300", "acn"},
    {"R64 < 1e300", "ac"},
    {"R64 <= 1e300", "abc"},
    {"R64 > 1e300", ""},
    {"R64 >= 1e300", "b"},
    {"C16 = 65", "a"},
    {"C16 <> 65", "bcn"},
    {"C16 < 65", "c"},
    {"C16 <= 65", "ac"},
    {"C16 > 65", "b"},
    {"C16 >= 65", "ab"},
    {"Flag = TRUE", "ac"},
    {"Flag <> TRUE", "bn"},
    {"Flag < TRUE", "b"},
    {"Flag <= TRUE", "abc"},
    {"Flag > TRUE", ""},
    {"Flag >= TRUE", "ac"},
    {"Flag = 'false'", "b"},
    {"Flag <> 'false'", "acn"},
    {"Flag < 'false'", ""},
    {"Flag <= 'false'", "b"},
    {"Flag > 'false'", "ac"},
    {"Flag >= 'false'", "abc"},
    {"Text = 'BETA'", "b"},
    {"Text <> 'BETA'", "acn"},
    {"Text < 'BETA'", "a"},
    {"Text <= 'BETA'", "ab"},
    {"Text > 'BETA'", "c"},
    {"Text >= 'BETA'", "bc"},
    {"Text = \"alpha\"", "a"},
    {"Text <> \"alpha\"", "bcn"},
    {"Text < \"alpha\"", ""},
    {"Text <= \"alpha\"", "a"},
    {"Text > \"alpha\"", "bc"},
    {"Text >= \"alpha\"", "abc"},
    {"When = '20200101000000.000000+000'", "a"},
    {"When <> '20200101000000.000000+000'", "bcn"},
    {"When < '20200101000000.000000+000'", "c"},
    {"When <= '20200101000000.000000+000'", "ac"},
    {"When > '20200101000000.000000+000'", "b"},
    {"When >= '20200101000000.000000+000'", "ab"},
    {"'255' = U8", "b"},
    {"'255' <> U8", "acn"},
    {"'255' >= U8", "abc"},
    {"'-9223372036854775808' = S64", "c"},
    {"'-9223372036854775808' <> S64", "abn"},
    {"'-9223372036854775808' >= S64", "c"},
    {"'18446744073709551615' = U64", "b"},
    {"'18446744073709551615' <> U64", "acn"},
    {"'18446744073709551615' >= U64", "abc"},
    {"'2.5' = R64", "c"},
    {"'2.5' <> R64", "abn"},
    {"'2.5' >= R64", "ac"},
    {"'TRUE' = Flag", "ac"},
    {"'TRUE' <> Flag", "bn"},
    {"'TRUE' >= Flag", "abc"},
    {"U8 = NULL", "n"},
    {"U8 <> NULL", "abc"},
    {"S64 = NULL", "n"},
    {"S64 <> NULL", "abc"},
    {"R32 = NULL", "n"},
    {"R32 <> NULL", "abc"},
    {"C16 = NULL", "n"},
    {"C16 <> NULL", "abc"},
    {"Flag = NULL", "n"},
    {"Flag <> NULL", "abc"},
    {"Text = NULL", "n"},
    {"Text <> NULL", "abc"},
    {"When = NULL", "n"},
    {"When <> NULL", "abc"},
    {"Name = NULL", ""},
    {"Name <> NULL", "abcn"},
    {"U8 = U16", "acn"},
    {"U8 <> U16", "b"},
    {"U8 < U16", "b"},
    {"S8 = S64", "an"},
    {"S8 <> S64", "bc"},
    {"S8 < S64", "b"},
    {"U32 = S32", "n"},
    {"U32 <> S32", "abc"},
    {"U32 < S32", ""},
    {"R32 = R64", "n"},
    {"R32 <> R64", "abc"},
    {"R32 < R64", "bc"},
    {"Text = Name", ""},
    {"Text <> Name", "abcn"},
    {"Text < Name", ""},
    {"Text = When", "n"},
    {"Text <> When", "abc"},
    {"Text < When", ""},
    {"Inner.Size = 10", "a"},
    {"Inner.Label = \"in two\"", "b"},
    {"Inner.Size <> 10", "b"},
    {"Inner.Label <> \"in two\"", "a"},
    {"Inner.Size < 10", ""},
    {"Inner.Label < \"in two\"", "a"},
    {"Inner.Size <= 10", "a"},
    {"Inner.Label <= \"in two\"", "ab"},
    {"Inner.Size > 10", "b"},
    {"Inner.Label > \"in two\"", ""},
    {"Inner.Size >= 10", "ab"},
    {"Inner.Label >= \"in two\"", "b"},
    /* words, blanks, names in any case */
    {"u8=1", "a"},
    {"U8=1 or u8=255", "ab"},
    {"U8=1OR U8=255", "!"},
    {"(U8=1)OR(U8=255)", "ab"},
    {"\tU8\n=\r\n1 ", "a"},
    {"text = 'ALPHA'", "a"},
    {"flag = true", "ac"},
    {"Flag = False", "b"},
    {"flag <> TRUE", "bn"},
    {"U8 != 1", "bcn"},
    {"Text = nUlL", "n"},
    {"NULL = NULL", "abcn"},
    {"NULL <> NULL", ""},
    {"1 = 1", "abcn"},
    {"1 = 2", ""},
    {"'x' = 'X'", "abcn"},
    {"1.5 > -1.5", "abcn"},
    {"TRUE = 'true'", "abcn"},
    {"TRUE > FALSE", "abcn"},
    /* precedence */
    {"U8 = 1 OR U8 = 255 AND Flag = TRUE", "a"},
    {"(U8 = 1 OR U8 = 255) AND Flag = TRUE", "a"},
    {"(U8 = 1 OR U8 = 255) AND Flag = FALSE", "b"},
    {"U8 = 1 OR (U8 = 255 AND Flag = FALSE)", "ab"},
    {"NOT U8 = 1", "bcn"},
    {"NOT U8 = 1 AND Flag = TRUE", "c"},
    {"NOT (U8 = 1 AND Flag = TRUE)", "bcn"},
    {"NOT NOT U8 = 1", "a"},
    {"NOT NOT NOT U8 = 1", "bcn"},
    {"NOT(U8 = 1)AND NOT(U8 = 255)", "cn"},
    {"U8 = 1 AND U8 = 1 AND U8 = 1 AND U8 = 1", "a"},
    {"U8 = 0 OR U8 = 1 OR U8 = 2 OR U8 = 255", "abc"},
    {"U8 = 1 AND U8 = 255", ""},
    {"Flag = TRUE AND U8 = 1 OR Flag = FALSE AND U8 = 255", "ab"},
    {"((((U8 = 1))))", "a"},
    /* what cannot be decided does not match, wherever it stands */
    {"U8 < 5", "ac"},
    {"NOT U8 < 5", "b"},
    {"U8 < 5 OR Name = 'n'", "ac"},
    {"Name = 'n' OR U8 < 5", "ac"},
    {"U8 < 5 AND Name = 'n'", ""},
    {"Name = 'a' AND U8 < 5", "a"},
    {"Inner.Size = 10 OR Name = 'c'", "a"},
    {"NOT Inner.Size = 10", "b"},
    /* LIKE */
    {"Text LIKE 'alpha'", "a"},
    {"Text like 'ALPHA'", "a"},
    {"Text LIKE 'a%'", "a"},
    {"Text LIKE '%a'", "abc"},
    {"Text LIKE '%ta'", "bc"},
    {"Text LIKE '%e%'", "bc"},
    {"Text LIKE '%'", "abc"},
    {"Text LIKE '%%'", "abc"},
    {"Text LIKE ''", ""},
    {"Text LIKE '_____'", "a"},
    {"Text LIKE '____'", "b"},
    {"Text LIKE 'be_a'", "b"},
    {"Text LIKE '_eta'", "b"},
    {"Text LIKE 'gamma%'", "c"},
    {"Text LIKE 'gamma _elta'", "c"},
    {"Text LIKE 'gamma  delta'", ""},
    {"Text LIKE '[ab]%'", "ab"},
    {"Text LIKE '[a-c]%'", "ab"},
    {"Text LIKE '[A-C]%'", "ab"},
    {"Text LIKE '[^a-c]%'", "c"},
    {"Text LIKE '[^b]%'", "ac"},
    {"Text LIKE '[b-b]eta'", "b"},
    {"Text LIKE '[-b]eta'", "b"},
    {"Text LIKE '[b-]eta'", "b"},
    {"Text LIKE '[]%'", ""},
    {"Text LIKE '[b'", ""},
    {"Text LIKE 'b[e'", ""},
    {"Text LIKE '%[a-z]'", "abc"},
    {"Text LIKE '%[0-9]%'", ""},
    {"Text LIKE '%a%a%a%'", "c"},
    {"Text LIKE NULL", "n"},
    {"NULL LIKE Text", "n"},
    {"Text LIKE Text", "abcn"},
    {"Text LIKE Name", ""},
    {"'beta' LIKE Text", "b"},
    {"U8 LIKE '1'", ""},
    {"U8 LIKE 1", ""},
    {"NOT Text LIKE 'a%'", "bcn"},
    {"When LIKE '2020%'", "a"},
    {"When LIKE '%:000'", "c"},
    {"Text LIKE'a%'", "a"},
    {"Inner.Label LIKE 'in%'", "ab"},
    /* embedded instances */
    {"Inner ISA Q_Inner", "ab"},
    {"inner isa q_inner", "ab"},
    {"Inner ISA Q_SpecialInner", "b"},
    {"Inner ISA 'Q_SpecialInner'", "b"},
    {"Inner ISA \"Q_Inner\"", "ab"},
    {"Inner ISA Q_Other", ""},
    {"NOT Inner ISA Q_SpecialInner", "a"},
    {"Inner ISA Q_Inner AND U8 = 1", "a"},
    {"Inner.Q_Inner::Size = 20", "b"},
    {"Inner.Q_Inner::Size >= 10", "ab"},
    {"Inner.Q_SpecialInner::Size >= 10", "b"},
    {"Inner.q_specialinner::size = 20", "b"},
    {"Inner . Q_Inner :: Size = 20", "b"},
    {"Inner.Missing = 1", ""},
    {"Inner.Size = U8", ""},
    {"Inner.Size = '10'", "a"},
    {"Inner.Size = 'ten'", ""},
    {"Inner.Label > 'in one'", "b"},
    /* strings */
    {"Text = \"beta\"", "b"},
    {"Text = 'be\\ta'", ""},
    {"Text = 'b\\eta'", "b"},
    {"Text = 'gamma\\ delta'", "c"},
    {"Text = ''", ""},
    {"Text <> ''", "abcn"},
    {"Text > ''", "abc"},
    {"'\\'' = \"'\"", "abcn"},
    {"'\\\"' = '\"'", "abcn"},
    {"'\\\\' = \"\\\\\"", "abcn"},
    {"'a\\nb' = \"a\\nb\"", "abcn"},
    {"'\xC3\xA4' = '\xC3\xA4'", "abcn"},
    {"'\xC3\xA4' = '\xC3\x84'", ""},
    {"'x\xC3\xA4y' LIKE 'x_y'", "abcn"},
    {"'\xC3\xA4' LIKE '[\xC3\xA4\xC3\xB6]'", "abcn"},
    {"'\xFF' LIKE '_'", "abcn"},
    /* numbers */
    {"U8 = +1", "a"},
    {"U8 = 001", "a"},
    {"S8 = -001", "a"},
    {"U8 = -0", "c"},
    {"U8=1", "a"},
    {"S8=-1", "a"},
    {"R32 = 1.50", "a"},
    {"R32 = 15e-1", "a"},
    {"R32 = 0.15E1", "a"},
    {"R64 = 1.0e+300", "b"},
    {"R32 = '1.5'", "a"},
    {"U8 = '1'", "a"},
    {"U8 = '0001'", "a"},
    {"Flag = 'TRUE'", "ac"},
    {"S64 = '-1'", "a"},
    {"U64 > 9223372036854775807", "b"},
    {"U64 > S64", "abc"},
    {"U64 = S64", "n"},
    {"C16 = U16", "cn"},
};

/* ---- conditions that no instance of the class can be asked -------------------------------- */

static const char *const refused[] = {
    "Missing = 1",
    "NOT Missing = 1",
    "U8 = 1 AND Missing = NULL",
    "Missing ISA Q_Inner",
    "Missing.Size = 1",
    "Tags = 'x'",
    "Tags = NULL",
    "Tags LIKE '%'",
    "Other = NULL",
    "Other = 'Q_Item.Name=\"a\"'",
    "Other.Name = 'a'",
    "Other ISA Q_Item",
    "Inner = NULL",
    "Inner = 1",
    "U8 ISA Q_Inner",
    "Text ISA Q_Inner",
    "Text.Size = 1",
    "U8 < NULL",
    "NULL >= U8",
    "NULL < NULL",
    "Inner.Size < NULL",
    "U8 = 1.0",
    "R64 = 1",
    "R32 > -1",
    "U8 = TRUE",
    "Flag = 1",
    "Flag = 0.5",
    "Flag = 'yes'",
    "U8 = 'one'",
    "U8 = ''",
    "U8 = '1.5'",
    "R64 = 'x'",
    "R64 = '1.5x'",
    "U8 = Text",
    "Text = 1",
    "Text = TRUE",
    "Text < 1.5",
    "When = 2020",
    "U8 = R64",
    "Flag = U8",
    "1 = 1.0",
    "1 = TRUE",
    "1 = 'x'",
};

/* ---- texts that are no queries ----------------------------------------------------------- */

static const char *const malformed[] = {
    " ",
    "SELECT",
    "SELECT *",
    "SELECT * FROM",
    "SELECT FROM Q_Item",
    "* FROM Q_Item",
    "SELECT * Q_Item",
    "SELECT ** FROM Q_Item",
    "SELECT *, Name FROM Q_Item",
    "SELECT Name, FROM Q_Item",
    "SELECT ,Name FROM Q_Item",
    "SELECT Name Text FROM Q_Item",
    "SELECT Name,,Text FROM Q_Item",
    "SELECT 'Name' FROM Q_Item",
    "SELECT Inner.Size FROM Q_Item",
    "SELECT * FROM Q_Item, Q_Inner",
    "SELECT * FROM 'Q_Item'",
    "SELECT * FROM 1",
    "SELECT * FROM Q_Item;",
    "SELECT * FROM Q_Item WHERE",
    "SELECT * FROM Q_Item WHERE WHERE U8 = 1",
    "SELECT * FROM Q_Item U8 = 1",
    "SELECT * FROM Q_Item WHERE U8",
    "SELECT * FROM Q_Item WHERE Flag",
    "SELECT * FROM Q_Item WHERE U8 =",
    "SELECT * FROM Q_Item WHERE = 1",
    "SELECT * FROM Q_Item WHERE U8 == 1",
    "SELECT * FROM Q_Item WHERE U8 =< 1",
    "SELECT * FROM Q_Item WHERE U8 >< 1",
    "SELECT * FROM Q_Item WHERE U8 ! 1",
    "SELECT * FROM Q_Item WHERE U8 = 1 AND",
    "SELECT * FROM Q_Item WHERE AND U8 = 1",
    "SELECT * FROM Q_Item WHERE U8 = 1 U8 = 2",
    "SELECT * FROM Q_Item WHERE U8 = 1 && U8 = 2",
    "SELECT * FROM Q_Item WHERE U8 = 1 NOT",
    "SELECT * FROM Q_Item WHERE NOT",
    "SELECT * FROM Q_Item WHERE (U8 = 1",
    "SELECT * FROM Q_Item WHERE U8 = 1)",
    "SELECT * FROM Q_Item WHERE ()",
    "SELECT * FROM Q_Item WHERE (U8) = 1",
    "SELECT * FROM Q_Item WHERE U8 = (1)",
    "SELECT * FROM Q_Item WHERE U8 = 1 = 1",
    "SELECT * FROM Q_Item WHERE Text = 'x",
    "SELECT * FROM Q_Item WHERE Text = \"x",
    "SELECT * FROM Q_Item WHERE Text = 'x\\",
    "SELECT * FROM Q_Item WHERE Text = 'x\"",
    "SELECT * FROM Q_Item WHERE Text = x'",
    "SELECT * FROM Q_Item WHERE U8 = 1x",
    "SELECT * FROM Q_Item WHERE U8 = 0x10",
    "SELECT * FROM Q_Item WHERE U8 = -",
    "SELECT * FROM Q_Item WHERE U8 = --1",
    "SELECT * FROM Q_Item WHERE R64 = 1.",
    "SELECT * FROM Q_Item WHERE R64 = .5",
    "SELECT * FROM Q_Item WHERE R64 = 1e",
    "SELECT * FROM Q_Item WHERE R64 = 1.5e+",
    "SELECT * FROM Q_Item WHERE R64 = 1e999",
    "SELECT * FROM Q_Item WHERE U64 = 18446744073709551616",
    "SELECT * FROM Q_Item WHERE S64 = -9223372036854775809",
    "SELECT * FROM Q_Item WHERE Inner. = 1",
    "SELECT * FROM Q_Item WHERE Inner.Size.X = 1",
    "SELECT * FROM Q_Item WHERE Inner.Q_Inner: Size = 1",
    "SELECT * FROM Q_Item WHERE Inner.Q_Inner:: = 1",
    "SELECT * FROM Q_Item WHERE Q_Inner::Size = 1",
    "SELECT * FROM Q_Item WHERE Inner.Size ISA Q_Inner",
    "SELECT * FROM Q_Item WHERE Inner ISA",
    "SELECT * FROM Q_Item WHERE Inner ISA 1",
    "SELECT * FROM Q_Item WHERE Inner ISA 'no name'",
    "SELECT * FROM Q_Item WHERE 'Inner' ISA Q_Inner",
    "SELECT * FROM Q_Item WHERE Text NOT LIKE 'a'",
    "SELECT * FROM Q_Item WHERE Text IS NULL",
    "SELECT * FROM Q_Item WHERE U8 IN (1, 2)",
    "SELECT * FROM Q_Item WHERE U8 BETWEEN 1 AND 2",
    "SELECT * FROM Q_Item GROUP BY U8",
    "SELECT * FROM Q_Item WITHIN 5",
    "SELECT COUNT(*) FROM Q_Item",
    "ASSOCIATORS OF {Q_Item.Name=\"a\"}",
    "DELETE FROM Q_Item",
    "SELECT * FROM Q_Item WHERE U8 = 1 /* x */",
    "SELECT * FROM Q_Item WHERE U8 = @x",
    "SELECT * FROM Q_Item WHERE U8 = 1\x01",
    "SELECT * FROM Q-Item",
    "SELECT * FROM \xC3\xA4",
};

/* ---- whole queries ------------------------------------------------------------------------ */

static const struct {
    const char *language, *query;
    MI_Result result;
    const char *names;
    const char *there, *gone; /* properties of the first instance with and without a value */
} queries[] = {
    {"WQL", "SELECT * FROM Q_Item", MI_RESULT_OK, "abcn", "U8", NULL},
    {"wql", "select * from q_item", MI_RESULT_OK, "abcn", "U8", NULL},
    {"CQL", "SELECT * FROM Q_Item WHERE U8 = 1", MI_RESULT_OK, "a", "U8", NULL},
    {"DMTF:CQL", "SELECT * FROM Q_Item WHERE U8 = 1", MI_RESULT_OK, "a", "U8", NULL},
    {"CQL", "SELECT * FROM Q_Item WHERE Text LIKE 'a%'", MI_RESULT_INVALID_QUERY, "", NULL, NULL},
    {"SQL", "SELECT * FROM Q_Item", MI_RESULT_QUERY_LANGUAGE_NOT_SUPPORTED, "", NULL, NULL},
    {"selectorFilter", "x", MI_RESULT_QUERY_LANGUAGE_NOT_SUPPORTED, "", NULL, NULL},
    {"WQL ", "SELECT * FROM Q_Item", MI_RESULT_QUERY_LANGUAGE_NOT_SUPPORTED, "", NULL, NULL},
    {"", "SELECT * FROM Q_Item", MI_RESULT_INVALID_PARAMETER, "", NULL, NULL},
    {NULL, "SELECT * FROM Q_Item", MI_RESULT_INVALID_PARAMETER, "", NULL, NULL},
    {"WQL", "", MI_RESULT_INVALID_PARAMETER, "", NULL, NULL},
    {"WQL", NULL, MI_RESULT_INVALID_PARAMETER, "", NULL, NULL},
    {"WQL", "SELECT * FROM Q_Nothing", MI_RESULT_OK, "d", "Number", NULL},
    {"WQL", "SELECT * FROM Q_Any WHERE Number = 7", MI_RESULT_OK, "d", "Number", NULL},
    {"WQL", "SELECT * FROM Q_Any WHERE Number = 8", MI_RESULT_OK, "", NULL, NULL},
    {"WQL", "SELECT * FROM Q_Any WHERE Missing = 8", MI_RESULT_OK, "", NULL, NULL},
    {"WQL", "SELECT * FROM Q_Any WHERE Digits = 7", MI_RESULT_OK, "d", "Number", NULL},
    {"WQL", "SELECT * FROM Q_Any WHERE Digits = Number", MI_RESULT_OK, "d", "Number", NULL},
    {"WQL", "SELECT Number FROM Q_Any", MI_RESULT_OK, "d", "Number", "Digits"},
    {"WQL", "SELECT * FROM Q_Silent", MI_RESULT_NOT_SUPPORTED, "", NULL, NULL},
    {"WQL", "SELECT * FROM Q_Inner", MI_RESULT_INVALID_CLASS, "", NULL, NULL},
    {"WQL", "SELECT * FROM Q_Special", MI_RESULT_OK, "s", "U8", NULL},
    {"WQL", "SELECT * FROM Q_Base", MI_RESULT_OK, "abcns", "U8", NULL},
    {"WQL", "SELECT * FROM Q_Base WHERE Name > 'b'", MI_RESULT_OK, "cns", "U8", NULL},
    {"WQL", "SELECT * FROM Q_Base WHERE U8 = 1", MI_RESULT_INVALID_QUERY, "", NULL, NULL},
    {"WQL", "SELECT U8 FROM Q_Item", MI_RESULT_OK, "abcn", "U8", "U16"},
    {"WQL", "SELECT u8 FROM Q_Item", MI_RESULT_OK, "abcn", "U8", "Text"},
    {"WQL", "SELECT U8, Text FROM Q_Item", MI_RESULT_OK, "abcn", "Text", "U16"},
    {"WQL", "SELECT U8 , U8,U8 FROM Q_Item", MI_RESULT_OK, "abcn", "U8", "U16"},
    {"WQL", "SELECT Name FROM Q_Item", MI_RESULT_OK, "abcn", "Name", "U8"},
    {"WQL", "SELECT Text FROM Q_Item WHERE U8 = 255", MI_RESULT_OK, "b", "Text", "U8"},
    {"WQL", "SELECT Inner FROM Q_Item WHERE Inner.Size = 20", MI_RESULT_OK, "b", "Inner", "U8"},
    {"WQL", "SELECT Tags, Other FROM Q_Item", MI_RESULT_OK, "abcn", "Name", "U8"},
    {"WQL", "SELECT Missing FROM Q_Item", MI_RESULT_INVALID_QUERY, "", NULL, NULL},
    {"WQL", "SELECT U8, Missing FROM Q_Item", MI_RESULT_INVALID_QUERY, "", NULL, NULL},
    {"WQL", "SELECT Text FROM Q_Base", MI_RESULT_INVALID_QUERY, "", NULL, NULL},
};

/* ---- running ------------------------------------------------------------------------------ */

static MI_Session session;

static bool has_value(const MI_Instance *instance, const char *name)
{
    MI_Uint32 flags = 0;

    return MI_Instance_GetElement(instance, name, NULL, NULL, &flags, NULL) == MI_RESULT_OK &&
           (flags & MI_FLAG_NULL) == 0;
}

/* The names of what a query finds, one letter each, or "!" for INVALID_QUERY. */
static MI_Result ask(const char *language, const char *query, char names[16], const char *there,
                     const char *gone)
{
    MI_Operation operation = MI_OPERATION_NULL;
    const MI_Instance *instance = NULL;
    MI_Result result = MI_RESULT_FAILED;
    MI_Boolean more = MI_TRUE;
    size_t length = 0;
    MI_Value value;

    MI_Session_QueryInstances(&session, 0, NULL, SPACE, language, query, NULL, &operation);
    while (more && MI_Operation_GetInstance(&operation, &instance, &more, &result, NULL, NULL) ==
                       MI_RESULT_OK) {
        if (instance != NULL && length < 15 &&
            MI_Instance_GetElement(instance, "Name", &value, NULL, NULL, NULL) == MI_RESULT_OK) {
            if (length == 0 && ((there != NULL && !has_value(instance, there)) ||
                                (gone != NULL && has_value(instance, gone)))) {
                names[length++] = '?';
            }
            names[length++] = value.string[0];
        }
    }
    names[length] = '\0';
    MI_Operation_Close(&operation);
    return result;
}

static void run_conditions(void)
{
    char query[1024], names[16], got[64];

    for (size_t i = 0; i < COUNT(conditions); i++) {
        snprintf(query, sizeof(query), "SELECT * FROM Q_Item WHERE %s", conditions[i].condition);
        MI_Result result = ask("WQL", query, names, NULL, NULL);
        snprintf(got, sizeof(got), "'%s', result %d", names, (int)result);
        bool error = conditions[i].names[0] == '!';
        check(error ? result == MI_RESULT_INVALID_QUERY
                    : result == MI_RESULT_OK && strcmp(names, conditions[i].names) == 0,
              "condition", conditions[i].condition, got);
    }
}

static void run_refused(void)
{
    char query[1024], names[16], got[64];

    for (size_t i = 0; i < COUNT(refused); i++) {
        snprintf(query, sizeof(query), "SELECT * FROM Q_Item WHERE %s", refused[i]);
        MI_Result result = ask("WQL", query, names, NULL, NULL);
        snprintf(got, sizeof(got), "'%s', result %d", names, (int)result);
        check(result == MI_RESULT_INVALID_QUERY, "refused", refused[i], got);
    }
    for (size_t i = 0; i < COUNT(malformed); i++) {
        MI_Result result = ask("WQL", malformed[i], names, NULL, NULL);
        snprintf(got, sizeof(got), "'%s', result %d", names, (int)result);
        check(result == MI_RESULT_INVALID_QUERY, "malformed", malformed[i], got);
    }
}

static void run_queries(void)
{
    char names[16], got[64];

    for (size_t i = 0; i < COUNT(queries); i++) {
        MI_Result result =
            ask(queries[i].language, queries[i].query, names, queries[i].there, queries[i].gone);
        snprintf(got, sizeof(got), "'%s', result %d", names, (int)result);
        check(result == queries[i].result && strcmp(names, queries[i].names) == 0, "query",
              queries[i].query == NULL ? "NULL" : queries[i].query, got);
    }
}

/* ---- limits -------------------------------------------------------------------------------- */

/* head, then count times part, then tail; the number of the limit itself is still read. */
static const struct {
    const char *title, *head, *part, *tail;
    unsigned most;
} limits[] = {
    {"properties", "SELECT Name", ",Name", " FROM Q_Item", WQL_MAX_PROPERTIES - 1},
    {"conditions", "SELECT * FROM Q_Item WHERE U8 = 1", " OR U8 = 1", "", WQL_MAX_CONDITIONS - 2},
    {"depth of NOT", "SELECT * FROM Q_Item WHERE ", "NOT ", "U8 = 1", WQL_MAX_DEPTH - 1},
    {"depth of parentheses", "SELECT * FROM Q_Item WHERE ", "(", "U8 = 1", 0},
    {"length", "SELECT * FROM Q_Item", " ", "", WQL_MAX_LENGTH - 20},
};

static MI_Result ask_long(size_t row, unsigned count)
{
    size_t part = strlen(limits[row].part), head = strlen(limits[row].head);
    char *query = malloc(head + part * count + strlen(limits[row].tail) + 1), names[16];
    MI_Result result = MI_RESULT_FAILED;

    if (query != NULL) {
        char *end = stpcpy(query, limits[row].head);
        for (unsigned i = 0; i < count; i++) {
            end = stpcpy(end, limits[row].part);
        }
        strcpy(end, limits[row].tail);
        result = ask("WQL", query, names, NULL, NULL);
        free(query);
    }
    return result;
}

static void run_limits(void)
{
    char got[32];

    for (size_t i = 0; i < COUNT(limits); i++) {
        unsigned most = limits[i].most;
        MI_Result good = ask_long(i, most), bad = ask_long(i, most + 1);
        snprintf(got, sizeof(got), "%d, then %d", (int)good, (int)bad);
        check(good == MI_RESULT_OK && bad == MI_RESULT_INVALID_QUERY, "limit", limits[i].title,
              got);
        check(ask_long(i, 10 * most + 20000) == MI_RESULT_INVALID_QUERY, "far beyond",
              limits[i].title, "");
    }
}

/* ---- filters ------------------------------------------------------------------------------- */

/* A module that says it can filter gets a filter that evaluates; others get none. */
static void run_filters(void)
{
    static const struct {
        MI_Uint32 flags;
        const char *query;
        int matches;
        const char *names;
    } rows[] = {
        {0, "SELECT * FROM Q_Item WHERE U8 = 1", -1, "a"},
        {MI_MODULE_FLAG_FILTER_SUPPORT, "SELECT * FROM Q_Item WHERE U8 = 1", 1, "a"},
        {MI_MODULE_FLAG_FILTER_SUPPORT, "SELECT * FROM Q_Item WHERE U8 = 2", 0, ""},
        {MI_MODULE_FLAG_FILTER_SUPPORT, "SELECT * FROM Q_Item WHERE Inner.Missing = 2", 0, ""},
        {MI_MODULE_FLAG_FILTER_SUPPORT, "SELECT * FROM Q_Item", 1, "abcn"},
    };
    struct miguard_host_options options = {0};
    char names[16], got[64];

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct miguard_host *host = NULL;
        module_flags = rows[i].flags;
        if (miguard_host_new(&options, &host, NULL) != MIGUARD_OK ||
            miguard_host_add(host, query_main, SPACE, NULL) != MIGUARD_OK ||
            miguard_host_session(host, &session, NULL) != MIGUARD_OK) {
            check(false, "filter", "host", "");
            return;
        }
        MI_Result result = ask("WQL", rows[i].query, names, NULL, NULL);
        snprintf(got, sizeof(got), "'%s', result %d, %d", names, (int)result, filter_matches);
        check(result == MI_RESULT_OK && filter_matches == rows[i].matches &&
                  strcmp(names, rows[i].names) == 0,
              "filter", rows[i].query, got);
        miguard_host_free(host);
    }
}

int main(void)
{
    struct miguard_host_options options = {0};
    struct miguard_host *host = NULL;

    if (miguard_host_new(&options, &host, NULL) != MIGUARD_OK ||
        miguard_host_add(host, query_main, SPACE, NULL) != MIGUARD_OK ||
        miguard_host_session(host, &session, NULL) != MIGUARD_OK) {
        printf("FAIL no host\n");
        return 1;
    }
    run_conditions();
    run_refused();
    run_queries();
    run_limits();
    miguard_host_free(host);
    run_filters();
    printf("%u passed, %u failed\n", passed, failed);
    return failed == 0 ? 0 : 1;
}

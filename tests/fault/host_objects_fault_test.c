/* SPDX-License-Identifier: MIT */
/*
 * Memory runs out at every place in turn: each scenario is run with its first allocation failing,
 * then its second, and so on until it comes through. Every failure must be told as
 * SERVER_LIMITS_EXCEEDED, leave nothing behind and give nothing out.
 *
 * This file's base_alloc() and its kin stand in for src/base/alloc.c.
 */
#include "host/object/object.h"

#include <check.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/host_decls.h"
#include "base/alloc.h"
#include "host/serial/serial.h"

#define SECRET "the-secret-word"

/* In a list, so that what the library keeps for ever is not taken for lost by valgrind. */
struct block {
    struct block *next;
    struct block *previous;
    size_t size;
    max_align_t data[];
};

static struct block all_blocks = {&all_blocks, &all_blocks, 0};
static long blocks_alive;
static unsigned long allocations; /* since the scenario began */
static unsigned long fail_at;     /* the allocation that fails; 0 for none */
static bool secret_freed;         /* a block went back with the secret still in it */

static bool fails_now(void)
{
    allocations++;
    return allocations == fail_at;
}

void *base_alloc(size_t count, size_t size)
{
    size_t bytes = 0;
    if (fails_now() || __builtin_mul_overflow(count, size, &bytes)) {
        return NULL;
    }
    struct block *block = calloc(1, sizeof(*block) + bytes);
    ck_assert_ptr_nonnull(block);
    block->size = bytes;
    block->next = all_blocks.next;
    block->previous = &all_blocks;
    block->next->previous = block;
    all_blocks.next = block;
    blocks_alive++;
    return block->data;
}

static struct block *block_of(void *data)
{
    return (struct block *)(void *)((char *)data - offsetof(struct block, data));
}

/* Always moves, so that an old pointer is a sanitizer's finding. */
void *base_resize(void *old, size_t count, size_t size)
{
    void *data = base_alloc(count, size);
    if (data == NULL || old == NULL) {
        return data;
    }
    size_t keep = block_of(old)->size < count * size ? block_of(old)->size : count * size;
    memcpy(data, old, keep);
    base_free(old);
    return data;
}

void base_free(void *data)
{
    if (data == NULL) {
        return;
    }
    struct block *block = block_of(data);
    if (memmem(data, block->size, SECRET, strlen(SECRET)) != NULL) {
        secret_freed = true;
    }
    block->next->previous = block->previous;
    block->previous->next = block->next;
    memset(data, 0xDD, block->size);
    free(block);
    blocks_alive--;
}

/* ---- scenarios: each leaves nothing behind, whatever happens ---------------------------- */

static const MI_Char *names_data[] = {"a", "b", "c"};
static MI_Uint8 bytes_data[] = {1, 2, 3};
static const MI_ClassDecl *const classes[] = {&test_base_decl, &test_thing_decl};
static const MI_SchemaDecl schema = {.classDecls = classes, .numClassDecls = 2};

/* As a provider has it on its stack: no table, nothing on our heap, an instance in each place. */
struct full_thing {
    struct test_base friend;
    const MI_Instance *many[2];
    struct test_thing thing;
};

static const MI_Instance *full_thing(struct full_thing *full)
{
    *full = (struct full_thing){
        .friend = {.instance.classDecl = &test_base_decl, .Id = {"friend", 1, 0}},
        .thing = {.instance = {.classDecl = &test_thing_decl,
                               .nameSpace = "root/test",
                               .serverName = "here"},
                  .Id = {"id", 1, 0},
                  .Number = {1, 1, 0},
                  .Text = {"text", 1, 0},
                  .Names = {{names_data, 3}, 1, 0},
                  .Bytes = {{bytes_data, 3}, 1, 0},
                  .Friend = {&full->friend.instance, 1, 0},
                  .Inner = {&full->friend.instance, 1, 0},
                  .Many = {{full->many, 2}, 1, 0}},
    };
    full->many[0] = &full->friend.instance;
    full->many[1] = &full->friend.instance;
    return &full->thing.instance;
}

static MI_Result copy_static(void)
{
    struct full_thing full;
    MI_Instance *copy = NULL;
    MI_Result result = instance_copy(full_thing(&full), &copy);
    ck_assert((copy != NULL) == (result == MI_RESULT_OK));
    instance_delete(copy);
    return result;
}

static MI_Result convert_static(void)
{
    struct full_thing full;
    const struct instance_convert how = {.schema = &schema, .keys_required = true};
    MI_Instance *copy = NULL;
    MI_Result result = instance_convert_to(full_thing(&full), &test_thing_decl, &how, &copy);
    ck_assert((copy != NULL) == (result == MI_RESULT_OK));
    instance_delete(copy);
    return result;
}

static MI_Result texts_of_static(void)
{
    struct full_thing full;
    MI_Instance *texts = NULL;
    MI_Result result = instance_texts(full_thing(&full), &texts);
    ck_assert((texts != NULL) == (result == MI_RESULT_OK));
    instance_delete(texts);
    return result;
}

/* Builds a dynamic instance with elements[] as texts, then applies step to it. */
static MI_Result with_dynamic(MI_Result (*step)(MI_Instance *))
{
    static const char *const elements[] = {"Id", "Number", "Text", "Ratio"};
    MI_Instance *self = NULL;
    MI_Value value = {.string = (char *)(uintptr_t) "5"};
    MI_Value names = {.array = {(void *)names_data, 3}};

    MI_Result result = instance_new_dynamic("Test_Thing", 0, &self);
    ck_assert((self != NULL) == (result == MI_RESULT_OK));
    for (size_t i = 0; i < sizeof(elements) / sizeof(elements[0]) && result == MI_RESULT_OK; i++) {
        MI_Uint32 before = instance_element_count(self);
        result =
            MI_Instance_AddElement(self, elements[i], &value, MI_STRING, i == 0 ? MI_FLAG_KEY : 0);
        ck_assert_uint_eq(instance_element_count(self), before + (result == MI_RESULT_OK));
    }
    if (result == MI_RESULT_OK) {
        result = MI_Instance_AddElement(self, "Names", &names, MI_STRINGA, 0);
    }
    if (result == MI_RESULT_OK) {
        result = step(self);
    }
    instance_delete(self);
    return result;
}

static MI_Result clone_step(MI_Instance *self)
{
    MI_Instance *clone = self;
    MI_Result result = MI_Instance_Clone(self, &clone);
    ck_assert((clone != NULL) == (result == MI_RESULT_OK));
    instance_delete(clone);
    return result;
}

static MI_Result convert_step(MI_Instance *self)
{
    const struct instance_convert how = {.schema = &schema, .keys_required = true};
    MI_Instance *converted = NULL;
    MI_Result result = instance_convert_to(self, &test_thing_decl, &how, &converted);
    ck_assert((converted != NULL) == (result == MI_RESULT_OK));
    instance_delete(converted);
    return result;
}

static MI_Result class_step(MI_Instance *self)
{
    MI_Class *class = NULL;
    MI_Class *clone = NULL;
    MI_Result result = MI_Instance_GetClass(self, &class);
    ck_assert((class != NULL) == (result == MI_RESULT_OK));
    if (result == MI_RESULT_OK) {
        result = MI_Class_Clone(class, &clone);
        ck_assert((clone != NULL) == (result == MI_RESULT_OK));
    }
    (void)MI_Class_Delete(class);
    (void)MI_Class_Delete(clone);
    return result;
}

/* A Set that fails leaves the old value. */
static MI_Result set_step(MI_Instance *self)
{
    MI_Value value = {.string = (char *)(uintptr_t) "new"};
    MI_Value got = {0};
    MI_Result result = MI_Instance_SetElement(self, "Text", &value, MI_STRING, 0);
    ck_assert_int_eq(MI_Instance_GetElement(self, "Text", &got, NULL, NULL, NULL), MI_RESULT_OK);
    ck_assert_str_eq(got.string, result == MI_RESULT_OK ? "new" : "5");
    if (result == MI_RESULT_OK) {
        result = MI_Instance_SetNameSpace(self, "root/x");
    }
    if (result == MI_RESULT_OK) {
        result = MI_Instance_SetNameSpace(self, "root/y");
        ck_assert_str_eq(self->nameSpace, result == MI_RESULT_OK ? "root/y" : "root/x");
    }
    return result;
}

static MI_Result dynamic_clone(void)
{
    return with_dynamic(clone_step);
}

static MI_Result dynamic_convert(void)
{
    return with_dynamic(convert_step);
}

static MI_Result dynamic_class(void)
{
    return with_dynamic(class_step);
}

static MI_Result dynamic_set(void)
{
    return with_dynamic(set_step);
}

static MI_Result text_array(void)
{
    static const char *texts[] = {"1", "2", "3"};
    const MI_ConstStringA array = {texts, 3};
    MI_Instance *from = NULL;
    MI_Instance *to = NULL;
    MI_Result result = instance_new_dynamic("Test_Thing", 0, &from);
    if (result == MI_RESULT_OK) {
        result = MI_Instance_AddElement(from, "Bytes", (const MI_Value *)(const void *)&array,
                                        MI_STRINGA, 0);
    }
    if (result == MI_RESULT_OK) {
        result = instance_convert_to(from, &test_thing_decl, NULL, &to);
    }
    instance_delete(to);
    instance_delete(from);
    return result;
}

static MI_Result static_class(void)
{
    MI_Class *class = NULL;
    MI_Class *parent = NULL;
    MI_Result result = class_new(&test_thing_decl, "root/test", "here", &class);
    ck_assert((class != NULL) == (result == MI_RESULT_OK));
    if (result == MI_RESULT_OK) {
        result = MI_Class_GetParentClass(class, &parent);
        ck_assert((parent != NULL) == (result == MI_RESULT_OK));
    }
    (void)MI_Class_Delete(parent);
    (void)MI_Class_Delete(class);
    return result;
}

/* Qualifiers, methods and parameters are copied too. */
static MI_Result foreign_class(void)
{
    static const MI_ClassFT foreign_ft = {0};
    MI_Class owner = {.ft = &foreign_ft};
    MI_ClassDecl decl = test_thing_decl;
    MI_Class *class = NULL;
    decl.owningClass = &owner;
    MI_Result result = class_new(&decl, "root/test", NULL, &class);
    ck_assert((class != NULL) == (result == MI_RESULT_OK));
    (void)MI_Class_Delete(class);
    return result;
}

/* Both formats: the text of an instance with its classes, and that of a class. */
static MI_Result serialize_as(const char *format)
{
    struct full_thing full;
    MI_Serializer serializer = {0};
    MI_Class *class = NULL;
    MI_Uint8 buffer[20000];
    MI_Uint32 needed = 0;

    ck_assert_int_eq(serializer_new(format, &serializer), MI_RESULT_OK);
    memset(buffer, 0xAA, sizeof(buffer));
    MI_Result result =
        serializer_ft.SerializeInstance(&serializer, MI_SERIALIZER_FLAGS_INSTANCE_WITH_CLASS,
                                        full_thing(&full), buffer, sizeof(buffer), &needed);
    ck_assert((needed > 0) == (result == MI_RESULT_OK) && (buffer[0] != 0xAA) == (needed > 0));
    if (result == MI_RESULT_OK) {
        result = class_new(&test_thing_decl, "root/test", "here", &class);
    }
    if (result == MI_RESULT_OK) {
        result = serializer_ft.SerializeClass(&serializer, MI_SERIALIZER_FLAGS_CLASS_DEEP, class,
                                              buffer, sizeof(buffer), &needed);
        ck_assert((needed > 0) == (result == MI_RESULT_OK));
    }
    (void)MI_Class_Delete(class);
    return result;
}

static MI_Result serialize_xml(void)
{
    return serialize_as("MI_XML");
}

static MI_Result serialize_mof(void)
{
    return serialize_as("MI_MOF_CIMV2_EXTV1");
}

/* Texts of its own, so that only reading is tried: class, instance with its class, references. */
static MI_Result deserialize_as(const char *format, const char *class_text, const char *text)
{
    MI_Deserializer deserializer = {0};
    MI_Class *class = NULL;
    MI_Instance *instance = NULL, *error = NULL;
    MI_Uint32 read = 0;

    ck_assert_int_eq(deserializer_new(format, &deserializer), MI_RESULT_OK);
    MI_Result result = deserializer_ft.DeserializeClass(
        &deserializer, 0, (MI_Uint8 *)(uintptr_t)class_text, (MI_Uint32)strlen(class_text), NULL,
        "here", "root/test", NULL, NULL, &read, &class, &error);
    ck_assert((class != NULL) == (result == MI_RESULT_OK) && (read > 0) == (class != NULL));
    ck_assert(error == NULL || result != MI_RESULT_OK);
    if (result == MI_RESULT_OK) {
        result = deserializer_ft.DeserializeInstance(&deserializer, 0, (MI_Uint8 *)(uintptr_t)text,
                                                     (MI_Uint32)strlen(text), &class, 1, NULL, NULL,
                                                     &read, &instance, &error);
        ck_assert((instance != NULL) == (result == MI_RESULT_OK));
    }
    instance_delete(instance);
    instance_delete(error);
    (void)MI_Class_Delete(class);
    return result;
}

static MI_Result deserialize_mof(void)
{
    return deserialize_as(
        "MI_MOF_CIMV2_EXTV1",
        "[Description(\"x\"), Values{\"a\", \"b\"}] class Base { [Key] string Id = \"d\"; uint8 "
        "N[] = "
        "{1}; uint32 Work([In] string A, B REF C[]); };",
        "class More : Base { Base REF R; [EmbeddedObject] string E[]; datetime T; };"
        "instance of More { Id = \"x\"; N = {1, 2}; R = \"root/x:Base.Id=\\\"y\\\"\"; "
        "E = {instance of Base { Id = \"z\"; }, NULL}; T = \"20261128000000.000000+000\"; };");
}

static MI_Result deserialize_xml(void)
{
    return deserialize_as(
        "MI_XML",
        "<CLASS NAME=\"Base\"><QUALIFIER NAME=\"Q\" TYPE=\"string\"><VALUE.ARRAY><VALUE>a</VALUE>"
        "<VALUE.NULL/></VALUE.ARRAY></QUALIFIER><PROPERTY NAME=\"Id\" TYPE=\"string\"><QUALIFIER "
        "NAME=\"Key\" TYPE=\"boolean\"><VALUE>TRUE</VALUE></QUALIFIER></PROPERTY><METHOD "
        "NAME=\"M\" "
        "TYPE=\"uint32\"><PARAMETER.REFARRAY NAME=\"P\"/></METHOD></CLASS>",
        "<CIM><DECLARATION><DECLGROUP><LOCALNAMESPACEPATH><NAMESPACE NAME=\"root\"/>"
        "</LOCALNAMESPACEPATH><VALUE.OBJECT><CLASS NAME=\"More\" SUPERCLASS=\"Base\">"
        "<PROPERTY.REFERENCE NAME=\"R\"/><PROPERTY NAME=\"E\" TYPE=\"string\" "
        "EmbeddedObject=\"object\"/></CLASS></VALUE.OBJECT><VALUE.OBJECT><INSTANCE "
        "CLASSNAME=\"More\"><PROPERTY.REFERENCE NAME=\"R\"><VALUE.REFERENCE><INSTANCENAME "
        "CLASSNAME=\"Base\"><KEYVALUE>x</KEYVALUE></INSTANCENAME></VALUE.REFERENCE>"
        "</PROPERTY.REFERENCE><PROPERTY NAME=\"E\" TYPE=\"string\" EmbeddedObject=\"object\">"
        "<VALUE>&lt;INSTANCE CLASSNAME='Base'/></VALUE></PROPERTY></INSTANCE></VALUE.OBJECT>"
        "</DECLGROUP></DECLARATION></CIM>");
}

static MI_Result sets(void)
{
    MI_PropertySet *set = NULL;
    MI_PropertySet *clone = NULL;
    char name[] = "p0";
    MI_Result result = property_set_new(&set);
    for (; name[1] < 'U' && result == MI_RESULT_OK; name[1]++) {
        result = MI_PropertySet_AddElement(set, name);
    }
    if (result == MI_RESULT_OK) {
        result = MI_PropertySet_Clone(set, &clone);
        ck_assert((clone != NULL) == (result == MI_RESULT_OK));
    }
    (void)MI_PropertySet_Delete(clone);
    (void)MI_PropertySet_Delete(set);
    return result;
}

static MI_Result errors(void)
{
    MI_Instance *error = NULL;
    MI_Result result = error_instance_new(MI_RESULT_ACCESS_DENIED, 13, "ERRNO", "no", &error);
    ck_assert((error != NULL) == (result == MI_RESULT_OK));
    instance_delete(error);
    return result;
}

static MI_Result fill_options(MI_OperationOptions *options)
{
    char name[] = "n0";
    MI_Value names = {.array = {(void *)names_data, 3}};
    const MI_Interval span = {.hours = 1};
    MI_Result result = MI_OperationOptions_SetString(options, "text", "one", 0);
    if (result == MI_RESULT_OK) {
        result = MI_OperationOptions_SetString(options, "text", "two", 0);
        const MI_Char *text = NULL;
        ck_assert_int_eq(MI_OperationOptions_GetString(options, "text", &text, NULL, NULL),
                         MI_RESULT_OK);
        ck_assert_str_eq(text, result == MI_RESULT_OK ? "two" : "one");
    }
    for (; name[1] < '9' && result == MI_RESULT_OK; name[1]++) {
        result = MI_OperationOptions_SetNumber(options, name, 1, 0);
    }
    if (result == MI_RESULT_OK) {
        result = MI_OperationOptions_SetTimeout(options, &span);
    }
    if (result == MI_RESULT_OK) {
        result = MI_OperationOptions_EnableChannel(options, 1);
    }
    if (result == MI_RESULT_OK) {
        result = MI_OperationOptions_SetCustomOption(options, "c", MI_STRINGA, &names, MI_TRUE);
    }
    return result;
}

static MI_Result operation_options(void)
{
    MI_OperationOptions options = {0};
    MI_OperationOptions clone = {0};
    MI_Result result = operation_options_new(MI_FALSE, &options);
    ck_assert(operation_options_valid(&options) == (result == MI_RESULT_OK));
    if (result == MI_RESULT_OK) {
        result = fill_options(&options);
    }
    if (result == MI_RESULT_OK) {
        result = MI_OperationOptions_Clone(&options, &clone);
        ck_assert(operation_options_valid(&clone) == (result == MI_RESULT_OK));
    }
    MI_OperationOptions_Delete(&clone);
    MI_OperationOptions_Delete(&options);
    return result;
}

static MI_Result credentials(void)
{
    static const char *const types[] = {MI_AUTH_TYPE_BASIC, MI_AUTH_TYPE_DIGEST,
                                        MI_AUTH_TYPE_KERBEROS, MI_AUTH_TYPE_NTLM,
                                        MI_AUTH_TYPE_DEFAULT};
    MI_DestinationOptions options = {0};
    MI_DestinationOptions clone = {0};
    MI_UserCredentials user = {NULL, {{SECRET, SECRET, SECRET}}};
    const MI_UserCredentials certificate = {MI_AUTH_TYPE_CLIENT_CERTS,
                                            {.certificateThumbprint = SECRET}};
    MI_Result result = destination_options_new(&options);
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]) && result == MI_RESULT_OK; i++) {
        user.authenticationType = types[i];
        result = MI_DestinationOptions_AddDestinationCredentials(&options, &user);
    }
    if (result == MI_RESULT_OK) {
        result = MI_DestinationOptions_AddProxyCredentials(&options, &certificate);
    }
    if (result == MI_RESULT_OK) {
        result = MI_DestinationOptions_Clone(&options, &clone);
        ck_assert((clone.ft != NULL) == (result == MI_RESULT_OK));
    }
    MI_DestinationOptions_Delete(&clone);
    MI_DestinationOptions_Delete(&options);
    return result;
}

static const struct {
    const char *name;
    MI_Result (*run)(void);
} scenarios[] = {
    {"copy of a static instance", copy_static},
    {"conversion of a static instance", convert_static},
    {"a static instance as texts", texts_of_static},
    {"clone of a dynamic instance", dynamic_clone},
    {"conversion of a dynamic instance", dynamic_convert},
    {"class of a dynamic instance", dynamic_class},
    {"setting elements", dynamic_set},
    {"numbers from texts", text_array},
    {"class over a static declaration", static_class},
    {"class over a foreign declaration", foreign_class},
    {"serializing as XML", serialize_xml},
    {"serializing as MOF", serialize_mof},
    {"reading MOF", deserialize_mof},
    {"reading XML", deserialize_xml},
    {"property sets", sets},
    {"error instances", errors},
    {"operation options", operation_options},
    {"credentials", credentials},
};

/* The handle table takes a chunk at a time and keeps it. Once its quarantine is full, also with a
 * few objects in use, it takes no more and what is alive can be counted. */
static void warm_up(void)
{
    MI_OperationOptions options[8];
    fail_at = 0;
    for (int i = 0; i < 100; i++) {
        for (int k = 0; k < 8; k++) {
            ck_assert_int_eq(operation_options_new(MI_FALSE, &options[k]), MI_RESULT_OK);
        }
        for (int k = 0; k < 8; k++) {
            MI_OperationOptions_Delete(&options[k]);
        }
    }
}

START_TEST(every_allocation_fails_once)
{
    const unsigned long most = 10000;
    warm_up();
    long before = blocks_alive;
    MI_Result result = MI_RESULT_FAILED;
    unsigned long n = 0;
    while (result != MI_RESULT_OK) {
        n++;
        ck_assert_uint_lt(n, most);
        allocations = 0;
        fail_at = n;
        result = scenarios[_i].run();
        bool failed = allocations >= n;
        ck_assert_msg(result == (failed ? MI_RESULT_SERVER_LIMITS_EXCEEDED : MI_RESULT_OK),
                      "%s: result %d with allocation %lu failing", scenarios[_i].name, (int)result,
                      n);
        ck_assert_msg(blocks_alive == before, "%s: %ld blocks leaked with allocation %lu failing",
                      scenarios[_i].name, blocks_alive - before, n);
    }
    fail_at = 0;
    ck_assert_uint_gt(n, 1);
    ck_assert(!secret_freed);
}
END_TEST

START_TEST(first_options_without_memory)
{
    MI_OperationOptions options = {0};
    allocations = 0;
    fail_at = 1;
    ck_assert_int_eq(operation_options_new(MI_FALSE, &options), MI_RESULT_SERVER_LIMITS_EXCEEDED);
    ck_assert_ptr_null(options.ft);
    fail_at = 0;
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("host objects without memory");
    TCase *tcase = tcase_create("faults");
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, first_options_without_memory);
    tcase_add_loop_test(tcase, every_allocation_fails_once, 0,
                        (int)(sizeof(scenarios) / sizeof(scenarios[0])));
    suite_add_tcase(suite, tcase);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}

/* SPDX-License-Identifier: MIT */
#include "support/nested.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

struct thing {
    MI_Instance instance;
    MI_ConstStringField Id;
    MI_ConstUint32Field ServedAs; /* the fsuid */
};

#define CODE(first, last, length)                                                                  \
    ((MI_Uint32)(first) << 16 | (MI_Uint32)(last) << 8 | (MI_Uint32)(length))
static const MI_PropertyDecl id_decl = {.flags = MI_FLAG_PROPERTY | MI_FLAG_KEY,
                                        .code = CODE('i', 'd', 2),
                                        .name = "Id",
                                        .type = MI_STRING,
                                        .offset = offsetof(struct thing, Id)};
static const MI_PropertyDecl served_decl = {.flags = MI_FLAG_PROPERTY,
                                            .code = CODE('s', 's', 8),
                                            .name = "ServedAs",
                                            .type = MI_UINT32,
                                            .offset = offsetof(struct thing, ServedAs)};
static const MI_PropertyDecl *const properties[] = {&id_decl, &served_decl};

static MI_SchemaDecl front_schema, back_schema;
static MI_ProviderFT front_ft, nested_ft;

#define CLASS(class_name, ft, its_schema)                                                          \
    {                                                                                              \
        .flags = MI_FLAG_CLASS, .code = CODE('l', 'x', sizeof(class_name) - 1),                    \
        .name = (class_name), .properties = properties, .numProperties = 2,                        \
        .size = sizeof(struct thing), .schema = &(its_schema), .providerFT = &(ft),                \
    }
static const MI_ClassDecl front_decl = CLASS("L_Front", front_ft, front_schema);
static const MI_ClassDecl twin_decl = CLASS("L_Twin", nested_ft, front_schema);
static const MI_ClassDecl back_decl = CLASS("L_Back", nested_ft, back_schema);
static const MI_ClassDecl *const front_classes[] = {&front_decl, &twin_decl};
static const MI_ClassDecl *const back_classes[] = {&back_decl};
static MI_SchemaDecl front_schema = {.classDecls = front_classes, .numClassDecls = 2};
static MI_SchemaDecl back_schema = {.classDecls = back_classes, .numClassDecls = 1};

void (*nested_front)(MI_Context *context);
void (*nested_back)(MI_Context *context);
const struct ask nested_ask = {
    .verb = ASK_GET, .class_name = "L_Front", .names = {"Id"}, .values = {"x"}};

static void MI_CALL front_get(void *self, MI_Context *context, const MI_Char *space,
                              const MI_Char *class_name, const MI_Instance *name,
                              const MI_PropertySet *set)
{
    (void)self, (void)space, (void)class_name, (void)name, (void)set;
    nested_front(context);
}

static void post(MI_Context *context, const MI_Char *class_name, const char *id)
{
    const MI_ClassDecl *decl = strcmp(class_name, "L_Twin") == 0 ? &twin_decl : &back_decl;
    struct thing thing;
    MI_Value value;

    value.string = (MI_Char *)(uintptr_t)id;
    if (MI_Context_ConstructInstance(context, decl, &thing.instance) != MI_RESULT_OK) {
        return;
    }
    MI_Instance_SetElementAt(&thing.instance, 0, &value, MI_STRING, 0);
    thing.ServedAs.value = (MI_Uint32)syscall(SYS_setfsuid, -1);
    thing.ServedAs.exists = MI_TRUE;
    MI_Context_PostInstance(context, &thing.instance);
    MI_Instance_Destruct(&thing.instance);
}

static void MI_CALL nested_get(void *self, MI_Context *context, const MI_Char *space,
                               const MI_Char *class_name, const MI_Instance *name,
                               const MI_PropertySet *set)
{
    (void)self, (void)space, (void)name, (void)set;
    if (nested_back != NULL) {
        nested_back(context);
        return;
    }
    post(context, class_name, "one");
    MI_Context_PostResult(context, MI_RESULT_OK);
}

static void MI_CALL nested_enumerate(void *self, MI_Context *context, const MI_Char *space,
                                     const MI_Char *class_name, const MI_PropertySet *set,
                                     MI_Boolean keys_only, const MI_Filter *filter)
{
    (void)self, (void)space, (void)set, (void)keys_only, (void)filter;
    if (nested_back != NULL) {
        nested_back(context);
        return;
    }
    post(context, class_name, "one");
    post(context, class_name, "two");
    post(context, class_name, "three");
    MI_Context_PostResult(context, MI_RESULT_OK);
}

static MI_ProviderFT front_ft = {.GetInstance = front_get};
static MI_ProviderFT nested_ft = {.GetInstance = nested_get,
                                  .EnumerateInstances = nested_enumerate};

static MI_Module *MI_CALL front_main(MI_Server *server)
{
    static MI_Module module = {
        .version = MI_VERSION, .charSize = sizeof(MI_Char), .schemaDecl = &front_schema};
    (void)server;
    return &module;
}

static MI_Module *MI_CALL back_main(MI_Server *server)
{
    static MI_Module module = {
        .version = MI_VERSION, .charSize = sizeof(MI_Char), .schemaDecl = &back_schema};
    (void)server;
    return &module;
}

const struct hosted_module nested_modules[NESTED_MODULES] = {
    {.main_function = front_main, .agent = 0}, {.main_function = back_main, .agent = 1}};

/* ---- nested requests ------------------------------------------------------------------------- */

void nested_start(MI_Context *context, MI_Session *session, const char *class_name, bool enumerate,
                  MI_Uint32 flags, MI_OperationCallbacks *callbacks, MI_Operation *operation)
{
    MI_Instance *name = NULL;
    MI_Value value;

    if (enumerate) {
        MI_Session_EnumerateInstances(session, flags, NULL, HOSTS_SPACE, class_name, MI_FALSE,
                                      callbacks, operation);
        return;
    }
    value.string = (MI_Char *)(uintptr_t) "one";
    if (MI_Context_NewDynamicInstance(context, class_name, 0, &name) != MI_RESULT_OK) {
        return;
    }
    MI_Instance_AddElement(name, "Id", &value, MI_STRING, MI_FLAG_KEY);
    MI_Session_GetInstance(session, flags, NULL, HOSTS_SPACE, name, callbacks, operation);
    MI_Instance_Delete(name);
}

MI_Result nested_finish(MI_Operation *operation, char *ret_message, MI_Uint32 *ret_served_as)
{
    const MI_Instance *instance = NULL;
    const MI_Char *message = NULL;
    MI_Boolean more = MI_TRUE;
    MI_Result result = MI_RESULT_FAILED, answer = MI_RESULT_OK;
    MI_Value value;

    while (more && answer == MI_RESULT_OK) {
        answer = MI_Operation_GetInstance(operation, &instance, &more, &result, &message, NULL);
        if (answer == MI_RESULT_OK && instance != NULL && ret_served_as != NULL &&
            MI_Instance_GetElement(instance, "ServedAs", &value, NULL, NULL, NULL) ==
                MI_RESULT_OK) {
            *ret_served_as = value.uint32;
        }
    }
    if (ret_message != NULL) {
        snprintf(ret_message, 512, "%s", message != NULL ? message : "");
    }
    MI_Operation_Close(operation);
    return answer != MI_RESULT_OK ? answer : result;
}

/* SPDX-License-Identifier: MIT */
/*
 * A provider for the tests of shims. Its own file name says how it misbehaves, so that a copy under
 * another name is another provider: changes.so, drops.so, later.so, null.so, newer.so, touches.so,
 * wide.so. Any other name is a good one.
 *
 * It serves one class, T_NAME for NAME.so, with one instance: how often MI_Main was called since it
 * was mapped. It has no Load.
 */
#include <MI.h>
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static MI_Uint32 main_calls;

static const char *own_name(void)
{
    Dl_info info;
    const char *slash;

    if (dladdr(&main_calls, &info) == 0 || info.dli_fname == NULL) {
        return "";
    }
    slash = strrchr(info.dli_fname, '/');
    return slash != NULL ? slash + 1 : info.dli_fname;
}

static int is_named(const char *name)
{
    return strncmp(own_name(), name, strlen(name)) == 0;
}

/* As another file in its place, it gives its file another ctime. */
static void touch_itself(void)
{
    Dl_info info;

    if (dladdr(&main_calls, &info) != 0) {
        (void)chmod(info.dli_fname, 0700);
    }
}

/* Before MI_Main, as the library is mapped. */
__attribute__((constructor)) static void construct(void)
{
    if (is_named("changes")) {
        (void)syscall(SYS_setfsuid, 65534); /* can be brought back */
    } else if (is_named("drops")) {
        (void)syscall(SYS_setresuid, 65534, 65534, 65534); /* cannot */
    } else if (is_named("touches")) {
        touch_itself();
    }
}

static void MI_CALL enumerate(void *self, MI_Context *context, const MI_Char *name_space,
                              const MI_Char *class_name, const MI_PropertySet *properties,
                              MI_Boolean keys_only, const MI_Filter *filter)
{
    MI_Session session = MI_SESSION_NULL;
    MI_Instance *instance = NULL;
    MI_Value value = {.uint32 = main_calls};
    /* Recorded, where a guard is in between. */
    MI_Result result = MI_Context_GetLocalSession(context, &session);

    (void)self, (void)name_space, (void)properties, (void)keys_only, (void)filter;
    if (result == MI_RESULT_OK) {
        result = MI_Context_NewDynamicInstance(context, class_name, 0, &instance);
    }
    if (result == MI_RESULT_OK) {
        result = MI_Instance_AddElement(instance, "MainCalls", &value, MI_UINT32, 0);
    }
    if (result == MI_RESULT_OK) {
        result = MI_Context_PostInstance(context, instance);
    }
    if (instance != NULL) {
        MI_Instance_Delete(instance);
    }
    MI_Context_PostResult(context, result);
}

static char class_name_text[64];
static MI_ProviderFT provider;
static MI_ClassDecl class_decl;
static const MI_ClassDecl *const class_list[] = {&class_decl};
static MI_SchemaDecl schema = {NULL, 0, class_list, 1};
static MI_Module module = {.version = MI_VERSION,
                           .generatorVersion = MI_VERSION,
                           .charSize = sizeof(MI_Char),
                           .schemaDecl = &schema};

/* MI_ClassDecl has const members, so it is made elsewhere and copied. */
static void declare(void)
{
    const MI_ClassDecl decl = {.flags = MI_FLAG_CLASS,
                               .name = class_name_text,
                               .size = sizeof(MI_Instance),
                               .schema = &schema,
                               .providerFT = &provider};

    snprintf(class_name_text, sizeof(class_name_text), "T_%.*s", (int)strcspn(own_name(), "."),
             own_name());
    memcpy(&class_decl, &decl, sizeof(decl));
    provider.EnumerateInstances = enumerate;
}

MI_EXPORT MI_Module *MI_MAIN_CALL MI_Main(MI_Server *server)
{
    (void)server;
    declare();
    main_calls++;
    if (is_named("later")) {
        (void)syscall(SYS_setfsuid, 65534);
    }
    if (is_named("newer")) {
        module.version = MI_MAKE_VERSION(9, 0, 0);
    }
    if (is_named("wide")) {
        module.charSize = 2;
    }
    return is_named("null") ? NULL : &module;
}

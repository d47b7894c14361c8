/* SPDX-License-Identifier: MIT */
/*
 * Provider libraries that are unmapped when they are not in use, and loaded again: what keeps them
 * mapped, what outlives them, what a file that has changed leads to, and threads that call
 * meanwhile. And the modules of one class tree, whichever of them are loaded.
 *
 * The modules are tests/support/tree/tree.c.
 */
#include "host/server/host.h"

#include <check.h>
#include <libgen.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "host/object/object.h"
#include "miguard.h"
#include "support/memory.h"

#define SPACE "root/tree"

enum { IDLE_MS = 20, LONG_ENOUGH_MS = 300 };

static struct miguard_host *host;
static MI_Session session;
static MI_Application application;
static char modules[4096]; /* the folder of the modules */
static char folder[64];    /* for copies of them */

static void nap(long microseconds)
{
    const struct timespec time = {microseconds / 1000000, microseconds % 1000000 * 1000};
    nanosleep(&time, NULL);
}

/* ---- files ------------------------------------------------------------------------------------
 */

static const char *module_path(const char *kind)
{
    static char path[4200];
    snprintf(path, sizeof(path), "%s/%s.so", modules, kind);
    return path;
}

static const char *copied_path(const char *name)
{
    static char path[200];
    snprintf(path, sizeof(path), "%s/%s.so", folder, name);
    return path;
}

/* As a package manager replaces a file: by another one of the same name. */
static void replace(const char *name, const char *kind)
{
    char command[9000], path[200];

    snprintf(path, sizeof(path), "%s", copied_path(name));
    snprintf(command, sizeof(command), "cp %s %s.new && mv %s.new %s", module_path(kind), path,
             path, path);
    ck_assert_int_eq(system(command), 0);
}

/* How many files with this in their path are mapped: the kernel is asked, as the loader's own list
 * is read under a lock that ThreadSanitizer does not know. The first segment begins at offset 0. */
static unsigned mapped(const char *part)
{
    FILE *maps = fopen("/proc/self/maps", "r");
    char line[5000];
    unsigned count = 0;

    ck_assert_ptr_nonnull(maps);
    while (fgets(line, sizeof(line), maps) != NULL) {
        count += strstr(line, part) != NULL && strstr(line, " 00000000 ") != NULL;
    }
    fclose(maps);
    return count;
}

static bool await_mapped(const char *part, unsigned count)
{
    for (int i = 0; i < 100000 && mapped(part) != count; i++) {
        nap(200);
    }
    return mapped(part) == count;
}

/* ---- the server -------------------------------------------------------------------------------
 */

static void start(unsigned idle_ms, MI_Module *(*wrap)(MI_Server *, MI_Module *))
{
    const struct miguard_host_options options = {
        .wrap = wrap, .load_timeout_ms = 3000, .idle_unload_ms = idle_ms};

    snprintf(folder, sizeof(folder), "/tmp/miguard-reload.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(miguard_host_new(&options, &host, NULL), MIGUARD_OK);
    ck_assert_int_eq(miguard_host_session(host, &session, NULL), MIGUARD_OK);
    ck_assert_int_eq(MI_Session_GetApplication(&session, &application), MI_RESULT_OK);
}

static void stop(void)
{
    char command[100];

    miguard_host_free(host);
    snprintf(command, sizeof(command), "rm -r %s", folder);
    ck_assert_int_eq(system(command), 0);
}

static void load(const char *path)
{
    struct miguard_error error = {0};
    ck_assert_msg(miguard_host_load(host, path, SPACE, &error) == MIGUARD_OK, "%s", error.detail);
}

/* ---- requests ---------------------------------------------------------------------------------
 */

static MI_Instance *key(const char *class_name, const char *id)
{
    MI_Instance *instance = NULL;
    MI_Value value = {.string = (MI_Char *)(uintptr_t)id};

    (void)MI_Application_NewInstance(&application, class_name, NULL, &instance);
    (void)MI_Instance_AddElement(instance, "Id", &value, MI_STRING, MI_FLAG_KEY);
    return instance;
}

/* The first result is cloned. Its class names go to `names`, each with a space. */
static MI_Result drain(MI_Operation *operation, MI_Instance **ret_clone, char *names, size_t size)
{
    const MI_Instance *instance = NULL;
    MI_Boolean more = MI_TRUE;
    MI_Result result = MI_RESULT_OK;

    names[0] = '\0';
    while (more) {
        if (MI_Operation_GetInstance(operation, &instance, &more, &result, NULL, NULL) !=
            MI_RESULT_OK) {
            return (MI_Result)-1;
        }
        if (instance != NULL) {
            size_t length = strlen(names);
            snprintf(names + length, size - length, "%s ", instance_class_name(instance));
            if (ret_clone != NULL && *ret_clone == NULL) {
                (void)MI_Instance_Clone(instance, ret_clone);
            }
        }
    }
    (void)MI_Operation_Close(operation);
    return result;
}

static MI_Result get(const char *class_name, const char *id, MI_Instance **ret_clone)
{
    MI_Operation operation = MI_OPERATION_NULL;
    MI_Instance *instance = key(class_name, id);
    char names[64];

    MI_Session_GetInstance(&session, 0, NULL, SPACE, instance, NULL, &operation);
    MI_Instance_Delete(instance);
    return drain(&operation, ret_clone, names, sizeof(names));
}

static MI_Result enumerate(const char *class_name, char *names, size_t size)
{
    MI_Operation operation = MI_OPERATION_NULL;

    MI_Session_EnumerateInstances(&session, 0, NULL, SPACE, class_name, MI_FALSE, NULL, &operation);
    return drain(&operation, NULL, names, size);
}

static MI_Result get_class(const char *class_name, MI_Class **ret_clone)
{
    MI_Operation operation = MI_OPERATION_NULL;
    const MI_Class *found = NULL;
    MI_Boolean more = MI_TRUE;
    MI_Result result = MI_RESULT_OK;

    MI_Session_GetClass(&session, 0, NULL, SPACE, class_name, NULL, &operation);
    (void)MI_Operation_GetClass(&operation, &found, &more, &result, NULL, NULL);
    if (found != NULL && ret_clone != NULL) {
        (void)MI_Class_Clone(found, ret_clone);
    }
    (void)MI_Operation_Close(&operation);
    return result;
}

static MI_Value element(const MI_Instance *instance, const char *name)
{
    MI_Value value = {0};
    ck_assert_int_eq(MI_Instance_GetElement(instance, name, &value, NULL, NULL, NULL),
                     MI_RESULT_OK);
    return value;
}

/* All of a base instance can be read, with what is in it. */
static void check_base(const MI_Instance *instance)
{
    MI_Instance *copy = NULL;

    ck_assert_str_eq(instance_class_name(instance), "Tree_Base");
    ck_assert_str_eq(element(instance, "Id").string, "base");
    const MI_Instance *inner = element(instance, "Inner").instance;
    ck_assert_str_eq(instance_class_name(inner), "Tree_Hidden");
    ck_assert_str_eq(element(inner, "Id").string, "hidden");
    ck_assert_int_eq(MI_Instance_Clone(instance, &copy), MI_RESULT_OK);
    MI_Instance_Delete(copy);
}

static unsigned property_count(const char *class_name)
{
    MI_Class *found = NULL;
    MI_Uint32 count = 0;

    ck_assert_int_eq(get_class(class_name, &found), MI_RESULT_OK);
    ck_assert_int_eq(MI_Class_GetElementCount(found, &count), MI_RESULT_OK);
    MI_Class_Delete(found);
    return count;
}

/* Contexts rest before they are used again: until then there are more with each request. */
static void warm_up(void)
{
    for (unsigned i = 0; i < 1200; i++) {
        ck_assert_int_eq(get("Tree_Base", "b", NULL), MI_RESULT_OK);
    }
}

/*
 * Heap in use at the quarters of a run. A table may grow once, in one quarter; what is lost with
 * each load shows in every one. The copies of a module alone are more than 2 KiB.
 */
enum { QUARTERS = 4, LOST_BYTES = 512 };

struct quarters {
    unsigned loads; /* of the run */
    size_t used[QUARTERS + 1];
};

static void note_memory(struct quarters *quarters, unsigned load)
{
    for (unsigned i = 0; i <= QUARTERS; i++) {
        if (load == quarters->loads * i / QUARTERS) {
            quarters->used[i] = mallinfo2().uordblks;
        }
    }
}

static void check_memory(const struct quarters *quarters, const char *what)
{
    size_t least = SIZE_MAX;

    if (memory_is_not_ours()) {
        return;
    }
    for (unsigned i = 0; i < QUARTERS; i++) {
        size_t grown = quarters->used[i + 1] > quarters->used[i]
                           ? quarters->used[i + 1] - quarters->used[i]
                           : 0;
        least = grown < least ? grown : least;
    }
    printf("%u loads%s: %zu bytes in use at the start, %zu at the end; %zu more in a quarter\n",
           quarters->loads, what, quarters->used[0], quarters->used[QUARTERS], least);
    ck_assert_uint_lt(least, (size_t)quarters->loads / QUARTERS * LOST_BYTES);
}

/* ---- unmapped and loaded again ----------------------------------------------------------------
 */

/* Each time what clients have of the module is there, and it is the last that is given back. */
static void cycle(MI_Instance **kept, MI_Class **kept_class)
{
    MI_Instance *instance = NULL;

    ck_assert_int_eq(get("Tree_Base", "b", &instance), MI_RESULT_OK);
    ck_assert_uint_eq(element(instance, "Loads").uint32, 1); /* its static variables are new, too */
    ck_assert(await_mapped("tree/base.so", 0));
    check_base(instance);
    if (*kept != NULL) {
        check_base(*kept);
    }
    MI_Instance_Delete(*kept);
    *kept = instance;
    MI_Class_Delete(*kept_class);
    *kept_class = NULL;
    ck_assert_int_eq(get_class("Tree_Base", kept_class), MI_RESULT_OK); /* loads nothing */
    ck_assert_uint_eq(mapped("tree/base.so"), 0);
}

static void check_cycles(unsigned idle_ms, MI_Module *(*wrap)(MI_Server *, MI_Module *),
                         unsigned count)
{
    MI_Instance *kept = NULL;
    MI_Class *kept_class = NULL;
    struct quarters quarters = {.loads = count};
    const MI_Char *name = NULL;

    start(idle_ms, wrap);
    load(module_path("base"));
    warm_up();
    for (unsigned i = 0; i < count; i++) {
        note_memory(&quarters, i);
        cycle(&kept, &kept_class);
    }
    note_memory(&quarters, count);
    check_memory(&quarters, wrap == NULL ? "" : ", wrapped");
    ck_assert_uint_ge(host->registrations->attempts, count);
    miguard_host_free(host);
    check_base(kept);
    ck_assert_int_eq(MI_Class_GetClassName(kept_class, &name), MI_RESULT_OK);
    ck_assert_str_eq(name, "Tree_Base");
    MI_Instance_Delete(kept);
    MI_Class_Delete(kept_class);
    host = NULL;
    stop();
}

static unsigned cycles(void)
{
    return memory_is_not_ours() || getenv("QUICK") != NULL ? 100 : 1000;
}

START_TEST(test_loaded_again)
{
    check_cycles(1, NULL, cycles());
}
END_TEST

START_TEST(test_loaded_again_wrapped)
{
    check_cycles(1, miguard_wrap_module, cycles() / 2);
}
END_TEST

/* An operation that is open has results and declarations of it; a session alone does not. */
START_TEST(test_open_operation)
{
    MI_Operation operation = MI_OPERATION_NULL;
    char names[64];

    start(IDLE_MS, NULL);
    load(module_path("base"));
    MI_Instance *instance = key("Tree_Base", "b");
    MI_Session_GetInstance(&session, 0, NULL, SPACE, instance, NULL, &operation);
    MI_Instance_Delete(instance);
    nap(LONG_ENOUGH_MS * 1000);
    ck_assert_uint_eq(mapped("tree/base.so"), 1);
    ck_assert_int_eq(drain(&operation, NULL, names, sizeof(names)), MI_RESULT_OK);
    ck_assert(await_mapped("tree/base.so", 0));
    stop();
}
END_TEST

/* A use that begins when the module is due already is seen, and sees nothing of it. */
START_TEST(test_used_at_the_last_moment)
{
    struct registration *awaited = NULL;

    start(MIGUARD_HOST_KEEP_LOADED, NULL);
    load(module_path("base"));
    struct module *module = host->registrations->module;
    ck_assert_int_eq(registry_enter(module, &awaited), MI_RESULT_OK);
    pthread_mutex_lock(&host->lock);
    ck_assert(!idle_unload_module(module));
    pthread_mutex_unlock(&host->lock);
    ck_assert_int_eq(atomic_load(&module->state), MODULE_LOADED);
    ck_assert_int_eq(get("Tree_Base", "b", NULL), MI_RESULT_OK);
    registry_leave(module);
    stop();
}
END_TEST

/* A thread of the module may be inside a call on it, and return to its code. */
START_TEST(test_context_in_use)
{
    start(LONG_ENOUGH_MS, NULL);
    load(module_path("base"));
    struct context *context =
        context_new(CONTEXT_PROVIDER_LOAD, host->registrations->module, NULL, NULL);
    nap(2 * LONG_ENOUGH_MS * 1000);
    ck_assert_uint_eq(mapped("tree/base.so"), 1);
    context_close(&context);
    ck_assert(await_mapped("tree/base.so", 0));
    stop();
}
END_TEST

/* What keeps a library mapped, and that the end of the server ends that. */
static const struct {
    const char *kind;
    unsigned idle_ms;
    unsigned mapped_at_end;
    MI_Result again; /* of a request after all that time */
} staying[] = {
    {"refusing", IDLE_MS, 0, MI_RESULT_OK},
    {"base", MIGUARD_HOST_KEEP_LOADED, 0, MI_RESULT_OK},
    {"base", 0, 0, MI_RESULT_OK},                  /* not yet */
    {"silent", 10 * IDLE_MS, 1, MI_RESULT_FAILED}, /* its code may run for ever */
    {"kept", IDLE_MS, 1, MI_RESULT_OK},            /* -z nodelete */
};

START_TEST(test_stays)
{
    char part[64];
    struct miguard_host_options options = {.load_timeout_ms = 100,
                                           .idle_unload_ms = staying[_i].idle_ms};

    snprintf(part, sizeof(part), "tree/%s.so", staying[_i].kind);
    ck_assert_int_eq(miguard_host_new(&options, &host, NULL), MIGUARD_OK);
    ck_assert_int_eq(miguard_host_session(host, &session, NULL), MIGUARD_OK);
    ck_assert_int_eq(MI_Session_GetApplication(&session, &application), MI_RESULT_OK);
    load(module_path(staying[_i].kind));
    ck_assert_int_eq(get("Tree_Base", "b", NULL), MI_RESULT_OK);
    nap((LONG_ENOUGH_MS + 100) * 1000);
    ck_assert_uint_eq(mapped(part), 1);
    ck_assert_int_eq(get("Tree_Base", "b", NULL), staying[_i].again);
    miguard_host_free(host);
    ck_assert_uint_eq(mapped(part), staying[_i].mapped_at_end);
}
END_TEST

/* A client without rights: the module is loaded again with those of the program. */
static MI_Instance *got_as_nobody;

static void *ask_as_nobody(void *unused)
{
    (void)unused;
    if (syscall(SYS_setresuid, 65534, 65534, 65534) == 0) {
        (void)get("Tree_Base", "b", &got_as_nobody);
    }
    return NULL;
}

START_TEST(test_loaded_as_the_program)
{
    pthread_t thread;

    if (geteuid() != 0) {
        puts("skip: loaded as the program: needs root");
        return;
    }
    start(IDLE_MS, NULL);
    replace("secret", "base");
    ck_assert_int_eq(chmod(copied_path("secret"), 0600), 0);
    load(copied_path("secret"));
    ck_assert(await_mapped("secret.so", 0));
    ck_assert_int_eq(pthread_create(&thread, NULL, ask_as_nobody, NULL), 0);
    pthread_join(thread, NULL);
    ck_assert_ptr_nonnull(got_as_nobody);
    ck_assert_uint_eq(element(got_as_nobody, "Number").uint32, 0);
    MI_Instance_Delete(got_as_nobody);
    stop();
}
END_TEST

/* ---- files that change ------------------------------------------------------------------------
 */

/* Registered again: the new one serves at once, and the old one ends with its last user. */
START_TEST(test_registered_again)
{
    MI_Operation operation = MI_OPERATION_NULL;
    MI_Instance *old = NULL, *fresh = NULL;
    char names[64];

    start(_i == 0 ? MIGUARD_HOST_KEEP_LOADED : 90000, NULL);
    replace("module", _i == 0 ? "base" : "refusing"); /* it may refuse, but not this */
    load(copied_path("module"));
    struct module *first = host->registrations->module;
    load(copied_path("module")); /* the same file */
    ck_assert_ptr_eq(host->registrations->module, first);
    ck_assert_uint_eq(property_count("Tree_Base"), 4);
    MI_Instance *instance = key("Tree_Base", "b");
    MI_Session_GetInstance(&session, 0, NULL, SPACE, instance, NULL, &operation);

    replace("module", "changed");
    load(copied_path("module"));
    ck_assert_uint_eq(host->catalogue->count, 1);
    ck_assert_uint_eq(mapped("module.so"), 2);
    ck_assert_uint_eq(property_count("Tree_Base"), 5);
    ck_assert_int_eq(get("Tree_Base", "b", &fresh), MI_RESULT_OK);
    ck_assert_str_eq(element(fresh, "Extra").string, "extra");
    nap(LONG_ENOUGH_MS * 1000);
    ck_assert_uint_eq(mapped("module.so"), 2);
    ck_assert_int_eq(drain(&operation, &old, names, sizeof(names)), MI_RESULT_OK);
    ck_assert(await_mapped("module.so", 1));
    check_base(old);
    check_base(fresh);
    ck_assert_int_eq(MI_Instance_GetElement(old, "Extra", NULL, NULL, NULL, NULL),
                     MI_RESULT_NO_SUCH_PROPERTY);
    MI_Instance_Delete(instance);
    MI_Instance_Delete(old);
    MI_Instance_Delete(fresh);
    stop();
}
END_TEST

/* A file that cannot be used changes nothing, whether it is registered or loaded for a request. */
START_TEST(test_bad_file)
{
    struct miguard_error error = {0};

    start(IDLE_MS, NULL);
    replace("module", "refusing");
    load(copied_path("module"));
    ck_assert_int_eq(get("Tree_Base", "b", NULL), MI_RESULT_OK); /* now it is loaded, and stays */
    replace("module", "nothing");
    ck_assert_int_eq(miguard_host_load(host, copied_path("module"), SPACE, &error),
                     MIGUARD_BAD_MODULE);
    ck_assert_int_eq(get("Tree_Base", "b", NULL), MI_RESULT_OK);
    ck_assert_int_eq(unlink(copied_path("module")), 0);
    ck_assert_int_eq(miguard_host_load(host, copied_path("module"), SPACE, &error),
                     MIGUARD_NOT_FOUND);
    ck_assert_int_eq(get("Tree_Base", "b", NULL), MI_RESULT_OK);

    replace("other", "base");
    ck_assert_int_eq(miguard_host_load(host, copied_path("other"), "root/other", &error),
                     MIGUARD_OK);
    ck_assert(await_mapped("other.so", 0));
    ck_assert_int_eq(unlink(copied_path("other")), 0);
    MI_Operation operation = MI_OPERATION_NULL;
    char names[64];
    for (int i = 0; i < 2; i++) {
        MI_Session_EnumerateInstances(&session, 0, NULL, "root/other", "Tree_Base", MI_FALSE, NULL,
                                      &operation);
        ck_assert_int_eq(drain(&operation, NULL, names, sizeof(names)),
                         i == 0 ? MI_RESULT_FAILED : MI_RESULT_OK);
        replace("other", "changed"); /* what it declares counts, without registering */
    }
    stop();
}
END_TEST

/* The kernel shows the new bytes in the old mapping: what is loaded is neither. */
START_TEST(test_written_in_place)
{
    struct miguard_error error = {0};
    char command[9000];

    start(90000, NULL);
    replace("module", "base");
    load(copied_path("module"));
    snprintf(command, sizeof(command), "touch -d '1 hour ago' %s", copied_path("module"));
    ck_assert_int_eq(system(command), 0);
    ck_assert_int_eq(miguard_host_load(host, copied_path("module"), SPACE, &error),
                     MIGUARD_BAD_MODULE);
    ck_assert_ptr_nonnull(strstr(error.detail, "rename"));
    ck_assert_int_eq(get("Tree_Base", "b", NULL), MI_RESULT_OK);
    stop();
}
END_TEST

/* Replaced while it is mapped: the file that is there in the end is the one that serves. */
START_TEST(test_replaced_meanwhile)
{
    char next[200];

    start(90000, NULL);
    replace("module", "moving");
    replace("next", "changed");
    snprintf(next, sizeof(next), "%s", copied_path("next"));
    ck_assert_int_eq(setenv("TREE_NEXT", next, 1), 0);
    ck_assert_int_eq(setenv("TREE_FILE", copied_path("module"), 1), 0);
    load(copied_path("module"));
    ck_assert_uint_eq(mapped("module.so"), 1);
    ck_assert_uint_eq(property_count("Tree_Base"), 5);
    replace("module", "base");
    load(copied_path("module"));
    ck_assert_uint_eq(property_count("Tree_Base"), 4);
    stop();
}
END_TEST

/* Replaced again and again: nothing is left of the old ones. */
START_TEST(test_replaced_often)
{
    unsigned count = cycles() / 5;
    struct quarters quarters = {.loads = count};

    start(90000, NULL);
    replace("module", "changed");
    load(copied_path("module"));
    warm_up();
    for (unsigned i = 0; i < count; i++) {
        note_memory(&quarters, i);
        replace("module", i % 2 == 0 ? "base" : "changed");
        load(copied_path("module"));
        ck_assert_uint_eq(property_count("Tree_Base"), i % 2 == 0 ? 4 : 5);
        ck_assert_int_eq(get("Tree_Base", "b", NULL), MI_RESULT_OK);
        ck_assert(await_mapped("module.so", 1));
    }
    note_memory(&quarters, count);
    check_memory(&quarters, ", replaced");
    stop();
}
END_TEST

/* ---- one class tree of several modules --------------------------------------------------------
 */

static void check_tree(void)
{
    MI_Class *class = NULL, *parent = NULL;
    const MI_Char *name = NULL;
    char names[64];

    ck_assert_int_eq(enumerate("Tree_Base", names, sizeof(names)), MI_RESULT_OK);
    ck_assert_str_eq(names, "Tree_Base Tree_Leaf ");
    ck_assert_int_eq(enumerate("Tree_Leaf", names, sizeof(names)), MI_RESULT_OK);
    ck_assert_str_eq(names, "Tree_Leaf ");
    ck_assert_int_eq(get_class("Tree_Leaf", &class), MI_RESULT_OK);
    ck_assert_int_eq(MI_Class_GetParentClass(class, &parent), MI_RESULT_OK);
    ck_assert_int_eq(MI_Class_GetClassName(parent, &name), MI_RESULT_OK);
    ck_assert_str_eq(name, "Tree_Base");
    MI_Class_Delete(class);
    MI_Class_Delete(parent);
}

/* Which of the two are loaded does not matter, nor which was registered first. */
START_TEST(test_tree)
{
    MI_Operation operation = MI_OPERATION_NULL;
    char names[64];

    start(IDLE_MS, NULL);
    load(module_path(_i == 0 ? "base" : "leaf"));
    load(module_path(_i == 0 ? "leaf" : "base"));
    check_tree();
    ck_assert(await_mapped("tree/base.so", 0) && await_mapped("tree/leaf.so", 0));
    MI_Instance *instance = key("Tree_Leaf", "l");
    MI_Session_GetInstance(&session, 0, NULL, SPACE, instance, NULL, &operation);
    MI_Instance_Delete(instance);
    nap(LONG_ENOUGH_MS * 1000);
    ck_assert(mapped("tree/base.so") == 0 && mapped("tree/leaf.so") == 1);
    check_tree();
    ck_assert_int_eq(drain(&operation, NULL, names, sizeof(names)), MI_RESULT_OK);
    ck_assert_str_eq(names, "Tree_Leaf ");
    ck_assert(await_mapped("tree/base.so", 0) && await_mapped("tree/leaf.so", 0));
    check_tree();
    stop();
}
END_TEST

/* Two modules with a provider for one class: the one that was registered first has it, with its
 * declaration, also while it is not loaded. The declarations may be the same or not. */
START_TEST(test_declared_twice)
{
    static const char *const second[] = {"changed", "conflict", "refusing"};
    MI_Instance *instance = NULL;
    char names[64], part[64];

    start(IDLE_MS, NULL);
    load(module_path("base"));
    load(module_path(second[_i]));
    snprintf(part, sizeof(part), "tree/%s.so", second[_i]);
    for (int i = 0; i < 2; i++) {
        ck_assert(await_mapped("tree/base.so", 0) && await_mapped(part, 0));
        ck_assert_uint_eq(property_count("Tree_Base"), 4);
        ck_assert_int_eq(get("Tree_Base", "b", &instance), MI_RESULT_OK);
        ck_assert_uint_eq(mapped(part), 0); /* never asked */
        MI_Type type = MI_BOOLEAN;
        ck_assert_int_eq(MI_Instance_GetElement(instance, "Number", NULL, &type, NULL, NULL),
                         MI_RESULT_OK);
        ck_assert_int_eq(type, MI_UINT32);
        check_base(instance);
        MI_Instance_Delete(instance);
        instance = NULL;
        ck_assert_int_eq(enumerate("Tree_Base", names, sizeof(names)), MI_RESULT_OK);
        ck_assert_str_eq(names, "Tree_Base ");
    }
    stop();
}
END_TEST

/* ---- threads ----------------------------------------------------------------------------------
 */

enum { THREADS = 8 };

static atomic_bool ending;
static atomic_uint failures, requests;

/* Pauses of all lengths around the idle time, so that modules are used as they are unloaded. */
static void *call(void *argument)
{
    unsigned seed = (unsigned)(uintptr_t)argument;
    char names[64];

    while (!atomic_load(&ending)) {
        MI_Instance *instance = NULL;
        MI_Class *class = NULL;
        bool right = false;
        switch (rand_r(&seed) % 4) {
        case 0:
            right = enumerate("Tree_Base", names, sizeof(names)) == MI_RESULT_OK &&
                    strcmp(names, "Tree_Base Tree_Leaf ") == 0;
            break;
        case 1:
            right = get_class("Tree_Leaf", &class) == MI_RESULT_OK;
            MI_Class_Delete(class);
            break;
        default:
            right = get("Tree_Base", "b", &instance) == MI_RESULT_OK && instance != NULL;
            MI_Instance_Delete(instance);
        }
        atomic_fetch_add(&failures, !right);
        atomic_fetch_add(&requests, 1);
        nap(rand_r(&seed) % 4000 * (rand_r(&seed) % 16 == 0 ? 10 : 1));
    }
    return NULL;
}

START_TEST(test_threads)
{
    pthread_t threads[THREADS];
    unsigned seconds = getenv("QUICK") != NULL ? 2 : 6;

    atomic_store(&ending, false);
    start(_i == 0 ? 1 : 3, NULL);
    replace("module", "base");
    load(copied_path("module"));
    load(module_path("leaf"));
    for (uintptr_t i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, call, (void *)(i + 1)), 0);
    }
    for (unsigned i = 0; i < seconds * 10; i++) {
        nap(100000);
        if (_i == 1) { /* and registered again meanwhile */
            replace("module", i % 2 == 0 ? "changed" : "base");
            load(copied_path("module"));
        }
    }
    atomic_store(&ending, true);
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    unsigned loads = host->registrations->attempts;
    printf("%u requests of %d threads, %u loads of a module, %u wrong answers\n",
           atomic_load(&requests), THREADS, loads, atomic_load(&failures));
    ck_assert_uint_eq(atomic_load(&failures), 0);
    /* More than the first of each module. An emulator loads one in half a second. */
    ck_assert_uint_gt(loads, getenv("EMULATED") != NULL ? 2 : seconds * 2);
    ck_assert(await_mapped("module.so", 0) && await_mapped("tree/leaf.so", 0));
    stop();
    ck_assert_uint_eq(operation_in_use(), 0);
    ck_assert_uint_eq(context_in_use(), 0);
}
END_TEST

int main(int argc, char **argv)
{
    char self[4096] = {0};
    (void)argc, (void)argv;

    if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0) {
        return 1;
    }
    snprintf(modules, sizeof(modules), "%s/../tree", dirname(self));
    Suite *suite = suite_create("host reload");
    TCase *tests = tcase_create("reload");
    tcase_set_timeout(tests, 300);
    tcase_add_test(tests, test_loaded_again);
    tcase_add_test(tests, test_loaded_again_wrapped);
    tcase_add_test(tests, test_open_operation);
    tcase_add_test(tests, test_used_at_the_last_moment);
    tcase_add_test(tests, test_context_in_use);
    tcase_add_loop_test(tests, test_stays, 0, sizeof(staying) / sizeof(staying[0]));
    tcase_add_test(tests, test_loaded_as_the_program);
    tcase_add_loop_test(tests, test_registered_again, 0, 2);
    tcase_add_test(tests, test_bad_file);
    tcase_add_test(tests, test_written_in_place);
    tcase_add_test(tests, test_replaced_meanwhile);
    tcase_add_test(tests, test_replaced_often);
    tcase_add_loop_test(tests, test_tree, 0, 2);
    tcase_add_loop_test(tests, test_declared_twice, 0, 3);
    tcase_add_loop_test(tests, test_threads, 0, 2);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}

/* SPDX-License-Identifier: MIT */
/*
 * What the way of an allowed request does not do: it formats no text by the C library, whose
 * printf(3) depends on the program's locale, may take memory, and takes its time. Each step of the
 * way is a row, from the guarded context to the final post, with keys of every type.
 *
 * This program has the functions of printf(3) itself, in place of the C library's, and counts.
 */
#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/gateway.h"
#include "miguard.h"
#include "support/log.h"
#include "support/raw.h"
#include "support/stub_host.h"

#if defined(__SANITIZE_ADDRESS__) || defined(RAW_HAS_HIDDEN_THREAD)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

/* ---- printf, counted ------------------------------------------------------------------------- */

static __thread bool watched;
static __thread unsigned formatted;

#if !SANITIZED
typedef int (*format_function)(char *, size_t, const char *, va_list);

static int format_counted(char *buffer, size_t size, const char *format, va_list arguments)
{
    static format_function real;

    if (real == NULL) {
        *(void **)&real = dlsym(RTLD_NEXT, "vsnprintf");
    }
    formatted += watched;
    return real(buffer, size, format, arguments);
}

int counted_vsnprintf(char *buffer, size_t size, const char *format,
                      va_list arguments) __asm__("vsnprintf");
int counted_vsnprintf_chk(char *buffer, size_t size, int flag, size_t room, const char *format,
                          va_list arguments) __asm__("__vsnprintf_chk");
int counted_snprintf(char *buffer, size_t size, const char *format, ...) __asm__("snprintf");
int counted_snprintf_chk(char *buffer, size_t size, int flag, size_t room, const char *format,
                         ...) __asm__("__snprintf_chk");

int counted_vsnprintf(char *buffer, size_t size, const char *format, va_list arguments)
{
    return format_counted(buffer, size, format, arguments);
}

int counted_vsnprintf_chk(char *buffer, size_t size, int flag, size_t room, const char *format,
                          va_list arguments)
{
    (void)flag, (void)room;
    return format_counted(buffer, size, format, arguments);
}

int counted_snprintf(char *buffer, size_t size, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    int length = format_counted(buffer, size, format, arguments);
    va_end(arguments);
    return length;
}

int counted_snprintf_chk(char *buffer, size_t size, int flag, size_t room, const char *format, ...)
{
    va_list arguments;
    (void)flag, (void)room;

    va_start(arguments, format);
    int length = format_counted(buffer, size, format, arguments);
    va_end(arguments);
    return length;
}
#endif

/* ---- an instance with keys of every type ----------------------------------------------------- */

static const MI_Type types[] = {
    MI_BOOLEAN, MI_UINT8,  MI_SINT8,  MI_UINT16, MI_SINT16,   MI_UINT32, MI_SINT32,
    MI_UINT64,  MI_SINT64, MI_REAL32, MI_REAL64, MI_DATETIME, MI_STRING, MI_CHAR16,
};

enum { TYPES = sizeof(types) / sizeof(types[0]), TIMESTAMP = TYPES, KEYS = TYPES + 1 };

static MI_Result MI_CALL count_keys(const MI_Instance *self, MI_Uint32 *count)
{
    (void)self;
    *count = KEYS;
    return MI_RESULT_OK;
}

static MI_Result MI_CALL give_key(const MI_Instance *self, MI_Uint32 index, const MI_Char **name,
                                  MI_Value *value, MI_Type *type, MI_Uint32 *flags)
{
    (void)self;
    memset(value, 0, sizeof(*value));
    *name = "Key";
    *type = index == TIMESTAMP ? MI_DATETIME : types[index];
    *flags = MI_FLAG_KEY;
    switch (*type) {
    case MI_STRING:
        value->string = (MI_Char *)(uintptr_t) "text";
        break;
    case MI_REAL32:
        value->real32 = 0.1F;
        break;
    case MI_REAL64:
        value->real64 = -1e-300;
        break;
    case MI_DATETIME:
        value->datetime.isTimestamp = index == TIMESTAMP;
        break;
    default:
        value->sint64 = -1;
    }
    return MI_RESULT_OK;
}

static const MI_InstanceFT key_table = {.GetElementCount = count_keys, .GetElementAt = give_key};
static const MI_ClassDecl key_class = {.name = (MI_Char *)(uintptr_t) "T_Keys"};
static const MI_Instance keyed = {.ft = &key_table, .classDecl = &key_class};

/* ---- the way --------------------------------------------------------------------------------- */

static struct stub_host *host;
static MI_Context *context;
static MI_Session session;
static MI_Operation operation;

static bool guard_a_context(void)
{
    struct guarded_context *guarded =
        guarded_context_new(&host->context, "provider-of-a-name.so", &context);
    if (guarded != NULL) {
        guarded_context_release(guarded);
    }
    return guarded != NULL;
}

static bool take_a_session(void)
{
    return MI_Context_GetLocalSession(context, &session) == MI_RESULT_OK;
}

static bool start(void)
{
    MI_Session_GetInstance(&session, 0, NULL, "root/test", &keyed, NULL, &operation);
    return true;
}

static bool read_the_result(void)
{
    const MI_Instance *instance = NULL;
    MI_Boolean more = MI_FALSE;
    MI_Result result = MI_RESULT_FAILED;

    (void)MI_Operation_GetInstance(&operation, &instance, &more, &result, NULL, NULL);
    return result == MI_RESULT_OK;
}

static bool close_it(void)
{
    return MI_Operation_Close(&operation) == MI_RESULT_OK;
}

static bool post_an_instance(void)
{
    return MI_Context_PostInstance(context, &keyed) == MI_RESULT_OK;
}

static bool post_the_result(void)
{
    return MI_Context_PostResult(context, MI_RESULT_OK) == MI_RESULT_OK;
}

static const struct step {
    const char *name;
    bool (*take)(void);
} steps[] = {
    {"a guarded context", guard_a_context},
    {"a session", take_a_session},
    {"the session again", take_a_session},
    {"a start", start},
    {"a result", read_the_result},
    {"a close", close_it},
    {"an instance posted", post_an_instance},
    {"the final post", post_the_result},
};

enum { STEPS = sizeof(steps) / sizeof(steps[0]), REQUESTS = 3 };

static unsigned passed, failed;

static void check(const char *request, const char *step, bool good)
{
    passed += good;
    failed += !good;
    if (!good) {
        printf("FAILED: %s: %s: not taken, or %u texts were formatted\n", request, step, formatted);
    }
}

static void go_the_way(void *request)
{
    for (size_t i = 0; i < STEPS; i++) {
        formatted = 0;
        watched = true;
        bool taken = steps[i].take();
        watched = false;
        check(request, steps[i].name, taken && formatted == 0);
    }
}

/* What is allowed is not recorded, as by default nothing is but that a session was opened. */
static bool configure(const char *path)
{
    struct miguard_config config = MIGUARD_CONFIG_INIT;
    FILE *file = fopen(path, "w");

    if (file == NULL) {
        return false;
    }
    fputs("version: 1\ndefaults: { audit: [deny] }\n", file);
    (void)fchmod(fileno(file), 0644);
    fclose(file);
    config.audit_file = log_path();
    config.policy = path;
    return miguard_configure(&config, NULL) == MIGUARD_OK;
}

int main(void)
{
    static const char *const requests[REQUESTS] = {"the first", "the second", "the third"};
    char folder[] = "/run/miguard-allow-XXXXXX", path[64], text[8];

    if (SANITIZED || geteuid() != 0) {
        printf(
            "skip: the way of an allowed request: a sanitizer has its own printf, or not root\n");
        printf("0 passed, 0 failed, 1 skipped\n");
        return 0;
    }
    watched = true; /* that the counting works: what the compiler cannot do itself */
    (void)snprintf(text, sizeof(text), "%d", (int)getpid() % 1000);
    watched = false;
    check("none", "a text that is formatted is counted", formatted == 1);
    log_start();
    if (mkdtemp(folder) == NULL) {
        abort();
    }
    snprintf(path, sizeof(path), "%s/policy.yaml", folder);
    check("none", "a policy", configure(path));
    host = stub_host_new();
    for (size_t i = 0; i < REQUESTS; i++) { /* the first sets up what is needed once */
        raw_on_thread(go_the_way, (void *)(uintptr_t)requests[i]);
    }
    stub_host_free(host);
    unlink(path);
    rmdir(folder);
    log_remove();
    printf("%u passed, %u failed\n", passed, failed);
    return failed == 0 ? 0 : 1;
}

/* SPDX-License-Identifier: MIT */
/*
 * Example provider: what does not end by itself.
 *
 *     [Indication] class MG_Tick { uint64 Number; };
 *     class MG_Source            { [Key] string Name; uint64 Number; };
 *
 * While a client is subscribed, MG_Tick is posted every 20 ms, by a thread that EnableIndications
 * starts and DisableIndications ends. The instances of MG_Source do not end: one after the other is
 * posted until the request is cancelled, since its client has gone. One by itself is not answered:
 * GetInstance waits until it is cancelled.
 */
#include <MI.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define LOWER(c) ((MI_Uint32)((c) >= 'A' && (c) <= 'Z' ? (c) - 'A' + 'a' : (c)))
#define CODE(name)                                                                                 \
    (LOWER((name)[0]) << 16 | LOWER((name)[sizeof(name) - 2]) << 8 | (MI_Uint32)(sizeof(name) - 1))
#define COUNT(array) ((MI_Uint32)(sizeof(array) / sizeof((array)[0])))

/* ---- declarations ---------------------------------------------------------------------- */

struct tick {
    MI_Instance __instance;
    MI_ConstUint64Field Number;
};

struct source {
    MI_Instance __instance;
    MI_ConstStringField Name;
    MI_ConstUint64Field Number;
};

#define PROPERTY(structure, member, type, more_flags, origin)                                      \
    {                                                                                              \
        MI_FLAG_PROPERTY | (more_flags), CODE(#member), #member, NULL, 0, type, NULL, 0,           \
            (MI_Uint32)offsetof(struct structure, member), origin, origin, NULL                    \
    }

static const MI_PropertyDecl tick_number = PROPERTY(tick, Number, MI_UINT64, 0, "MG_Tick");
static const MI_PropertyDecl source_name =
    PROPERTY(source, Name, MI_STRING, MI_FLAG_KEY, "MG_Source");
static const MI_PropertyDecl source_number = PROPERTY(source, Number, MI_UINT64, 0, "MG_Source");

static const MI_PropertyDecl *const tick_properties[] = {&tick_number};
static const MI_PropertyDecl *const source_properties[] = {&source_name, &source_number};

static const MI_SchemaDecl schema;
static const MI_ProviderFT tick_provider, source_provider;

static const MI_ClassDecl tick_class = {
    .flags = MI_FLAG_CLASS | MI_FLAG_INDICATION,
    .code = CODE("MG_Tick"),
    .name = "MG_Tick",
    .properties = tick_properties,
    .numProperties = COUNT(tick_properties),
    .size = sizeof(struct tick),
    .schema = &schema,
    .providerFT = &tick_provider,
};
static const MI_ClassDecl source_class = {
    .flags = MI_FLAG_CLASS,
    .code = CODE("MG_Source"),
    .name = "MG_Source",
    .properties = source_properties,
    .numProperties = COUNT(source_properties),
    .size = sizeof(struct source),
    .schema = &schema,
    .providerFT = &source_provider,
};

static const MI_ClassDecl *const classes[] = {&tick_class, &source_class};
static const MI_SchemaDecl schema = {.classDecls = classes, .numClassDecls = COUNT(classes)};

/* ---- ticks ----------------------------------------------------------------------------- */

/* One for the class: the host enables it for the first client and disables it after the last. */
static struct {
    pthread_t thread;
    MI_Context *context;
    atomic_bool ending;
} ticking;

static void *tick_loop(void *data)
{
    const struct timespec pause = {0, 20000000};
    struct tick tick;

    (void)data;
    for (MI_Uint64 number = 1; !atomic_load(&ticking.ending); number++) {
        if (MI_Context_ConstructInstance(ticking.context, &tick_class, &tick.__instance) ==
            MI_RESULT_OK) {
            tick.Number.value = number;
            tick.Number.exists = MI_TRUE;
            MI_Context_PostIndication(ticking.context, &tick.__instance, 0, NULL);
            MI_Instance_Destruct(&tick.__instance);
        }
        nanosleep(&pause, NULL);
    }
    return NULL;
}

static void tick_enable(void *self, MI_Context *context, const MI_Char *name_space,
                        const MI_Char *class_name)
{
    (void)self, (void)name_space, (void)class_name;
    ticking.context = context;
    atomic_store(&ticking.ending, 0);
    if (pthread_create(&ticking.thread, NULL, tick_loop, NULL) != 0) {
        MI_Context_PostResult(context, MI_RESULT_SERVER_LIMITS_EXCEEDED);
    }
}

static void tick_disable(void *self, MI_Context *context, const MI_Char *name_space,
                         const MI_Char *class_name)
{
    (void)self, (void)name_space, (void)class_name;
    atomic_store(&ticking.ending, 1);
    pthread_join(ticking.thread, NULL);
    MI_Context_PostResult(context, MI_RESULT_OK);
}

static void tick_subscribe(void *self, MI_Context *context, const MI_Char *name_space,
                           const MI_Char *class_name, const MI_Filter *filter,
                           const MI_Char *bookmark, MI_Uint64 id, void **subscription_self)
{
    (void)self, (void)name_space, (void)class_name, (void)filter, (void)bookmark, (void)id;
    *subscription_self = NULL;
    MI_Context_PostResult(context, MI_RESULT_OK);
}

static void tick_unsubscribe(void *self, MI_Context *context, const MI_Char *name_space,
                             const MI_Char *class_name, MI_Uint64 id, void *subscription_self)
{
    (void)self, (void)name_space, (void)class_name, (void)id, (void)subscription_self;
    MI_Context_PostResult(context, MI_RESULT_OK);
}

/* ---- the source ------------------------------------------------------------------------ */

static MI_Result post_source(MI_Context *context, MI_Uint64 number)
{
    struct source source;
    MI_Value name;
    char text[32];
    MI_Result result = MI_Context_ConstructInstance(context, &source_class, &source.__instance);

    if (result != MI_RESULT_OK) {
        return result;
    }
    snprintf(text, sizeof(text), "%llu", (unsigned long long)number);
    name.string = text;
    result = MI_Instance_SetElement(&source.__instance, "Name", &name, MI_STRING, 0);
    source.Number.value = number;
    source.Number.exists = MI_TRUE;
    if (result == MI_RESULT_OK) {
        result = MI_Context_PostInstance(context, &source.__instance);
    }
    MI_Instance_Destruct(&source.__instance);
    return result;
}

static void source_enumerate(void *self, MI_Context *context, const MI_Char *name_space,
                             const MI_Char *class_name, const MI_PropertySet *properties,
                             MI_Boolean keys_only, const MI_Filter *filter)
{
    MI_Boolean cancelled_before = MI_FALSE;
    MI_Result result = MI_RESULT_OK;

    (void)self, (void)name_space, (void)class_name, (void)properties, (void)keys_only;
    (void)filter;
    for (MI_Uint64 number = 1; result == MI_RESULT_OK && !cancelled_before; number++) {
        result = post_source(context, number);
        MI_Context_Canceled(context, &cancelled_before);
    }
    MI_Context_PostResult(context, result);
}

/* The host calls it where the request ends early, or at once where it has ended before. */
static void cancelled(MI_CancellationReason reason, void *data)
{
    MI_Context *context = data;

    (void)reason;
    MI_Context_PostResult(context, MI_RESULT_FAILED);
}

static void source_get(void *self, MI_Context *context, const MI_Char *name_space,
                       const MI_Char *class_name, const MI_Instance *name,
                       const MI_PropertySet *properties)
{
    (void)self, (void)name_space, (void)class_name, (void)name, (void)properties;
    MI_Context_RegisterCancel(context, cancelled, context);
}

static const MI_ProviderFT tick_provider = {
    .EnableIndications = tick_enable,
    .DisableIndications = tick_disable,
    .Subscribe = tick_subscribe,
    .Unsubscribe = tick_unsubscribe,
};
static const MI_ProviderFT source_provider = {
    .GetInstance = source_get,
    .EnumerateInstances = source_enumerate,
};

MI_EXPORT MI_Module *MI_MAIN_CALL MI_Main(MI_Server *server)
{
    /* The API has schemaDecl without const, but nothing writes through it. */
    static MI_Module module = {
        .version = MI_VERSION,
        .charSize = sizeof(MI_Char),
        .schemaDecl = (MI_SchemaDecl *)&schema,
    };

    (void)server;
    return &module;
}

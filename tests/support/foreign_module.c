/* SPDX-License-Identifier: MIT */
/* Modules of the foreign host: registration, loading, and the calls of providers. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/foreign_inside.h"

/* ---- MI_Server ------------------------------------------------------------------------------- */

static MI_Result MI_CALL server_version(MI_Uint32 *version)
{
    *version = MI_VERSION;
    return MI_RESULT_OK;
}

static MI_Result MI_CALL system_name(const MI_Char **name)
{
    *name = "foreign";
    return MI_RESULT_OK;
}

static const MI_ServerFT server_ft = {server_version, system_name};

MI_Server *foreign_server(void)
{
    static MI_Server server = {&server_ft, &foreign_context_ft, &foreign_instance_ft, NULL, NULL};
    return &server;
}

/* ---- registration ---------------------------------------------------------------------------- */

static bool fail(char *ret_why, const char *why)
{
    if (ret_why != NULL) {
        snprintf(ret_why, 256, "%s", why);
    }
    return false;
}

static bool open_library(struct foreign_module *module, MI_MainFunction *ret_main, char *ret_why)
{
    *ret_main = module->main_function;
    if (module->path[0] == '\0') {
        return true;
    }
    module->library = dlopen(module->path, RTLD_NOW | RTLD_LOCAL);
    if (module->library == NULL) {
        return fail(ret_why, dlerror());
    }
    *(void **)ret_main = dlsym(module->library, "MI_Main");
    return *ret_main != NULL || fail(ret_why, "no MI_Main");
}

static void close_library(struct foreign_module *module)
{
    if (module->library != NULL) {
        dlclose(module->library);
    }
    module->library = NULL;
    module->module = NULL;
    module->loaded = false;
}

/* What MI_Main() gives for this server; NULL, with ret_why, when the host refuses it. */
static MI_Module *ask_main(struct foreign_module *module, MI_MainFunction main_function,
                           MI_Server *server, char *ret_why)
{
    const struct foreign_options_of_host *options = &module->host->options;
    MI_Module *answer = main_function(server);

    if (answer != NULL && options->wrap != NULL) {
        answer = options->wrap(server, answer);
    }
    if (answer == NULL) {
        (void)fail(ret_why, "MI_Main returned NULL");
    } else if (answer->version > options->version) {
        (void)fail(ret_why, "provider version newer than server");
        answer = NULL;
    }
    return answer;
}

static void note_class(struct foreign_class *to, const MI_ClassDecl *decl)
{
    snprintf(to->name, sizeof(to->name), "%s", decl->name);
    snprintf(to->super, sizeof(to->super), "%s", decl->superClass != NULL ? decl->superClass : "");
    to->association = (decl->flags & MI_FLAG_ASSOCIATION) != 0;
    to->served = decl->providerFT != NULL;
}

static void note_classes(struct foreign_module *module, const MI_Module *declared)
{
    const MI_SchemaDecl *schema = declared->schemaDecl;

    module->dynamic = declared->dynamicProviderFT != NULL;
    module->class_count = schema != NULL ? schema->numClassDecls : 0;
    module->classes = calloc(module->class_count + 1, sizeof(*module->classes));
    for (MI_Uint32 i = 0; i < module->class_count; i++) {
        note_class(&module->classes[i], schema->classDecls[i]);
    }
}

/* Twice, as the peer: a tool reads the declarations without a server, and what it wrote is read
 * when the server starts. */
static bool register_module(struct foreign_module *module, char *ret_why)
{
    MI_MainFunction main_function = NULL;

    if (!open_library(module, &main_function, ret_why)) {
        return false;
    }
    MI_Module *declared =
        ask_main(module, main_function,
                 module->host->options.no_registration ? foreign_server() : NULL, ret_why);
    if (declared != NULL) {
        note_classes(module, declared);
    }
    close_library(module);
    return declared != NULL;
}

static bool add(struct foreign_host *host, MI_MainFunction main_function, const char *path,
                unsigned agent, char *ret_why)
{
    if (host->module_count == FOREIGN_MODULES || agent >= FOREIGN_AGENTS) {
        return fail(ret_why, "no room");
    }
    struct foreign_module *module = &host->modules[host->module_count];
    *module = (struct foreign_module){.host = host, .agent = agent, .main_function = main_function};
    snprintf(module->path, sizeof(module->path), "%s", path);
    if (!register_module(module, ret_why)) {
        return false;
    }
    host->module_count++;
    return true;
}

bool foreign_host_add(struct foreign_host *host, MI_MainFunction main_function, unsigned agent,
                      char *ret_why)
{
    return add(host, main_function, "", agent, ret_why);
}

bool foreign_host_open(struct foreign_host *host, const char *path, unsigned agent, char *ret_why)
{
    return add(host, NULL, path, agent, ret_why);
}

/* ---- loading --------------------------------------------------------------------------------- */

/* A Load or Unload with a context on this thread's stack. What is not posted counts as OK. */
#define WITH_LOAD_CONTEXT(purpose, host, provider, result, call)                                   \
    do {                                                                                           \
        struct foreign_context load;                                                               \
        bool answered = false;                                                                     \
        foreign_context_init(&load, (purpose), (host), (provider));                                \
        load.answer = &(result);                                                                   \
        load.answered = &answered;                                                                 \
        call;                                                                                      \
        foreign_context_end(&load);                                                                \
    } while (0)

static MI_Result load_module(struct foreign_module *module)
{
    MI_MainFunction main_function = NULL;
    MI_Result result = MI_RESULT_OK;

    if (module->loaded) {
        return MI_RESULT_OK;
    }
    if (!open_library(module, &main_function, NULL) ||
        (module->module = ask_main(module, main_function, foreign_server(), NULL)) == NULL) {
        close_library(module);
        return MI_RESULT_FAILED;
    }
    module->self = NULL;
    if (module->module->Load != NULL) {
        WITH_LOAD_CONTEXT(FOR_MODULE, module->host, NULL, result,
                          module->module->Load(&module->self, &load.context));
    }
    if (result != MI_RESULT_OK) {
        close_library(module);
        return result;
    }
    module->loaded = true;
    atomic_fetch_add(&module->host->counts.loads, 1);
    return MI_RESULT_OK;
}

static const MI_ClassDecl *find_decl(const MI_Module *module, const char *class_name)
{
    const MI_SchemaDecl *schema = module->schemaDecl;

    for (MI_Uint32 i = 0; schema != NULL && i < schema->numClassDecls; i++) {
        if (strcasecmp(schema->classDecls[i]->name, class_name) == 0) {
            return schema->classDecls[i];
        }
    }
    return NULL;
}

/* The place of a class's provider; a free one when it has none yet. NULL: no room. */
static struct foreign_provider *provider_place(struct foreign_module *module,
                                               const char *class_name)
{
    struct foreign_provider *free_place = NULL;

    for (unsigned i = 0; i < FOREIGN_PROVIDERS; i++) {
        struct foreign_provider *at = &module->providers[i];
        if (at->loaded && strcasecmp(at->class_name, class_name) == 0) {
            return at;
        }
        if (!at->loaded && free_place == NULL) {
            free_place = at;
        }
    }
    return free_place;
}

static MI_Result load_provider(struct foreign_module *module, const char *class_name,
                               struct foreign_provider **ret_provider)
{
    MI_Result result = load_module(module);
    struct foreign_provider *provider = provider_place(module, class_name);

    if (result != MI_RESULT_OK || provider == NULL) {
        return MI_RESULT_FAILED;
    }
    *ret_provider = provider;
    if (provider->loaded) {
        return MI_RESULT_OK;
    }
    memset(provider, 0, sizeof(*provider));
    snprintf(provider->class_name, sizeof(provider->class_name), "%s", class_name);
    provider->decl = find_decl(module->module, class_name);
    provider->ft = provider->decl != NULL && provider->decl->providerFT != NULL
                       ? provider->decl->providerFT
                       : module->module->dynamicProviderFT;
    if (provider->ft == NULL) {
        return MI_RESULT_INVALID_CLASS;
    }
    if (provider->ft->Load != NULL) {
        WITH_LOAD_CONTEXT(FOR_PROVIDER_LOAD, module->host, provider, result,
                          provider->ft->Load(&provider->self, module->self, &load.context));
    }
    provider->loaded = result == MI_RESULT_OK;
    atomic_fetch_add(&module->host->counts.loads, provider->loaded);
    return result == MI_RESULT_OK ? MI_RESULT_OK : MI_RESULT_FAILED;
}

/* ---- unloading ------------------------------------------------------------------------------- */

static void unload_provider(struct foreign_module *module, struct foreign_provider *provider)
{
    MI_Result result = MI_RESULT_OK;

    if (provider->ft->Unload != NULL) {
        WITH_LOAD_CONTEXT(FOR_PROVIDER_UNLOAD, module->host, provider, result,
                          provider->ft->Unload(provider->self, &load.context));
    }
    provider->loaded = false;
    atomic_fetch_add(&module->host->counts.unloads, 1);
}

/* all: at the end of the host, whatever was refused; what is busy stays in any case. */
static void unload_idle(struct foreign_module *module, bool all)
{
    MI_Result result = MI_RESULT_OK;
    bool in_use = false;

    for (unsigned i = 0; i < FOREIGN_PROVIDERS; i++) {
        struct foreign_provider *provider = &module->providers[i];
        if (provider->loaded && atomic_load(&provider->busy) == 0 &&
            (all || !provider->refuses_unload)) {
            unload_provider(module, provider);
        }
        in_use = in_use || provider->loaded;
    }
    if (!module->loaded || in_use) {
        return;
    }
    if (module->module->Unload != NULL) {
        WITH_LOAD_CONTEXT(FOR_MODULE, module->host, NULL, result,
                          module->module->Unload(module->self, &load.context));
    }
    close_library(module);
    atomic_fetch_add(&module->host->counts.unloads, 1);
}

struct unloading {
    struct foreign_host *host;
    unsigned agent;
    bool all, done;
};

static void run_unloading(void *data)
{
    struct unloading *unloading = data;
    struct foreign_host *host = unloading->host;

    for (unsigned i = host->module_count; i-- > 0;) {
        if (host->modules[i].agent == unloading->agent) {
            unload_idle(&host->modules[i], unloading->all);
        }
    }
    pthread_mutex_lock(&host->lock);
    unloading->done = true;
    pthread_cond_broadcast(&host->changed);
    pthread_mutex_unlock(&host->lock);
}

void foreign_unload(struct foreign_host *host, bool all)
{
    for (unsigned agent = 0; agent < FOREIGN_AGENTS; agent++) {
        struct unloading unloading = {host, agent, all, false};
        loop_post(&host->agents[agent], run_unloading, &unloading);
        pthread_mutex_lock(&host->lock);
        while (!unloading.done) {
            pthread_cond_wait(&host->changed, &host->lock);
        }
        pthread_mutex_unlock(&host->lock);
    }
}

void foreign_host_idle(struct foreign_host *host)
{
    foreign_unload(host, false);
}

/* ---- which classes a request asks ------------------------------------------------------------ */

static const struct foreign_class *find_class(const struct foreign_host *host, const char *name)
{
    for (unsigned m = 0; m < host->module_count; m++) {
        for (MI_Uint32 i = 0; i < host->modules[m].class_count; i++) {
            if (strcasecmp(host->modules[m].classes[i].name, name) == 0) {
                return &host->modules[m].classes[i];
            }
        }
    }
    return NULL;
}

static bool is_or_derives(const struct foreign_host *host, const struct foreign_class *class,
                          const char *name)
{
    for (int depth = 0; class != NULL && depth < 16; depth++) {
        if (strcasecmp(class->name, name) == 0) {
            return true;
        }
        class = find_class(host, class->super);
    }
    return false;
}

static void add_part(struct foreign_operation *operation, struct foreign_module *module,
                     const char *class_name)
{
    if (operation->part_count < FOREIGN_PARTS) {
        struct foreign_part *part = &operation->parts[operation->part_count++];
        part->module = module;
        snprintf(part->class_name, sizeof(part->class_name), "%s", class_name);
    }
}

static bool is_wanted(const struct foreign_operation *operation, const struct foreign_class *class)
{
    const struct foreign_request *request = &operation->request;

    switch (request->verb) {
    case VERB_ENUMERATE:
        return is_or_derives(operation->host, class, request->class_name);
    case VERB_ASSOCIATORS:
    case VERB_REFERENCES:
        return class->association && (request->class_name[0] == '\0' ||
                                      is_or_derives(operation->host, class, request->class_name));
    default:
        return strcasecmp(class->name, request->class_name) == 0;
    }
}

bool foreign_plan(struct foreign_operation *operation)
{
    struct foreign_host *host = operation->host;

    for (unsigned m = 0; m < host->module_count; m++) {
        for (MI_Uint32 i = 0; i < host->modules[m].class_count; i++) {
            const struct foreign_class *class = &host->modules[m].classes[i];
            if (class->served && is_wanted(operation, class)) {
                add_part(operation, &host->modules[m], class->name);
            }
        }
    }
    for (unsigned m = 0; m < host->module_count && operation->part_count == 0; m++) {
        if (host->modules[m].dynamic && find_class(host, operation->request.class_name) == NULL) {
            add_part(operation, &host->modules[m], operation->request.class_name);
        }
    }
    return operation->part_count > 0;
}

struct loop *foreign_agent_of(struct foreign_operation *operation)
{
    return &operation->host->agents[operation->parts[operation->part].module->agent];
}

/* ---- calling a provider ---------------------------------------------------------------------- */

/* What the provider gets for the client's instance: by its own declaration, or as it is for a
 * dynamic provider. NULL for none. The context frees it. */
static MI_Instance *inbound(struct foreign_context *context, unsigned place,
                            const MI_ClassDecl *decl, const MI_Instance *from)
{
    context->inbound[place] = from == NULL   ? NULL
                              : decl == NULL ? foreign_instance_clone(from)
                                             : foreign_instance_inbound(decl, from);
    return context->inbound[place];
}

static const MI_MethodDecl *find_method(const MI_ClassDecl *decl, const char *name)
{
    for (MI_Uint32 i = 0; decl != NULL && i < decl->numMethods; i++) {
        if (strcasecmp(decl->methods[i]->name, name) == 0) {
            return decl->methods[i];
        }
    }
    return NULL;
}

struct provider_call {
    struct foreign_context *context;
    struct foreign_provider *provider;
    const struct foreign_request *request;
    const char *class_name;
    const MI_Module *module;
};

/* The names begin every call. */
#define ARGUMENTS                                                                                  \
    call->provider->self, &call->context->context, call->request->name_space, call->class_name

static MI_Result call_invoke(const struct provider_call *call)
{
    const struct foreign_request *request = call->request;
    const MI_ClassDecl *decl = call->provider->decl;
    const MI_MethodDecl *method = find_method(decl, request->method);

    if (decl == NULL || decl->providerFT == NULL) {
        if (call->provider->ft->Invoke == NULL) {
            return MI_RESULT_INVALID_CLASS;
        }
        call->provider->ft->Invoke(ARGUMENTS, request->method,
                                   inbound(call->context, 0, NULL, request->instance),
                                   inbound(call->context, 1, NULL, request->parameters));
        return MI_RESULT_OK;
    }
    if (method == NULL) {
        return MI_RESULT_FAILED;
    }
    if (method->function == NULL) {
        return MI_RESULT_INVALID_CLASS;
    }
    if ((method->flags & MI_FLAG_STATIC) == 0 && request->instance == NULL) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    method->function(
        ARGUMENTS, request->method, inbound(call->context, 0, decl, request->instance),
        inbound(call->context, 1, (const MI_ClassDecl *)(const void *)method, request->parameters));
    return MI_RESULT_OK;
}

/* By enumerating, when the provider cannot get. */
static MI_Result call_get(const struct provider_call *call)
{
    const MI_ProviderFT *ft = call->provider->ft;
    MI_Instance *name = inbound(call->context, 0, call->provider->decl, call->request->instance);

    if (ft->GetInstance != NULL) {
        ft->GetInstance(ARGUMENTS, name, NULL);
    } else if (ft->EnumerateInstances != NULL) {
        call->context->match = name;
        ft->EnumerateInstances(ARGUMENTS, NULL, MI_FALSE, NULL);
    } else {
        return MI_RESULT_INVALID_CLASS;
    }
    return MI_RESULT_OK;
}

static MI_Result call_association(const struct provider_call *call)
{
    const MI_ProviderFT *ft = call->provider->ft;
    const struct foreign_request *request = call->request;
    const MI_ClassDecl *source = find_decl(call->module, request->instance->classDecl->name);
    MI_Instance *name = inbound(call->context, 0, source, request->instance);

#define OR_NULL(text) ((text)[0] != '\0' ? (text) : NULL)
    if (request->verb == VERB_ASSOCIATORS && ft->AssociatorInstances != NULL) {
        ft->AssociatorInstances(ARGUMENTS, name, OR_NULL(request->result_class),
                                OR_NULL(request->role), OR_NULL(request->result_role), NULL,
                                MI_FALSE, NULL);
    } else if (request->verb == VERB_REFERENCES && ft->ReferenceInstances != NULL) {
        ft->ReferenceInstances(ARGUMENTS, name, OR_NULL(request->role), NULL, MI_FALSE, NULL);
    } else {
        return MI_RESULT_NOT_SUPPORTED;
    }
    return MI_RESULT_OK;
}

/* The three that change something have one instance each. */
static MI_Result call_change(const struct provider_call *call)
{
    const MI_ProviderFT *ft = call->provider->ft;
    enum foreign_verb verb = call->request->verb;
    MI_Instance *instance =
        inbound(call->context, 0, call->provider->decl, call->request->instance);

    if (verb == VERB_CREATE && ft->CreateInstance != NULL) {
        ft->CreateInstance(ARGUMENTS, instance);
    } else if (verb == VERB_MODIFY && ft->ModifyInstance != NULL) {
        ft->ModifyInstance(ARGUMENTS, instance, NULL);
    } else if (verb == VERB_DELETE && ft->DeleteInstance != NULL) {
        ft->DeleteInstance(ARGUMENTS, instance);
    } else {
        return MI_RESULT_INVALID_CLASS;
    }
    return MI_RESULT_OK;
}

/* OK: the provider was called, and its context may have ended. */
static MI_Result call_provider(const struct provider_call *call)
{
    switch (call->request->verb) {
    case VERB_GET:
        return call_get(call);
    case VERB_INVOKE:
        return call_invoke(call);
    case VERB_ASSOCIATORS:
    case VERB_REFERENCES:
        return call_association(call);
    case VERB_ENUMERATE:
        if (call->provider->ft->EnumerateInstances == NULL) {
            return MI_RESULT_NOT_SUPPORTED;
        }
        call->provider->ft->EnumerateInstances(ARGUMENTS, NULL, MI_FALSE, NULL);
        return MI_RESULT_OK;
    default:
        return call_change(call);
    }
}

static struct foreign_context *new_context(enum foreign_purpose purpose, struct foreign_host *host,
                                           struct foreign_provider *provider)
{
    struct foreign_context *context = malloc(sizeof(*context));

    if (context == NULL) {
        abort();
    }
    foreign_context_init(context, purpose, host, provider);
    return context;
}

void foreign_run_part(void *data)
{
    struct foreign_operation *operation = data;
    struct foreign_part *part = &operation->parts[operation->part];
    struct foreign_provider *provider = NULL;

    MI_Result result = load_provider(part->module, part->class_name, &provider);
    if (result != MI_RESULT_OK) {
        foreign_finish(operation, result, NULL, NULL);
        return;
    }
    struct foreign_context *context = new_context(FOR_REQUEST, operation->host, provider);
    context->operation = operation;
    const struct provider_call call = {context, provider, &operation->request, part->class_name,
                                       part->module->module};
    atomic_fetch_add(&operation->host->counts.provider_calls, 1);
    result = call_provider(&call);
    if (result != MI_RESULT_OK) { /* not called: the context is still there */
        (void)MI_Context_PostResult(&context->context, result);
    }
}

/* ---- indications ----------------------------------------------------------------------------- */

/* Calls the provider for one end of a subscription; its answer comes by the context. */
static void call_subscription(struct foreign_subscription *subscription,
                              struct foreign_provider *provider, unsigned number)
{
    struct foreign_host *host = subscription->module->host;
    struct foreign_context *context = new_context(FOR_SUBSCRIPTION, host, provider);
    const char *class_name = subscription->class_name;

    context->answer = &subscription->answer;
    context->answered = &subscription->answered;
    if (subscription->begin) {
        if (provider->subscriptions++ == 0 && provider->ft->EnableIndications != NULL) {
            provider->enabled = new_context(FOR_INDICATIONS, host, provider);
            provider->ft->EnableIndications(provider->self, &provider->enabled->context, "root",
                                            class_name);
        }
        if (provider->ft->Subscribe != NULL) {
            provider->ft->Subscribe(provider->self, &context->context, "root", class_name, NULL,
                                    NULL, number, &subscription->self);
            return;
        }
    } else if (provider->ft->Unsubscribe != NULL) {
        provider->ft->Unsubscribe(provider->self, &context->context, "root", class_name, number,
                                  subscription->self);
        return;
    }
    (void)MI_Context_PostResult(&context->context, MI_RESULT_OK);
}

/* DisableIndications with the last subscription; the context of Enable ends with it. */
static void disable(struct foreign_subscription *subscription, struct foreign_provider *provider)
{
    struct foreign_host *host = subscription->module->host;
    static MI_Result ignored;
    static bool also_ignored;

    if (--provider->subscriptions > 0 || provider->enabled == NULL) {
        return;
    }
    struct foreign_context *context = new_context(FOR_SUBSCRIPTION, host, provider);
    context->answer = &ignored;
    context->answered = &also_ignored;
    context->ends = provider->enabled;
    provider->enabled = NULL;
    if (provider->ft->DisableIndications != NULL) {
        provider->ft->DisableIndications(provider->self, &context->context, "root",
                                         subscription->class_name);
    } else {
        (void)MI_Context_PostResult(&context->context, MI_RESULT_OK);
    }
}

static void run_subscription(void *data)
{
    struct foreign_subscription *subscription = data;
    struct foreign_host *host = subscription->module->host;
    struct foreign_provider *provider = NULL;
    bool begin = subscription->begin; /* changes once it is answered */

    MI_Result result = load_provider(subscription->module, subscription->class_name, &provider);
    if (result == MI_RESULT_OK) {
        call_subscription(subscription, provider, (unsigned)(subscription - host->subscriptions));
        if (!begin) {
            disable(subscription, provider);
        }
        return;
    }
    pthread_mutex_lock(&host->lock);
    subscription->answer = result;
    subscription->answered = true;
    pthread_cond_broadcast(&host->changed);
    pthread_mutex_unlock(&host->lock);
}

/* At most two seconds. */
static MI_Result ask_subscription(struct foreign_subscription *subscription, bool begin)
{
    struct foreign_host *host = subscription->module->host;
    int64_t end = foreign_now_ms() + 2000;

    subscription->begin = begin;
    subscription->answered = false;
    loop_post(&host->agents[subscription->module->agent], run_subscription, subscription);
    pthread_mutex_lock(&host->lock);
    while (!subscription->answered && foreign_now_ms() < end) {
        foreign_wait(host, 20);
    }
    MI_Result result = subscription->answered ? subscription->answer : MI_RESULT_FAILED;
    pthread_mutex_unlock(&host->lock);
    return result;
}

MI_Result foreign_host_subscribe(struct foreign_host *host, const MI_Char *class_name,
                                 unsigned *ret_number)
{
    struct foreign_operation asked = {.host = host, .request = {.verb = VERB_GET}};
    unsigned number = 0;

    snprintf(asked.request.class_name, sizeof(asked.request.class_name), "%s", class_name);
    if (!foreign_plan(&asked)) {
        return MI_RESULT_INVALID_CLASS;
    }
    while (number < FOREIGN_SUBSCRIPTIONS && host->subscriptions[number].used) {
        number++;
    }
    if (number == FOREIGN_SUBSCRIPTIONS) {
        return MI_RESULT_SERVER_LIMITS_EXCEEDED;
    }
    struct foreign_subscription *subscription = &host->subscriptions[number];
    *subscription = (struct foreign_subscription){.used = true, .module = asked.parts[0].module};
    snprintf(subscription->class_name, sizeof(subscription->class_name), "%s", class_name);
    *ret_number = number;
    return ask_subscription(subscription, true);
}

MI_Result foreign_host_unsubscribe(struct foreign_host *host, unsigned number)
{
    struct foreign_subscription *subscription = &host->subscriptions[number];
    MI_Result result = ask_subscription(subscription, false);

    subscription->used = false;
    return result;
}

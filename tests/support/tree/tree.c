/* SPDX-License-Identifier: MIT */
/*
 * Modules that share a class tree, for tests of unloading. One source makes all; TREE_KIND says
 * which one:
 *
 * base       Tree_Base, and serves it
 * changed    the same with one more property, Extra
 * conflict   Tree_Base with another type of Number
 * leaf       Tree_Leaf, which derives from Tree_Base, and serves only Tree_Leaf
 * refusing   base, whose provider refuses to be unloaded
 * silent     base, whose module posts no result of its Unload
 * nothing    no MI_Main
 * moving     base, which moves the file of TREE_NEXT to TREE_FILE as it is mapped
 *
 * Number is the effective uid of the module's Load, Loads how often that was called since the
 * library was mapped, Inner an instance of a class that no schema lists.
 */
#include <MI.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { base, changed, conflict, leaf, refusing, silent, nothing, moving };

#define COUNT(array) (MI_Uint32)(sizeof(array) / sizeof((array)[0]))
#define NUMBER_TYPE  (TREE_KIND == conflict ? MI_SINT32 : MI_UINT32)

struct tree {
    MI_Instance instance;
    MI_ConstStringField Id;
    MI_ConstUint32Field Number, Loads;
    MI_ConstInstanceField Inner;
    MI_ConstStringField Extra;
};

#define PROPERTY(name_, type_, flags_)                                                             \
    {                                                                                              \
        .flags = MI_FLAG_PROPERTY | (flags_), .name = #name_, .type = (type_),                     \
        .offset = offsetof(struct tree, name_), .origin = "Tree_Base", .propagator = "Tree_Base"   \
    }

static const MI_PropertyDecl id = PROPERTY(Id, MI_STRING, MI_FLAG_KEY);
static const MI_PropertyDecl number = PROPERTY(Number, NUMBER_TYPE, 0);
static const MI_PropertyDecl loads = PROPERTY(Loads, MI_UINT32, 0);
static const MI_PropertyDecl inner = PROPERTY(Inner, MI_INSTANCE, 0);
static const MI_PropertyDecl extra = PROPERTY(Extra, MI_STRING, 0);
static const MI_PropertyDecl *const properties[] = {&id, &number, &loads, &inner, &extra};

/* Extra is the leaf's own property, or one that a newer version has. */
enum { BASE_PROPERTIES = TREE_KIND == changed ? 5 : 4 };

static const MI_ProviderFT provider;
static MI_ClassDecl base_decl = {.flags = MI_FLAG_CLASS,
                                 .name = "Tree_Base",
                                 .properties = properties,
                                 .numProperties = BASE_PROPERTIES,
                                 .size = sizeof(struct tree),
                                 .providerFT = TREE_KIND == leaf ? NULL : &provider};
static MI_ClassDecl leaf_decl = {.flags = MI_FLAG_CLASS,
                                 .name = "Tree_Leaf",
                                 .properties = properties,
                                 .numProperties = COUNT(properties),
                                 .size = sizeof(struct tree),
                                 .superClass = "Tree_Base",
                                 .superClassDecl = &base_decl,
                                 .providerFT = &provider};
static const MI_ClassDecl hidden_decl = {.flags = MI_FLAG_CLASS,
                                         .name = "Tree_Hidden",
                                         .properties = properties,
                                         .numProperties = 1,
                                         .size = sizeof(struct tree)};
static const MI_ClassDecl *const classes[] = {&base_decl, &leaf_decl};
static MI_SchemaDecl schema = {.classDecls = classes, .numClassDecls = TREE_KIND == leaf ? 2 : 1};

/* As somebody who replaces the file at the worst moment. */
__attribute__((constructor)) static void move_file(void)
{
    if (TREE_KIND == moving && getenv("TREE_NEXT") != NULL) {
        (void)rename(getenv("TREE_NEXT"), getenv("TREE_FILE"));
    }
}

static MI_Uint32 load_count, load_uid;

static MI_Result set_text(MI_Instance *instance, const char *name, const char *text)
{
    MI_Value value = {.string = (MI_Char *)(uintptr_t)text};
    return MI_Instance_SetElement(instance, name, &value, MI_STRING, 0);
}

static MI_Result post(MI_Context *context, const MI_ClassDecl *decl)
{
    MI_Instance *instance = NULL, *hidden = NULL;
    struct tree *tree = NULL;
    MI_Value value;

    MI_Result result = MI_Context_NewInstance(context, decl, &instance);
    if (result == MI_RESULT_OK) {
        result = MI_Context_NewInstance(context, &hidden_decl, &hidden);
    }
    if (result != MI_RESULT_OK) {
        MI_Context_PostResult(context, result);
        return result;
    }
    set_text(instance, "Id", decl == &leaf_decl ? "leaf" : "base");
    set_text(hidden, "Id", "hidden");
    if (decl->numProperties == COUNT(properties)) {
        set_text(instance, "Extra", "extra");
    }
    value.instance = hidden;
    MI_Instance_SetElement(instance, "Inner", &value, MI_INSTANCE, 0);
    tree = (struct tree *)(void *)instance;
    tree->Number.value = load_uid;
    tree->Number.exists = MI_TRUE;
    tree->Loads.value = load_count;
    tree->Loads.exists = MI_TRUE;
    result = MI_Context_PostInstance(context, instance);
    MI_Instance_Delete(instance);
    MI_Instance_Delete(hidden);
    return result;
}

static const MI_ClassDecl *own_class(void)
{
    return TREE_KIND == leaf ? &leaf_decl : &base_decl;
}

static void enumerate(void *self, MI_Context *context, const MI_Char *name_space,
                      const MI_Char *class_name, const MI_PropertySet *set, MI_Boolean keys_only,
                      const MI_Filter *filter)
{
    (void)self, (void)name_space, (void)class_name, (void)set, (void)keys_only, (void)filter;
    MI_Context_PostResult(context, post(context, own_class()));
}

/* A provider casts the instance that it gets. */
static void get(void *self, MI_Context *context, const MI_Char *name_space,
                const MI_Char *class_name, const MI_Instance *key, const MI_PropertySet *set)
{
    const struct tree *tree = (const struct tree *)(const void *)key;
    MI_Result result = MI_RESULT_NOT_FOUND;
    (void)self, (void)name_space, (void)class_name, (void)set;

    if (key->classDecl == own_class() && tree->Id.exists && strcmp(tree->Id.value, "none") != 0) {
        result = post(context, own_class());
    }
    MI_Context_PostResult(context, result);
}

static void load(void **self, MI_Module_Self *module, MI_Context *context)
{
    (void)self, (void)module;
    if (TREE_KIND == refusing) {
        MI_Context_RefuseUnload(context);
    }
    MI_Context_PostResult(context, MI_RESULT_OK);
}

static void unload(void *self, MI_Context *context)
{
    (void)self;
    MI_Context_PostResult(context, MI_RESULT_OK);
}

static const MI_ProviderFT provider = {
    .Load = load, .Unload = unload, .GetInstance = get, .EnumerateInstances = enumerate};

static void load_module(MI_Module_Self **self, MI_Context *context)
{
    (void)self;
    load_count++;
    load_uid = (MI_Uint32)geteuid();
    MI_Context_PostResult(context, MI_RESULT_OK);
}

static void unload_module(MI_Module_Self *self, MI_Context *context)
{
    (void)self;
    if (TREE_KIND != silent) {
        MI_Context_PostResult(context, MI_RESULT_OK);
    }
}

static MI_Module module = {.version = MI_VERSION,
                           .charSize = sizeof(MI_Char),
                           .schemaDecl = &schema,
                           .Load = load_module,
                           .Unload = unload_module};

MI_EXPORT MI_Module *MI_MAIN_CALL TREE_MAIN(MI_Server *server);

/* The function that a host looks for; the Makefile names it otherwise for "nothing". */
MI_Module *MI_MAIN_CALL TREE_MAIN(MI_Server *server)
{
    (void)server;
    return &module;
}

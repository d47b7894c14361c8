/* SPDX-License-Identifier: MIT */
/*
 * Example provider: trees, fruits, and which tree bears which fruit.
 *
 *     [Abstract] class MG_Plant     { [Key] string Name; };
 *     class MG_Tree  : MG_Plant     { real64 Height; datetime Planted; string Kind = "tree"; };
 *     class MG_Fruit : MG_Plant     { [Description("in grams")] uint32 Weight; };
 *     [Association] class MG_Bears  { [Key] MG_Tree REF Tree; [Key] MG_Fruit REF Fruit;
 *                                     uint32 Since; };
 *
 * It shows an association by hand: AssociatorInstances and ReferenceInstances of its provider get
 * one end as a whole instance of its class, and post the other ends, or the associations. Class and
 * role are the host's affair where they are given as names; a provider may still use them.
 *
 * The tree "odd" has numbers that cannot be written in MOF, to show what a client makes of them.
 */
#include <MI.h>
#include <math.h>
#include <string.h>

#define LOWER(c) ((MI_Uint32)((c) >= 'A' && (c) <= 'Z' ? (c) - 'A' + 'a' : (c)))
#define CODE(name)                                                                                 \
    (LOWER((name)[0]) << 16 | LOWER((name)[sizeof(name) - 2]) << 8 | (MI_Uint32)(sizeof(name) - 1))
#define COUNT(array) ((MI_Uint32)(sizeof(array) / sizeof((array)[0])))

/* ---- declarations ---------------------------------------------------------------------- */

struct plant {
    MI_Instance __instance;
    MI_ConstStringField Name;
};

struct tree {
    MI_Instance __instance;
    MI_ConstStringField Name;
    MI_ConstReal64Field Height;
    MI_ConstDatetimeField Planted;
    MI_ConstStringField Kind;
};

struct fruit {
    MI_Instance __instance;
    MI_ConstStringField Name;
    MI_ConstUint32Field Weight;
};

struct bears {
    MI_Instance __instance;
    MI_ConstReferenceField Tree;
    MI_ConstReferenceField Fruit;
    MI_ConstUint32Field Since;
};

#define PROPERTY(structure, member, type, more_flags, class_name, origin, propagator, value)       \
    {                                                                                              \
        MI_FLAG_PROPERTY | (more_flags), CODE(#member), #member, NULL, 0, type, class_name, 0,     \
            (MI_Uint32)offsetof(struct structure, member), origin, propagator, value               \
    }

static const MI_Char *const in_grams = "in grams";
static const MI_Char *const kind_default = "tree";
static const MI_Qualifier weight_description = {"Description", MI_STRING, MI_FLAG_TRANSLATABLE,
                                                &in_grams};
static const MI_Qualifier *const weight_qualifiers[] = {&weight_description};

static const MI_PropertyDecl plant_name =
    PROPERTY(plant, Name, MI_STRING, MI_FLAG_KEY, NULL, "MG_Plant", "MG_Plant", NULL);
static const MI_PropertyDecl tree_name =
    PROPERTY(tree, Name, MI_STRING, MI_FLAG_KEY, NULL, "MG_Plant", "MG_Tree", NULL);
static const MI_PropertyDecl tree_height =
    PROPERTY(tree, Height, MI_REAL64, 0, NULL, "MG_Tree", "MG_Tree", NULL);
static const MI_PropertyDecl tree_planted =
    PROPERTY(tree, Planted, MI_DATETIME, 0, NULL, "MG_Tree", "MG_Tree", NULL);
static const MI_PropertyDecl tree_kind =
    PROPERTY(tree, Kind, MI_STRING, 0, NULL, "MG_Tree", "MG_Tree", &kind_default);
static const MI_PropertyDecl fruit_name =
    PROPERTY(fruit, Name, MI_STRING, MI_FLAG_KEY, NULL, "MG_Plant", "MG_Fruit", NULL);
static const MI_PropertyDecl fruit_weight = {
    MI_FLAG_PROPERTY,
    CODE("Weight"),
    "Weight",
    weight_qualifiers,
    COUNT(weight_qualifiers),
    MI_UINT32,
    NULL,
    0,
    (MI_Uint32)offsetof(struct fruit, Weight),
    "MG_Fruit",
    "MG_Fruit",
    NULL,
};
static const MI_PropertyDecl bears_tree =
    PROPERTY(bears, Tree, MI_REFERENCE, MI_FLAG_KEY | MI_FLAG_REFERENCE, "MG_Tree", "MG_Bears",
             "MG_Bears", NULL);
static const MI_PropertyDecl bears_fruit =
    PROPERTY(bears, Fruit, MI_REFERENCE, MI_FLAG_KEY | MI_FLAG_REFERENCE, "MG_Fruit", "MG_Bears",
             "MG_Bears", NULL);
static const MI_PropertyDecl bears_since =
    PROPERTY(bears, Since, MI_UINT32, 0, NULL, "MG_Bears", "MG_Bears", NULL);

static const MI_PropertyDecl *const plant_properties[] = {&plant_name};
static const MI_PropertyDecl *const tree_properties[] = {&tree_name, &tree_height, &tree_planted,
                                                         &tree_kind};
static const MI_PropertyDecl *const fruit_properties[] = {&fruit_name, &fruit_weight};
static const MI_PropertyDecl *const bears_properties[] = {&bears_tree, &bears_fruit, &bears_since};

static const MI_SchemaDecl schema;
static const MI_ProviderFT tree_provider, fruit_provider, bears_provider;

#define CLASS(text, more_flags, list, structure)                                                   \
    .flags = MI_FLAG_CLASS | (more_flags), .code = CODE(text), .name = (text),                     \
    .properties = (list), .numProperties = COUNT(list), .size = sizeof(struct structure),          \
    .schema = &schema

static const MI_ClassDecl plant_class = {
    CLASS("MG_Plant", MI_FLAG_ABSTRACT, plant_properties, plant)};
static const MI_ClassDecl tree_class = {
    CLASS("MG_Tree", 0, tree_properties, tree),
    .superClass = "MG_Plant",
    .superClassDecl = &plant_class,
    .providerFT = &tree_provider,
};
static const MI_ClassDecl fruit_class = {
    CLASS("MG_Fruit", 0, fruit_properties, fruit),
    .superClass = "MG_Plant",
    .superClassDecl = &plant_class,
    .providerFT = &fruit_provider,
};
static const MI_ClassDecl bears_class = {
    CLASS("MG_Bears", MI_FLAG_ASSOCIATION, bears_properties, bears),
    .providerFT = &bears_provider,
};

static const MI_ClassDecl *const classes[] = {&plant_class, &tree_class, &fruit_class,
                                              &bears_class};
static const MI_SchemaDecl schema = {.classDecls = classes, .numClassDecls = COUNT(classes)};

/* ---- the orchard ----------------------------------------------------------------------- */

static const struct {
    const char *name;
    double height;
    MI_Timestamp planted;
} trees[] = {
    {"apple", 4.5, {2019, 3, 30, 9, 0, 0, 0, 60}},
    {"oak", 21, {1890, 11, 2, 0, 0, 0, 0, 0}},
    {"odd", NAN, {2026, 13, 31, 25, 0, 0, 0, 0}},
};

static const struct {
    const char *name;
    MI_Uint32 weight;
} fruits[] = {{"acorn", 5}, {"gala", 160}, {"pippin", 190}};

static const struct {
    const char *tree, *fruit;
    MI_Uint32 since;
} links[] = {{"oak", "acorn", 1920}, {"apple", "gala", 2022}, {"apple", "pippin", 2023}};

/* A string is copied by the host; a scalar is written where it lies, as generated code does. */
static MI_Result set_name(MI_Instance *instance, const char *name)
{
    MI_Value value;

    value.string = (MI_Char *)name;
    return MI_Instance_SetElement(instance, "Name", &value, MI_STRING, 0);
}

static MI_Result post(MI_Context *context, MI_Instance *instance, MI_Result result)
{
    if (result == MI_RESULT_OK) {
        result = MI_Context_PostInstance(context, instance);
    }
    MI_Instance_Destruct(instance);
    return result;
}

static MI_Result post_tree(MI_Context *context, MI_Uint32 at)
{
    struct tree tree;
    MI_Result result = MI_Context_ConstructInstance(context, &tree_class, &tree.__instance);

    if (result != MI_RESULT_OK) {
        return result;
    }
    result = set_name(&tree.__instance, trees[at].name);
    tree.Height.value = trees[at].height;
    tree.Height.exists = MI_TRUE;
    tree.Planted.value.isTimestamp = MI_TRUE;
    tree.Planted.value.u.timestamp = trees[at].planted;
    tree.Planted.exists = MI_TRUE;
    return post(context, &tree.__instance, result);
}

static MI_Result post_fruit(MI_Context *context, MI_Uint32 at)
{
    struct fruit fruit;
    MI_Result result = MI_Context_ConstructInstance(context, &fruit_class, &fruit.__instance);

    if (result != MI_RESULT_OK) {
        return result;
    }
    result = set_name(&fruit.__instance, fruits[at].name);
    fruit.Weight.value = fruits[at].weight;
    fruit.Weight.exists = MI_TRUE;
    return post(context, &fruit.__instance, result);
}

/* One end of an association: an instance of its class with the keys only. The host copies it. */
static MI_Result set_end(MI_Context *context, MI_Instance *link, MI_Uint32 index,
                         const MI_ClassDecl *decl, const char *name)
{
    MI_Instance *end = NULL;
    MI_Value value;
    MI_Result result = MI_Context_NewInstance(context, decl, &end);

    if (result != MI_RESULT_OK) {
        return result;
    }
    result = set_name(end, name);
    if (result == MI_RESULT_OK) {
        value.reference = end;
        result = MI_Instance_SetElementAt(link, index, &value, MI_REFERENCE, 0);
    }
    MI_Instance_Delete(end);
    return result;
}

static MI_Result post_link(MI_Context *context, MI_Uint32 at)
{
    struct bears link;
    MI_Result result = MI_Context_ConstructInstance(context, &bears_class, &link.__instance);

    if (result != MI_RESULT_OK) {
        return result;
    }
    result = set_end(context, &link.__instance, 0, &tree_class, links[at].tree);
    if (result == MI_RESULT_OK) {
        result = set_end(context, &link.__instance, 1, &fruit_class, links[at].fruit);
    }
    link.Since.value = links[at].since;
    link.Since.exists = MI_TRUE;
    return post(context, &link.__instance, result);
}

/* ---- the functions --------------------------------------------------------------------- */

static void tree_enumerate(void *self, MI_Context *context, const MI_Char *name_space,
                           const MI_Char *class_name, const MI_PropertySet *properties,
                           MI_Boolean keys_only, const MI_Filter *filter)
{
    MI_Result result = MI_RESULT_OK;

    (void)self, (void)name_space, (void)class_name, (void)properties, (void)keys_only, (void)filter;
    for (MI_Uint32 i = 0; result == MI_RESULT_OK && i < COUNT(trees); i++) {
        result = post_tree(context, i);
    }
    MI_Context_PostResult(context, result);
}

static void fruit_enumerate(void *self, MI_Context *context, const MI_Char *name_space,
                            const MI_Char *class_name, const MI_PropertySet *properties,
                            MI_Boolean keys_only, const MI_Filter *filter)
{
    MI_Result result = MI_RESULT_OK;

    (void)self, (void)name_space, (void)class_name, (void)properties, (void)keys_only, (void)filter;
    for (MI_Uint32 i = 0; result == MI_RESULT_OK && i < COUNT(fruits); i++) {
        result = post_fruit(context, i);
    }
    MI_Context_PostResult(context, result);
}

static void bears_enumerate(void *self, MI_Context *context, const MI_Char *name_space,
                            const MI_Char *class_name, const MI_PropertySet *properties,
                            MI_Boolean keys_only, const MI_Filter *filter)
{
    MI_Result result = MI_RESULT_OK;

    (void)self, (void)name_space, (void)class_name, (void)properties, (void)keys_only, (void)filter;
    for (MI_Uint32 i = 0; result == MI_RESULT_OK && i < COUNT(links); i++) {
        result = post_link(context, i);
    }
    MI_Context_PostResult(context, result);
}

/* Whether the link has this object at the end where its class stands. */
static MI_Boolean is_end(const MI_Instance *object, MI_Uint32 at)
{
    const struct plant *plant = (const struct plant *)object;
    const char *name = object->classDecl == &tree_class ? links[at].tree : links[at].fruit;

    return plant->Name.exists && strcmp(plant->Name.value, name) == 0;
}

/* The other end, by its name. */
static MI_Result post_other(MI_Context *context, const MI_Instance *object, MI_Uint32 at)
{
    MI_Result result = MI_RESULT_OK;

    if (object->classDecl == &tree_class) {
        for (MI_Uint32 i = 0; result == MI_RESULT_OK && i < COUNT(fruits); i++) {
            if (strcmp(fruits[i].name, links[at].fruit) == 0) {
                result = post_fruit(context, i);
            }
        }
        return result;
    }
    for (MI_Uint32 i = 0; result == MI_RESULT_OK && i < COUNT(trees); i++) {
        if (strcmp(trees[i].name, links[at].tree) == 0) {
            result = post_tree(context, i);
        }
    }
    return result;
}

static void bears_associators(void *self, MI_Context *context, const MI_Char *name_space,
                              const MI_Char *class_name, const MI_Instance *object,
                              const MI_Char *result_class, const MI_Char *role,
                              const MI_Char *result_role, const MI_PropertySet *properties,
                              MI_Boolean keys_only, const MI_Filter *filter)
{
    MI_Result result = MI_RESULT_OK;

    (void)self, (void)name_space, (void)class_name, (void)result_class, (void)role;
    (void)result_role, (void)properties, (void)keys_only, (void)filter;
    for (MI_Uint32 i = 0; result == MI_RESULT_OK && i < COUNT(links); i++) {
        if (is_end(object, i)) {
            result = post_other(context, object, i);
        }
    }
    MI_Context_PostResult(context, result);
}

static void bears_references(void *self, MI_Context *context, const MI_Char *name_space,
                             const MI_Char *class_name, const MI_Instance *object,
                             const MI_Char *role, const MI_PropertySet *properties,
                             MI_Boolean keys_only, const MI_Filter *filter)
{
    MI_Result result = MI_RESULT_OK;

    (void)self, (void)name_space, (void)class_name, (void)role, (void)properties, (void)keys_only;
    (void)filter;
    for (MI_Uint32 i = 0; result == MI_RESULT_OK && i < COUNT(links); i++) {
        if (is_end(object, i)) {
            result = post_link(context, i);
        }
    }
    MI_Context_PostResult(context, result);
}

static const MI_ProviderFT tree_provider = {.EnumerateInstances = tree_enumerate};
static const MI_ProviderFT fruit_provider = {.EnumerateInstances = fruit_enumerate};
static const MI_ProviderFT bears_provider = {
    .EnumerateInstances = bears_enumerate,
    .AssociatorInstances = bears_associators,
    .ReferenceInstances = bears_references,
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

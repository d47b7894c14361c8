/* SPDX-License-Identifier: MIT */
/*
 * Associators, references and classes through the embedded server: each row is a request, with what
 * it finds, the error that it ends with, and the association classes whose providers were asked.
 */
#include <MI.h>
#include <stdio.h>
#include <string.h>

#include "host/object/object.h"
#include "miguard/host.h"

#define SPACE    "root/assoc"
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static unsigned passed, failed;

static void check(bool good, const char *what, size_t row, const char *got)
{
    passed += good;
    failed += !good;
    if (!good) {
        printf("FAIL %s row %zu: got %s\n", what, row, got);
    }
}

/* ---- classes ------------------------------------------------------------------------------
 *
 *     A_Thing <- A_Person <- A_Worker;  A_Thing <- A_Place
 *     A_Lives   Person -> Place        A_Works : A_Lives      A_Knows  Person -> Friend
 *     A_Sulks   Person -> Place, its provider answers NOT_SUPPORTED
 *     A_Mute    Person -> Person without functions;  A_Gone (abstract)
 *     A_Fails   Place -> Place, its provider fails
 */

struct thing {
    MI_Instance instance;
    MI_ConstStringField Name;
};

struct link {
    MI_Instance instance;
    MI_ConstReferenceField One;
    MI_ConstReferenceField Two;
};

static const MI_PropertyDecl thing_name = {.flags = MI_FLAG_PROPERTY | MI_FLAG_KEY,
                                           .name = "Name",
                                           .type = MI_STRING,
                                           .offset = offsetof(struct thing, Name),
                                           .origin = "A_Thing",
                                           .propagator = "A_Thing"};
static const MI_PropertyDecl *const thing_properties[] = {&thing_name};

#define END(VARIABLE, NAME, FIELD, CLASS)                                                          \
    static const MI_PropertyDecl VARIABLE = {.flags = MI_FLAG_PROPERTY | MI_FLAG_KEY |             \
                                                      MI_FLAG_REFERENCE,                           \
                                             .name = NAME,                                         \
                                             .type = MI_REFERENCE,                                 \
                                             .className = CLASS,                                   \
                                             .offset = offsetof(struct link, FIELD),               \
                                             .origin = "A",                                        \
                                             .propagator = "A"}
END(end_person, "Person", One, "A_Person");
END(end_place, "Place", Two, "A_Place");
END(end_friend, "Friend", Two, "A_Person");
END(end_from, "From", One, "A_Place");
END(end_to, "To", Two, "A_Place");
static const MI_PropertyDecl *const lives_properties[] = {&end_person, &end_place};
static const MI_PropertyDecl *const knows_properties[] = {&end_person, &end_friend};
static const MI_PropertyDecl *const fails_properties[] = {&end_from, &end_to};

static MI_SchemaDecl schema;
static const MI_ProviderFT link_ft, mute_ft;

#define THING(VARIABLE, NAME, SUPER, SUPER_DECL)                                                   \
    static const MI_ClassDecl VARIABLE = {.flags = MI_FLAG_CLASS,                                  \
                                          .name = NAME,                                            \
                                          .properties = thing_properties,                          \
                                          .numProperties = 1,                                      \
                                          .size = sizeof(struct thing),                            \
                                          .superClass = SUPER,                                     \
                                          .superClassDecl = SUPER_DECL,                            \
                                          .schema = &schema}
THING(thing_class, "A_Thing", NULL, NULL);
THING(person_class, "A_Person", "A_Thing", &thing_class);
THING(worker_class, "A_Worker", "A_Person", &person_class);
THING(place_class, "A_Place", "A_Thing", &thing_class);

#define LINK(VARIABLE, NAME, FLAGS, LIST, SUPER, SUPER_DECL, FT)                                   \
    static const MI_ClassDecl VARIABLE = {.flags = MI_FLAG_CLASS | MI_FLAG_ASSOCIATION | (FLAGS),  \
                                          .name = NAME,                                            \
                                          .properties = LIST,                                      \
                                          .numProperties = 2,                                      \
                                          .size = sizeof(struct link),                             \
                                          .superClass = SUPER,                                     \
                                          .superClassDecl = SUPER_DECL,                            \
                                          .schema = &schema,                                       \
                                          .providerFT = FT}
LINK(lives_class, "A_Lives", 0, lives_properties, NULL, NULL, &link_ft);
LINK(works_class, "A_Works", 0, lives_properties, "A_Lives", &lives_class, &link_ft);
LINK(knows_class, "A_Knows", 0, knows_properties, NULL, NULL, &link_ft);
LINK(sulks_class, "A_Sulks", 0, lives_properties, NULL, NULL, &link_ft);
LINK(mute_class, "A_Mute", 0, knows_properties, NULL, NULL, &mute_ft);
LINK(gone_class, "A_Gone", MI_FLAG_ABSTRACT, lives_properties, NULL, NULL, &link_ft);
LINK(fails_class, "A_Fails", 0, fails_properties, NULL, NULL, &link_ft);

static const MI_ClassDecl *const classes[] = {
    &thing_class, &person_class, &worker_class, &place_class, &lives_class, &works_class,
    &knows_class, &sulks_class,  &mute_class,   &gone_class,  &fails_class};

/* ---- the links ---------------------------------------------------------------------------- */

static const struct {
    const char *link, *one, *two, *one_class, *two_class;
} links[] = {
    {"A_Lives", "ann", "rome", "A_Person", "A_Place"},
    {"A_Lives", "bob", "oslo", "A_Worker", "A_Place"},
    {"A_Works", "bob", "rome", "A_Worker", "A_Place"},
    {"A_Knows", "ann", "bob", "A_Person", "A_Worker"},
    {"A_Knows", "cid", "ann", "A_Person", "A_Person"},
};

static char asked[256];
static bool wrong_layout;

static MI_Instance *new_thing(MI_Context *context, const char *class_name, const char *name)
{
    MI_Instance *instance = NULL;
    MI_Value value = {.string = (MI_Char *)(uintptr_t)name};

    MI_Context_NewDynamicInstance(context, class_name, 0, &instance);
    MI_Instance_AddElement(instance, "Name", &value, MI_STRING, MI_FLAG_KEY);
    return instance;
}

static void post_thing(MI_Context *context, const char *class_name, const char *name)
{
    MI_Instance *instance = new_thing(context, class_name, name);

    MI_Context_PostInstance(context, instance);
    MI_Instance_Delete(instance);
}

static void add_end(MI_Context *context, MI_Instance *link, const char *end, const char *class_name,
                    const char *name)
{
    MI_Value value = {.reference = new_thing(context, class_name, name)};

    MI_Instance_AddElement(link, end, &value, MI_REFERENCE, MI_FLAG_KEY);
    MI_Instance_Delete(value.reference);
}

static void post_link(MI_Context *context, size_t at)
{
    MI_Instance *link = NULL;
    MI_Value note = {.string = (MI_Char *)(uintptr_t) "x"};
    bool knows = strcmp(links[at].link, "A_Knows") == 0;

    MI_Context_NewDynamicInstance(context, links[at].link, MI_FLAG_ASSOCIATION, &link);
    add_end(context, link, "Person", links[at].one_class, links[at].one);
    add_end(context, link, knows ? "Friend" : "Place", links[at].two_class, links[at].two);
    MI_Instance_AddElement(link, "Note", &note, MI_STRING, 0);
    MI_Context_PostInstance(context, link);
    MI_Instance_Delete(link);
}

/* The name of the object, whose memory must be as the module declares it. False when the provider
 * answers with an error. */
static bool begin(MI_Context *context, const char *class_name, const MI_Instance *object,
                  const char **ret_name)
{
    snprintf(asked + strlen(asked), sizeof(asked) - strlen(asked), "%s ", class_name + 2);
    wrong_layout |= object->classDecl != &person_class && object->classDecl != &worker_class &&
                    object->classDecl != &place_class;
    *ret_name = ((const struct thing *)(const void *)object)->Name.value;
    if (strcmp(class_name, "A_Sulks") == 0 || strcmp(class_name, "A_Fails") == 0) {
        MI_Context_PostError(context,
                             class_name[2] == 'S' ? MI_RESULT_NOT_SUPPORTED : MI_RESULT_FAILED,
                             "MI", "not today");
        return false;
    }
    return true;
}

/* Ignores all filters, as a simple provider may: the host looks at what is posted. */
static void associators(void *self, MI_Context *context, const MI_Char *name_space,
                        const MI_Char *class_name, const MI_Instance *object,
                        const MI_Char *result_class, const MI_Char *role,
                        const MI_Char *result_role, const MI_PropertySet *set, MI_Boolean keys_only,
                        const MI_Filter *filter)
{
    const char *name = NULL;
    (void)self, (void)name_space, (void)result_class, (void)role, (void)result_role, (void)set;
    (void)keys_only, (void)filter;

    if (!begin(context, class_name, object, &name)) {
        return;
    }
    for (size_t i = 0; i < COUNT(links); i++) {
        if (strcmp(links[i].link, class_name) == 0 && strcmp(links[i].one, name) == 0) {
            post_thing(context, links[i].two_class, links[i].two);
        } else if (strcmp(links[i].link, class_name) == 0 && strcmp(links[i].two, name) == 0) {
            post_thing(context, links[i].one_class, links[i].one);
        }
    }
    MI_Context_PostResult(context, MI_RESULT_OK);
}

static void references(void *self, MI_Context *context, const MI_Char *name_space,
                       const MI_Char *class_name, const MI_Instance *object, const MI_Char *role,
                       const MI_PropertySet *set, MI_Boolean keys_only, const MI_Filter *filter)
{
    const char *name = NULL;
    (void)self, (void)name_space, (void)role, (void)set, (void)keys_only, (void)filter;

    if (!begin(context, class_name, object, &name)) {
        return;
    }
    for (size_t i = 0; i < COUNT(links); i++) {
        if (strcmp(links[i].link, class_name) == 0 &&
            (strcmp(links[i].one, name) == 0 || strcmp(links[i].two, name) == 0)) {
            post_link(context, i);
        }
    }
    MI_Context_PostResult(context, MI_RESULT_OK);
}

static const MI_ProviderFT link_ft = {.AssociatorInstances = associators,
                                      .ReferenceInstances = references};
static const MI_ProviderFT mute_ft;

static MI_Module *link_main(MI_Server *server)
{
    static MI_Module module;
    (void)server;

    schema = (MI_SchemaDecl){.classDecls = classes, .numClassDecls = COUNT(classes)};
    module = (MI_Module){.version = MI_VERSION, .charSize = sizeof(MI_Char), .schemaDecl = &schema};
    return &module;
}

/* ---- the rows ------------------------------------------------------------------------------ */

enum way { ASSOCIATORS, REFERENCES };

static const struct {
    enum way way;
    const char *class_name, *name; /* the object; name NULL: without its key */
    const char *association, *result_class, *role, *result_role;
    MI_Result result;
    const char *found; /* names, or both names of a link */
    const char *asked;
} rows[] = {
    {ASSOCIATORS, "A_Person", "ann", NULL, NULL, NULL, NULL, MI_RESULT_OK, "rome bob cid ",
     "Lives Works Knows Sulks "},
    {ASSOCIATORS, "a_person", "ann", "", "", "", "", MI_RESULT_OK, "rome bob cid ",
     "Lives Works Knows Sulks "},
    {ASSOCIATORS, "A_Worker", "bob", NULL, NULL, NULL, NULL, MI_RESULT_OK, "oslo rome ann ",
     "Lives Works Knows Sulks "},
    {ASSOCIATORS, "A_Place", "rome", NULL, NULL, NULL, NULL, MI_RESULT_FAILED, "ann bob ",
     "Lives Works Sulks Fails "},
    {ASSOCIATORS, "A_Place", "rome", NULL, "A_Person", NULL, NULL, MI_RESULT_OK, "ann bob ",
     "Lives Works Sulks "},
    {ASSOCIATORS, "A_Place", "rome", NULL, "A_Worker", NULL, NULL, MI_RESULT_OK, "bob ",
     "Lives Works Sulks "},
    {ASSOCIATORS, "A_Person", "nemo", NULL, NULL, NULL, NULL, MI_RESULT_OK, "",
     "Lives Works Knows Sulks "},
    {ASSOCIATORS, "A_Person", "ann", "A_Lives", NULL, NULL, NULL, MI_RESULT_OK, "rome ",
     "Lives Works "},
    {ASSOCIATORS, "A_Worker", "bob", "A_Works", NULL, NULL, NULL, MI_RESULT_OK, "rome ", "Works "},
    {ASSOCIATORS, "A_Person", "ann", "a_KNOWS", NULL, NULL, NULL, MI_RESULT_OK, "bob cid ",
     "Knows "},
    {ASSOCIATORS, "A_Place", "rome", "A_Knows", NULL, NULL, NULL, MI_RESULT_OK, "", ""},
    {ASSOCIATORS, "A_Person", "ann", "A_Sulks", NULL, NULL, NULL, MI_RESULT_OK, "", "Sulks "},
    {ASSOCIATORS, "A_Person", "ann", "A_Mute", NULL, NULL, NULL, MI_RESULT_NOT_SUPPORTED, "", ""},
    {ASSOCIATORS, "A_Person", "ann", "A_Gone", NULL, NULL, NULL, MI_RESULT_OK, "", ""},
    {ASSOCIATORS, "A_Place", "rome", "A_Fails", NULL, NULL, NULL, MI_RESULT_FAILED, "", "Fails "},
    {ASSOCIATORS, "A_Person", "ann", NULL, "A_Place", NULL, NULL, MI_RESULT_OK, "rome ",
     "Lives Works Sulks "},
    {ASSOCIATORS, "A_Person", "ann", NULL, "A_Person", NULL, NULL, MI_RESULT_OK, "bob cid ",
     "Knows "},
    {ASSOCIATORS, "A_Person", "ann", NULL, "A_Worker", NULL, NULL, MI_RESULT_OK, "bob ", "Knows "},
    {ASSOCIATORS, "A_Person", "ann", NULL, "A_Thing", NULL, NULL, MI_RESULT_OK, "rome bob cid ",
     "Lives Works Knows Sulks "},
    {ASSOCIATORS, "A_Person", "ann", "A_Knows", "A_Place", NULL, NULL, MI_RESULT_OK, "", ""},
    {ASSOCIATORS, "A_Person", "ann", NULL, NULL, "Person", NULL, MI_RESULT_OK, "rome bob cid ",
     "Lives Works Knows Sulks "},
    {ASSOCIATORS, "A_Person", "ann", NULL, NULL, "friend", NULL, MI_RESULT_OK, "bob cid ",
     "Knows "},
    {ASSOCIATORS, "A_Person", "ann", NULL, NULL, "Place", NULL, MI_RESULT_OK, "", ""},
    {ASSOCIATORS, "A_Person", "ann", NULL, NULL, "Nothing", NULL, MI_RESULT_OK, "", ""},
    {ASSOCIATORS, "A_Person", "ann", NULL, NULL, NULL, "Place", MI_RESULT_OK, "rome ",
     "Lives Works Sulks "},
    {ASSOCIATORS, "A_Person", "ann", NULL, NULL, NULL, "FRIEND", MI_RESULT_OK, "bob cid ",
     "Knows "},
    {ASSOCIATORS, "A_Person", "ann", NULL, NULL, "Person", "Person", MI_RESULT_OK, "", ""},
    {ASSOCIATORS, "A_Person", "ann", NULL, NULL, "Friend", "Person", MI_RESULT_OK, "bob cid ",
     "Knows "},
    {ASSOCIATORS, "A_Person", "ann", NULL, "A_Place", "Person", "Place", MI_RESULT_OK, "rome ",
     "Lives Works Sulks "},
    {ASSOCIATORS, "A_Thing", "ann", NULL, NULL, NULL, NULL, MI_RESULT_OK, "", ""},
    {ASSOCIATORS, "A_Person", NULL, NULL, NULL, NULL, NULL, MI_RESULT_NO_SUCH_PROPERTY, "", ""},
    {ASSOCIATORS, "A_Nothing", "x", NULL, NULL, NULL, NULL, MI_RESULT_INVALID_CLASS, "", ""},
    {ASSOCIATORS, "A_Person", "x", "A_Nothing", NULL, NULL, NULL, MI_RESULT_INVALID_CLASS, "", ""},
    {ASSOCIATORS, "A_Person", "x", NULL, "A_Nothing", NULL, NULL, MI_RESULT_INVALID_CLASS, "", ""},

    {REFERENCES, "A_Person", "ann", NULL, NULL, NULL, NULL, MI_RESULT_OK,
     "ann-rome ann-bob cid-ann ", "Lives Works Knows Sulks "},
    {REFERENCES, "A_Worker", "bob", NULL, NULL, NULL, NULL, MI_RESULT_OK,
     "bob-oslo bob-rome ann-bob ", "Lives Works Knows Sulks "},
    {REFERENCES, "A_Worker", "bob", NULL, "A_Lives", NULL, NULL, MI_RESULT_OK, "bob-oslo bob-rome ",
     "Lives Works "},
    {REFERENCES, "A_Worker", "bob", NULL, "A_Works", NULL, NULL, MI_RESULT_OK, "bob-rome ",
     "Works "},
    {REFERENCES, "A_Person", "ann", NULL, "A_Knows", "Person", NULL, MI_RESULT_OK, "ann-bob ",
     "Knows "},
    {REFERENCES, "A_Person", "ann", NULL, "A_Knows", "friend", NULL, MI_RESULT_OK, "cid-ann ",
     "Knows "},
    {REFERENCES, "A_Person", "ann", NULL, NULL, "Place", NULL, MI_RESULT_OK, "", ""},
    {REFERENCES, "A_Place", "rome", NULL, NULL, "Place", NULL, MI_RESULT_OK, "ann-rome bob-rome ",
     "Lives Works Sulks "},
    {REFERENCES, "A_Place", "rome", NULL, NULL, NULL, NULL, MI_RESULT_FAILED, "ann-rome bob-rome ",
     "Lives Works Sulks Fails "},
    {REFERENCES, "A_Person", "ann", NULL, "A_Sulks", NULL, NULL, MI_RESULT_OK, "", "Sulks "},
    {REFERENCES, "A_Person", "ann", NULL, "A_Mute", NULL, NULL, MI_RESULT_NOT_SUPPORTED, "", ""},
    {REFERENCES, "A_Person", "ann", NULL, "A_Gone", NULL, NULL, MI_RESULT_OK, "", ""},
    {REFERENCES, "A_Person", "ann", NULL, "A_Place", NULL, NULL, MI_RESULT_OK, "", ""},
    {REFERENCES, "A_Person", "ann", NULL, "A_Nothing", NULL, NULL, MI_RESULT_INVALID_CLASS, "", ""},
    {REFERENCES, "A_Nothing", "x", NULL, NULL, NULL, NULL, MI_RESULT_INVALID_CLASS, "", ""},
    {REFERENCES, "A_Person", NULL, NULL, NULL, NULL, NULL, MI_RESULT_NO_SUCH_PROPERTY, "", ""},
};

/* ---- running ------------------------------------------------------------------------------- */

static MI_Session session;
static MI_Application application;

static const char *name_in(const MI_Instance *instance, const char *element)
{
    MI_Value value;

    if (MI_Instance_GetElement(instance, element, &value, NULL, NULL, NULL) != MI_RESULT_OK) {
        return NULL;
    }
    if (strcmp(element, "Name") == 0) {
        return value.string;
    }
    return name_in(value.reference, "Name");
}

/* Notes what an instance is; "!" for one that has more than its keys although it must not. */
static void note(const MI_Instance *instance, bool keys_only, char *found, size_t size)
{
    const char *name = name_in(instance, "Name");
    const char *two = name_in(instance, "Place");
    MI_Uint32 flags = MI_FLAG_NULL;
    size_t length = strlen(found);

    MI_Instance_GetElement(instance, "Note", NULL, NULL, &flags, NULL);
    if (name == NULL) {
        bool bad = keys_only != ((flags & MI_FLAG_NULL) != 0);
        two = two == NULL ? name_in(instance, "Friend") : two;
        snprintf(found + length, size - length, "%s%s-%s ", bad ? "!" : "",
                 name_in(instance, "Person"), two);
    } else {
        snprintf(found + length, size - length, "%s ", name);
    }
}

static MI_Result ask(size_t row, bool keys_only, char *found, size_t size)
{
    MI_Operation operation = MI_OPERATION_NULL;
    MI_Instance *object = NULL;
    const MI_Instance *instance = NULL;
    MI_Value value = {.string = (MI_Char *)(uintptr_t)rows[row].name};
    MI_Result result = MI_RESULT_FAILED;
    MI_Boolean more = MI_TRUE;

    MI_Application_NewInstance(&application, rows[row].class_name, NULL, &object);
    if (rows[row].name != NULL) {
        MI_Instance_AddElement(object, "Name", &value, MI_STRING, MI_FLAG_KEY);
    }
    found[0] = asked[0] = '\0';
    if (rows[row].way == ASSOCIATORS) {
        MI_Session_AssociatorInstances(&session, 0, NULL, SPACE, object, rows[row].association,
                                       rows[row].result_class, rows[row].role,
                                       rows[row].result_role, keys_only, NULL, &operation);
    } else {
        MI_Session_ReferenceInstances(&session, 0, NULL, SPACE, object, rows[row].result_class,
                                      rows[row].role, keys_only, NULL, &operation);
    }
    MI_Instance_Delete(object);
    while (more && MI_Operation_GetInstance(&operation, &instance, &more, &result, NULL, NULL) ==
                       MI_RESULT_OK) {
        if (instance != NULL) {
            note(instance, keys_only, found, size);
        }
    }
    MI_Operation_Close(&operation);
    return result;
}

static void run_rows(void)
{
    char found[256], got[600];

    for (size_t i = 0; i < COUNT(rows); i++) {
        for (int keys_only = 0; keys_only < 2; keys_only++) {
            MI_Result result = ask(i, keys_only != 0, found, sizeof(found));
            snprintf(got, sizeof(got), "'%s', result %d, asked '%s'", found, (int)result, asked);
            check(result == rows[i].result && strcmp(found, rows[i].found) == 0 &&
                      strcmp(asked, rows[i].asked) == 0,
                  keys_only ? "keys only," : "association", i, got);
        }
    }
    check(!wrong_layout, "layout of the object", 0, "another declaration");
}

/* ---- classes ------------------------------------------------------------------------------- */

static const struct {
    const char *name_space, *class_name;
    MI_Uint32 flags;
    MI_Result result;
    const char *found;
} class_rows[] = {
    {SPACE, NULL, 0, MI_RESULT_OK,
     "Thing Person Worker Place Lives Works Knows Sulks Mute Gone Fails "},
    {SPACE, "", 0, MI_RESULT_OK,
     "Thing Person Worker Place Lives Works Knows Sulks Mute Gone Fails "},
    {SPACE, NULL, MI_OPERATIONFLAGS_POLYMORPHISM_SHALLOW, MI_RESULT_OK,
     "Thing Lives Knows Sulks Mute Gone Fails "},
    {SPACE, "A_Thing", 0, MI_RESULT_OK, "Person Worker Place "},
    {SPACE, "a_thing", MI_OPERATIONFLAGS_POLYMORPHISM_SHALLOW, MI_RESULT_OK, "Person Place "},
    {SPACE, "A_Person", 0, MI_RESULT_OK, "Worker "},
    {SPACE, "A_Worker", 0, MI_RESULT_OK, ""},
    {SPACE, "A_Lives", 0, MI_RESULT_OK, "Works "},
    {SPACE, "A_Nothing", 0, MI_RESULT_INVALID_CLASS, ""},
    {"root/other", NULL, 0, MI_RESULT_INVALID_NAMESPACE, ""},
    {"root/other", "A_Thing", 0, MI_RESULT_INVALID_NAMESPACE, ""},
    {NULL, NULL, 0, MI_RESULT_INVALID_PARAMETER, ""},
};

/* The elements of a class whose name only was asked for are left out; its superclass is named. */
static bool looks_right(const MI_Class *item, bool names_only)
{
    const MI_Char *name = NULL, *parent = NULL;
    MI_Uint32 count = 99;

    MI_Class_GetClassName(item, &name);
    if (MI_Class_GetElementCount(item, &count) != MI_RESULT_OK || (count == 0) != names_only) {
        return false;
    }
    return strcmp(name, "A_Person") != 0 ||
           (MI_Class_GetParentClassName(item, &parent) == MI_RESULT_OK &&
            strcmp(parent, "A_Thing") == 0);
}

static MI_Result ask_classes(size_t row, bool names_only, char *found, size_t size)
{
    MI_Operation operation = MI_OPERATION_NULL;
    const MI_Class *item = NULL;
    const MI_Char *name = NULL;
    MI_Result result = MI_RESULT_FAILED;
    MI_Boolean more = MI_TRUE;

    found[0] = '\0';
    MI_Session_EnumerateClasses(&session, class_rows[row].flags, NULL, class_rows[row].name_space,
                                class_rows[row].class_name, names_only, NULL, &operation);
    while (more &&
           MI_Operation_GetClass(&operation, &item, &more, &result, NULL, NULL) == MI_RESULT_OK) {
        if (item != NULL && MI_Class_GetClassName(item, &name) == MI_RESULT_OK) {
            size_t length = strlen(found);
            snprintf(found + length, size - length, "%s%s ",
                     looks_right(item, names_only) ? "" : "!", name + 2);
        }
    }
    MI_Operation_Close(&operation);
    return result;
}

static void run_classes(void)
{
    char found[256], got[320];

    for (size_t i = 0; i < COUNT(class_rows); i++) {
        for (int names_only = 0; names_only < 2; names_only++) {
            MI_Result result = ask_classes(i, names_only != 0, found, sizeof(found));
            snprintf(got, sizeof(got), "'%s', result %d", found, (int)result);
            check(result == class_rows[i].result && strcmp(found, class_rows[i].found) == 0,
                  names_only ? "class names," : "classes", i, got);
        }
    }
}

/* Two modules declare the same classes: each is given once. */
static void run_twice(struct miguard_host *host)
{
    char found[256], got[320];

    if (miguard_host_add(host, link_main, SPACE, NULL) != MIGUARD_OK) {
        check(false, "second module", 0, "");
        return;
    }
    MI_Result result = ask_classes(0, false, found, sizeof(found));
    snprintf(got, sizeof(got), "'%s', result %d", found, (int)result);
    check(strcmp(found, class_rows[0].found) == 0, "classes twice", 0, got);
    result = ask(0, false, found, sizeof(found));
    snprintf(got, sizeof(got), "'%s', result %d", found, (int)result);
    check(strcmp(found, rows[0].found) == 0, "association twice", 0, got);
}

int main(void)
{
    struct miguard_host_options options = {0};
    struct miguard_host *host = NULL;

    if (miguard_host_new(&options, &host, NULL) != MIGUARD_OK ||
        miguard_host_add(host, link_main, SPACE, NULL) != MIGUARD_OK ||
        miguard_host_session(host, &session, NULL) != MIGUARD_OK ||
        MI_Session_GetApplication(&session, &application) != MI_RESULT_OK) {
        printf("FAIL no host\n");
        return 1;
    }
    run_rows();
    run_classes();
    run_twice(host);
    miguard_host_free(host);
    printf("%u passed, %u failed\n", passed, failed);
    return failed == 0 ? 0 : 1;
}

/* SPDX-License-Identifier: MIT */
/*
 * Example provider: the users and groups of this machine.
 *
 *     [Abstract] class MG_Principal      { [Key] string Name; };
 *     class MG_UserAccount  : MG_Principal { uint32 Uid, Gid; string Home, Shell; uint32 Groups[];
 * }; class MG_GroupAccount : MG_Principal { uint32 Gid; string Members[]; };
 *
 * It shows declarations written by hand, as a generator would write them, and polymorphism: who
 * enumerates MG_Principal gets users and groups, since the host asks the provider of each subclass.
 *
 * A host may call a provider from several threads at once. getpwent(3) has one position for the
 * whole process, so the lists are read with fgetpwent_r(3) from a stream of our own. Names are
 * looked up with getpwnam_r(3), which asks every source in nsswitch.conf(5).
 */
#include <MI.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A name's code: first letter << 16 | last letter << 8 | length, letters in lower case (MI.h 4). */
#define LOWER(c) ((MI_Uint32)((c) >= 'A' && (c) <= 'Z' ? (c) - 'A' + 'a' : (c)))
#define CODE(name)                                                                                 \
    (LOWER((name)[0]) << 16 | LOWER((name)[sizeof(name) - 2]) << 8 | (MI_Uint32)(sizeof(name) - 1))
#define COUNT(array) ((MI_Uint32)(sizeof(array) / sizeof((array)[0])))

/* ---- declarations ---------------------------------------------------------------------- */

/* The instance first, then the properties of the superclass, then one's own: a struct of a
 * subclass begins like one of its superclass. */
struct principal {
    MI_Instance __instance;
    MI_ConstStringField Name;
};

struct user_account {
    MI_Instance __instance;
    MI_ConstStringField Name;
    MI_ConstUint32Field Uid;
    MI_ConstUint32Field Gid;
    MI_ConstStringField Home;
    MI_ConstStringField Shell;
    MI_ConstUint32AField Groups;
};

struct group_account {
    MI_Instance __instance;
    MI_ConstStringField Name;
    MI_ConstUint32Field Gid;
    MI_ConstStringAField Members;
};

/* origin is the class that introduces the property, propagator the one it is declared for here. */
#define PROPERTY(structure, member, type, more_flags, origin, propagator)                          \
    {                                                                                              \
        MI_FLAG_PROPERTY | (more_flags), CODE(#member), #member, NULL, 0, type, NULL, 0,           \
            (MI_Uint32)offsetof(struct structure, member), origin, propagator, NULL                \
    }
#define KEY_FLAGS (MI_FLAG_KEY | MI_FLAG_READONLY)

static const MI_PropertyDecl principal_name =
    PROPERTY(principal, Name, MI_STRING, KEY_FLAGS, "MG_Principal", "MG_Principal");

#define USER(member, type)                                                                         \
    PROPERTY(user_account, member, type, MI_FLAG_READONLY, "MG_UserAccount", "MG_UserAccount")
static const MI_PropertyDecl user_name =
    PROPERTY(user_account, Name, MI_STRING, KEY_FLAGS, "MG_Principal", "MG_UserAccount");
static const MI_PropertyDecl user_uid = USER(Uid, MI_UINT32);
static const MI_PropertyDecl user_gid = USER(Gid, MI_UINT32);
static const MI_PropertyDecl user_home = USER(Home, MI_STRING);
static const MI_PropertyDecl user_shell = USER(Shell, MI_STRING);
static const MI_PropertyDecl user_groups = USER(Groups, MI_UINT32A);

#define GROUP(member, type)                                                                        \
    PROPERTY(group_account, member, type, MI_FLAG_READONLY, "MG_GroupAccount", "MG_GroupAccount")
static const MI_PropertyDecl group_name =
    PROPERTY(group_account, Name, MI_STRING, KEY_FLAGS, "MG_Principal", "MG_GroupAccount");
static const MI_PropertyDecl group_gid = GROUP(Gid, MI_UINT32);
static const MI_PropertyDecl group_members = GROUP(Members, MI_STRINGA);

static const MI_PropertyDecl *const principal_properties[] = {&principal_name};
static const MI_PropertyDecl *const user_properties[] = {&user_name, &user_uid,   &user_gid,
                                                         &user_home, &user_shell, &user_groups};
static const MI_PropertyDecl *const group_properties[] = {&group_name, &group_gid, &group_members};

static const MI_SchemaDecl schema;
static const MI_ProviderFT user_provider, group_provider;

static const MI_ClassDecl principal_class = {
    .flags = MI_FLAG_CLASS | MI_FLAG_ABSTRACT,
    .code = CODE("MG_Principal"),
    .name = "MG_Principal",
    .properties = principal_properties,
    .numProperties = COUNT(principal_properties),
    .size = sizeof(struct principal),
    .schema = &schema,
};

static const MI_ClassDecl user_class = {
    .flags = MI_FLAG_CLASS,
    .code = CODE("MG_UserAccount"),
    .name = "MG_UserAccount",
    .properties = user_properties,
    .numProperties = COUNT(user_properties),
    .size = sizeof(struct user_account),
    .superClass = "MG_Principal",
    .superClassDecl = &principal_class,
    .schema = &schema,
    .providerFT = &user_provider,
};

static const MI_ClassDecl group_class = {
    .flags = MI_FLAG_CLASS,
    .code = CODE("MG_GroupAccount"),
    .name = "MG_GroupAccount",
    .properties = group_properties,
    .numProperties = COUNT(group_properties),
    .size = sizeof(struct group_account),
    .superClass = "MG_Principal",
    .superClassDecl = &principal_class,
    .schema = &schema,
    .providerFT = &group_provider,
};

static const MI_ClassDecl *const classes[] = {&principal_class, &user_class, &group_class};
static const MI_SchemaDecl schema = {.classDecls = classes, .numClassDecls = COUNT(classes)};

/* ---- setting properties ---------------------------------------------------------------- */

/* A string is copied by the host; a scalar is written where it lies, as generated code does. */
static MI_Result set_string(MI_Instance *instance, const MI_Char *name, const char *text)
{
    MI_Value value;

    value.string = (MI_Char *)text;
    return MI_Instance_SetElement(instance, name, &value, MI_STRING, 0);
}

static void set_uint32(MI_ConstUint32Field *field, MI_Uint32 value)
{
    field->value = value;
    field->exists = MI_TRUE;
}

/* ---- buffers --------------------------------------------------------------------------- */

/* What the _r functions write into; it grows while they answer ERANGE. */
struct buffer {
    char *data;
    size_t size;
};

static int buffer_grow(struct buffer *buffer)
{
    size_t size = buffer->size == 0 ? 4096 : buffer->size * 2;
    char *data = size > 64U << 20 ? NULL : realloc(buffer->data, size);

    if (data == NULL) {
        return ENOMEM;
    }
    buffer->data = data;
    buffer->size = size;
    return 0;
}

/* ---- users ----------------------------------------------------------------------------- */

static MI_Result set_groups(struct user_account *self, const struct passwd *user)
{
    gid_t *groups = NULL;
    int size = 32;

    for (int count = 0; groups == NULL; size = count) {
        groups = calloc((size_t)size, sizeof(*groups));
        if (groups == NULL) {
            return MI_RESULT_SERVER_LIMITS_EXCEEDED;
        }
        count = size;
        if (getgrouplist(user->pw_name, user->pw_gid, groups, &count) < 0) {
            free(groups); /* too small: count now says how many there are */
            groups = NULL;
        }
    }
    MI_Value value;
    value.uint32a.data = groups;
    value.uint32a.size = (MI_Uint32)size;
    MI_Result result = MI_Instance_SetElement(&self->__instance, "Groups", &value, MI_UINT32A, 0);
    free(groups);
    return result;
}

static MI_Result fill_user(struct user_account *self, const struct passwd *user,
                           MI_Boolean keys_only)
{
    MI_Result result = set_string(&self->__instance, "Name", user->pw_name);

    if (result != MI_RESULT_OK || keys_only) {
        return result;
    }
    set_uint32(&self->Uid, user->pw_uid);
    set_uint32(&self->Gid, user->pw_gid);
    result = set_string(&self->__instance, "Home", user->pw_dir);
    if (result == MI_RESULT_OK) {
        result = set_string(&self->__instance, "Shell", user->pw_shell);
    }
    if (result == MI_RESULT_OK) {
        result = set_groups(self, user);
    }
    return result;
}

static MI_Result post_user(MI_Context *context, const struct passwd *user, MI_Boolean keys_only)
{
    struct user_account self;
    MI_Result result = MI_Context_ConstructInstance(context, &user_class, &self.__instance);

    if (result != MI_RESULT_OK) {
        return result;
    }
    result = fill_user(&self, user, keys_only);
    if (result == MI_RESULT_OK) {
        result = MI_Context_PostInstance(context, &self.__instance);
    }
    MI_Instance_Destruct(&self.__instance);
    return result;
}

static void user_get(void *self, MI_Context *context, const MI_Char *name_space,
                     const MI_Char *class_name, const MI_Instance *name,
                     const MI_PropertySet *properties)
{
    /* The host has laid the instance out by our own declaration, so this cast is allowed. */
    const struct user_account *key = (const struct user_account *)name;
    struct buffer buffer = {NULL, 0};
    struct passwd storage, *user = NULL;
    MI_Result result = MI_RESULT_INVALID_PARAMETER;
    int error = ERANGE;

    (void)self, (void)name_space, (void)class_name, (void)properties;
    if (key == NULL || !key->Name.exists) {
        goto out;
    }
    while (error == ERANGE) {
        error = buffer_grow(&buffer);
        if (error == 0) {
            error = getpwnam_r(key->Name.value, &storage, buffer.data, buffer.size, &user);
        }
    }
    result = error == ENOMEM ? MI_RESULT_SERVER_LIMITS_EXCEEDED : MI_RESULT_NOT_FOUND;
    if (user != NULL) {
        result = post_user(context, user, MI_FALSE);
    }
out:
    free(buffer.data);
    MI_Context_PostResult(context, result);
}

static void user_enumerate(void *self, MI_Context *context, const MI_Char *name_space,
                           const MI_Char *class_name, const MI_PropertySet *properties,
                           MI_Boolean keys_only, const MI_Filter *filter)
{
    struct buffer buffer = {NULL, 0};
    struct passwd storage, *user;
    MI_Result result = MI_RESULT_OK;
    FILE *list = fopen("/etc/passwd", "re");
    int error = list == NULL ? errno : buffer_grow(&buffer);

    (void)self, (void)name_space, (void)class_name, (void)properties, (void)filter;
    while (error == 0 && result == MI_RESULT_OK) {
        error = fgetpwent_r(list, &storage, buffer.data, buffer.size, &user);
        if (error == 0) {
            result = post_user(context, user, keys_only);
        } else if (error == ERANGE) {
            error = buffer_grow(&buffer); /* the stream still stands before this entry */
        }
    }
    if (result == MI_RESULT_OK && error != ENOENT) {
        result = error == ENOMEM ? MI_RESULT_SERVER_LIMITS_EXCEEDED : MI_RESULT_FAILED;
    }
    if (list != NULL) {
        fclose(list);
    }
    free(buffer.data);
    MI_Context_PostResult(context, result);
}

/* ---- groups ---------------------------------------------------------------------------- */

static MI_Result set_members(struct group_account *self, const struct group *group)
{
    MI_Value value;

    value.stringa.data = group->gr_mem;
    value.stringa.size = 0;
    while (group->gr_mem[value.stringa.size] != NULL) {
        value.stringa.size++;
    }
    return MI_Instance_SetElement(&self->__instance, "Members", &value, MI_STRINGA, 0);
}

static MI_Result fill_group(struct group_account *self, const struct group *group,
                            MI_Boolean keys_only)
{
    MI_Result result = set_string(&self->__instance, "Name", group->gr_name);

    if (result != MI_RESULT_OK || keys_only) {
        return result;
    }
    set_uint32(&self->Gid, group->gr_gid);
    return set_members(self, group);
}

static MI_Result post_group(MI_Context *context, const struct group *group, MI_Boolean keys_only)
{
    struct group_account self;
    MI_Result result = MI_Context_ConstructInstance(context, &group_class, &self.__instance);

    if (result != MI_RESULT_OK) {
        return result;
    }
    result = fill_group(&self, group, keys_only);
    if (result == MI_RESULT_OK) {
        result = MI_Context_PostInstance(context, &self.__instance);
    }
    MI_Instance_Destruct(&self.__instance);
    return result;
}

static void group_get(void *self, MI_Context *context, const MI_Char *name_space,
                      const MI_Char *class_name, const MI_Instance *name,
                      const MI_PropertySet *properties)
{
    const struct group_account *key = (const struct group_account *)name;
    struct buffer buffer = {NULL, 0};
    struct group storage, *group = NULL;
    MI_Result result = MI_RESULT_INVALID_PARAMETER;
    int error = ERANGE;

    (void)self, (void)name_space, (void)class_name, (void)properties;
    if (key == NULL || !key->Name.exists) {
        goto out;
    }
    while (error == ERANGE) {
        error = buffer_grow(&buffer);
        if (error == 0) {
            error = getgrnam_r(key->Name.value, &storage, buffer.data, buffer.size, &group);
        }
    }
    result = error == ENOMEM ? MI_RESULT_SERVER_LIMITS_EXCEEDED : MI_RESULT_NOT_FOUND;
    if (group != NULL) {
        result = post_group(context, group, MI_FALSE);
    }
out:
    free(buffer.data);
    MI_Context_PostResult(context, result);
}

static void group_enumerate(void *self, MI_Context *context, const MI_Char *name_space,
                            const MI_Char *class_name, const MI_PropertySet *properties,
                            MI_Boolean keys_only, const MI_Filter *filter)
{
    struct buffer buffer = {NULL, 0};
    struct group storage, *group;
    MI_Result result = MI_RESULT_OK;
    FILE *list = fopen("/etc/group", "re");
    int error = list == NULL ? errno : buffer_grow(&buffer);

    (void)self, (void)name_space, (void)class_name, (void)properties, (void)filter;
    while (error == 0 && result == MI_RESULT_OK) {
        error = fgetgrent_r(list, &storage, buffer.data, buffer.size, &group);
        if (error == 0) {
            result = post_group(context, group, keys_only);
        } else if (error == ERANGE) {
            error = buffer_grow(&buffer);
        }
    }
    if (result == MI_RESULT_OK && error != ENOENT) {
        result = error == ENOMEM ? MI_RESULT_SERVER_LIMITS_EXCEEDED : MI_RESULT_FAILED;
    }
    if (list != NULL) {
        fclose(list);
    }
    free(buffer.data);
    MI_Context_PostResult(context, result);
}

/* ---- what is not offered --------------------------------------------------------------- */

static void refuse_create(void *self, MI_Context *context, const MI_Char *name_space,
                          const MI_Char *class_name, const MI_Instance *instance)
{
    (void)self, (void)name_space, (void)class_name, (void)instance;
    MI_Context_PostResult(context, MI_RESULT_NOT_SUPPORTED);
}

static void refuse_modify(void *self, MI_Context *context, const MI_Char *name_space,
                          const MI_Char *class_name, const MI_Instance *instance,
                          const MI_PropertySet *properties)
{
    (void)self, (void)name_space, (void)class_name, (void)instance, (void)properties;
    MI_Context_PostResult(context, MI_RESULT_NOT_SUPPORTED);
}

/* ---- the module ------------------------------------------------------------------------ */

static const MI_ProviderFT user_provider = {
    .GetInstance = user_get,
    .EnumerateInstances = user_enumerate,
    .CreateInstance = refuse_create,
    .ModifyInstance = refuse_modify,
    .DeleteInstance = refuse_create, /* the same parameters */
};

static const MI_ProviderFT group_provider = {
    .GetInstance = group_get,
    .EnumerateInstances = group_enumerate,
    .CreateInstance = refuse_create,
    .ModifyInstance = refuse_modify,
    .DeleteInstance = refuse_create,
};

static void load(MI_Module_Self **self, MI_Context *context)
{
    *self = NULL; /* nothing to remember between requests */
    MI_Context_PostResult(context, MI_RESULT_OK);
}

static void unload(MI_Module_Self *self, MI_Context *context)
{
    (void)self;
    MI_Context_PostResult(context, MI_RESULT_OK);
}

MI_EXPORT MI_Module *MI_MAIN_CALL MI_Main(MI_Server *server)
{
    /* The API has schemaDecl without const, but nobody writes through it. */
    static MI_Module module = {
        .version = MI_VERSION,
        .charSize = sizeof(MI_Char),
        .schemaDecl = (MI_SchemaDecl *)&schema,
        .Load = load,
        .Unload = unload,
    };

    (void)server;
    return &module;
}

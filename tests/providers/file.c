/* SPDX-License-Identifier: MIT */
/*
 * Example provider: files, read and written as whoever asks.
 *
 *     class MG_File {
 *         [Key] string Path;            // absolute
 *         uint64 Size; uint32 Mode; string Owner; datetime Modified;
 *         uint8 Content[];              // the first 4,096 bytes
 *         string Text;                  // the same, when it is printable; written by Create/Modify
 *         uint32 ServedAsUid, ServedAsGid;
 *     };
 *
 * The provider checks no permission itself. It opens the file on the thread it is called on, and
 * the kernel compares that thread's filesystem uid and gid with the file's mode: path_resolution(7)
 * and credentials(7). ServedAsUid and ServedAsGid say who that was, so a client can see whether it
 * was served as itself.
 */
#include <MI.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* A name's code: first letter << 16 | last letter << 8 | length, letters in lower case (MI.h 4). */
#define LOWER(c) ((MI_Uint32)((c) >= 'A' && (c) <= 'Z' ? (c) - 'A' + 'a' : (c)))
#define CODE(name)                                                                                 \
    (LOWER((name)[0]) << 16 | LOWER((name)[sizeof(name) - 2]) << 8 | (MI_Uint32)(sizeof(name) - 1))
#define COUNT(array) ((MI_Uint32)(sizeof(array) / sizeof((array)[0])))

#define CONTENT_SIZE 4096

/* ---- declarations ---------------------------------------------------------------------- */

struct file {
    MI_Instance __instance;
    MI_ConstStringField Path;
    MI_ConstUint64Field Size;
    MI_ConstUint32Field Mode;
    MI_ConstStringField Owner;
    MI_ConstDatetimeField Modified;
    MI_ConstUint8AField Content;
    MI_ConstStringField Text;
    MI_ConstUint32Field ServedAsUid;
    MI_ConstUint32Field ServedAsGid;
};

#define PROPERTY(member, type, more_flags)                                                         \
    {                                                                                              \
        MI_FLAG_PROPERTY | (more_flags), CODE(#member), #member, NULL, 0, type, NULL, 0,           \
            (MI_Uint32)offsetof(struct file, member), "MG_File", "MG_File", NULL                   \
    }

static const MI_PropertyDecl file_path = PROPERTY(Path, MI_STRING, MI_FLAG_KEY);
static const MI_PropertyDecl file_size = PROPERTY(Size, MI_UINT64, MI_FLAG_READONLY);
static const MI_PropertyDecl file_mode = PROPERTY(Mode, MI_UINT32, MI_FLAG_READONLY);
static const MI_PropertyDecl file_owner = PROPERTY(Owner, MI_STRING, MI_FLAG_READONLY);
static const MI_PropertyDecl file_modified = PROPERTY(Modified, MI_DATETIME, MI_FLAG_READONLY);
static const MI_PropertyDecl file_content = PROPERTY(Content, MI_UINT8A, MI_FLAG_READONLY);
static const MI_PropertyDecl file_text = PROPERTY(Text, MI_STRING, 0);
static const MI_PropertyDecl file_as_uid = PROPERTY(ServedAsUid, MI_UINT32, MI_FLAG_READONLY);
static const MI_PropertyDecl file_as_gid = PROPERTY(ServedAsGid, MI_UINT32, MI_FLAG_READONLY);

static const MI_PropertyDecl *const file_properties[] = {
    &file_path,    &file_size, &file_mode,   &file_owner,  &file_modified,
    &file_content, &file_text, &file_as_uid, &file_as_gid,
};

static const MI_SchemaDecl schema;
static const MI_ProviderFT file_provider;

static const MI_ClassDecl file_class = {
    .flags = MI_FLAG_CLASS,
    .code = CODE("MG_File"),
    .name = "MG_File",
    .properties = file_properties,
    .numProperties = COUNT(file_properties),
    .size = sizeof(struct file),
    .schema = &schema,
    .providerFT = &file_provider,
};

static const MI_ClassDecl *const classes[] = {&file_class};
static const MI_SchemaDecl schema = {.classDecls = classes, .numClassDecls = COUNT(classes)};

/* ---- errors ---------------------------------------------------------------------------- */

static MI_Result result_of(int error)
{
    switch (error) {
    case EACCES:
    case EPERM:
    case EROFS:
        return MI_RESULT_ACCESS_DENIED;
    case ENOENT:
    case ENOTDIR:
        return MI_RESULT_NOT_FOUND;
    case EEXIST:
        return MI_RESULT_ALREADY_EXISTS;
    case EISDIR:
    case ELOOP: /* O_NOFOLLOW met a symbolic link */
        return MI_RESULT_NOT_SUPPORTED;
    case ENOMEM:
    case EMFILE:
    case ENFILE:
        return MI_RESULT_SERVER_LIMITS_EXCEEDED;
    default:
        return MI_RESULT_FAILED;
    }
}

/* Ends the request with what the kernel said, in the words of the MI result that fits. */
static void post_errno(MI_Context *context, const char *step, const char *path, int error)
{
    char message[512], reason[128];

    /* The GNU strerror_r(3) may or may not use the buffer; what it returns is the text. */
    snprintf(message, sizeof(message), "%s %s: %s", step, path,
             strerror_r(error, reason, sizeof(reason)));
    MI_Context_PostError(context, result_of(error), MI_RESULT_TYPE_MI, message);
}

/* The key of an instance that came in, or NULL when it is none. Relative paths are refused: the
 * working directory is the host's and means nothing to the client. */
static const char *path_of(const MI_Instance *instance)
{
    const struct file *key = (const struct file *)instance;

    return key != NULL && key->Path.exists && key->Path.value[0] == '/' ? key->Path.value : NULL;
}

/* ---- reading --------------------------------------------------------------------------- */

/* O_NONBLOCK: a FIFO must not hang the host. O_NOFOLLOW: the last part of the path is the file. */
static int open_regular(const char *path, int flags, struct stat *ret_status)
{
    int fd = open(path, flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

    if (fd < 0) {
        return -errno;
    }
    int error = fstat(fd, ret_status) < 0 ? errno : 0;
    if (error == 0 && !S_ISREG(ret_status->st_mode)) {
        error = EISDIR;
    }
    if (error != 0) {
        close(fd);
        return -error;
    }
    return fd;
}

static ssize_t read_up_to(int fd, MI_Uint8 *bytes, size_t size)
{
    size_t length = 0;

    while (length < size) {
        ssize_t got = read(fd, bytes + length, size - length);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return -1;
        }
        if (got == 0) {
            break;
        }
        length += (size_t)got;
    }
    return (ssize_t)length;
}

static bool printable(const MI_Uint8 *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if ((bytes[i] < 0x20 && bytes[i] != '\n' && bytes[i] != '\t') || bytes[i] >= 0x7F) {
            return false;
        }
    }
    return true;
}

/* ---- an instance ----------------------------------------------------------------------- */

static MI_Result set_string(struct file *self, const MI_Char *name, const char *text)
{
    MI_Value value;

    value.string = (MI_Char *)text;
    return MI_Instance_SetElement(&self->__instance, name, &value, MI_STRING, 0);
}

static void set_uint32(MI_ConstUint32Field *field, MI_Uint32 value)
{
    field->value = value;
    field->exists = MI_TRUE;
}

static MI_Result set_owner(struct file *self, uid_t uid)
{
    char buffer[4096], number[16];
    struct passwd storage, *user = NULL;

    if (getpwuid_r(uid, &storage, buffer, sizeof(buffer), &user) != 0 || user == NULL) {
        snprintf(number, sizeof(number), "%u", uid);
        return set_string(self, "Owner", number);
    }
    return set_string(self, "Owner", user->pw_name);
}

static void set_modified(struct file *self, const struct timespec *when)
{
    struct tm utc;

    if (gmtime_r(&when->tv_sec, &utc) == NULL || utc.tm_year < -1900 || utc.tm_year > 9999 - 1900) {
        return; /* a CIM datetime has four digits for the year; the property stays NULL */
    }
    self->Modified.value.isTimestamp = 1;
    self->Modified.value.u.timestamp = (MI_Timestamp){
        .year = (MI_Uint32)(utc.tm_year + 1900),
        .month = (MI_Uint32)(utc.tm_mon + 1),
        .day = (MI_Uint32)utc.tm_mday,
        .hour = (MI_Uint32)utc.tm_hour,
        .minute = (MI_Uint32)utc.tm_min,
        .second = (MI_Uint32)utc.tm_sec,
        .microseconds = (MI_Uint32)(when->tv_nsec / 1000),
    };
    self->Modified.exists = MI_TRUE;
}

static MI_Result set_content(struct file *self, const MI_Uint8 *bytes, size_t length)
{
    MI_Value value;

    value.uint8a.data = (MI_Uint8 *)bytes;
    value.uint8a.size = (MI_Uint32)length;
    MI_Result result = MI_Instance_SetElement(&self->__instance, "Content", &value, MI_UINT8A, 0);
    if (result != MI_RESULT_OK || !printable(bytes, length)) {
        return result;
    }
    char text[CONTENT_SIZE + 1];
    memcpy(text, bytes, length);
    text[length] = '\0';
    return set_string(self, "Text", text);
}

static MI_Result fill(struct file *self, const char *path, const struct stat *status,
                      const MI_Uint8 *bytes, size_t length)
{
    MI_Result result = set_string(self, "Path", path);

    self->Size.value = (MI_Uint64)status->st_size;
    self->Size.exists = MI_TRUE;
    set_uint32(&self->Mode, status->st_mode & 07777);
    set_modified(self, &status->st_mtim);
    /* -1 is no valid id: nothing changes and the present id is returned, setfsuid(2). */
    set_uint32(&self->ServedAsUid, (MI_Uint32)setfsuid((uid_t)-1));
    set_uint32(&self->ServedAsGid, (MI_Uint32)setfsgid((gid_t)-1));
    if (result == MI_RESULT_OK) {
        result = set_owner(self, status->st_uid);
    }
    if (result == MI_RESULT_OK) {
        result = set_content(self, bytes, length);
    }
    return result;
}

static MI_Result post_file(MI_Context *context, const char *path, const struct stat *status,
                           const MI_Uint8 *bytes, size_t length)
{
    struct file self;
    MI_Result result = MI_Context_ConstructInstance(context, &file_class, &self.__instance);

    if (result != MI_RESULT_OK) {
        return result;
    }
    result = fill(&self, path, status, bytes, length);
    if (result == MI_RESULT_OK) {
        result = MI_Context_PostInstance(context, &self.__instance);
    }
    MI_Instance_Destruct(&self.__instance);
    return result;
}

/* ---- the operations -------------------------------------------------------------------- */

static void file_get(void *self, MI_Context *context, const MI_Char *name_space,
                     const MI_Char *class_name, const MI_Instance *name,
                     const MI_PropertySet *properties)
{
    const char *path = path_of(name);
    MI_Uint8 bytes[CONTENT_SIZE];
    struct stat status;

    (void)self, (void)name_space, (void)class_name, (void)properties;
    if (path == NULL) {
        MI_Context_PostResult(context, MI_RESULT_INVALID_PARAMETER);
        return;
    }
    int fd = open_regular(path, O_RDONLY, &status);
    if (fd < 0) {
        post_errno(context, "open", path, -fd);
        return;
    }
    ssize_t length = read_up_to(fd, bytes, sizeof(bytes));
    int error = errno;
    close(fd);
    if (length < 0) {
        post_errno(context, "read", path, error);
        return;
    }
    MI_Context_PostResult(context, post_file(context, path, &status, bytes, (size_t)length));
}

/* There is no list of all files; a client has to know the path. */
static void file_enumerate(void *self, MI_Context *context, const MI_Char *name_space,
                           const MI_Char *class_name, const MI_PropertySet *properties,
                           MI_Boolean keys_only, const MI_Filter *filter)
{
    (void)self, (void)name_space, (void)class_name, (void)properties, (void)keys_only;
    (void)filter;
    MI_Context_PostResult(context, MI_RESULT_NOT_SUPPORTED);
}

/* Writes the Text of instance, an absent one as nothing. Returns 0 or an errno. */
static int write_text(int fd, const MI_Instance *instance)
{
    const struct file *file = (const struct file *)instance;
    const char *text = file->Text.exists ? file->Text.value : "";
    size_t length = strlen(text);

    while (length > 0) {
        ssize_t done = write(fd, text, length);
        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done < 0) {
            return errno;
        }
        text += done;
        length -= (size_t)done;
    }
    return 0;
}

/* The answer to Create: the new object's name, that is its keys. */
static MI_Result post_key(MI_Context *context, const char *path)
{
    struct file self;
    MI_Result result = MI_Context_ConstructInstance(context, &file_class, &self.__instance);

    if (result != MI_RESULT_OK) {
        return result;
    }
    result = set_string(&self, "Path", path);
    if (result == MI_RESULT_OK) {
        result = MI_Context_PostInstance(context, &self.__instance);
    }
    MI_Instance_Destruct(&self.__instance);
    return result;
}

static void file_create(void *self, MI_Context *context, const MI_Char *name_space,
                        const MI_Char *class_name, const MI_Instance *instance)
{
    const char *path = path_of(instance);

    (void)self, (void)name_space, (void)class_name;
    if (path == NULL) {
        MI_Context_PostResult(context, MI_RESULT_INVALID_PARAMETER);
        return;
    }
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        post_errno(context, "create", path, errno);
        return;
    }
    int error = write_text(fd, instance);
    if (close(fd) < 0 && error == 0) {
        error = errno;
    }
    if (error != 0) {
        unlink(path); /* half a file is worse than none */
        post_errno(context, "write", path, error);
        return;
    }
    MI_Context_PostResult(context, post_key(context, path));
}

static void file_modify(void *self, MI_Context *context, const MI_Char *name_space,
                        const MI_Char *class_name, const MI_Instance *instance,
                        const MI_PropertySet *properties)
{
    const char *path = path_of(instance);
    struct stat status;

    (void)self, (void)name_space, (void)class_name, (void)properties;
    if (path == NULL) {
        MI_Context_PostResult(context, MI_RESULT_INVALID_PARAMETER);
        return;
    }
    int fd = open_regular(path, O_WRONLY, &status);
    if (fd < 0) {
        post_errno(context, "open", path, -fd);
        return;
    }
    /* Only Text can be changed; without it the file stays as it is. */
    int error = 0;
    if (((const struct file *)instance)->Text.exists) {
        error = ftruncate(fd, 0) < 0 ? errno : write_text(fd, instance);
    }
    if (close(fd) < 0 && error == 0) {
        error = errno;
    }
    if (error != 0) {
        post_errno(context, "write", path, error);
        return;
    }
    MI_Context_PostResult(context, MI_RESULT_OK);
}

static void file_delete(void *self, MI_Context *context, const MI_Char *name_space,
                        const MI_Char *class_name, const MI_Instance *name)
{
    const char *path = path_of(name);
    struct stat status;

    (void)self, (void)name_space, (void)class_name;
    if (path == NULL) {
        MI_Context_PostResult(context, MI_RESULT_INVALID_PARAMETER);
        return;
    }
    int error = lstat(path, &status) < 0 ? errno : 0;
    if (error == 0 && !S_ISREG(status.st_mode)) {
        error = EISDIR;
    }
    if (error == 0 && unlink(path) < 0) {
        error = errno;
    }
    if (error != 0) {
        post_errno(context, "delete", path, error);
        return;
    }
    MI_Context_PostResult(context, MI_RESULT_OK);
}

/* ---- the module ------------------------------------------------------------------------ */

static const MI_ProviderFT file_provider = {
    .GetInstance = file_get,
    .EnumerateInstances = file_enumerate,
    .CreateInstance = file_create,
    .ModifyInstance = file_modify,
    .DeleteInstance = file_delete,
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

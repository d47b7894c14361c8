/* SPDX-License-Identifier: MIT */
/*
 * A module of NSS (nsswitch.conf(5)) for tests, as libnss_mgtest.so.2. How it behaves stands in the
 * file that $MGTEST_MODE names: "ERRNO STATUS MILLISECONDS GROUPS", numbers all, with the status of
 * <nss.h>; it sleeps that long before each answer, and answers what it knows where STATUS is 1.
 * With GROUPS 1 all of it holds for the question in which groups somebody is, and the rest is
 * answered; with 2 as well, and the entry of a group that there is not is longer than any buffer.
 * Each question is a line in the file that $MGTEST_CALLS names, if it is there: the thread that
 * asked, the function and what was asked for.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <nss.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

enum { LONG_LINE = 2 * 1024 * 1024, ENDLESS_LINE = 1 << 30, CROWD = 65600 };

static const struct {
    const char *name;
    uid_t asked, uid; /* the second is what is answered */
    gid_t gid;
} users[] = {
    {"alice", 80001, 80001, 80100},
    {"4242", 80777, 80777, 80100}, /* 4242 is the id of another, in a file */
    {"80005", 80005, 80005, 80100},
    {"\xff\xfe", 80002, 80002, 80100},
    {"ev\x1b[31mil\nx", 80003, 80003, 80100},
    {"stranger", 80004, 80009, 80100}, /* not who was asked for */
    {"", 80006, 80006, 80100},
    {"minus", 80007, (uid_t)-1, 80100},
    {"minusgroup", 80008, 80008, (gid_t)-1},
};

static const struct {
    const char *name;
    gid_t gid;
    size_t length; /* of its line */
} groups[] = {
    {"team", 80100, 64},
    {"big", 80200, LONG_LINE},
    {"endless", 80201, ENDLESS_LINE},
    {"4343", 80300, 64}, /* 4343 is the id of another, in a file */
};

static void note(const char *function, const char *name, unsigned id)
{
    char line[256];
    const char *path = getenv("MGTEST_CALLS");
    int fd = open(path != NULL ? path : "", O_WRONLY | O_APPEND | O_CLOEXEC);

    if (fd < 0) {
        return;
    }
    int length = name != NULL ? snprintf(line, sizeof(line), "%ld %s %.200s\n",
                                         (long)syscall(SYS_gettid), function, name)
                              : snprintf(line, sizeof(line), "%ld %s %u\n",
                                         (long)syscall(SYS_gettid), function, id);
    (void)!write(fd, line, (size_t)length);
    close(fd);
}

struct behaviour {
    int error, status, milliseconds, groups;
};

static struct behaviour behaviour(void)
{
    struct behaviour now = {0, NSS_STATUS_SUCCESS, 0, 0};
    char text[64] = "";
    int fd = open(getenv("MGTEST_MODE") != NULL ? getenv("MGTEST_MODE") : "", O_RDONLY | O_CLOEXEC);

    if (fd >= 0) {
        (void)!read(fd, text, sizeof(text) - 1);
        close(fd);
    }
    (void)sscanf(text, "%d %d %d %d", &now.error, &now.status, &now.milliseconds, &now.groups);
    return now;
}

/* NSS_STATUS_SUCCESS: answer what is known. */
static enum nss_status mode(int *error, bool of_groups)
{
    const struct behaviour now = behaviour();

    if (now.groups != 0 && !of_groups) {
        return NSS_STATUS_SUCCESS;
    }
    const struct timespec time = {now.milliseconds / 1000, now.milliseconds % 1000 * 1000000};
    if (now.milliseconds != 0) {
        (void)nanosleep(&time, NULL);
    }
    *error = now.error;
    return (enum nss_status)now.status;
}

static enum nss_status none(int *error)
{
    *error = ENOENT;
    return NSS_STATUS_NOTFOUND;
}

static enum nss_status more_room(int *error)
{
    *error = ERANGE;
    return NSS_STATUS_TRYAGAIN;
}

static enum nss_status give_user(size_t i, struct passwd *user, char *buffer, size_t size,
                                 int *error)
{
    if (size < 64) {
        return more_room(error);
    }
    strcpy(buffer, users[i].name);
    strcpy(buffer + 32, "/");
    *user = (struct passwd){.pw_name = buffer,
                            .pw_passwd = buffer + 33,
                            .pw_gecos = buffer + 33,
                            .pw_dir = buffer + 32,
                            .pw_shell = buffer + 33,
                            .pw_uid = users[i].uid,
                            .pw_gid = users[i].gid};
    return NSS_STATUS_SUCCESS;
}

/* "many0" to "many999" have the ids from 90000 on. */
static enum nss_status give_many(const char *name, uid_t id, struct passwd *user, char *buffer,
                                 size_t size, int *error)
{
    unsigned number = id - 90000;

    if (name != NULL && sscanf(name, "many%3u", &number) != 1) {
        return none(error);
    }
    if (number > 999) {
        return none(error);
    }
    if (size < 64) {
        return more_room(error);
    }
    (void)give_user(0, user, buffer, size, error);
    snprintf(buffer, 32, "many%u", number);
    user->pw_uid = 90000 + number;
    return NSS_STATUS_SUCCESS;
}

static enum nss_status give_no_more(const char *name, gid_t id, struct group *entry, char *buffer,
                                    size_t size, int *error)
{
    (void)id, (void)entry, (void)buffer, (void)size;
    return name != NULL && behaviour().groups == 2 ? more_room(error) : none(error);
}

static enum nss_status give_group(size_t i, struct group *group, char *buffer, size_t size,
                                  int *error)
{
    if (size < groups[i].length) {
        return more_room(error);
    }
    *group = (struct group){.gr_name = buffer + sizeof(char *), .gr_gid = groups[i].gid};
    memset(buffer, 0, 64);
    strcpy(group->gr_name, groups[i].name);
    group->gr_passwd = buffer + 63;
    group->gr_mem = (char **)(void *)buffer;
    return NSS_STATUS_SUCCESS;
}

#define LENGTH(list) (sizeof(list) / sizeof((list)[0]))

#define LOOK_UP(FUNCTION, PARAMETER, NAME, ID, entry_type, list, MATCH, GIVE, REST)                \
    EXPORT enum nss_status FUNCTION(PARAMETER, entry_type *entry, char *buffer, size_t size,       \
                                    int *error);                                                   \
    EXPORT enum nss_status FUNCTION(PARAMETER, entry_type *entry, char *buffer, size_t size,       \
                                    int *error)                                                    \
    {                                                                                              \
        note(#FUNCTION, NAME, ID);                                                                 \
        enum nss_status status = mode(error, false);                                               \
        if (status != NSS_STATUS_SUCCESS) {                                                        \
            return status;                                                                         \
        }                                                                                          \
        for (size_t i = 0; i < LENGTH(list); i++) {                                                \
            if (MATCH) {                                                                           \
                return GIVE(i, entry, buffer, size, error);                                        \
            }                                                                                      \
        }                                                                                          \
        return REST(NAME, ID, entry, buffer, size, error);                                         \
    }

LOOK_UP(_nss_mgtest_getpwnam_r, const char *asked, asked, 0, struct passwd, users,
        strcmp(users[i].name, asked) == 0, give_user, give_many)
LOOK_UP(_nss_mgtest_getpwuid_r, uid_t asked, NULL, asked, struct passwd, users,
        users[i].asked == asked, give_user, give_many)
LOOK_UP(_nss_mgtest_getgrnam_r, const char *asked, asked, 0, struct group, groups,
        strcmp(groups[i].name, asked) == 0, give_group, give_no_more)
LOOK_UP(_nss_mgtest_getgrgid_r, gid_t asked, NULL, asked, struct group, groups,
        groups[i].gid == asked, give_group, give_no_more)

/* alice is in one group more than her own, and crowd in more than a thread may have. The lock-free
 * part of glibc's contract: *groupsp may be grown with realloc(3). */
EXPORT enum nss_status _nss_mgtest_initgroups_dyn(const char *user, gid_t group, long *start,
                                                  long *size, gid_t **ids, long limit, int *error);
EXPORT enum nss_status _nss_mgtest_initgroups_dyn(const char *user, gid_t group, long *start,
                                                  long *size, gid_t **ids, long limit, int *error)
{
    note("initgroups", user, 0);
    enum nss_status status = mode(error, true);

    (void)group, (void)limit;
    const long more = strcmp(user, "alice") == 0 ? 1 : strcmp(user, "crowd") == 0 ? CROWD : 0;
    if (status != NSS_STATUS_SUCCESS || more == 0) {
        return status != NSS_STATUS_SUCCESS ? status : none(error);
    }
    if (*start + more > *size) {
        gid_t *larger = realloc(*ids, (size_t)(*start + more) * sizeof(gid_t));
        if (larger == NULL) {
            return more_room(error);
        }
        *ids = larger;
        *size = *start + more;
    }
    for (long i = 0; i < more; i++) {
        (*ids)[(*start)++] = 80200 + (gid_t)i;
    }
    return NSS_STATUS_SUCCESS;
}

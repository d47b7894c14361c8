/* SPDX-License-Identifier: MIT */
/*
 * Which files are read and which are refused: real files, folders, links, FIFOs and devices in a
 * folder of the test's own. What needs another owner is done as root and left out otherwise.
 *
 * Below /tmp nothing is trusted, since everybody may write there; so the trusted tree lies in the
 * folder where the test runs, when that is trusted or in the home folder.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "identity/trust.h"
#include "policy/draft.h"
#include "policy/load.h"

#define GOOD "version: 1\n"

static int start;           /* the folder in which the test was started */
static char base[PATH_MAX]; /* a trusted folder; "" when this machine has none */
static struct policy_draft *draft;
static struct diagnostics errors;
static struct text shown;

/* ---- making files ---------------------------------------------------------------------------- */

/* The path of a name below the base. Several may be in use at a time. */
static const char *below(const char *name)
{
    static char paths[8][PATH_MAX];
    static unsigned turn;
    char *path = paths[turn++ % 8];
    ck_assert_int_lt(snprintf(path, PATH_MAX, "%s/%s", base, name), PATH_MAX);
    return path;
}

static void write_bytes(const char *name, const char *text, size_t length, mode_t mode)
{
    int fd = open(below(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, length), (ssize_t)length);
    ck_assert_int_eq(fchmod(fd, mode), 0);
    close(fd);
}

static void write_file(const char *name, const char *text)
{
    write_bytes(name, text, strlen(text), 0644);
}

static void make_folder(const char *name, mode_t mode)
{
    ck_assert_int_eq(mkdir(below(name), 0700), 0);
    ck_assert_int_eq(chmod(below(name), mode), 0);
}

static void remove_base(void)
{
    char command[2 * PATH_MAX + 64];
    if (base[0] != '\0') {
        snprintf(command, sizeof(command), "chmod -R u+rwx '%s'; rm -rf '%s'", base, base);
        if (system(command) != 0) {
            abort();
        }
    }
}

static bool try_base(const char *parent)
{
    char problem[TRUST_PROBLEM];
    struct stat status;
    int fd;
    bool trusted = false;

    snprintf(base, sizeof(base), "%.4000s/policy-files-XXXXXX", parent);
    if (mkdtemp(base) != NULL) {
        trusted = trust_open(base, TRUST_STRICT, problem, &fd, &status) == TRUST_OPENED;
        if (trusted) {
            close(fd);
        } else {
            rmdir(base);
        }
    }
    return trusted;
}

static void make_base(void)
{
    char here[PATH_MAX];
    const char *home = getenv("HOME");
    const char *const places[] = {getcwd(here, sizeof(here)), "/run", home};

    umask(022);
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        if (places[i] != NULL && places[i][0] == '/' && try_base(places[i])) {
            return;
        }
    }
    base[0] = '\0';
}

/* ---- loading --------------------------------------------------------------------------------- */

static void clear(void)
{
    draft_free(draft);
    draft = NULL;
    diagnostics_release(&errors);
    text_release(&shown);
}

static void tear_down(void)
{
    clear();
    remove_base();
    ck_assert_int_eq(fchdir(start), 0);
}

static enum miguard_status load_as(const char *path, enum draft_trust trust)
{
    clear();
    enum miguard_status status = draft_load(&path, 1, trust, &draft, &errors);
    diagnostics_write(&errors, &shown);
    ck_assert_int_eq(status == MIGUARD_OK, draft != NULL);
    return status;
}

static void load_good(const char *name)
{
    enum miguard_status status = load_as(below(name), DRAFT_TRUST_ALL);
    ck_assert_msg(status == MIGUARD_OK, "%s", shown.data);
}

static void check_shown(const char *message)
{
    ck_assert_msg(shown.data != NULL && strstr(shown.data, message) != NULL,
                  "wanted: %s\nfound: %s", message, shown.data);
}

/* Refused with a message of which component is the path. */
static void load_refused(const char *name, const char *component, const char *message)
{
    char whole[2 * PATH_MAX];
    ck_assert_int_eq(load_as(below(name), DRAFT_TRUST_ALL), MIGUARD_BAD_POLICY);
    ck_assert_uint_eq(errors.errors, 1);
    snprintf(whole, sizeof(whole), ": error: %s%s%s: %s", base, component[0] == '\0' ? "" : "/",
             component, message);
    check_shown(whole);
}

/* ---- what is trusted ------------------------------------------------------------------------- */

START_TEST(good_modes)
{
    static const mode_t modes[] = {0644, 0600, 0400, 0444, 0755, 0640};
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        write_bytes("p", GOOD, strlen(GOOD), modes[i]);
        load_good("p");
        ck_assert_uint_eq(draft->file_count, 1);
        ck_assert_str_eq(draft->files[0], below("p"));
        unlink(below("p"));
    }
}
END_TEST

START_TEST(writable_files)
{
    write_bytes("p", GOOD, strlen(GOOD), 0666);
    load_refused("p", "p", "the file is writable by its group and everybody (uid ");
    check_shown("mode 0666); right would be mode 0644");
    ck_assert_int_eq(load_as(below("p"), DRAFT_TRUST_NONE), MIGUARD_OK);
    write_bytes("p", GOOD, strlen(GOOD), 0620);
    load_refused("p", "p", "the file is writable by its group (uid ");
    check_shown("right would be mode 0600");
    write_bytes("p", GOOD, strlen(GOOD), 0602);
    load_refused("p", "p", "the file is writable by everybody (uid ");
}
END_TEST

START_TEST(writable_folders)
{
    static const struct {
        mode_t mode;
        const char *message;
    } rows[] = {
        {0777, "the folder is writable by its group and everybody"},
        {0775, "the folder is writable by its group"},
        {01777, "where sticky is not enough; right would be mode 0755"},
        {01757, "where sticky is not enough"},
    };
    make_folder("a", 0755);
    make_folder("a/b", 0755);
    write_file("a/b/p.yaml", GOOD);
    load_good("a/b/p.yaml");
    load_good("a/b");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ck_assert_int_eq(chmod(below("a"), rows[i].mode), 0); /* two above */
        load_refused("a/b/p.yaml", "a", "the folder is writable");
        check_shown(rows[i].message);
        load_refused("a/b", "a", "the folder is writable");
        ck_assert_int_eq(chmod(below("a"), 0755), 0);
        ck_assert_int_eq(chmod(below("a/b"), rows[i].mode), 0); /* the one above */
        load_refused("a/b/p.yaml", "a/b", "the folder is writable");
        load_refused("a/b", "a/b", "the folder is writable");
        ck_assert_int_eq(chmod(below("a/b"), 0755), 0);
    }
    load_good("a/b");
}
END_TEST

START_TEST(everybodys_folder)
{
    char path[] = "/tmp/policy-files-XXXXXX";
    int fd = mkstemp(path);
    ck_assert_int_eq(write(fd, GOOD, strlen(GOOD)), (ssize_t)strlen(GOOD));
    close(fd);
    ck_assert_int_eq(load_as(path, DRAFT_TRUST_ALL), MIGUARD_BAD_POLICY);
    check_shown("/tmp: the folder is writable by its group and everybody (uid 0, mode 1777)");
    ck_assert_int_eq(load_as(path, DRAFT_TRUST_NONE), MIGUARD_OK);
    unlink(path);
}
END_TEST

START_TEST(wrong_owner)
{
    if (geteuid() != 0) {
        return;
    }
    make_folder("a", 0755);
    write_file("a/p", GOOD);
    ck_assert_int_eq(chown(below("a/p"), 12345, 0), 0);
    load_refused("a/p", "a/p",
                 "the file belongs to uid 12345 (no such user), mode 0644; it must "
                 "belong to root\n");
    ck_assert_int_eq(chown(below("a/p"), 0, 12345), 0); /* the group may be any */
    load_good("a/p");
    ck_assert_int_eq(chown(below("a"), 12345, 0), 0);
    load_refused("a/p", "a", "the folder belongs to uid 12345");
    ck_assert_int_eq(chown(below("a"), 0, 0), 0);
    ck_assert_int_eq(symlink("p", below("a/link")), 0);
    load_good("a/link");
    ck_assert_int_eq(lchown(below("a/link"), 12345, 0), 0);
    load_refused("a/link", "a/link", "the symbolic link belongs to uid 12345");
}
END_TEST

/* Runs as uid 12345 in a child: its own files are trusted then, other people's are not. */
START_TEST(somebody_else)
{
    if (geteuid() != 0 || chmod(base, 0755) != 0) {
        return;
    }
    make_folder("mine", 0755);
    write_file("mine/p", GOOD);
    write_file("mine/roots", GOOD);
    write_file("mine/others", GOOD);
    write_bytes("mine/secret", GOOD, strlen(GOOD), 0600);
    ck_assert_int_eq(chown(below("mine"), 12345, 12345), 0);
    ck_assert_int_eq(chown(below("mine/p"), 12345, 12345), 0);
    ck_assert_int_eq(chown(below("mine/others"), 12346, 12345), 0);
    pid_t child = fork();
    if (child == 0) {
        if (setresgid(12345, 12345, 12345) != 0 || setresuid(12345, 12345, 12345) != 0) {
            _exit(2);
        }
        if (access(below("mine/p"), R_OK) != 0) {
            _exit(0); /* the tree lies in a folder that only root may enter */
        }
        bool good = load_as(below("mine/p"), DRAFT_TRUST_ALL) == MIGUARD_OK &&
                    load_as(below("mine/roots"), DRAFT_TRUST_ALL) == MIGUARD_OK &&
                    load_as(below("mine/others"), DRAFT_TRUST_ALL) == MIGUARD_BAD_POLICY &&
                    strstr(shown.data, "root or to the user who runs this") != NULL &&
                    load_as(below("mine/secret"), DRAFT_TRUST_ALL) == MIGUARD_BAD_POLICY &&
                    strstr(shown.data, "permission denied for uid 12345") != NULL;
        clear();
        _exit(good ? 0 : 1);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(what_is_no_file)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    make_folder("p.d", 0755);
    ck_assert_int_eq(mkfifo(below("p.d/fifo.yaml"), 0644), 0);
    load_refused("p.d/fifo.yaml", "p.d/fifo.yaml", "a FIFO; it must be a regular file");
    ck_assert_int_eq(load_as(below("p.d"), DRAFT_TRUST_NONE), MIGUARD_BAD_POLICY);
    check_shown("a FIFO; it must be a regular file");
    unlink(below("p.d/fifo.yaml"));

    ck_assert_int_eq(chdir(below("p.d")), 0);
    strcpy(address.sun_path, "socket.yaml");
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    load_refused("p.d/socket.yaml", "p.d/socket.yaml", "a socket;");
    close(fd);
    unlink("socket.yaml");
    ck_assert_int_eq(chdir("/"), 0);

    make_folder("p.d/folder.yaml", 0755);
    ck_assert_int_eq(load_as(below("p.d"), DRAFT_TRUST_ALL), MIGUARD_BAD_POLICY);
    check_shown("p.d/folder.yaml: error: a folder; folders in a policy folder are not read");
    if (geteuid() == 0 && mknod(below("device"), S_IFCHR | 0644, makedev(1, 3)) == 0) {
        load_refused("device", "device", "a device;");
    }
    write_file("p", GOOD);
    load_refused("p/x", "p", "a file stands where a folder must be");
}
END_TEST

START_TEST(what_is_absent)
{
    ck_assert_int_eq(load_as(below("none.yaml"), DRAFT_TRUST_ALL), MIGUARD_BAD_POLICY);
    check_shown("none.yaml: error: no such file or folder\n");
    ck_assert_int_eq(load_as(below("none/p.yaml"), DRAFT_TRUST_NONE), MIGUARD_BAD_POLICY);
    check_shown("none/p.yaml: error: no such file or folder\n");
    char *deep = malloc(3 * PATH_MAX);
    memset(deep, 'x', 3 * PATH_MAX - 1);
    deep[3 * PATH_MAX - 1] = '\0';
    ck_assert_int_eq(load_as(deep, DRAFT_TRUST_ALL), MIGUARD_BAD_POLICY);
    check_shown("the path is too long");
    deep[0] = '/';
    deep[PATH_MAX - 10] = '\0';
    ck_assert_int_eq(load_as(deep, DRAFT_TRUST_ALL), MIGUARD_BAD_POLICY);
    check_shown("File name too long");
    free(deep);
}
END_TEST

/* ---- links ----------------------------------------------------------------------------------- */

START_TEST(links_that_are_followed)
{
    make_folder("a", 0755);
    make_folder("b", 0755);
    write_file("a/p.yaml", GOOD);
    ck_assert_int_eq(symlink("p.yaml", below("a/near.yaml")), 0);
    ck_assert_int_eq(symlink("../a/./near.yaml", below("b/up.yaml")), 0);
    ck_assert_int_eq(symlink(below("b/up.yaml"), below("absolute.yaml")), 0);
    ck_assert_int_eq(symlink("a", below("folder")), 0);
    load_good("a/near.yaml");
    load_good("b/up.yaml");
    load_good("absolute.yaml");
    ck_assert_str_eq(draft->files[0], below("absolute.yaml")); /* under the name asked for */
    load_good("folder/p.yaml");
    load_good("folder");
    ck_assert_uint_eq(draft->file_count, 2);
    load_good("b/../folder/../a//p.yaml");
    ck_assert_int_eq(chdir(below("b")), 0);
    ck_assert_int_eq(load_as("../a/p.yaml", DRAFT_TRUST_ALL), MIGUARD_OK);
    ck_assert_int_eq(load_as("./up.yaml", DRAFT_TRUST_ALL), MIGUARD_OK);
    ck_assert_int_eq(load_as(".", DRAFT_TRUST_ALL), MIGUARD_OK);
    ck_assert_int_eq(chdir("/"), 0);
}
END_TEST

START_TEST(chains_of_links)
{
    char from[16], to[16];
    write_file("l0", GOOD);
    for (int i = 1; i <= TRUST_MAX_LINKS + 1; i++) {
        snprintf(from, sizeof(from), "l%d", i);
        snprintf(to, sizeof(to), "l%d", i - 1);
        ck_assert_int_eq(symlink(to, below(from)), 0);
    }
    load_good("l8");
    load_refused("l9", "l1", "more than 8 symbolic links on the way");
    ck_assert_int_eq(symlink("loop", below("loop")), 0);
    load_refused("loop", "loop", "more than 8 symbolic links on the way");
}
END_TEST

START_TEST(links_that_are_refused)
{
    char target[] = "/tmp/policy-files-XXXXXX";
    int fd = mkstemp(target);
    ck_assert_int_eq(write(fd, GOOD, strlen(GOOD)), (ssize_t)strlen(GOOD));
    close(fd);
    ck_assert_int_eq(symlink(target, below("out.yaml")), 0);
    ck_assert_int_eq(load_as(below("out.yaml"), DRAFT_TRUST_ALL), MIGUARD_BAD_POLICY);
    check_shown("/tmp: the folder is writable by its group and everybody");
    unlink(target);
    ck_assert_int_eq(symlink("/nowhere/at-all", below("dangling")), 0);
    ck_assert_int_eq(load_as(below("dangling"), DRAFT_TRUST_ALL), MIGUARD_BAD_POLICY);
    check_shown("/nowhere: a symbolic link leads here: No such file or directory");
    ck_assert_int_eq(symlink("/dev/null", below("device.yaml")), 0);
    ck_assert_int_eq(load_as(below("device.yaml"), DRAFT_TRUST_NONE), MIGUARD_BAD_POLICY);
    check_shown("/dev/null: a device");
    /* a folder that others may write to in the middle of the chain */
    make_folder("a", 0755);
    make_folder("open", 0777);
    write_file("a/p", GOOD);
    ck_assert_int_eq(symlink("../a/p", below("open/middle")), 0);
    ck_assert_int_eq(symlink("open/middle", below("first")), 0);
    load_refused("first", "open", "the folder is writable by its group and everybody");
}
END_TEST

/* ---- sizes ----------------------------------------------------------------------------------- */

START_TEST(sizes)
{
    char *text = malloc(DRAFT_MAX_FILE + 1);
    memset(text, '#', DRAFT_MAX_FILE + 1);
    memcpy(text, GOOD, strlen(GOOD));
    write_bytes("p", text, DRAFT_MAX_FILE, 0644);
    load_good("p");
    write_bytes("p", text, DRAFT_MAX_FILE + 1, 0644);
    ck_assert_int_eq(load_as(below("p"), DRAFT_TRUST_ALL), MIGUARD_BAD_POLICY);
    check_shown("/p: error: the file is larger than 64 KiB");
    ck_assert_int_eq(truncate(below("p"), (off_t)1 << 40), 0); /* of a huge file no more is read */
    ck_assert_int_eq(load_as(below("p"), DRAFT_TRUST_ALL), MIGUARD_BAD_POLICY);
    check_shown("/p: error: the file is larger than 64 KiB");
    write_bytes("p", "version: 1\n\0", 12, 0644);
    ck_assert_int_eq(load_as(below("p"), DRAFT_TRUST_ALL), MIGUARD_BAD_POLICY);
    check_shown("/p:2:1: error: U+0000 is a control character");
    free(text);
}
END_TEST

static void make_many(int count)
{
    char name[64];
    for (int i = 0; i < count; i++) {
        snprintf(name, sizeof(name), "d/%03d.yaml", i);
        write_file(name, GOOD);
    }
}

START_TEST(limit_of_files)
{
    make_folder("d", 0755);
    make_many(DRAFT_MAX_FILES);
    load_good("d");
    ck_assert_uint_eq(draft->file_count, DRAFT_MAX_FILES);
    const char *twice[] = {below("d"), below("d/000.yaml")};
    clear();
    ck_assert_int_eq(draft_load(twice, 2, DRAFT_TRUST_ALL, &draft, &errors), MIGUARD_BAD_POLICY);
    ck_assert_str_eq(errors.items[0].message, "more than 256 files; join some");
    make_many(DRAFT_MAX_FILES + 1);
    ck_assert_int_eq(load_as(below("d"), DRAFT_TRUST_ALL), MIGUARD_BAD_POLICY);
    check_shown("/d: error: more than 256 files; join some\n");
}
END_TEST

START_TEST(limit_of_entries)
{
    char name[64];
    make_folder("d", 0755);
    for (int i = 0; i <= 4096; i++) {
        snprintf(name, sizeof(name), "d/%d", i);
        write_file(name, "");
    }
    ck_assert_int_eq(load_as(below("d"), DRAFT_TRUST_ALL), MIGUARD_BAD_POLICY);
    ck_assert_uint_eq(errors.errors, 1);
    ck_assert_uint_eq(errors.warnings, 4096);
    unlink(below(name));
    load_good("d");
    ck_assert_uint_eq(errors.warnings, 4096);
    check_shown("and 3896 more\n");
}
END_TEST

/* ---- a folder -------------------------------------------------------------------------------- */

START_TEST(an_empty_folder)
{
    make_folder("d", 0755);
    load_good("d");
    ck_assert_uint_eq(draft->file_count, 0);
    ck_assert_uint_eq(errors.warnings, 0);
}
END_TEST

START_TEST(byte_order)
{
    static const char *const names[] = {"10-a.yaml", "9.yaml", "B.yaml", "a.yaml", "\xC3\xA4.yaml"};
    make_folder("d", 0755);
    for (int i = 4; i >= 0; i--) {
        char name[64];
        snprintf(name, sizeof(name), "d/%s", names[i]);
        write_file(name, GOOD);
    }
    load_good("d");
    ck_assert_uint_eq(draft->file_count, 5);
    for (int i = 0; i < 5; i++) {
        ck_assert_str_eq(strrchr(draft->files[i], '/') + 1, names[i]);
    }
    load_as(below("d//"), DRAFT_TRUST_ALL);
    ck_assert_str_eq(draft->files[0], below("d/10-a.yaml"));
}
END_TEST

START_TEST(other_names_are_told)
{
    static const char *const names[] = {"README",      "p.yml",        "p.yaml~",  "#p.yaml#",
                                        ".p.yaml.swp", ".hidden.yaml", ".yaml",    "p.yaml.rpmnew",
                                        "p.YAML",      "yaml",         "p.yaml\n", ".#p.yaml"};
    enum { COUNT = sizeof(names) / sizeof(names[0]) };
    char name[64];
    make_folder("d", 0755);
    make_folder("d/sub", 0755);
    write_file("d/p.yaml", GOOD);
    for (int i = 0; i < COUNT; i++) {
        snprintf(name, sizeof(name), "d/%s", names[i]);
        write_file(name, "this is no policy");
    }
    load_good("d");
    ck_assert_uint_eq(draft->file_count, 1);
    ck_assert_uint_eq(errors.warnings, COUNT + 1);
    check_shown("/d/p.yml: warning: ignored: a policy's name ends in \".yaml\"");
    check_shown("/d/.hidden.yaml: warning: ignored");
    check_shown("/d/sub: warning: ignored");
    check_shown("/d/p.yaml\\n: warning: ignored");
}
END_TEST

START_TEST(errors_of_all_files)
{
    make_folder("d", 0755);
    write_file("d/1.yaml", "version: 2\n");
    write_file("d/2.yaml", "version: 1\nrules: [\n");
    write_bytes("d/3.yaml", GOOD, strlen(GOOD), 0666);
    write_file("d/4.yaml", "version: 1\nrules:\n  - { name: a, decision: deny }\n");
    write_file("d/5.yaml", "version: 1\nrules:\n  - { name: a, decision: never }\n");
    ck_assert_int_eq(load_as(below("d"), DRAFT_TRUST_ALL), MIGUARD_BAD_POLICY);
    ck_assert_uint_eq(errors.errors, 5);
    check_shown("/d/1.yaml:1:10: error: version \"2\"");
    check_shown("/d/2.yaml:2:9: error: ");
    check_shown("/d/3.yaml: the file is writable");
    check_shown("/d/5.yaml:3:13: error: duplicate rule name \"a\"; it is that of the rule at ");
    check_shown("/d/4.yaml:3\n");
    check_shown("/d/5.yaml:3:26: error: unknown decision \"never\"");
}
END_TEST

START_TEST(later_files_replace_and_append)
{
    make_folder("d", 0755);
    write_file("d/1.yaml",
               "version: 1\ndefaults: { mode: permissive, decision: deny }\nwatch: true\n"
               "compare: [euid]\nrules:\n  - { name: one, decision: deny }\n"
               "  - { name: two, decision: allow }\n");
    write_file("d/2.yaml",
               "version: 1\n\ndefaults: { decision: allow, audit: use }\ncompare: all\nrules:\n"
               "  - { name: three, decision: deny }\ntests:\n  - { name: t, given: { opened-as: { "
               "user: root }, operation: Invoke }, expect: { decision: deny, rule: one } }\n");
    load_good("d");
    const struct draft_settings *settings = &draft->settings;
    ck_assert_int_eq(settings->mode, DRAFT_PERMISSIVE);
    ck_assert_str_eq(settings->mode_place.file, below("d/1.yaml"));
    ck_assert_uint_eq(settings->mode_place.line, 2);
    ck_assert_int_eq(settings->decision, DRAFT_ALLOW);
    ck_assert_str_eq(settings->decision_place.file, below("d/2.yaml"));
    ck_assert_uint_eq(settings->decision_place.line, 3);
    ck_assert_uint_eq(settings->compared, MIGUARD_COMPONENTS_ALL);
    ck_assert_str_eq(settings->compared_place.file, below("d/2.yaml"));
    ck_assert(settings->watch);
    ck_assert_uint_eq(draft->rule_count, 3);
    ck_assert_str_eq(draft->rules[0].name, "one");
    ck_assert_str_eq(draft->rules[1].name, "two");
    ck_assert_str_eq(draft->rules[2].name, "three");
    ck_assert_str_eq(draft->rules[2].place.file, below("d/2.yaml"));
    ck_assert_uint_eq(draft->test_count, 1);
    /* and in the order of the paths given */
    const char *paths[] = {below("d/2.yaml"), below("d/1.yaml")};
    clear();
    ck_assert_int_eq(draft_load(paths, 2, DRAFT_TRUST_ALL, &draft, &errors), MIGUARD_OK);
    ck_assert_int_eq(draft->settings.decision, DRAFT_DENY);
    ck_assert_str_eq(draft->rules[0].name, "three");
}
END_TEST

/* ---- the standard places --------------------------------------------------------------------- */

static enum miguard_status load_places(void)
{
    clear();
    enum miguard_status status = load_standard(below("etc/miguard.yaml"), below("etc/policy.d"),
                                               DRAFT_TRUST_ALL, &draft, &errors);
    diagnostics_write(&errors, &shown);
    return status;
}

START_TEST(standard_places)
{
    ck_assert_int_eq(load_places(), MIGUARD_OK); /* nothing there: the built-in default */
    ck_assert_uint_eq(draft->file_count, 0);
    ck_assert_uint_eq(draft->settings.compared, MIGUARD_COMPONENTS_ALL);
    make_folder("etc", 0755);
    ck_assert_int_eq(load_places(), MIGUARD_OK);
    make_folder("etc/policy.d", 0755);
    write_file("etc/policy.d/1.yaml", "version: 1\nrules: [ { name: b, decision: deny } ]\n");
    ck_assert_int_eq(load_places(), MIGUARD_OK);
    ck_assert_uint_eq(draft->file_count, 1);
    write_file("etc/miguard.yaml", "version: 1\nrules: [ { name: a, decision: deny } ]\ntests:\n"
                                   "  - { name: t, given: { opened-as: { user: root }, operation: "
                                   "Invoke }, expect: { decision: deny, rule: b } }\n");
    ck_assert_int_eq(load_places(), MIGUARD_OK);
    ck_assert_uint_eq(draft->file_count, 2);
    ck_assert_str_eq(draft->rules[0].name, "a");
    ck_assert_str_eq(draft->rules[1].name, "b");

    /* what is there and not trusted is no absence */
    ck_assert_int_eq(chmod(below("etc"), 0777), 0);
    ck_assert_int_eq(load_places(), MIGUARD_BAD_POLICY);
    ck_assert_uint_eq(errors.errors, 2);
    unlink(below("etc/miguard.yaml"));
    ck_assert_int_eq(load_places(), MIGUARD_BAD_POLICY);
    ck_assert_int_eq(chmod(below("etc"), 0755), 0);
    ck_assert_int_eq(symlink("nowhere", below("etc/miguard.yaml")), 0);
    ck_assert_int_eq(load_places(), MIGUARD_BAD_POLICY);
    check_shown("a symbolic link leads here");
}
END_TEST

/* ---- files that vanish ----------------------------------------------------------------------- */

static atomic_bool over;

static void *come_and_go(void *argument)
{
    const char *path = argument;
    while (!atomic_load(&over)) {
        int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0644);
        if (fd >= 0) {
            if (write(fd, GOOD, strlen(GOOD)) < 0) {
                abort();
            }
            close(fd);
        }
        unlink(path);
        (void)!symlink("a.yaml", path);
        unlink(path);
        (void)!mkfifo(path, 0644);
        unlink(path);
    }
    return NULL;
}

/* Whatever is at the name at each moment: read, or refused with a message; never waited for. */
START_TEST(vanishing)
{
    pthread_t thread;
    char path[PATH_MAX];
    make_folder("d", 0755);
    write_file("d/a.yaml", GOOD);
    strcpy(path, below("d/b.yaml"));
    ck_assert_int_eq(pthread_create(&thread, NULL, come_and_go, path), 0);
    for (int i = 0; i < 2000; i++) {
        enum miguard_status status = load_as(below("d"), DRAFT_TRUST_ALL);
        ck_assert(status == MIGUARD_OK || status == MIGUARD_BAD_POLICY);
        ck_assert_int_eq(status == MIGUARD_OK, errors.errors == 0);
    }
    atomic_store(&over, true);
    pthread_join(thread, NULL);
}
END_TEST

/* Descriptors are given back, whatever comes out. */
START_TEST(no_descriptor_is_left)
{
    int before = dup(0);
    close(before);
    make_folder("d", 0755);
    write_file("d/a.yaml", GOOD);
    write_bytes("d/b.yaml", GOOD, strlen(GOOD), 0666);
    ck_assert_int_eq(mkfifo(below("d/c.yaml"), 0644), 0);
    ck_assert_int_eq(symlink("c.yaml", below("d/d.yaml")), 0);
    ck_assert_int_eq(symlink("e.yaml", below("d/e.yaml")), 0);
    make_folder("d/f.yaml", 0755);
    ck_assert_int_eq(load_as(below("d"), DRAFT_TRUST_ALL), MIGUARD_BAD_POLICY);
    ck_assert_uint_eq(errors.errors, 5);
    int after = dup(0);
    close(after);
    ck_assert_int_eq(before, after);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("policy files");
    TCase *files = tcase_create("files");
    tcase_set_timeout(files, 300);
    tcase_add_checked_fixture(files, make_base, tear_down);

    start = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    make_base();
    if (base[0] == '\0') {
        printf("skip: policy files: neither this folder nor the home folder is trusted\n");
        printf("0 passed, 0 failed\n");
        return 0;
    }
    remove_base();
    tcase_add_test(files, good_modes);
    tcase_add_test(files, writable_files);
    tcase_add_test(files, writable_folders);
    tcase_add_test(files, everybodys_folder);
    tcase_add_test(files, wrong_owner);
    tcase_add_test(files, somebody_else);
    tcase_add_test(files, what_is_no_file);
    tcase_add_test(files, what_is_absent);
    tcase_add_test(files, links_that_are_followed);
    tcase_add_test(files, chains_of_links);
    tcase_add_test(files, links_that_are_refused);
    tcase_add_test(files, sizes);
    tcase_add_test(files, limit_of_files);
    tcase_add_test(files, limit_of_entries);
    tcase_add_test(files, an_empty_folder);
    tcase_add_test(files, byte_order);
    tcase_add_test(files, other_names_are_told);
    tcase_add_test(files, errors_of_all_files);
    tcase_add_test(files, later_files_replace_and_append);
    tcase_add_test(files, standard_places);
    tcase_add_test(files, vanishing);
    tcase_add_test(files, no_descriptor_is_left);
    suite_add_tcase(suite, files);
    if (geteuid() != 0) {
        printf("skip: policy files of other owners: this needs root\n");
    }

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}

/* SPDX-License-Identifier: MIT */
#include "audit/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "audit/names.h"
#include "base/alloc.h"
#include "base/error.h"
#include "base/process.h"
#include "identity/read.h"

struct audit {
    pthread_mutex_t lock; /* sequence and write belong together: the file is in sequence order */
    int fd;
    uint64_t entity; /* process_epoch() of the process that this sequence belongs to */
    uint64_t sequence;
    uint64_t lost;
    bool torn; /* the last write ended in the middle of a line */
    struct identity_process process;
    struct utsname host;
    char boot_id[64];
    struct audit_names names;
};

static enum miguard_status open_file(const char *path, int *ret_fd, struct miguard_error *reterr)
{
    struct stat status;

    /* O_NONBLOCK so that a FIFO put there cannot hold us up; it has no effect on a regular file. */
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0640);
    if (fd < 0) {
        int error = errno;
        return error_set(reterr, MIGUARD_SYSTEM, error, "open", "%s: %s", path,
                         error == ELOOP ? "is a symbolic link; name the file itself"
                                        : strerrordesc_np(error));
    }
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        close(fd);
        return error_set(reterr, MIGUARD_SYSTEM, EINVAL, "open", "%s: is no regular file", path);
    }
    *ret_fd = fd;
    return MIGUARD_OK;
}

/* The directory of the default log is made when it is missing, so that a host that runs as root
 * needs no set-up; an existing one is left as it is. */
static void make_parent(const char *path)
{
    char parent[256];
    const char *slash = strrchr(path, '/');

    if (slash == NULL || slash == path || (size_t)(slash - path) >= sizeof(parent)) {
        return;
    }
    memcpy(parent, path, (size_t)(slash - path));
    parent[slash - path] = '\0';
    (void)mkdir(parent, 0750); /* open() tells when it is still missing */
}

static void read_boot_id(char boot_id[64])
{
    if (read_proc_file("/proc/sys/kernel/random/boot_id", boot_id, 64) < 0) {
        boot_id[0] = '\0';
    }
    boot_id[strcspn(boot_id, "\n")] = '\0';
}

void audit_lock(struct audit *audit)
{
    pthread_mutex_lock(&audit->lock);
    pthread_mutex_lock(&audit->names.lock);
}

void audit_unlock(struct audit *audit)
{
    pthread_mutex_unlock(&audit->names.lock);
    pthread_mutex_unlock(&audit->lock);
}

void audit_close(struct audit *audit)
{
    if (audit != NULL) {
        close(audit->fd);
        pthread_mutex_destroy(&audit->lock);
        names_destroy(&audit->names);
        base_free(audit);
    }
}

enum miguard_status audit_open(const char *path, struct audit **ret_audit,
                               struct miguard_error *reterr)
{
    if (path == NULL || *path == '\0') {
        return error_set(reterr, MIGUARD_INVALID_ARGUMENT, 0, "open", "the audit file has no name");
    }
    struct audit *audit = base_alloc(1, sizeof(*audit));
    if (audit == NULL) {
        return error_set(reterr, MIGUARD_NO_MEMORY, 0, "open", NULL);
    }
    pthread_mutex_init(&audit->lock, NULL);
    names_init(&audit->names);
    make_parent(path);
    enum miguard_status status = open_file(path, &audit->fd, reterr);
    if (status != MIGUARD_OK) {
        pthread_mutex_destroy(&audit->lock);
        names_destroy(&audit->names);
        base_free(audit);
        return status;
    }
    uname(&audit->host);
    read_boot_id(audit->boot_id);
    struct audit_event start = {.action = AUDIT_ACTION_AUDIT_START};
    if (audit_write(audit, &start) != MIGUARD_OK) {
        audit_close(audit);
        return error_set(reterr, MIGUARD_AUDIT_FAILED, 0, "write", "%s: cannot be written", path);
    }
    *ret_audit = audit;
    return MIGUARD_OK;
}

/* The whole line, or false; then the file may end in a part of it. */
static bool write_line(struct audit *audit, const char *line, size_t length)
{
    size_t done = 0;

    while (done < length) {
        ssize_t written = write(audit->fd, line + done, length - done);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            audit->torn = audit->torn || done > 0;
            return false;
        }
        done += (size_t)written;
    }
    return true;
}

static struct audit_stamp next_stamp(struct audit *audit)
{
    return (struct audit_stamp){
        .sequence = audit->sequence + 1,
        .names = &audit->names,
        .process = &audit->process,
        .host_name = audit->host.nodename,
        .boot_id = audit->boot_id,
        .entity = audit->entity,
    };
}

/* Called with the lock held. A record gets its number only when it is there: what is lost leaves
 * no hole in the sequence but a record of its own. */
static enum miguard_status write_record(struct audit *audit, const struct audit_event *event,
                                        const struct text *body)
{
    struct audit_stamp stamp = next_stamp(audit);
    struct text line = TEXT_EMPTY;

    /* After a broken line the next record must not be read as its rest. */
    if (audit->torn) {
        text_append(&line, "\n");
    }
    audit_encode_head(&line, event, &stamp);
    text_append_bytes(&line, body->data, body->length);
    text_append(&line, "\n");
    bool written = !line.failed && write_line(audit, line.data, line.length);
    text_release(&line);
    if (!written) {
        return MIGUARD_AUDIT_FAILED;
    }
    audit->torn = false;
    audit->sequence++;
    return MIGUARD_OK;
}

/* Called with the lock held, when earlier records are missing. */
static enum miguard_status write_gap(struct audit *audit)
{
    struct audit_event gap = {.action = AUDIT_ACTION_RECORDS_LOST, .lost = audit->lost};
    struct audit_stamp stamp = next_stamp(audit);
    struct text body = TEXT_EMPTY;

    audit_encode_body(&body, &gap, &stamp);
    enum miguard_status status =
        body.failed ? MIGUARD_AUDIT_FAILED : write_record(audit, &gap, &body);
    text_release(&body);
    if (status == MIGUARD_OK) {
        audit->lost = 0;
    }
    return status;
}

/* A forked child writes to the same file under a name and sequence of its own. */
static void note_process(struct audit *audit)
{
    uint64_t entity = process_epoch();
    if (audit->entity != entity) {
        audit->entity = entity;
        audit->sequence = 0;
        audit->lost = 0;
        identity_read_process(&audit->process);
    }
}

enum miguard_status audit_write(struct audit *audit, const struct audit_event *event)
{
    char id[AUDIT_ID_SIZE];
    return audit_write_id(audit, event, id);
}

enum miguard_status audit_write_id(struct audit *audit, const struct audit_event *event,
                                   char ret_id[AUDIT_ID_SIZE])
{
    struct text body = TEXT_EMPTY;

    ret_id[0] = '\0';

    pthread_mutex_lock(&audit->lock);
    note_process(audit);
    struct audit_stamp stamp = next_stamp(audit);
    pthread_mutex_unlock(&audit->lock);

    audit_encode_body(&body, event, &stamp);

    pthread_mutex_lock(&audit->lock);
    enum miguard_status status = body.failed ? MIGUARD_AUDIT_FAILED : MIGUARD_OK;
    if (status == MIGUARD_OK && audit->lost > 0) {
        status = write_gap(audit);
    }
    if (status == MIGUARD_OK) {
        status = write_record(audit, event, &body);
    }
    if (status != MIGUARD_OK) {
        audit->lost++;
    } else {
        stamp.sequence = audit->sequence;
        audit_id(&stamp, ret_id);
    }
    pthread_mutex_unlock(&audit->lock);
    text_release(&body);
    return status;
}

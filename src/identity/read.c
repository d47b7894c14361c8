/* SPDX-License-Identifier: MIT */
/* Reads each credential of the calling thread. Called by the capture, the check and the switch. */
#include "identity/read.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/alloc.h"
#include "base/fork.h"
#include "base/pin.h"
#include "identity/kernel.h"

/* The buffers of the calls below start with values that no thread can have: a sandbox that answers
 * "done" without doing anything (SECCOMP_RET_ERRNO with 0) must not leave a plausible identity.
 * Answers that are numbers have no such mark; witness.c covers those. */
static const uid_t no_id = (uid_t)-1;

bool read_uids(uid_t ids[IDENTITY_IDS - 1])
{
    ids[IDENTITY_R] = ids[IDENTITY_E] = ids[IDENTITY_S] = no_id;
    return identity_kernel.getresuid(&ids[IDENTITY_R], &ids[IDENTITY_E], &ids[IDENTITY_S]) == 0;
}

bool read_gids(gid_t ids[IDENTITY_IDS - 1])
{
    ids[IDENTITY_R] = ids[IDENTITY_E] = ids[IDENTITY_S] = no_id;
    return identity_kernel.getresgid(&ids[IDENTITY_R], &ids[IDENTITY_E], &ids[IDENTITY_S]) == 0;
}

/*
 * The last 4095 ids look like an errno in a system call's result: the id 4294967283 cannot be
 * distinguished from EACCES of a sandbox. /proc says which it was. Its file may be longer than the
 * buffer; the ids are near its start.
 */
static bool is_fs_id(uint32_t id, const char *line_name)
{
    char status[1024];

    if (id <= UINT32_MAX - 4095) {
        return true;
    }
    long length = read_proc_file("/proc/thread-self/status", status, sizeof(status));
    const char *line = length > 0 || length == -EFBIG ? strstr(status, line_name) : NULL;
    unsigned real = 0, effective = 0, saved = 0, fs = 0;
    return line != NULL &&
           sscanf(line + strlen(line_name), "%u %u %u %u", &real, &effective, &saved, &fs) == 4 &&
           fs == id;
}

/* -1 is not a valid id, so setting it fails without effect and returns the current one: the only
 * system call that reads an fs id (setfsuid(2)). */
bool read_fsuid(uid_t *ret_id)
{
    long result = identity_kernel.setfsuid((uid_t)-1);
    if (result < 0 || !is_fs_id((uid_t)result, "\nUid:")) {
        return false;
    }
    *ret_id = (uid_t)result;
    return true;
}

bool read_fsgid(gid_t *ret_id)
{
    long result = identity_kernel.setfsgid((gid_t)-1);
    if (result < 0 || !is_fs_id((gid_t)result, "\nGid:")) {
        return false;
    }
    *ret_id = (gid_t)result;
    return true;
}

/* One capget(2) for three sets, so these three are consistent with each other. */
bool read_caps(uint64_t cap[IDENTITY_CAP_SETS])
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

    /* The kernel clears the bits of capabilities that it does not know, so these bits cannot stay.
     */
    memset(data, 0xFF, sizeof(data));
    if (identity_kernel.capget(&header, data) != 0 || data[1].permitted == UINT32_MAX) {
        return false;
    }
    cap[IDENTITY_CAP_EFFECTIVE] = (uint64_t)data[1].effective << 32 | data[0].effective;
    cap[IDENTITY_CAP_PERMITTED] = (uint64_t)data[1].permitted << 32 | data[0].permitted;
    cap[IDENTITY_CAP_INHERITABLE] = (uint64_t)data[1].inheritable << 32 | data[0].inheritable;
    return true;
}

/* A wrong end would leave capabilities out of every later comparison, so more than one call must
 * confirm it. */
static bool is_no_cap(uint32_t capability)
{
    return identity_kernel.prctl(PR_CAPBSET_READ, capability, 0, 0, 0) == -EINVAL;
}

bool read_bounding(uint32_t expected_count, uint64_t *ret_set, uint32_t *ret_count)
{
    uint64_t set = 0;
    uint32_t count = 0;

    for (; count < 64; count++) {
        if (expected_count != 0 && count == expected_count) {
            break;
        }
        long result = identity_kernel.prctl(PR_CAPBSET_READ, count, 0, 0, 0);
        if (result == -EINVAL && expected_count == 0 && count > 0 && is_no_cap(count + 1) &&
            is_no_cap(count)) {
            break; /* beyond the last capability of this kernel */
        }
        if (result < 0 || result > 1) {
            return false;
        }
        set |= (uint64_t)result << count;
    }
    if (expected_count == 0 && count == 64 && !is_no_cap(count)) {
        return false; /* every number has the same answer: the argument was not evaluated */
    }
    *ret_set = set;
    *ret_count = count;
    return true;
}

/* The kernel has no call that gives the whole set. */
bool read_ambient(uint64_t inheritable, uint32_t count, uint64_t *ret_set)
{
    uint64_t set = 0;

    for (uint32_t i = 0; inheritable != 0 && i < count; i++) {
        long result = identity_kernel.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, i, 0, 0);
        if (result < 0 || result > 1) {
            return false;
        }
        set |= (uint64_t)result << i;
    }
    *ret_set = set;
    return true;
}

/* Any number may be a true answer; witness.c proves it. */
bool read_securebits(uint32_t *ret_bits)
{
    long result = identity_kernel.prctl(PR_GET_SECUREBITS, 0, 0, 0, 0);
    if (result < 0) {
        return false;
    }
    *ret_bits = (uint32_t)result;
    return true;
}

/* 1 is set, and can never be cleared again (prctl(2)). */
bool read_no_new_privs(uint32_t *ret_value)
{
    long result = identity_kernel.prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
    if (result < 0 || result > 1) {
        return false;
    }
    *ret_value = (uint32_t)result;
    return true;
}

/* The link reads "user:[4026531837]". */
bool read_user_namespace(uint64_t *ret_inode)
{
    static const char prefix[] = "user:[";
    char link[64];

    long length = identity_kernel.readlink("/proc/thread-self/ns/user", link, sizeof(link) - 1);
    if (length < (long)sizeof(prefix) || length >= (long)sizeof(link)) {
        return false;
    }
    link[length] = '\0';
    if (memcmp(link, prefix, sizeof(prefix) - 1) != 0) {
        return false;
    }
    char *end = NULL;
    unsigned long long inode = strtoull(link + sizeof(prefix) - 1, &end, 10);
    if (inode == 0 || end == NULL || strcmp(end, "]") != 0) {
        return false;
    }
    *ret_inode = inode;
    return true;
}

/* ---- groups ---------------------------------------------------------------------------- */

/* One buffer for the largest possible group list, for each thread that ever needed it. */
static pthread_key_t large_key;
static struct fork_once large_once = FORK_ONCE_INIT;
static bool large_ready;

FORK_OWNER(large_owner, .rank = FORK_ONCE, .lock = &large_once.lock);

/* The destructor frees the buffer at the end of its thread. */
static void make_large_key(void)
{
    large_ready = pthread_key_create(&large_key, base_free) == 0;
}

/* This thread's buffer, made at its first use, or NULL. The library must stay in memory from then
 * on, because the key's destructor points into it. */
static gid_t *large_buffer(void)
{
    if (!pin_in_memory()) {
        return NULL;
    }
    fork_do_once(&large_once, make_large_key);
    if (!large_ready) {
        return NULL;
    }
    gid_t *buffer = pthread_getspecific(large_key);
    if (buffer != NULL) {
        return buffer;
    }
    buffer = base_alloc(IDENTITY_MAX_GROUPS, sizeof(*buffer));
    if (buffer != NULL && pthread_setspecific(large_key, buffer) != 0) {
        base_free(buffer);
        buffer = NULL;
    }
    return buffer;
}

/* The kernel refuses a buffer that is too small (EINVAL, getgroups(2)); none exceeds this one. */
bool read_groups_into(gid_t *groups, uint32_t *ret_count)
{
    long count = identity_kernel.getgroups(IDENTITY_MAX_GROUPS, groups);
    if (count < 0 || count > IDENTITY_MAX_GROUPS) {
        return false;
    }
    *ret_count = (uint32_t)count;
    return true;
}

/* EINVAL means that small is too small. The list may grow between the two calls; the second buffer
 * holds any list. */
gid_t *read_groups(gid_t small[READ_SMALL_GROUPS], uint32_t *ret_count)
{
    gid_t *groups = small;
    long count = identity_kernel.getgroups(READ_SMALL_GROUPS, small);
    if (count == -EINVAL) {
        groups = large_buffer();
        if (groups == NULL) {
            return NULL;
        }
        count = identity_kernel.getgroups(IDENTITY_MAX_GROUPS, groups);
    }
    if (count < 0 || count > (groups == small ? READ_SMALL_GROUPS : IDENTITY_MAX_GROUPS)) {
        return NULL;
    }
    *ret_count = (uint32_t)count;
    return groups;
}

/* Heapsort: in place, without the allocation that qsort(3) may make, and never slower than n log n,
 * even on a hostile list. */
static void sift_down(gid_t *groups, uint32_t root, uint32_t count)
{
    for (;;) {
        uint32_t child = 2 * root + 1;
        if (child >= count) {
            return;
        }
        if (child + 1 < count && groups[child] < groups[child + 1]) {
            child++;
        }
        if (groups[root] >= groups[child]) {
            return;
        }
        gid_t swap = groups[root];
        groups[root] = groups[child];
        groups[child] = swap;
        root = child;
    }
}

uint32_t identity_sort_groups(gid_t *groups, uint32_t count)
{
    if (count < 2) {
        return count;
    }
    bool sorted = true;
    for (uint32_t i = 1; i < count && sorted; i++) {
        sorted = groups[i - 1] <= groups[i];
    }
    for (uint32_t i = count / 2; !sorted && i > 0; i--) {
        sift_down(groups, i - 1, count);
    }
    for (uint32_t end = count; !sorted && end > 1; end--) {
        gid_t last = groups[end - 1];
        groups[end - 1] = groups[0];
        groups[0] = last;
        sift_down(groups, 0, end - 1);
    }
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (kept == 0 || groups[i] != groups[kept - 1]) {
            groups[kept++] = groups[i];
        }
    }
    return kept;
}

/* ---- /proc ----------------------------------------------------------------------------- */

/* Reads until the end of the file: read(2) of a file of /proc may return less than is there. The
 * content is terminated even when it did not fit, so that its start can be used. */
static long read_and_close(int fd, char *buffer, size_t size)
{
    size_t length = 0;
    long result = 0;
    while (length < size - 1) {
        result = identity_kernel.read(fd, buffer + length, size - 1 - length);
        if (result <= 0) {
            break;
        }
        length += (size_t)result;
    }
    if (result > 0) {
        result = -EFBIG;
    }
    identity_kernel.close(fd);
    buffer[length] = '\0';
    return result < 0 ? result : (long)length;
}

long read_proc_file(const char *path, char *buffer, size_t size)
{
    long fd = identity_kernel.open(path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? fd : read_and_close((int)fd, buffer, size);
}

/*
 * The kernel reports "no LSM has labels" by EINVAL when the file is read, or by a missing file
 * where it was built without LSMs (proc(5)). Both are stable facts of a running kernel. Every other
 * failure is "not readable", and so is an empty label, which no LSM returns.
 */
long read_lsm_label(char *buffer, size_t size)
{
    buffer[0] = '\0';
    long fd = identity_kernel.open("/proc/thread-self/attr/current", O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return fd == -ENOENT ? 0 : fd;
    }
    long length = read_and_close((int)fd, buffer, size);
    if (length == -EINVAL) {
        return 0;
    }
    while (length > 0 && (buffer[length - 1] == '\n' || buffer[length - 1] == '\0')) {
        buffer[--length] = '\0';
    }
    return length == 0 ? -EIO : length;
}

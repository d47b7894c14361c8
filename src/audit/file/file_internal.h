/* SPDX-License-Identifier: MIT */
/*
 * What the parts of the log file share. From below: mark.c (descriptors), log_state.c (the mapped
 * state), file_io.c (the file itself), order.c (of its times), file_background.c, sync.c, space.c,
 * log_folder.c, repair.c (what earlier writers left), rotate.c, state_aside.c and open_state.c,
 * file_lock.c, and above them file.c (append) and file_open.c; begin.c makes a new log. A part
 * calls only those below it.
 */
#ifndef AUDIT_FILE_FILE_INTERNAL_H
#define AUDIT_FILE_FILE_INTERNAL_H

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "audit/file/file.h"

/* ---- system calls ---------------------------------------------------------------------------- */

/* As in section 2 of the manual: -1 and errno. Constant and bound at link time; a fault test links
 * its own table in place of file_calls.c. */
struct file_calls {
    int (*openat)(int folder, const char *name, int flags, mode_t mode);
    int (*close)(int fd);
    ssize_t (*pread)(int fd, void *buffer, size_t size, off_t offset);
    ssize_t (*write)(int fd, const void *buffer, size_t size);
    int (*ftruncate)(int fd, off_t size);
    int (*fallocate)(int fd, int mode, off_t offset, off_t length);
    int (*posix_fallocate)(int fd, off_t offset, off_t length); /* gives the error number */
    int (*fdatasync)(int fd);
    int (*fsync)(int fd);
    int (*syncfs)(int fd);
    int (*fstat)(int fd, struct stat *ret_status);
    int (*look)(int fd, struct stat *ret_status); /* as fstat, and the times are left out */
    int (*left)(int fd, int *ret_bytes);          /* of a file, behind the descriptor's offset */
    int (*fstatat)(int folder, const char *name, struct stat *ret_status, int flags);
    int (*fstatvfs)(int fd, struct statvfs *ret_status);
    int (*fchmod)(int fd, mode_t mode);
    int (*fchown)(int fd, uid_t uid, gid_t gid);
    int (*linkat)(int from, const char *name, int to, const char *new_name, int flags);
    int (*renameat)(int from, const char *name, int to, const char *new_name);
    int (*unlinkat)(int folder, const char *name, int flags);
    int (*mkdirat)(int folder, const char *name, mode_t mode);
    int (*dup3)(int fd, int as, int flags);
    int (*flock)(int fd, int operation);
    __typeof__(getrlimit) *getrlimit; /* whose first argument is an enumeration or an int */
    void *(*mmap)(void *at, size_t size, int protection, int flags, int fd, off_t offset);
    ssize_t (*getdents)(int folder, void *buffer, size_t size);
};

extern const struct file_calls file_calls;

/* ---- the mapped state ------------------------------------------------------------------------ */

enum {
    STATE_CLEAN = 0,
    STATE_KILLED = 1,  /* a writer died with the lock */
    STATE_TORN = 2,    /* the file ends in a part of a record that is counted already */
    STATE_REBOOT = 4,  /* the system was started anew since */
    STATE_LOOK = 8,    /* look whether the file is still the one and whole */
    STATE_REPAIR = 15, /* any of these */
    /* The record that says that a damaged state was set aside is not written yet. With it: what was
     * found (enum state_damage), what became of the key (enum state_key), and the number in the
     * name that the damaged file has now. */
    STATE_ASIDE = 16,
    STATE_ASIDE_FOUND = 5,   /* shift, of 3 bits */
    STATE_ASIDE_KEY = 8,     /* of 2 */
    STATE_ASIDE_NUMBER = 16, /* of 16 */
    STATE_ASIDE_MOST = 0xffff,
};

/* What is wrong with what lies in the place of a state. */
enum state_damage {
    STATE_SOUND,
    STATE_SIZE,
    STATE_CONTENT,
    STATE_LOCK,
    STATE_HEADS,
    STATE_EMPTY,         /* or zeros */
    STATE_UNFINISHED,    /* a draft: never set aside */
    STATE_TWO_NAMES,     /* which may be left from setting it aside */
    STATE_VERSION_OTHER, /* nor this: programs of that version may be at work with it */
};

/* What became of the key of the chain; two bits of the facts in dirty. */
enum state_key {
    STATE_KEY_NONE, /* the chain has none */
    STATE_KEY_KEPT, /* head and key were whole */
    STATE_KEY_LOST,
};

/* For so many rotated files it is known what they were. Part of the format of the state. */
enum { STATE_FILES = 256 };

/* What a file was when it was rotated: by that it is known again, also packed. */
struct state_file {
    uint64_t last; /* record; 0: nothing is known */
    uint64_t inode, size;
    int64_t changed; /* seconds since 1970, or 0 */
};

/* Losses and head change together, or not at all: the new values are written here, then valid
 * is set, then it is copied to its places, which can be done again. */
struct state_redo {
    _Atomic uint32_t valid;
    struct state_head head;
    struct state_loss pending;
    uint64_t lost_total[AUDIT_LOSS_COUNT];
};

struct state_shared {
    char magic[8];
    uint32_t version, size;
    char boot_id[40];
    pthread_mutex_t mutex;
    _Atomic uint32_t current;                       /* which head holds */
    _Atomic uint32_t dirty;                         /* STATE_... */
    _Atomic uint64_t synced;                        /* see sync.c */
    _Atomic uint64_t unsynced_first, unsynced_last; /* see sync.c; 0: none */
    struct state_head head[2];
    struct state_redo redo;
    struct state_loss pending[STATE_SINKS];
    uint64_t lost_total[AUDIT_LOSS_COUNT];
    struct state_file files[STATE_FILES]; /* by number % STATE_FILES */
    int64_t repeats_until;
    struct state_repeat repeats[STATE_REPEATS];
};

/* Opens the state in the folder; log names the log in messages. A state that is open already is
 * replaced where it is mapped. Errors: NOT_FOUND (it is missing), SYSTEM, BAD_STATE, then with
 * *ret_damage when its content is what is wrong. */
MIGUARD_CHECKED enum miguard_status state_open(int folder, const char *name, const char *log,
                                               struct log_state *state,
                                               enum state_damage *ret_damage,
                                               struct miguard_error *reterr);

/* What a new state takes the place of. Its beginning is overwritten, so that no writer that has it
 * mapped goes on with it. */
struct state_replaced {
    int fd;
    dev_t device;
    ino_t inode;
    uint32_t dirty; /* of the new one */
};

/* Makes it with its first head and what is lost already (or NULL), as a whole and on the disk, or
 * not at all. OK also when there is one already. replaced: NULL, or what lies there. Errors:
 * SYSTEM, BAD_STATE, NO_MEMORY, AUDIT_FAILED (no space). */
MIGUARD_CHECKED enum miguard_status state_create(int folder, const char *name, const char *log,
                                                 const struct state_head *first,
                                                 const struct state_loss *lost,
                                                 const struct state_replaced *replaced,
                                                 struct miguard_error *reterr);

/* The file of the name, locked with flock(2); -1 and errno. */
int state_open_locked(int folder, const char *name, int flags, struct stat *ret_status);
/* Whether it may be a state at all: owner, mode, one name. BAD_STATE. */
MIGUARD_CHECKED enum miguard_status state_check_file(const struct stat *status, const char *log,
                                                     struct miguard_error *reterr);
/* By its size, and for a wrong one by its first bytes; then by all of it. */
enum state_damage state_judge_size(int fd, const struct stat *status);
enum state_damage state_judge(const struct state_shared *shared);
/* fstat(2): what is mapped of it may be touched. */
MIGUARD_CHECKED bool state_is_whole_file(int fd);
/* Its lock is one by its kind; another could not be waited for. */
MIGUARD_CHECKED bool state_has_lock(const struct state_shared *shared);
/* The error for a damage. */
enum miguard_status state_refuse(enum state_damage damage, const char *log,
                                 struct miguard_error *reterr);
/* The newest whole head in a damaged file, if there is one. False: it cannot be read. */
MIGUARD_CHECKED bool state_salvage(int fd, bool *ret_found, struct state_head *ret_head);

/*
 * A state that is whole, on the disk, under its name and locked, but no state yet: every program
 * refuses it until state_finish(), whatever happens to who makes it. So a key can be handed over
 * when nothing but a store is left to do. What stays when its maker is killed, or cannot even
 * remove it, state_remove_draft() takes away.
 */
struct state_draft {
    int folder, fd; /* -1: no draft */
    const char *name;
    struct state_shared *shared;
};

/* Errors as state_create(), and BAD_STATE when there is a state. */
MIGUARD_CHECKED enum miguard_status state_draft(int folder, const char *name, const char *log,
                                                const struct state_head *first,
                                                struct state_draft *ret_draft,
                                                struct miguard_error *reterr);
/* False and errno: it is still a draft, to be discarded. */
MIGUARD_CHECKED bool state_finish(struct state_draft *draft);
/* Also of one that is finished, or was never made: then it does nothing. Keeps errno. */
void state_discard(struct state_draft *draft);
/* False: it is not a draft, or its maker is still at work (then after STATE_LOCK_SECONDS), or it
 * cannot be removed. */
bool state_remove_draft(int folder, const char *name);

/* Locks within STATE_LOCK_SECONDS; gives the error number. */
MIGUARD_CHECKED int state_wait_for(pthread_mutex_t *mutex);

/* Under the lock. False: no head is whole. */
MIGUARD_CHECKED bool state_sound(struct log_state *state);

/* What is mapped is a state, by its first bytes. */
MIGUARD_CHECKED bool state_is_one(const struct log_state *state);

enum state_presence {
    STATE_THERE,
    STATE_CUT,       /* the file is shorter than what is mapped: not to be touched */
    STATE_ELSEWHERE, /* the descriptor is not the state's any more, or the state is gone: open it */
};
/* *ret_status is set unless it is ELSEWHERE. */
enum state_presence state_look(const struct log_state *state, struct stat *ret_status);

/* Under the lock, after what may have taken its time and before the state is touched again: when
 * its file was cut meanwhile, memory of our own takes the place of what is mapped, so that all
 * pointers into it stay good, and false is the answer. */
bool state_prove(struct log_state *state);

/* The next head, a copy of the present one to be changed; it holds from state_commit() on. */
struct state_head *state_begin(struct log_state *state);
void state_commit(struct log_state *state);

/* Sets head, the losses that the file lacks and all totals as one. */
void state_commit_all(struct log_state *state, const struct state_head *head,
                      const struct state_loss *pending,
                      const uint64_t lost_total[AUDIT_LOSS_COUNT]);

/* For a state that no process maps: as file_read_head(). */
MIGUARD_CHECKED enum miguard_status state_read_head(int folder, const char *name, const char *log,
                                                    struct state_head *ret_head,
                                                    struct miguard_error *reterr);

/* ---- the file -------------------------------------------------------------------------------- */

enum {
    FILE_TAIL = 64 * 1024,   /* what only records about the log itself may use */
    FILE_TAIL_LENGTH = 1024, /* more than audit_encode_tail(), hash and newline ever need */
    /* A name with the longest suffix; NAME_MAX of limits.h is without the NUL. */
    FILE_NAME_SIZE = NAME_MAX + 32,
    /* Locks between two looks whether the name still is the file's, and between two tries of a
     * rotation that failed. */
    FILE_LOOK_EVERY = 64,
    /* Locks between two looks at RLIMIT_FSIZE. */
    FILE_LIMIT_EVERY = 16,
    /* Files that are not the log's and were reported already, of which this process knows the
     * inodes. */
    FILE_STRAYS = 32,
};

struct log_file {
    struct sink_settings settings; /* without the path */
    struct log_process *process;   /* stamps records of the file's own */
    char name[FILE_NAME_SIZE];     /* in the folder */
    char *folder_path;
    int folder;
    atomic_int fd;  /* the number stays the same (dup3), so that fdatasync(2) needs no lock; but for
                       file_reclaim() */
    uint64_t inode; /* what fd refers to */
    struct file_mark folder_mark, fd_mark;
    struct log_state state;
    pthread_mutex_t local;  /* around the shared one: a fork must not copy what is half changed */
    struct text own_body;   /* of a record of the file's own */
    uid_t uid;              /* effective, of who opened it */
    bool space_looked;      /* at the space, since the log was opened */
    bool rotation_failed;   /* for want of permission or room: the background thread tries */
    uid_t failed_as;        /* effective, of the thread that could not */
    _Atomic bool early;     /* a thread that may not rotate asks for it before it is due */
    uint64_t removed_files; /* by `keep`, not reported yet */
    uint64_t beyond;        /* bytes of the file before over `rotate`, not reported yet */
    uint64_t stray_files;   /* not the log's, not reported yet */
    char stray[512];        /* names of the first of them */
    uint64_t strays_reported[FILE_STRAYS]; /* inodes of the last ones */
    unsigned strays_at;
    unsigned locks;
    uint64_t size_limit;  /* RLIMIT_FSIZE, as it was read last */
    unsigned limit_locks; /* counts locks for it */
    /* sync.c */
    _Atomic uint64_t written;  /* the last record that is in what fd refers to */
    _Atomic uint64_t after;    /* its records come after this number */
    _Atomic uint64_t turn;     /* counts what fd referred to */
    pthread_mutex_t sync_lock; /* around fd and fd_mark */
    _Atomic uint32_t round;    /* odd while a thread leads; a futex that the others wait on */
    _Atomic unsigned waiting;  /* threads in file_sync() */
    unsigned crowd;            /* how many there were at the end of the last sync; the leader's */
    int64_t moment;            /* nanoseconds to wait for as many; the leader's */
    /* the background thread */
    pthread_mutex_t background_lock;
    pthread_cond_t background_asked, background_answered;
    bool background;
    unsigned asked, answered;
};

/* ---- mark.c */

/* openat(2) to a number that is out of the host's way, at once. A file that was made stays when
 * no number is free. */
int file_open_away(int folder, const char *name, int flags, mode_t mode);

/* fstat(2), and whether it still is what it was; errno EBADF when not. */
MIGUARD_CHECKED bool file_mark_set(int fd, struct file_mark *ret_mark);
MIGUARD_CHECKED bool file_mark_holds(int fd, const struct file_mark *mark);
/* The same, with what fstat(2) said. */
MIGUARD_CHECKED bool file_mark_looks(int fd, const struct file_mark *mark, struct stat *ret_status);

/* ---- file_io.c */

/* name.suffix into buffer. */
void file_sibling(const struct log_file *file, const char *suffix, char buffer[FILE_NAME_SIZE]);
/* The name of the file with this number: NAME.7. */
void file_rotated_name(const struct log_file *file, uint64_t generation,
                       char buffer[FILE_NAME_SIZE]);

/* The cause of a loss for the errno of a call on the file or its folder. */
enum audit_loss file_loss_of(int error);

/* Opens what must be a log of ours: *ret_problem says what else it is. */
MIGUARD_CHECKED bool file_open_name(struct log_file *file, const char *name, int *ret_fd,
                                    struct stat *ret_status, const char **ret_problem);

/* Makes an empty file with mode and group; fails with errno when there is one. */
MIGUARD_CHECKED bool file_create(struct log_file *file, const char *name, int *ret_fd,
                                 struct stat *ret_status);

/* fd is what file->fd refers to from now on; takes fd. */
MIGUARD_CHECKED bool file_take(struct log_file *file, int fd, uint64_t inode);

/* Writes all bytes at the end. False: none of them are there, or STATE_TORN is set. */
MIGUARD_CHECKED bool file_write(struct log_file *file, const char *bytes, size_t length,
                                enum audit_loss *ret_loss);

/* The head after a record of length bytes with its newline. */
void file_advance(struct state_head *head, const unsigned char hash[CHAIN_HASH_SIZE], size_t length,
                  bool is_seal, int64_t now);

/* Notes in the state what the file was that the head stood in until now; status may be NULL. */
void file_note_rotated(struct log_file *file, const struct state_head *head,
                       const struct stat *status);

/* ---- log_folder.c */

/* Opens the folder by the rules of the first time. */
MIGUARD_CHECKED bool file_open_folder(struct log_file *file);

/* A log file without anything, to be released with file_close(); NULL: out of memory. */
struct log_file *file_new(void);

/* Opens the folder of path for the first time. make: its settings when a missing folder is
 * made; NULL: it is not. Errors: INVALID_ARGUMENT, SYSTEM, NO_MEMORY. */
MIGUARD_CHECKED enum miguard_status file_first_folder(struct log_file *file, const char *path,
                                                      const struct sink_settings *make,
                                                      struct miguard_error *reterr);

/* The highest number of a file that holds records. Others take no number from us: 20261127 is a
 * date. */
struct family;
uint64_t file_highest_log(const struct log_file *file, const struct family *family);

/* The head of a chain that nothing is in yet; its numbers for files come after *ret_highest.
 * False and errno: the folder cannot be listed, and the numbers begin at 1. */
bool file_first_head(const struct log_file *file, const struct chain_key *key,
                     struct state_head *ret_head, uint64_t *ret_highest);

/* "a/b" is "a" and "b", "b" is "." and "b". False: not a name for a log. */
MIGUARD_CHECKED bool file_split(const char *path, char folder[PATH_MAX], char name[FILE_NAME_SIZE]);

/* ---- repair.c */

/* Under the lock, makes file->fd the current file and the head what is in it. False: this
 * thread cannot; *ret_problem (may be NULL) then says more than *ret_loss. */
MIGUARD_CHECKED bool file_settle(struct log_file *file, enum audit_loss *ret_loss,
                                 const char **ret_problem);

/* The last whole record in what fd refers to that has its hash and place, if there is one. False:
 * it cannot be read. */
struct file_last {
    uint64_t sequence, chain_id, epoch;
    unsigned char hash[CHAIN_HASH_SIZE];
};
MIGUARD_CHECKED bool file_last_chained(int fd, bool *ret_found, struct file_last *ret_last);

/* The number of the last whole record in what fd refers to, and its hash; false: not found. */
MIGUARD_CHECKED bool file_last_record(int fd, uint64_t *ret_sequence,
                                      unsigned char ret_hash[CHAIN_HASH_SIZE]);

/* ---- order.c */

/* The order of the current file with the record that comes next, a line or its body; `since` 0: it
 * has no time. */
struct state_order file_order_next(const struct log_state *state, const struct state_head *head,
                                   const char *line, size_t length);
/* Before the record is written that has this hash. */
void file_order_keep(struct log_state *state, const struct state_head *head,
                     const struct state_order *order, const unsigned char hash[CHAIN_HASH_SIZE]);

/* ---- state_aside.c */

/* Puts a new state in the place of a damaged one, and that aside. OK also when it is
 * not damaged any more. BAD_STATE: it may not be (enum state_damage), or a key that is needed
 * is lost with it; then nothing is changed. Otherwise errors as state_create(). */
MIGUARD_CHECKED enum miguard_status file_set_state_aside(struct log_file *file, const char *path,
                                                         struct miguard_error *reterr);
/* Is the record about it due? Under the lock. */
struct aside_due {
    struct audit_set_aside facts;
    char name[FILE_NAME_SIZE];
};
MIGUARD_CHECKED bool file_aside_is_due(struct log_file *file, struct aside_due *ret_due);
/* It is in the file. */
void file_aside_reported(struct log_file *file);

/* ---- open_state.c */

/* The state by its name, made when it is missing, set aside when it is damaged. path
 * names the log in messages. */
MIGUARD_CHECKED enum miguard_status file_open_state(struct log_file *file, const char *path,
                                                    struct miguard_error *reterr);
/* ---- file_background.c */

/* Wakes the background thread, without waiting for it. */
void file_call_background(struct log_file *file);

/* Waits for the next round of the background thread, without any lock. False: there was no
 * round. */
bool file_ask_background(struct log_file *file);
/* Is a background thread registered just now? It may end in the next moment. */
bool file_has_background(struct log_file *file);

/* A round of the background thread: who asked before it began is answered when it ends. */
unsigned file_begin_round(struct log_file *file);
void file_end_round(struct log_file *file, unsigned asked);

/* ---- space.c */

/* In the order in which they get worse; see struct audit_space. */
enum space_step { SPACE_NORMAL, SPACE_LOW, SPACE_FULL, SPACE_FLOODED };
/* The record about the space that is due now. */
struct space_due {
    bool some;
    enum space_step step;
    struct audit_space facts;
};
/* RLIMIT_FSIZE into size_limit. */
void file_read_limit(struct log_file *file);
/* Before each record: allocates more than it needs, and looks at the space when that is used
 * up. ret_due: filled when a record is due; NULL: the space is not looked at. */
void file_allocate_ahead(struct log_file *file, size_t length, bool may_use_tail,
                         struct space_due *ret_due);
/* Behind it: is there room for the record? Otherwise *ret_loss says why not. */
MIGUARD_CHECKED bool file_make_room(struct log_file *file, size_t length, bool may_use_tail,
                                    struct space_due *ret_due, enum audit_loss *ret_loss);
/* The record is in the file. */
void file_space_reported(struct log_file *file, const struct space_due *due);
/* Allocates blocks for a file that is not in use yet; gives up to which offset. */
MIGUARD_CHECKED bool file_allocate(int fd, uint64_t from, uint64_t least, uint64_t *ret_to,
                                   enum audit_loss *ret_loss);

/* ---- rotate.c */

/* Rotates before a record of so many bytes, when size, age or a repair ask for it. What fails is
 * postponed and noted in rotation_failed: the record goes into the file as it is. Under the
 * lock. */
void file_rotate_if_due(struct log_file *file, size_t length, int64_t now);
/* What a thread that may not rotate could write before one that may comes by: who may rotates
 * when there is less room than this left. 0: the size is no limit. */
size_t file_rotate_ahead(const struct log_file *file);
/* Is the current file that close to its limit? */
bool file_rotate_near(const struct log_file *file);
/* The record that begins a file, unless it is the first file of its log. False: the descriptor
 * is not the current file's, and nothing may be written; *ret_loss says why. */
struct rotated_due {
    bool some;
    struct audit_rotated facts;
    char previous[FILE_NAME_SIZE];
};
MIGUARD_CHECKED bool file_begins_rotated(struct log_file *file, struct rotated_due *ret_due,
                                         enum audit_loss *ret_loss);
/* It is in the file. */
void file_rotation_reported(struct log_file *file);

/* ---- file_lock.c */

/* The locks of all threads and all writers, with a state that is one. *ret_loss is BUSY,
 * REMOVED (and then reterr says what is wrong with the state) or UNTRUSTED. */
MIGUARD_CHECKED bool file_lock_state(struct log_file *file, const char *path,
                                     enum audit_loss *ret_loss, struct miguard_error *reterr);

/* The same, with the current file, whole: file_lock() without waiting for the background
 * thread. */
MIGUARD_CHECKED bool file_lock_whole(struct log_file *file, enum audit_loss *ret_loss);

/* ---- sync.c */

/* Every record up to this number is on the disk; or, for the second, is not known to be, for all
 * time to come. Without the lock of the log. */
void file_note_synced(struct state_shared *shared, uint64_t through);
void file_note_unsynced(struct state_shared *shared, uint64_t through);

#endif

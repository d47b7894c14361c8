/* SPDX-License-Identifier: MIT */
/*
 * Encodes events as lines of JSON; called by log.c and the log file for each record.
 *
 * audit_encode_body() writes the time, who writes (write_process()), whom the session
 * belongs to, the rule, and the members of miguard (write_miguard()). They need no lock.
 * audit_encode_tail() closes them with the place in the log and the object event, under the lock of
 * the log.
 *
 * The names of members come from model/record_fields.h, their order from this file. Values from
 * outside pass write_text(), which bounds them; text_json_...() of base/text.h escapes them. No
 * function here fails: the text notes when memory ran out.
 */
#include "audit/encode.h"

#include <dlfcn.h>
#include <endian.h>
#include <link.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "audit/memory.h"
#include "audit/record_identity.h"
#include "audit/record_names.h"
#include "base/civil.h"
#include "base/hex.h"
#include "miguard/guard.h" /* MIGUARD_VERSION */
#include "model/record_fields.h"
#include "model/record_limits.h"

/* In nanoseconds, the unit of all times of records. */
enum { SECOND = 1000000000 };

/* ---- members: their names are those of the table --------------------------------------------- */

/* The last name of the row is the member's name; the path above it comes from the nesting. Each as
 * it stands in a record, behind a comma. */
enum { KEY_SIZE = 24 };
static const struct member_key {
    char text[KEY_SIZE - 1];
    uint8_t length;
} member_keys[RECORD_FIELD_COUNT] = {
#define KEY(name)                      ",\"" name "\":"
#define FIELD_ROW(NAME, path, name, T) [RECORD_##NAME] = {KEY(name), sizeof(KEY(name)) - 1},
#define OBJECT_ROW(NAME, path, name)   FIELD_ROW(NAME##_OBJECT, path, name, )
#define NO_ROW(NAME)
    RECORD_FIELD_MAP(FIELD_ROW, OBJECT_ROW, NO_ROW)};

/* With its NUL: so it fits also in what begin_member() copies. */
#define FITS(NAME, path, name, ...)                                                                \
    _Static_assert(sizeof(KEY(name)) <= KEY_SIZE - 1, "KEY_SIZE is too small for " path);
RECORD_FIELD_MAP(FITS, FITS, NO_ROW)

/* Writes the key and returns where the value goes, with room for `size` bytes of it; NULL when
 * memory ran out. The whole row is copied, except for a comma that is not due: a copy of a known
 * size takes two instructions, and what stands behind the key is overwritten. */
static char *begin_member(struct text *text, enum record_field field, size_t size)
{
    const struct member_key *key = &member_keys[field];
    const size_t skipped = text->comma ? 0 : 1;
    char *at = text_room(text, sizeof(*key) + size);

    if (at == NULL) {
        return NULL;
    }
    memcpy(at, key->text + skipped, sizeof(key->text) - 1);
    return at + key->length - skipped;
}

/* end is behind what was written of the value. */
static void end_member(struct text *text, char *end, bool comma)
{
    *end = '\0';
    text->length = (size_t)(end - text->data);
    text->comma = comma;
}

/* The value comes next, from a function of text.h. */
static void write_key(struct text *text, enum record_field field)
{
    char *at = begin_member(text, field, 0);

    if (at != NULL) {
        end_member(text, at, false);
    }
}

static void open_member(struct text *text, enum record_field field, char bracket)
{
    char *at = begin_member(text, field, 1);

    if (at != NULL) {
        *at = bracket;
        end_member(text, at + 1, false);
    }
}

static void open_object(struct text *text, enum record_field object)
{
    open_member(text, object, '{');
}

/* The next member of the object around it gets its comma from text->comma. */
static void close_object(struct text *text)
{
    text_json_close(text, '}');
}

static void open_list(struct text *text, enum record_field list)
{
    open_member(text, list, '[');
}

static void close_list(struct text *text)
{
    text_json_close(text, ']');
}

/* ---- times and numbers: without printf(3) and gmtime_r(3), which takes a lock of the C library */

enum { TIME_LENGTH = AUDIT_TIME_LENGTH, TIME_AT = 15 /* behind {"@timestamp":" */ };

/* The numbers below 100. A record has dozens of digits, and two at a time are half the work. */
static const char pairs[] = "00010203040506070809"
                            "10111213141516171819"
                            "20212223242526272829"
                            "30313233343536373839"
                            "40414243444546474849"
                            "50515253545556575859"
                            "60616263646566676869"
                            "70717273747576777879"
                            "80818283848586878889"
                            "90919293949596979899";

/* With a leading zero; returns where the next character goes. */
static char *put_two_digits(char *at, unsigned value)
{
    memcpy(at, pairs + 2 * value, 2);
    return at + 2;
}

/* And what stands between this number and the next. */
static char *put_part(char *at, unsigned value, char next)
{
    at = put_two_digits(at, value);
    *at = next;
    return at + 1;
}

/* 2026-01-02T03:04:05.678901Z, not terminated. */
static char *time_text(int64_t nanoseconds, char out[TIME_LENGTH])
{
    uint64_t time = nanoseconds > 0 ? (uint64_t)nanoseconds : 0;
    uint64_t seconds = time / SECOND;
    unsigned of_day = (unsigned)(seconds % 86400), micro = (unsigned)(time % SECOND / 1000);
    const struct civil_date date = civil_date(seconds / 86400);

    char *at = put_two_digits(out, date.year / 100);
    at = put_part(at, date.year % 100, '-');
    at = put_part(at, date.month, '-');
    at = put_part(at, date.day, 'T');
    at = put_part(at, of_day / 3600, ':');
    at = put_part(at, of_day / 60 % 60, ':');
    at = put_part(at, of_day % 60, '.');
    at = put_two_digits(at, micro / 10000);
    at = put_two_digits(at, micro / 100 % 100);
    return put_part(at, micro % 100, 'Z');
}

static void write_time(struct text *text, enum record_field field, int64_t nanoseconds)
{
    char *at = begin_member(text, field, TIME_LENGTH + 2);

    if (at != NULL) {
        *at = '"';
        at = time_text(nanoseconds, at + 1);
        *at = '"';
        end_member(text, at + 1, true);
    }
}

/* The time is the first member and always of the same length (TIME_AT), so it can be replaced in
 * place. */
void audit_set_time(char *body, size_t length, int64_t time)
{
    if (length > TIME_AT + TIME_LENGTH) {
        time_text(time, body + TIME_AT);
    }
}

/* Two digits at a place, or more than 99. */
static unsigned get_two_digits(const char *at)
{
    const unsigned high = (unsigned char)at[0] - (unsigned)'0';
    const unsigned low = (unsigned char)at[1] - (unsigned)'0';

    return high <= 9 && low <= 9 ? high * 10 + low : 100;
}

/* The inverse of time_text(). */
bool audit_time_parse(const char text[TIME_LENGTH], int64_t *ret_time)
{
    static const char form[] = "0000-00-00T00:00:00.000000Z";
    static const uint8_t parts[] = {0, 2, 5, 8, 11, 14, 17, 20, 22, 24};
    enum { CENTURY, YEAR, MONTH, DAY, HOUR, MINUTE, OF_MINUTE, FRACTION, PARTS = 10 };
    unsigned part[PARTS], most = 0;

    for (int i = 0; i < PARTS; i++) {
        part[i] = get_two_digits(text + parts[i]);
        most = part[i] > most ? part[i] : most;
    }
    for (int i = 4; i < TIME_LENGTH; i += i < 19 ? 3 : 7) {
        most = text[i] == form[i] ? most : 100;
    }
    if (most > 99 || part[MONTH] < 1 || part[MONTH] > 12 || part[DAY] < 1 || part[DAY] > 31 ||
        part[HOUR] > 23 || part[MINUTE] > 59 || part[OF_MINUTE] > 60) {
        return false;
    }
    const int64_t days = civil_days(part[CENTURY] * 100 + part[YEAR], part[MONTH], part[DAY]);
    const int64_t of_day = part[HOUR] * 3600 + part[MINUTE] * 60 + part[OF_MINUTE];
    *ret_time = (days * 86400 + of_day) * 1000000 + part[FRACTION] * 10000 +
                part[FRACTION + 1] * 100 + part[FRACTION + 2];
    return true;
}

/* For each record, so only what is not sure. */
const char *audit_time_text(const char *body, size_t length)
{
    static const char before[] = "{\"@timestamp\":\"";
    const char *text = body + TIME_AT;

    _Static_assert(sizeof(before) - 1 == TIME_AT, "where it stands");
    return length > TIME_AT + TIME_LENGTH && memcmp(body, before, TIME_AT) == 0 &&
                   text[10] == 'T' && text[TIME_LENGTH - 1] == 'Z'
               ? text
               : NULL;
}

/* The clock of the day: records of several hosts are compared. Durations use clock_now_ms()
 * instead. */
int64_t audit_now(void)
{
    struct timespec now = {0, 0};

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * SECOND + now.tv_nsec;
}

/* The lowest `digits` of a number, in quotes. */
static void write_hex(struct text *text, enum record_field field, uint64_t number, unsigned digits)
{
    char *at = begin_member(text, field, HEX_NUMBER + 2);

    if (at != NULL) {
        *at = '"';
        at = hex_put_number(at + 1, number, digits);
        *at = '"';
        end_member(text, at + 1, true);
    }
}

/* Identifiers are 64 bits: as a JSON number they would lose bits beyond 2^53 (RFC 8259, 6). */
static void write_id(struct text *text, enum record_field field, uint64_t id)
{
    if (id != 0) {
        write_hex(text, field, id, HEX_NUMBER);
    }
}

/* Of a place in a module, which is a small number: without the zeros before it. */
static void write_offset(struct text *text, enum record_field field, uint64_t offset)
{
    if (offset != 0) {
        write_hex(text, field, offset, (unsigned)(67 - __builtin_clzll(offset)) / 4);
    }
}

/* As "%llu", without a NUL; returns where the next character goes. 20 digits hold any number of 64
 * bits. */
enum { DECIMAL = 20 };
static char *put_decimal(char *at, uint64_t value)
{
    unsigned length = 1;

    for (uint64_t next = 10; length < DECIMAL && value >= next; next *= 10) {
        length++;
    }
    char *const end = at + length;
    for (at = end; value >= 100; value /= 100) {
        at -= 2;
        (void)put_two_digits(at, (unsigned)(value % 100));
    }
    memcpy(value < 10 ? at - 1 : at - 2, pairs + 2 * value + (value < 10), value < 10 ? 1 : 2);
    return end;
}

/* For counts, which stay below 2^53. What may be larger is written by write_id(). */
static void write_number(struct text *text, enum record_field field, uint64_t number)
{
    char *at = begin_member(text, field, DECIMAL);

    if (at != NULL) {
        end_member(text, put_decimal(at, number), true);
    }
}

/* ECS has user and group ids as strings. */
static void write_decimal(struct text *text, enum record_field field, uint32_t number)
{
    char *at = begin_member(text, field, DECIMAL + 2);

    if (at != NULL) {
        *at = '"';
        at = put_decimal(at + 1, number);
        *at = '"';
        end_member(text, at + 1, true);
    }
}

/* ---- texts ----------------------------------------------------------------------------------- */

/* One in which nothing needs an escape. */
static void write_plain(struct text *text, enum record_field field, const char *value,
                        size_t length)
{
    char *at = begin_member(text, field, length + 2);

    if (at != NULL) {
        *at = '"';
        memcpy(at + 1, value, length);
        at[length + 1] = '"';
        end_member(text, at + length + 2, true);
    }
}

/* Mostly copied as it is; with an escape by the one function that writes these. */
static void write_string(struct text *text, enum record_field field, const char *value,
                         size_t length)
{
    if (text_is_plain(value, length)) {
        write_plain(text, field, value, length);
    } else {
        write_key(text, field);
        text_json_string(text, NULL, value);
    }
}

/* A word of model/event.h, an id, a hash, the version: of these nothing is looked at. */
static void write_word(struct text *text, enum record_field field, const char *word)
{
    write_plain(text, field, word, strlen(word));
}

/* A value that fits already: it is never cut. */
static void write_fitting(struct text *text, enum record_field field, const char *value)
{
    write_string(text, field, value, strlen(value));
}

/* The frame of a large buffer is not for values that fit, which nearly all do. */
__attribute__((noinline)) static void write_cut(struct text *text, enum record_field field,
                                                const char *value, size_t limit)
{
    char buffer[CUT_SIZE(AUDIT_MAX_DETAIL)];

    (void)cut_text(value, limit, buffer);
    write_fitting(text, field, buffer);
}

/* A value from outside, cut to limit bytes where it is longer. What is NULL or empty is left out:
 * an absent member says so in less room. */
static void write_text(struct text *text, enum record_field field, const char *value, size_t limit)
{
    size_t length;

    if (value == NULL || *value == '\0') {
        return;
    }
    if (cut_is_short(value, limit, &length)) {
        write_string(text, field, value, length);
    } else if (cut_fits(value, limit)) {
        write_fitting(text, field, value);
    } else {
        write_cut(text, field, value, limit);
    }
}

/* A name of the call: one that the gateway kept is in its recorded form, and not cut once more. */
static void write_kept(struct text *text, const struct audit_event *event, enum record_field field,
                       const char *value, size_t limit)
{
    write_text(text, field, value, event->kept ? CUT_SIZE(limit) : limit);
}

void audit_id(const struct audit_stamp *stamp, char id[AUDIT_ID_SIZE])
{
    char *at = hex_put_number(id, stamp->entity, HEX_NUMBER);
    *at++ = '-';
    *put_decimal(at, stamp->number) = '\0';
}

/* ---- who ------------------------------------------------------------------------------------- */

/* The ids of a thread are mostly the same one. */
struct resolved {
    bool asked, has_name;
    uint32_t id;
    char name[DIRECTORY_NAME];
};

/* The id and the name are the two members of the object. */
static void write_named_id(struct text *text, enum record_field object, struct audit_names *names,
                           struct resolved *last, uint32_t id, bool user)
{
    if (!last->asked || last->id != id) {
        last->asked = true;
        last->id = id;
        last->has_name = names_find(names, user ? DIRECTORY_USER : DIRECTORY_GROUP, id, last->name);
    }
    open_object(text, object);
    write_decimal(text, object + 1, id);
    if (last->has_name) {
        write_fitting(text, object + 2, last->name);
    }
    close_object(text);
}

/* Both are known, and the effective ids are the same: then those of user are those of process, with
 * their names. */
static bool same_effective(const struct audit_event *event)
{
    return identity_valid(event->bound) && identity_valid(event->current) &&
           event->bound->uid[IDENTITY_E] == event->current->uid[IDENTITY_E] &&
           event->bound->gid[IDENTITY_E] == event->current->gid[IDENTITY_E];
}

/* The effective ids of the thread under the names of ECS, unless they are those of user, and the
 * real and saved ones where they differ from these. The ids for the file system are in miguard.cred
 * only: ECS has no place for them. */
static void write_current(struct text *text, struct audit_names *names,
                          const struct audit_event *event)
{
    const struct miguard_identity *current = event->current;
    bool same = same_effective(event);

    static const enum record_field users[] = {RECORD_CURRENT_REAL_USER_OBJECT,
                                              RECORD_CURRENT_USER_OBJECT,
                                              RECORD_CURRENT_SAVED_USER_OBJECT};
    static const enum record_field groups[] = {RECORD_CURRENT_REAL_GROUP_OBJECT,
                                               RECORD_CURRENT_GROUP_OBJECT,
                                               RECORD_CURRENT_SAVED_GROUP_OBJECT};
    struct resolved user, group;

    user.asked = group.asked = false;
    for (int i = 0; i < IDENTITY_FS; i++) {
        if (i == IDENTITY_E ? !same : current->uid[i] != current->uid[IDENTITY_E]) {
            write_named_id(text, users[i], names, &user, current->uid[i], true);
        }
        if (i == IDENTITY_E ? !same : current->gid[i] != current->gid[IDENTITY_E]) {
            write_named_id(text, groups[i], names, &group, current->gid[i], false);
        }
    }
}

/* /proc/PID/stat counts from the boot in ticks (proc(5)), records in nanoseconds since 1970. The
 * boot's time is now less CLOCK_BOOTTIME, which goes on while the host sleeps. Seconds and rest are
 * converted apart, so that the product does not overflow. */
int64_t audit_start_time(uint64_t ticks_since_boot)
{
    struct timespec up = {0, 0};
    uint64_t ticks = (uint64_t)sysconf(_SC_CLK_TCK);

    if (ticks_since_boot == 0 || ticks == 0 || clock_gettime(CLOCK_BOOTTIME, &up) != 0) {
        return 0;
    }
    int64_t boot = audit_now() - ((int64_t)up.tv_sec * SECOND + up.tv_nsec);
    return boot + (int64_t)(ticks_since_boot / ticks * SECOND +
                            ticks_since_boot % ticks * (SECOND / ticks));
}

/* Distinguishes a process from an earlier one that had its pid. Left out when it is not known. */
static void write_start(struct text *text, const struct identity_process *process)
{
    int64_t start = audit_start_time(process->start_time);

    if (start != 0) {
        write_time(text, RECORD_PROCESS_START, start);
    }
}

/* The last part of the path; NULL without one. */
static const char *process_name(const struct identity_process *process)
{
    const char *slash = strrchr(process->executable, '/');
    return slash != NULL ? slash + 1 : NULL;
}

/* Readers make it of the path, where that is whole. */
static void write_process_name(struct text *text, const struct identity_process *process)
{
    const char *name = process_name(process);

    if (name != NULL &&
        !(cut_fits(process->executable, AUDIT_MAX_TEXT) && cut_fits(name, AUDIT_MAX_NAME))) {
        write_text(text, RECORD_PROCESS_NAME, name, AUDIT_MAX_NAME);
    }
}

/* From "host" to within "process", whose entity stands in event.id. */
static void write_origin(struct text *text, const struct audit_stamp *stamp)
{
    const struct identity_process *process = stamp->process;

    open_object(text, RECORD_HOST_OBJECT);
    write_text(text, RECORD_HOST, stamp->host_name, AUDIT_MAX_NAME);
    open_object(text, RECORD_BOOT_OBJECT);
    write_text(text, RECORD_BOOT, stamp->boot_id, AUDIT_MAX_NAME);
    close_object(text);
    close_object(text);
    open_object(text, RECORD_OBSERVER_OBJECT);
    write_word(text, RECORD_OBSERVER_VERSION, MIGUARD_VERSION);
    close_object(text);
    open_object(text, RECORD_PROCESS_OBJECT);
    write_number(text, RECORD_PID, (uint64_t)process->pid);
    write_text(text, RECORD_EXECUTABLE, process->executable, AUDIT_MAX_TEXT);
    write_process_name(text, process);
    write_start(text, process);
}

/* Kept by stamp.c for the life of the process. */
void audit_encode_origin(struct text *text, const struct audit_stamp *stamp)
{
    text->comma = true; /* the time stands before */
    write_origin(text, stamp);
}

/* The first thread of a program has the name of its file, and others take it over (execve(2),
 * clone(2)). Plain, so that a reader takes the same bytes from the JSON of the other. */
static bool has_usual_name(const struct identity_thread *thread, const char *process)
{
    size_t length = strnlen(process != NULL ? process : "", sizeof(thread->name) - 1);

    for (size_t i = 0; i < length; i++) {
        if (process[i] <= ' ' || process[i] > '~' || process[i] == '"' || process[i] == '\\') {
            return false;
        }
    }
    return strlen(thread->name) == length && memcmp(thread->name, process, length) == 0;
}

/* What is absent is as in the process; an empty name: it is not known. */
static void write_thread(struct text *text, const struct identity_thread *thread,
                         const struct identity_process *process)
{
    bool usual = has_usual_name(thread, process_name(process));

    if (usual && thread->tid == process->pid) {
        return;
    }
    open_object(text, RECORD_THREAD_OBJECT);
    if (thread->tid != process->pid) {
        write_number(text, RECORD_TID, (uint64_t)thread->tid);
    }
    if (!usual && thread->name[0] == '\0') {
        write_word(text, RECORD_THREAD_NAME, "");
    } else if (!usual) {
        write_text(text, RECORD_THREAD_NAME, thread->name, AUDIT_MAX_NAME);
    }
    close_object(text);
}

/* The part that is the same for all records is copied when it was kept; without memory it is made
 * again. The thread follows, since records of one process come from several. */
static void write_process(struct text *text, const struct audit_event *event,
                          const struct audit_stamp *stamp, const struct identity_thread *thread)
{
    const struct text *origin = stamp->memory != NULL ? &stamp->memory->origin : NULL;

    if (origin != NULL && origin->length > 0) {
        text_append_bytes(text, origin->data, origin->length);
    } else {
        write_origin(text, stamp);
    }
    write_thread(text, thread, stamp->process);
    if (identity_valid(event->current)) {
        write_current(text, stamp->names, event);
    }
    close_object(text);
}

/* ECS user and user.group: whom the session belongs to, which is what an administrator searches
 * for. Who made the call is in process. */
static void write_user(struct text *text, struct audit_names *names,
                       const struct miguard_identity *bound)
{
    struct resolved group;
    char name[DIRECTORY_NAME];

    open_object(text, RECORD_BOUND_USER_OBJECT);
    write_decimal(text, RECORD_BOUND_USER_ID, bound->uid[IDENTITY_E]);
    if (names_find(names, DIRECTORY_USER, bound->uid[IDENTITY_E], name)) {
        write_fitting(text, RECORD_BOUND_USER_NAME, name);
    }
    group.asked = false;
    write_named_id(text, RECORD_BOUND_GROUP_OBJECT, names, &group, bound->gid[IDENTITY_E], false);
    close_object(text);
}

/* The names of the bits, lowest first. An empty list is left out. */
static void write_components(struct text *text, enum record_field list,
                             miguard_components components)
{
    if (components == 0) {
        return;
    }
    open_list(text, list);
    for (uint32_t bit = 0; bit < MIGUARD_COMPONENT_COUNT; bit++) {
        if ((components >> bit & 1) != 0) {
            text_json_string(text, NULL, miguard_component_name((miguard_components)1 << bit));
        }
    }
    close_list(text);
}

/* ---- pieces that are kept (memory.h) --------------------------------------------------------- */

/* Module, offset and symbol are the first members of the object. Module and offset are what a
 * debugger or addr2line(1) turns into a line of source. False when the address is in no module. */
static bool open_site(struct text *text, enum record_field object, const void *address)
{
    Dl_info info;

    if (dladdr(address, &info) == 0 || info.dli_fname == NULL) {
        return false;
    }
    open_object(text, object);
    write_text(text, object + 1, info.dli_fname, AUDIT_MAX_TEXT);
    write_offset(text, object + 2, (uint64_t)((uintptr_t)address - (uintptr_t)info.dli_fbase));
    write_text(text, object + 3, info.dli_sname, AUDIT_MAX_TEXT);
    return true;
}

struct build {
    uintptr_t address; /* in the module that is looked for */
    uint64_t id;       /* the first bytes of its build id, 0 without one */
};

/* The segment of this module, with these flags at least, that has all the bytes from `from` on. */
static bool is_mapped(const struct dl_phdr_info *info, uintptr_t from, size_t size, uint32_t flags)
{
    for (unsigned i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        uintptr_t begin = info->dlpi_addr + segment->p_vaddr;
        if (segment->p_type == PT_LOAD && (segment->p_flags & flags) == flags && from >= begin &&
            from - begin < segment->p_memsz && size <= segment->p_memsz - (from - begin)) {
            return true;
        }
    }
    return false;
}

/* The build id among the notes, or 0. Notes of 64 bits are aligned by 4 but for
 * those of a segment that says 8 (elf(5)). */
static uint64_t build_in_notes(const unsigned char *at, size_t left, size_t alignment)
{
    ElfW(Nhdr) note;

    while (left >= sizeof(note)) {
        memcpy(&note, at, sizeof(note));
        size_t name = (note.n_namesz + alignment - 1) & ~(alignment - 1);
        size_t content = (note.n_descsz + alignment - 1) & ~(alignment - 1);
        left -= sizeof(note);
        if (name > left || content > left - name) {
            return 0;
        }
        at += sizeof(note);
        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == sizeof("GNU") &&
            memcmp(at, "GNU", sizeof("GNU")) == 0 && note.n_descsz >= sizeof(uint64_t)) {
            uint64_t id;
            memcpy(&id, at + name, sizeof(id));
            return be64toh(id);
        }
        at += name + content;
        left -= name + content;
    }
    return 0;
}

/* For dl_iterate_phdr(3): ends at the module that has the address. */
static int find_build(struct dl_phdr_info *info, size_t size, void *argument)
{
    struct build *build = argument;

    (void)size;
    if (!is_mapped(info, build->address, 1, 0)) {
        return 0;
    }
    for (unsigned i = 0; i < info->dlpi_phnum && build->id == 0; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        uintptr_t notes = info->dlpi_addr + segment->p_vaddr;
        if (segment->p_type == PT_NOTE && is_mapped(info, notes, segment->p_memsz, PF_R)) {
            build->id = build_in_notes((const unsigned char *)notes, segment->p_memsz,
                                       segment->p_align == 8 ? 8 : 4);
        }
    }
    return 1;
}

/*
 * An address in no module (code made at run time) gets no member: the number alone means nothing
 * after the process has ended. What the gate refuses comes from any module of the process, loaded
 * by any path: the build id says which one it was, so that the place is the same for a reader.
 * Other records name their provider, and are kept short.
 */
static void write_call_site(struct text *text, const void *address, bool with_build)
{
    struct build build = {.address = (uintptr_t)address};

    if (address == NULL || !open_site(text, RECORD_SITE_OBJECT, address)) {
        return;
    }
    if (with_build) {
        (void)dl_iterate_phdr(find_build, &build);
        write_id(text, RECORD_SITE_BUILD, build.id);
    }
    close_object(text);
}

/* The module of the site that stands in text from `from` on, with key and quotes: the first member
 * of its object. 0: none, or one with an escape. */
static size_t module_at(const struct text *text, size_t from, size_t *ret_length)
{
    const char *key = record_fields[RECORD_SITE_MODULE].key;
    const size_t key_length = record_fields[RECORD_SITE_MODULE].key_length;
    const char *at = strchr(text->data + from, '{'), *end = NULL;

    if (at == NULL || strncmp(++at, key, key_length) != 0) {
        return 0;
    }
    end = strchr(at + key_length + 1, '"');
    if (end == NULL || memchr(at, '\\', (size_t)(end - at)) != NULL) {
        return 0; /* a name with a quote or a backslash: written twice */
    }
    *ret_length = (size_t)(end + 1 - at);
    return (size_t)(at - text->data);
}

/* Mostly the provider's module switched itself: then it is left out the second time. The sites
 * begin at first and at second; one may not be there. */
static void drop_second_module(struct text *text, size_t first, size_t second)
{
    size_t length = 0, second_length = 0;

    if (text->failed || second == first || text->length == second) {
        return;
    }
    first = module_at(text, first, &length);
    second = module_at(text, second, &second_length);
    if (length > 0 && length == second_length &&
        memcmp(text->data + first, text->data + second, length) == 0) {
        length += text->data[second + length] == ',' ? 1 : 0;
        memmove(text->data + second, text->data + second + length,
                text->length - second - length + 1);
        text->length -= length;
    }
}

/* Both places, without the time of the switch and the end of its object. */
static void make_sites(struct text *text, const struct audit_event *event, bool stray)
{
    const size_t first = text->length;

    write_call_site(text, event->call_site, stray);
    const size_t second = text->length;
    if (event->last_switch != NULL) {
        (void)open_site(text, RECORD_LAST_SWITCH_OBJECT, event->last_switch->site);
    }
    drop_second_module(text, first, second);
}

/* For dl_iterate_phdr(3). memcpy(3) since the caller's word need not have the member's type. */
static int note_unloaded(struct dl_phdr_info *info, size_t size, void *ret_count)
{
    (void)size;
    memcpy(ret_count, &info->dlpi_subs, sizeof(info->dlpi_subs));
    return 1; /* the count is the same for every module */
}

/* Sites are kept under both addresses and the count of unloaded modules (memory.h), so that
 * dladdr(3) is asked once for each two places. Those of a refusal of the gate have other members,
 * and so another key. 0 is no switch: no module is there. */
static struct piece_key sites_key(const struct audit_event *event, bool stray)
{
    const void *last = event->last_switch != NULL ? event->last_switch->site : NULL;
    unsigned long long unloaded = 0;

    (void)dl_iterate_phdr(note_unloaded, &unloaded);
    return (struct piece_key){
        .first = {{(uint64_t)(uintptr_t)event->call_site, (uint64_t)(uintptr_t)last}},
        .second = {{unloaded, stray}}};
}

static void recall_sites(struct text *text, const struct audit_event *event, bool stray,
                         struct audit_memory *memory)
{
    const size_t start = text->length;
    const struct piece_key key = sites_key(event, stray);

    if (pieces_recall(&memory->sites, &key, text)) {
        return;
    }
    make_sites(text, event, stray);
    /* A failed append is not kept: it would be a piece of a record. */
    if (!text->failed && text->length > start) {
        pieces_keep(&memory->sites, &key, text->data + start, text->length - start);
    }
}

/* From where the call came, and where the thread got the identity that it has now: the usual cause
 * of a mismatch. The object of the switch is there, and open, when something was written that does
 * not end as the other object does. */
static void write_sites(struct text *text, const struct audit_event *event,
                        struct audit_memory *memory)
{
    const bool stray = event->action == AUDIT_ACTION_GATE && event->denied;
    const size_t start = text->length;

    if (event->call_site == NULL && event->last_switch == NULL) {
        return;
    }
    if (memory != NULL) {
        recall_sites(text, event, stray, memory);
    } else {
        make_sites(text, event, stray);
    }
    if (!text->failed && text->length > start && text->data[text->length - 1] != '}') {
        text->comma = text->data[text->length - 1] != '{';
        write_time(text, RECORD_LAST_SWITCH_TIME, event->last_switch->time);
        close_object(text);
    }
}

/* An invalid identity is left out; of the current one that is null beside a bound one, where
 * nothing means that it is the same. */
static void make_cred(struct text *text, const struct audit_event *event)
{
    bool bound = identity_valid(event->bound), current = identity_valid(event->current);

    open_object(text, RECORD_CRED_OBJECT);
    if (bound) {
        open_object(text, RECORD_CRED_BOUND);
        record_identity_write(text, event->bound, true);
        close_object(text);
    }
    if (bound && !current) {
        write_key(text, RECORD_CRED_CURRENT);
        text_json_raw(text, NULL, "null");
    } else if (bound && record_identity_is_other(event->bound, event->current)) {
        open_object(text, RECORD_CRED_DIFFERS);
        record_identity_differs(text, event->bound, event->current);
        close_object(text);
    } else if (!bound && current) {
        open_object(text, RECORD_CRED_CURRENT);
        record_identity_write(text, event->current, false);
        close_object(text);
    }
    close_object(text);
}

/* Both identities in every component. The digests cover all of them, so that a kept piece is used
 * only for two that are the same in each. */
static void write_cred(struct text *text, const struct audit_event *event,
                       struct audit_memory *memory)
{
    size_t start = text->length;
    struct piece_key key;

    if (memory != NULL && memory_recall(memory, event->bound, event->current, text, &key)) {
        return;
    }
    make_cred(text, event);
    if (memory != NULL && !text->failed) {
        pieces_keep(&memory->identities, &key, text->data + start, text->length - start);
    }
}

/* ---- the log about itself -------------------------------------------------------------------- */

/* cause is the one with the most losses, for a quick look; causes has all of them. The first of two
 * equal ones is taken, so that the same losses give the same record. */
static void write_lost(struct text *text, const struct audit_lost *lost)
{
    enum audit_loss worst = 0;

    open_object(text, RECORD_LOST_OBJECT);
    write_fitting(text, RECORD_LOST_SINK, lost->sink);
    write_number(text, RECORD_LOST_COUNT, lost->count);
    for (enum audit_loss i = 0; i < AUDIT_LOSS_COUNT; i++) {
        worst = lost->by_cause[i] > lost->by_cause[worst] ? i : worst;
    }
    write_word(text, RECORD_LOST_CAUSE, audit_losses[worst].name);
    open_object(text, RECORD_LOST_CAUSES);
    for (enum audit_loss i = 0; i < AUDIT_LOSS_COUNT; i++) {
        if (lost->by_cause[i] > 0) {
            text_json_unsigned(text, audit_losses[i].name, lost->by_cause[i]);
        }
    }
    close_object(text);
    write_time(text, RECORD_LOST_FIRST, lost->first);
    write_time(text, RECORD_LOST_LAST, lost->last);
    if (lost->first_sequence != 0) {
        write_number(text, RECORD_LOST_FIRST_SEQUENCE, lost->first_sequence);
        write_number(text, RECORD_LOST_LAST_SEQUENCE, lost->last_sequence);
    }
    write_number(text, RECORD_LOST_TOTAL, lost->total);
    close_object(text);
}

/* removed_files and removed_through are written also when they are 0: by them a verifier knows
 * which missing files are no loss. */
static void write_rotated(struct text *text, const struct audit_rotated *rotated)
{
    open_object(text, RECORD_ROTATED_OBJECT);
    write_text(text, RECORD_PREVIOUS_FILE, rotated->previous, AUDIT_MAX_NAME);
    write_number(text, RECORD_REMOVED_FILES, rotated->removed_files);
    write_number(text, RECORD_REMOVED_THROUGH, rotated->removed_through);
    if (rotated->beyond > 0) {
        write_number(text, RECORD_ROTATED_BEYOND, rotated->beyond);
    }
    if (rotated->stray_files > 0) {
        write_number(text, RECORD_STRAY_FILES, rotated->stray_files);
        write_text(text, RECORD_STRAY, rotated->stray, AUDIT_MAX_NAME);
    }
    close_object(text);
}

/* Step by name, bytes and percent as they were when the step was taken. */
static void write_space(struct text *text, const struct audit_space *space)
{
    open_object(text, RECORD_SPACE_OBJECT);
    write_fitting(text, RECORD_SPACE_STEP, space->step);
    write_number(text, RECORD_SPACE_AVAILABLE, space->available);
    write_number(text, RECORD_SPACE_USED, space->used_percent);
    close_object(text);
}

/* The first two are words of state_aside.c, the last is a name in the folder of the log. */
static void write_set_aside(struct text *text, const struct audit_set_aside *aside)
{
    open_object(text, RECORD_STATE_OBJECT);
    write_fitting(text, RECORD_STATE_FOUND, aside->found);
    write_fitting(text, RECORD_STATE_KEY, aside->key);
    write_text(text, RECORD_STATE_FILE, aside->file, AUDIT_MAX_NAME);
    close_object(text);
}

/* For a reader to compare with the records of the process that are there. */
static void write_tally(struct text *text, const struct audit_tally *tally)
{
    open_object(text, RECORD_TALLY_OBJECT);
    write_number(text, RECORD_TALLY_WRITTEN, tally->written);
    write_number(text, RECORD_TALLY_LOST, tally->lost);
    close_object(text);
}

/* An empty list is written, other than NULL: there was an instance, and no key of it that found
 * room. */
static void write_keys(struct text *text, const struct audit_keys *keys)
{
    if (keys == NULL) {
        return;
    }
    open_list(text, RECORD_KEYS);
    for (size_t at = 0; at < keys->length; at += strlen(keys->items + at) + 1) {
        text_json_string(text, NULL, keys->items + at);
    }
    close_list(text);
    if (keys->omitted > 0) {
        write_number(text, RECORD_KEYS_OMITTED, keys->omitted);
    }
}

/* detail holds the files or the errors, and so may be long. audit-start has the hash alone. */
static void write_policy(struct text *text, const struct audit_event *event)
{
    open_object(text, RECORD_POLICY_OBJECT);
    write_text(text, RECORD_POLICY_DETAIL, event->policy_detail, AUDIT_MAX_DETAIL);
    write_text(text, RECORD_POLICY_HASH, event->policy_hash, AUDIT_MAX_NAME);
    write_text(text, RECORD_POLICY_PATH, event->policy_path, AUDIT_MAX_TEXT);
    close_object(text);
}

/* What records of the library about itself have to say. */
static void write_own(struct text *text, const struct audit_event *event)
{
    if (event->policy_detail != NULL || event->policy_hash != NULL) {
        write_policy(text, event);
    }
    if (event->lost != NULL) {
        write_lost(text, event->lost);
    }
    if (event->rotated != NULL) {
        write_rotated(text, event->rotated);
    }
    if (event->space != NULL) {
        write_space(text, event->space);
    }
    if (event->tally != NULL) {
        write_tally(text, event->tally);
    }
    if (event->set_aside != NULL) {
        write_set_aside(text, event->set_aside);
    }
}

/* An own action is recorded by its name, as policies have it. */
static void write_operation(struct text *text, const struct audit_event *event)
{
    bool named = event->action_name != NULL && event->action_name[0] != '\0';

    write_text(text, RECORD_OPERATION,
               named ? event->action_name : operation_name(event->operation), AUDIT_MAX_NAME);
}

static void write_peer(struct text *text, const struct audit_event *event)
{
    if (event->peer_pid == 0 && event->peer_label == NULL) {
        return;
    }
    open_object(text, RECORD_PEER_OBJECT);
    if (event->peer_pid != 0) {
        write_number(text, RECORD_PEER_PID, (uint64_t)event->peer_pid);
    }
    write_text(text, RECORD_PEER_LABEL, event->peer_label, AUDIT_MAX_TEXT);
    close_object(text);
}

/* The members of miguard up to the place in the log, which is known later. Only actions from
 * SESSION_OPEN on and before SWITCH come from an operation of the API. */
static void write_miguard(struct text *text, const struct audit_event *event,
                          const struct audit_stamp *stamp, const struct identity_thread *thread)
{
    open_object(text, RECORD_MIGUARD_OBJECT);
    write_number(text, RECORD_FORMAT, RECORD_FORMAT_WRITTEN);
    if (event->action >= AUDIT_ACTION_SESSION_OPEN && event->action < AUDIT_ACTION_SWITCH) {
        write_operation(text, event);
    }
    write_kept(text, event, RECORD_PROVIDER, event->provider, AUDIT_MAX_NAME);
    write_kept(text, event, RECORD_NAMESPACE, event->name_space, AUDIT_MAX_NAME);
    write_kept(text, event, RECORD_CLASS, event->class_name, AUDIT_MAX_CIM);
    write_kept(text, event, RECORD_METHOD, event->method, AUDIT_MAX_CIM);
    write_keys(text, event->keys);
    write_text(text, RECORD_RESOURCE, event->resource, AUDIT_MAX_TEXT);
    write_text(text, RECORD_OBJECT_NAME, event->object, AUDIT_MAX_NAME);
    if (event->would_deny) {
        write_key(text, RECORD_WOULD_DENY);
        text_json_boolean(text, NULL, true);
    }
    write_id(text, RECORD_CONTEXT, event->context_id);
    write_id(text, RECORD_SESSION, event->session_id);
    write_id(text, RECORD_OPERATION_ID, event->operation_id);
    write_components(text, RECORD_MISMATCH, event->mismatch);
    write_components(text, RECORD_UNREADABLE, event->unreadable);
    write_cred(text, event, stamp->memory);
    if (stamp->process->loginuid != UINT32_MAX) {
        write_number(text, RECORD_LOGINUID, stamp->process->loginuid);
    }
    if (thread->session_keyring != 0) {
        write_number(text, RECORD_SESSION_KEYRING, (uint64_t)thread->session_keyring);
    }
    write_sites(text, event, stamp->memory);
    write_text(text, RECORD_ATTEMPT, event->attempt, AUDIT_MAX_TEXT);
    write_peer(text, event);
    write_own(text, event);
    if (event->varied) { /* the last, so that repeat.c can add samples behind it */
        write_key(text, RECORD_VARIED);
        text_json_boolean(text, NULL, true);
    }
    /* not closed: the tail goes on here */
}

/* The thread that writes is named, unless the event is about another one: then its number is all
 * that is known of it. */
void audit_encode_body(struct text *text, const struct audit_event *event,
                       const struct audit_stamp *stamp)
{
    struct identity_thread thread;

    identity_read_thread(&thread);
    if (event->tid != 0 && event->tid != thread.tid) {
        thread = (struct identity_thread){.tid = event->tid};
    }
    text_json_open(text, NULL, '{');
    write_time(text, RECORD_TIMESTAMP, stamp->now != 0 ? stamp->now : audit_now());
    write_process(text, event, stamp, &thread);
    if (identity_valid(event->bound)) {
        write_user(text, stamp->names, event->bound);
    }
    if (event->rule != NULL) {
        open_object(text, RECORD_RULE_OBJECT);
        write_text(text, RECORD_RULE, event->rule, AUDIT_MAX_TEXT);
        write_text(text, RECORD_RULE_SOURCE, event->rule_source, AUDIT_MAX_TEXT);
        write_text(text, RECORD_RULE_REASON, event->rule_reason, AUDIT_MAX_TEXT);
        close_object(text);
    }
    write_miguard(text, event, stamp, &thread);
}

/* Read back by repair.c and family.c in exactly this spelling and order. */
static void write_chain(struct text *text, const struct audit_place *place)
{
    open_object(text, RECORD_CHAIN_OBJECT);
    write_id(text, RECORD_CHAIN, place->chain_id);
    write_number(text, RECORD_CHAIN_EPOCH, place->epoch);
    write_word(text, RECORD_CHAIN_PREVIOUS, place->previous);
    close_object(text);
}

/* The last object of a record: what depends on its place and, behind it, the hash of all that
 * stands before. */
static void write_event(struct text *text, const struct audit_event *event, const char *id,
                        const struct audit_place *place)
{
    open_object(text, RECORD_EVENT_OBJECT);
    write_word(text, RECORD_EVENT_ID, id);
    if (place->sequence != 0) {
        write_number(text, RECORD_SEQUENCE, place->sequence);
    }
    write_word(text, RECORD_ACTION, audit_actions[event->action].name);
    write_word(text, RECORD_OUTCOME, event->denied ? "failure" : "success");
    write_word(text, RECORD_REASON, audit_reasons[event->reason].name);
    if (place->repeats > 1) {
        write_time(text, RECORD_START, place->first);
        write_time(text, RECORD_END, place->last);
    }
}

void audit_encode_tail(struct text *text, const struct audit_event *event, const char *id,
                       const struct audit_place *place)
{
    text->comma = true; /* the body stands before */
    if (place->repeats > 1) {
        open_object(text, RECORD_REPEAT_OBJECT);
        write_number(text, RECORD_REPEATS, place->repeats);
        close_object(text);
    }
    if (place->since != 0) {
        open_object(text, RECORD_ORDER_OBJECT);
        write_number(text, RECORD_ORDER_SINCE, place->since);
        write_number(text, RECORD_ORDER_LATE, place->late_ms);
        close_object(text);
    }
    if (place->chain_id != 0) {
        write_chain(text, place);
    }
    close_object(text);
    write_event(text, event, id, place);
    if (place->chain_id != 0) {
        write_key(text, RECORD_HASH);
        text_append_bytes(text, "\"", 1);
    }
}

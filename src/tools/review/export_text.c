/* SPDX-License-Identifier: MIT */
/*
 * Escapes values of records for the text they go into, and reads the JSON inside a record. Every
 * writer of tools/review and the command use it.
 *
 * export_text() is the one escaper. It copies runs that need none, and replaces or spells out the
 * rest by the style. Callers never mix escaping of their own with it. The readers at the end serve
 * JSON that record_parse() has accepted: they need not handle what is malformed, but never run past
 * the slice.
 */
#include "tools/review/export_text.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "tools/review/later.h"

/* U+FFFD in UTF-8. */
#define REPLACEMENT "\xEF\xBF\xBD"

/* ---- escaping --------------------------------------------------------------------------------*/

/*
 * A record may hold any bytes that a provider chose. In each place that they go to some of them
 * would act: move a cursor, open a tag, end a quote, begin another field.
 */

/* The next code point; 0xFFFD and one byte where it is no UTF-8 (RFC 3629). */
static uint32_t next_point(const char *bytes, size_t left, size_t *ret_length)
{
    /* The least code point of each length: a longer spelling of a smaller one is invalid (RFC
     * 3629), or a filter could be passed by. */
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *at = (const unsigned char *)bytes;
    size_t length = at[0] < 0x80             ? 1
                    : (at[0] & 0xE0) == 0xC0 ? 2
                    : (at[0] & 0xF0) == 0xE0 ? 3
                    : (at[0] & 0xF8) == 0xF0 ? 4
                                             : 0;

    *ret_length = 1;
    if (length == 1) {
        return at[0];
    }
    if (length == 0 || length > left) {
        return 0xFFFD;
    }
    uint32_t point = at[0] & (0x7FU >> length);
    for (size_t i = 1; i < length; i++) {
        if ((at[i] & 0xC0) != 0x80) {
            return 0xFFFD;
        }
        point = point << 6 | (at[i] & 0x3FU);
    }
    if (point < least[length] || point > 0x10FFFF || (point >= 0xD800 && point <= 0xDFFF)) {
        return 0xFFFD;
    }
    *ret_length = length;
    return point;
}

/* The code point as an escape that its place understands; in CEF and RFC 5424 the backslash itself
 * must be escaped once more. */
static void append_hidden(struct text *text, enum export_style style, uint32_t point)
{
    switch (style) {
    case EXPORT_YAML:
    case EXPORT_GLOB:
        text_format(text, "\\U%08X", point);
        break;
    case EXPORT_CEF:
        if (point == '\n' || point == '\r') {
            text_append(text, point == '\n' ? "\\n" : "\\r");
            break;
        }
        text_format(text, "\\\\x%04X", point);
        break;
    case EXPORT_CEF_HEADER:
    case EXPORT_SYSLOG:
        text_format(text, "\\\\x%04X", point);
        break;
    default:
        text_format(text, "\\x%04X", point);
        break;
    }
}

/* What an ASCII character becomes, or NULL when it stays. A glob is inside YAML's double quotes, so
 * its own backslash stands there as two. */
static const char *replaced(enum export_style style, uint32_t point)
{
    static const struct {
        enum export_style style;
        char character;
        const char *text;
    } rows[] = {
        {EXPORT_HTML, '&', "&amp;"},       {EXPORT_HTML, '<', "&lt;"},
        {EXPORT_HTML, '>', "&gt;"},        {EXPORT_HTML, '"', "&quot;"},
        {EXPORT_HTML, '\'', "&#39;"},      {EXPORT_YAML, '"', "\\\""},
        {EXPORT_YAML, '\\', "\\\\"},       {EXPORT_GLOB, '"', "\\\""},
        {EXPORT_GLOB, '\\', "\\\\\\\\"},   {EXPORT_GLOB, '*', "\\\\*"},
        {EXPORT_GLOB, '?', "\\\\?"},       {EXPORT_CEF_HEADER, '|', "\\|"},
        {EXPORT_CEF_HEADER, '\\', "\\\\"}, {EXPORT_CEF, '=', "\\="},
        {EXPORT_CEF, '\\', "\\\\"},        {EXPORT_SYSLOG, '"', "\\\""},
        {EXPORT_SYSLOG, '\\', "\\\\"},     {EXPORT_SYSLOG, ']', "\\]"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].style == style && (uint32_t)rows[i].character == point) {
            return rows[i].text;
        }
    }
    return NULL;
}

/* The ASCII characters that are no letter or digit and have a row in some style, or are hidden: the
 * others need no look at their style. */
static bool is_special(unsigned char c)
{
    static const bool special[0x80] = {
        ['&'] = true, ['<'] = true, ['>'] = true, ['"'] = true, ['\''] = true, ['\\'] = true,
        ['*'] = true, ['?'] = true, ['|'] = true, ['='] = true, [']'] = true};

    return c < ' ' || c >= 0x7F || special[c];
}

/* Hidden is what could move a cursor, turn the direction of writing or stand unseen
 * (text_is_hidden() in base/text.h). */
void export_text(struct text *text, enum export_style style, const char *bytes, size_t length)
{
    /* Bytes from start on need no escape so far. */
    size_t step, start = 0;

    if (style == EXPORT_PLAIN) {
        text_append_bytes(text, bytes, length);
        return;
    }
    for (size_t at = 0; at < length; at += step) {
        if (!is_special((unsigned char)bytes[at])) {
            step = 1;
            continue;
        }
        uint32_t point = next_point(bytes + at, length - at, &step);
        const char *other = point < 0x80 ? replaced(style, point) : NULL;
        bool hidden = text_is_hidden(point);
        if (other == NULL && !hidden && point != 0xFFFD) {
            continue;
        }
        text_append_bytes(text, bytes + start, at - start);
        start = at + step;
        if (hidden) {
            append_hidden(text, style, point);
        } else {
            text_append(text, other != NULL ? other : REPLACEMENT);
        }
    }
    text_append_bytes(text, bytes + start, length - start);
}

/* A text of this program, or one that came by another way than a record. */
void export_string(struct text *text, enum export_style style, const char *string)
{
    export_text(text, style, string, strlen(string));
}

/* Undoes the escapes of JSON before it escapes for the other text. Most values fit on the stack. */
void export_slice(struct text *text, enum export_style style, const struct slice *slice)
{
    char small[512];

    if (slice->at == NULL) {
        return;
    }
    size_t length = slice_text(slice, small, sizeof(small));
    if (length < sizeof(small)) {
        export_text(text, style, small, length);
        return;
    }
    char *large = base_alloc(length + 1, 1);
    if (large == NULL) {
        text->failed = true;
        return;
    }
    slice_text(slice, large, length + 1);
    export_text(text, style, large, length);
    base_free(large);
}

/* By the field's number: export_slice() of it. */
void export_field(struct text *text, enum export_style style, const struct record *record,
                  enum record_field field)
{
    export_slice(text, style, &record->field[field]);
}

/* ---- fields ----------------------------------------------------------------------------------*/

/* An empty string counts as absent: no field has a meaning for it. More bytes than its two quotes
 * are not empty, an escape included. */
bool export_has(const struct record *record, enum record_field field)
{
    const struct slice *slice = &record->field[field];

    return slice->length > 2 || (slice->at != NULL && !record_is(record, field, ""));
}

/* The name as the record has it is certain for that moment; one that was looked up now is
 * marked. */
void export_person(struct text *text, enum export_style style, const struct record *record,
                   enum record_field id, enum record_field name)
{
    char later[DIRECTORY_NAME];

    if (!export_has(record, id)) {
        text_append(text, "an unknown user");
    } else if (export_has(record, name)) {
        export_field(text, style, record, name);
        text_append(text, " (");
        export_field(text, style, record, id);
        text_append(text, ")");
    } else if (later_name(record, id, later)) {
        export_string(text, style, later);
        text_append(text, " (");
        export_field(text, style, record, id);
        text_append(text, style == EXPORT_PLAIN ? ")" : ", looked up now)");
    } else {
        text_append(text, "uid ");
        export_field(text, style, record, id);
    }
}

/* Escapes of the record stay, and a hidden character that stands raw in it becomes one
 * (text_json_shown()). */
void export_json(struct text *text, const char *name, const struct record *record,
                 enum record_field field)
{
    const struct slice *slice = &record->field[field];

    if (slice->at != NULL) {
        text_json_raw(text, name, "");
        text_json_shown(text, slice->at, slice->length);
    }
}

/* In the local time of the reader, since a person compares it with a clock; export_utc() is for
 * programs. */
void export_time(struct text *text, int64_t nanoseconds, bool exact)
{
    time_t seconds = (time_t)(nanoseconds / 1000000000);
    struct tm local = {0};
    char stamp[64];

    localtime_r(&seconds, &local);
    strftime(stamp, sizeof(stamp), "%Y-%m-%d %H:%M:%S", &local);
    text_append(text, stamp);
    if (exact) {
        strftime(stamp, sizeof(stamp), "%Z", &local);
        text_format(text, ".%06d ", (int)(nanoseconds % 1000000000 / 1000));
        export_string(text, EXPORT_TERMINAL, stamp);
    }
}

/* Microseconds, as records have them. */
void export_utc(struct text *text, int64_t nanoseconds)
{
    time_t seconds = (time_t)(nanoseconds / 1000000000);
    struct tm utc = {0};
    char stamp[64];

    gmtime_r(&seconds, &utc);
    strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &utc);
    text_format(text, "%s.%06dZ", stamp, (int)(nanoseconds % 1000000000 / 1000));
}

/* A record without a count, or with 0, is one event. */
uint64_t export_repeats(const struct record *record)
{
    uint64_t count;

    return record_number(record, RECORD_REPEATS, &count) && count > 0 ? count : 1;
}

/* ---- closed lists ----------------------------------------------------------------------------*/

static const struct {
    const char *name, *text;
    /* Indexed by enum audit_action, from the same list as the writer's. */
} actions[] = {
#define ACTION_ROW(NAME, name, allowed, refused, text) [AUDIT_ACTION_##NAME] = {name, text},
    AUDIT_ACTION_MAP(ACTION_ROW)
#undef ACTION_ROW
};

/* By its first letter, before record_is() is asked: several of some 30 words are, of each record.
 */
static bool may_be(const struct slice *slice, const char *word)
{
    return slice->at != NULL && slice->length > 2 &&
           (slice->at[0] != '"' || slice->at[1] == word[0] || slice->at[1] == '\\');
}

/* By the closed list of the version that reads. */
bool export_action(const struct record *record, enum audit_action *ret_action)
{
    const struct slice *action_at = &record->field[RECORD_ACTION];

    for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
        if (may_be(action_at, actions[i].name) &&
            record_is(record, RECORD_ACTION, actions[i].name)) {
            *ret_action = (enum audit_action)i;
            return true;
        }
    }
    return false;
}

/* Never NULL. */
const char *export_action_text(const struct record *record)
{
    enum audit_action action;

    return export_action(record, &action) ? actions[action].text
                                          : "this version does not know what happened";
}

/* As export_action(), for event.reason. */
bool export_reason(const struct record *record, enum audit_reason *ret_reason)
{
    const struct slice *reason_at = &record->field[RECORD_REASON];

    for (enum audit_reason i = 0; i < AUDIT_REASON_COUNT; i++) {
        if (may_be(reason_at, audit_reasons[i].name) &&
            record_is(record, RECORD_REASON, audit_reasons[i].name)) {
            *ret_reason = i;
            return true;
        }
    }
    return false;
}

/* Actions are in the order of the list in model/event.h: those about the log and the policy come
 * first, and one that was added later is last. */
bool export_action_decides(enum audit_action action)
{
    return action >= AUDIT_ACTION_SESSION_OPEN && action != AUDIT_ACTION_STATE_SET_ASIDE;
}

/* A later version's action is a decision when it names an operation. */
bool export_is_decision(const struct record *record)
{
    enum audit_action action;

    return export_action(record, &action) ? export_action_decides(action)
                                          : export_has(record, RECORD_OPERATION);
}

/* A record of permissive mode counts: the call would have been refused. */
bool export_is_refusal(const struct record *record)
{
    return export_is_decision(record) && (record_is(record, RECORD_DECISION, "deny") ||
                                          record_is(record, RECORD_WOULD_DENY, "true"));
}

/* ---- JSON that is known to be sound ----------------------------------------------------------*/

/* White space of RFC 8259, section 2. */
static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* What stands between two values. A colon counts, so that members and elements are stepped through
 * alike. */
static size_t skip_between(const struct slice *slice, size_t at)
{
    while (at < slice->length &&
           (is_blank(slice->at[at]) || slice->at[at] == ',' || slice->at[at] == ':')) {
        at++;
    }
    return at;
}

/* Behind the closing quote; at is that of the opening one. A backslash takes the next byte with
 * it. */
static size_t end_of_string(const struct slice *slice, size_t at)
{
    for (at++; at < slice->length && slice->at[at] != '"'; at++) {
        at += slice->at[at] == '\\';
    }
    return at < slice->length ? at + 1 : slice->length;
}

/* Behind the value at `at`, whatever it is: brackets are counted, those inside of strings are
 * not. */
static size_t end_of_value(const struct slice *slice, size_t at)
{
    size_t depth = 0;

    while (at < slice->length) {
        char c = slice->at[at];
        if (depth == 0 && (c == ',' || c == ']' || c == '}' || is_blank(c))) {
            break;
        }
        if (c == '"') {
            at = end_of_string(slice, at);
        } else {
            depth += c == '{' || c == '[';
            depth -= c == '}' || c == ']';
            at++;
        }
        if (depth == 0 && (c == '"' || c == '}' || c == ']')) {
            break;
        }
    }
    return at;
}

/* For an object it gives names and values in turn, which export_member() uses. */
bool export_element(const struct slice *array, size_t *at, struct slice *ret_value)
{
    if (array->at == NULL || (array->at[0] != '[' && array->at[0] != '{')) {
        return false;
    }
    size_t start = skip_between(array, *at == 0 ? 1 : *at);
    if (start >= array->length || array->at[start] == ']' || array->at[start] == '}') {
        return false;
    }
    *at = end_of_value(array, start);
    *ret_value = (struct slice){array->at + start, *at - start};
    return true;
}

/* A member is two elements of the object in turn, its name and its value. */
bool export_member(const struct slice *object, size_t *at, struct slice *ret_name,
                   struct slice *ret_value)
{
    if (object->at == NULL || object->at[0] != '{') {
        return false;
    }
    return export_element(object, at, ret_name) && export_element(object, at, ret_value);
}

/* The first of that name. Objects that are asked have few members. */
struct slice export_find(const struct slice *object, const char *name)
{
    struct slice key, value;

    for (size_t at = 0; export_member(object, &at, &key, &value);) {
        if (slice_is(&key, name)) {
            return value;
        }
    }
    return (struct slice){NULL, 0};
}

/* Written from its end; text has room for 20 digits and 6 commas. */
const char *export_number(uint64_t number, char text[EXPORT_NUMBER])
{
    char *at = text + EXPORT_NUMBER - 1;
    int digits = 0;

    *at = '\0';
    do {
        if (digits > 0 && digits % 3 == 0) {
            *--at = ',';
        }
        *--at = (char)('0' + number % 10);
        number /= 10;
        digits++;
    } while (number > 0);
    return at;
}

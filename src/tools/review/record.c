/* SPDX-License-Identifier: MIT */
/*
 * Parses one line into a record: strict JSON in one pass, fields found without copies. It is what
 * the speed of searches depends on; jansson takes 18 times as long.
 *
 * record_parse() runs scan_line(), which descends by scan_object(), scan_member() and scan_value().
 * A member that find_member() knows leaves its bytes in record->field[]; nothing is copied and no
 * memory is taken. Escapes are only checked on the way in. They are undone later by slice_text(),
 * for the few fields that a caller asks for.
 */
#include "tools/review/record.h"
#include "tools/review/record_complete.h"
#include "tools/review/record_like.h"

#include <string.h>

#include "base/civil.h"
#include "base/hex.h"
#include "base/utf8.h"

/* MAX_DEPTH is more than any record needs and leaves room for later versions. MAX_NAME is longer
 * than every name in the list, so a longer one is not known. */
enum { MAX_DEPTH = 16, MAX_NAME = 24 };

/* ---- the members that are known ---------------------------------------------------------------
 */

/*
 * The list of model/record_fields.h as one array, each object before its members. `next` is the
 * number behind a member and all that is in it, so that the members of an object are those from
 * behind it to its `next`, each step being a `next` as well. They stand in the order in which
 * records are written, so that the next one is nearly always the one that is looked for.
 */
struct member {
    const char *name;
    uint8_t length, next;
};

/* The numbers of the fields again, and BEHIND_NAME_OBJECT behind the last member of an object. */
enum {
#define FIELD_NUMBER(NAME, path, name, TYPE) NUMBER_OF_##NAME,
#define OBJECT_NUMBER(NAME, path, name)      NUMBER_OF_##NAME##_OBJECT,
#define CLOSE_NUMBER(NAME)                                                                         \
    BEHIND_##NAME##_OBJECT, LAST_OF_##NAME##_OBJECT = BEHIND_##NAME##_OBJECT - 1,
    RECORD_FIELD_MAP(FIELD_NUMBER, OBJECT_NUMBER, CLOSE_NUMBER)
#undef FIELD_NUMBER
#undef OBJECT_NUMBER
#undef CLOSE_NUMBER
};

/* Indexed by enum record_field. The cursor of scan_object() walks it by `next`, so that an object's
 * members are found without a search in the usual order. */
static const struct member members[RECORD_FIELD_COUNT] = {
#define FIELD_MEMBER(NAME, path, name, TYPE)                                                       \
    [RECORD_##NAME] = {name, sizeof(name) - 1, RECORD_##NAME + 1},
#define OBJECT_MEMBER(NAME, path, name)                                                            \
    [RECORD_##NAME##_OBJECT] = {name, sizeof(name) - 1, BEHIND_##NAME##_OBJECT},
#define CLOSE_MEMBER(NAME)
    RECORD_FIELD_MAP(FIELD_MEMBER, OBJECT_MEMBER, CLOSE_MEMBER)
#undef FIELD_MEMBER
#undef OBJECT_MEMBER
#undef CLOSE_MEMBER
};

/* Members of one object; none for a value that is not in the list. */
struct level {
    uint32_t first, behind;
};
/* no_level: every name is unknown and only checked. root: the record itself. */
static const struct level no_level = {0, 0}, root = {0, RECORD_FIELD_COUNT};

/* 64 fields a word; the assertion below fails when a new field needs another one. */
enum { MET_WORDS = 3 };
_Static_assert(RECORD_FIELD_COUNT <= MET_WORDS * 64 && RECORD_FIELD_COUNT <= UINT8_MAX,
               "one bit for each field says whether it was met; the numbers are bytes");

/* ---- strings ----------------------------------------------------------------------------------
 */

/*
 * Strings are most of a line. record_skip_plain() passes over what needs no attention eight bytes
 * at a time; the rest is checked byte by byte.
 */

/* One line on its way through. For record_item() it is made anew over a part of a line. */
struct parser {
    /* Goes forward only: the whole line is read once. */
    const char *at, *end;
    struct record *record;
    /* A constant text in plain English; NULL while nothing is wrong. */
    const char *fault;
    /* Open brackets. MAX_DEPTH bounds the recursion, and so the stack that a line can use. */
    unsigned depth;
    struct record_leaves *leaves; /* NULL: not asked for, or inside of one */
    uint64_t met[MET_WORDS];      /* one bit for each field that the line had so far */
};

/* Where it is wrong is where the parser stands. Always false, so that a scanner can return it. */
static bool fault(struct parser *parser, const char *text)
{
    parser->fault = text;
    return false;
}

/* The four digits of a \u escape, as one UTF-16 unit. False when there are fewer. */
static bool hex_digits(const char *at, const char *end, uint32_t *ret_value)
{
    uint32_t value = 0;

    if (end - at < 4) {
        return false;
    }
    for (int i = 0; i < 4; i++) {
        int digit = hex_digit(at[i]);
        if (digit < 0) {
            return false;
        }
        value = value << 4 | (uint32_t)digit;
    }
    *ret_value = value;
    return true;
}

/* at is behind \u. The digits of one code point: 4, or 10 with the second half of a pair; 0 when
 * they name none. */
static size_t escaped_point(const char *at, const char *end, uint32_t *ret_point)
{
    uint32_t high = 0, low = 0;

    if (!hex_digits(at, end, &high) || (high >= 0xDC00 && high <= 0xDFFF)) {
        return 0;
    }
    if (high < 0xD800 || high > 0xDBFF) {
        *ret_point = high;
        return 4;
    }
    if (end - at < 10 || at[4] != '\\' || at[5] != 'u' || !hex_digits(at + 6, end, &low) ||
        low < 0xDC00 || low > 0xDFFF) {
        return 0;
    }
    *ret_point = 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
    return 10;
}

/* At a backslash. RFC 8259, section 7 lists the letters; NUL is refused as well, because a text
 * with it would look shorter to a reader in C than to one that counts bytes. */
static bool check_escape(struct parser *parser)
{
    uint32_t point = 0;
    char letter = parser->end - parser->at > 1 ? parser->at[1] : '\0';

    if (letter != 'u') {
        if (letter == '\0' || strchr("\"\\/bfnrt", letter) == NULL) {
            return fault(parser, "an escape that JSON does not know");
        }
        parser->at += 2;
        return true;
    }
    size_t length = escaped_point(parser->at + 2, parser->end, &point);
    if (length == 0) {
        return fault(parser, "a \\u escape that names no character");
    }
    if (point == 0) { /* readers in C would end the text there */
        return fault(parser, "a string holds NUL");
    }
    parser->at += 2 + length;
    return true;
}

/* From behind the opening quote to behind the closing one. *ret_escaped becomes true when there was
 * a backslash and stays as it was otherwise. What RFC 8259 forbids inside of strings ends the
 * record: control characters, and bytes that are not UTF-8. */
static bool scan_string(struct parser *parser, bool *ret_escaped)
{
    for (;;) {
        parser->at = record_skip_plain(parser->at, parser->end);
        if (parser->at == parser->end) {
            return fault(parser, "a string is not closed");
        }
        unsigned char c = (unsigned char)*parser->at;
        if (c == '"') {
            parser->at++;
            return true;
        }
        if (c == '\\') {
            *ret_escaped = true;
            if (!check_escape(parser)) {
                return false;
            }
        } else if (c < 0x20) {
            return fault(parser, "a control character in a string");
        } else if (c < 0x80) { /* DEL */
            parser->at++;
        } else {
            uint32_t code;
            size_t length = utf8_next(parser->at, (size_t)(parser->end - parser->at), &code);
            if (length == 0) {
                return fault(parser, "bytes that are not UTF-8");
            }
            parser->at += length;
        }
    }
}

/* ---- values -----------------------------------------------------------------------------------
 */

/*
 * A grammar of RFC 8259 by recursive descent. Every scanner leaves the parser behind what it took,
 * or at the place that is wrong and false.
 */

/* The four characters that RFC 8259, section 2 calls white space. */
static inline void skip_blanks(struct parser *parser)
{
    while (parser->at < parser->end && (*parser->at == ' ' || *parser->at == '\t' ||
                                        *parser->at == '\r' || *parser->at == '\n')) {
        parser->at++;
    }
}

/* The byte at hand, NUL at the end of the line: no value begins with NUL, so the end needs no test
 * of its own. */
static inline char next(const struct parser *parser)
{
    return parser->at < parser->end ? *parser->at : '\0';
}

/* Without isdigit(3): that depends on the locale and is undefined for a negative char. */
static inline bool digit(char c)
{
    return c >= '0' && c <= '9';
}

/* One digit or more, as each part of a number needs. */
static bool scan_digits(struct parser *parser)
{
    if (!digit(next(parser))) {
        return fault(parser, "a malformed number");
    }
    while (digit(next(parser))) {
        parser->at++;
    }
    return true;
}

/* The grammar of RFC 8259, section 6. The value is not computed here: record_number() does it for
 * the fields that are asked for. */
static bool scan_number(struct parser *parser)
{
    if (next(parser) == '-') {
        parser->at++;
    }
    if (next(parser) == '0') {
        parser->at++;
        if (digit(next(parser))) {
            return fault(parser, "a number that begins with 0");
        }
    } else if (!scan_digits(parser)) {
        return false;
    }
    if (next(parser) == '.') {
        parser->at++;
        if (!scan_digits(parser)) {
            return false;
        }
    }
    if (next(parser) == 'e' || next(parser) == 'E') {
        parser->at++;
        if (next(parser) == '+' || next(parser) == '-') {
            parser->at++;
        }
        return scan_digits(parser);
    }
    return true;
}

/* What is left when no other value begins here: true, false or null, else the value is missing. */
static bool scan_word(struct parser *parser)
{
    static const char *const words[] = {"true", "false", "null"};
    size_t left = (size_t)(parser->end - parser->at);

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        size_t length = strlen(words[i]);
        if (left >= length && memcmp(parser->at, words[i], length) == 0) {
            parser->at += length;
            return true;
        }
    }
    return fault(parser, left == 0 ? "the record is cut off" : "here should be a value");
}

/* Values contain values: the three call each other, MAX_DEPTH deep at the most. */
static bool scan_object(struct parser *parser, struct level level);
static bool scan_array(struct parser *parser);

/* level: the members that it may have, should it be an object. */
static bool scan_any(struct parser *parser, struct level level)
{
    bool escaped = false;

    switch (next(parser)) {
    case '"':
        parser->at++;
        return scan_string(parser, &escaped);
    case '{':
        return scan_object(parser, level);
    case '[':
        return scan_array(parser);
    case '-':
    case '0' ... '9':
        return scan_number(parser);
    default:
        return scan_word(parser);
    }
}

/* For a line that others will be compared with: notes where the value stands. An array is one
 * value, since others have more or fewer elements. */
static bool scan_leaf(struct parser *parser, struct level level)
{
    struct record_leaves *leaves = parser->leaves;
    const char *start = parser->at;

    parser->leaves = NULL;
    bool good = scan_any(parser, level);
    parser->leaves = leaves;
    if (leaves->count == RECORD_LEAVES) {
        leaves->too_many = true;
    } else {
        leaves->list[leaves->count++] = (struct record_leaf){
            (uint32_t)(start - leaves->line), (uint32_t)(parser->at - leaves->line), parser->depth};
    }
    return good;
}

/* An object is what its members are. */
static bool scan_value(struct parser *parser, struct level level)
{
    return parser->leaves == NULL || next(parser) == '{' ? scan_any(parser, level)
                                                         : scan_leaf(parser, level);
}

/* Behind the opening bracket; true with *ret_empty when the closing one follows at once. The parser
 * stands at the opening bracket. An empty array or object is left at once, so advance() is not
 * called for it. */
static bool enter(struct parser *parser, char close, bool *ret_empty)
{
    if (++parser->depth > MAX_DEPTH) {
        return fault(parser, "nested deeper than 16");
    }
    parser->at++;
    skip_blanks(parser);
    *ret_empty = next(parser) == close;
    parser->at += *ret_empty;
    parser->depth -= *ret_empty;
    return true;
}

/* Behind a value: at the next one, or behind the closing bracket and *ret_end. A comma must be
 * followed by another value: JSON has no trailing comma, and scan_value() refuses the bracket. */
static bool advance(struct parser *parser, char close, bool *ret_end)
{
    skip_blanks(parser);
    char c = next(parser);
    if (c != ',' && c != close) {
        return fault(parser, parser->at == parser->end ? "the record is cut off"
                             : close == '}'            ? "here should be , or }"
                                                       : "here should be , or ]");
    }
    parser->at++;
    *ret_end = c == close;
    parser->depth -= *ret_end;
    if (c == ',') {
        skip_blanks(parser);
    }
    return true;
}

/* Elements are checked only. record_item() reads them again when a caller asks for them. */
static bool scan_array(struct parser *parser)
{
    bool end = false;

    if (!enter(parser, ']', &end)) {
        return false;
    }
    while (!end) {
        if (!scan_value(parser, no_level) || !advance(parser, ']', &end)) {
            return false;
        }
    }
    return true;
}

/* The length first: most names differ in it. */
static bool has_name(uint32_t at, const struct slice *name)
{
    return members[at].length == name->length &&
           memcmp(members[at].name, name->at, name->length) == 0;
}

/* The field of that name, searched from *cursor on and round; *cursor is then behind it.
 * RECORD_FIELD_COUNT when it is not found. Names in the order of the writer cost one comparison
 * each; any other order costs a round through the level. */
static uint32_t find_member(struct level level, const struct slice *name, uint32_t *cursor)
{
    for (uint32_t at = *cursor; at < level.behind; at = members[at].next) {
        if (has_name(at, name)) {
            *cursor = members[at].next;
            return at;
        }
    }
    for (uint32_t at = level.first; at < *cursor; at = members[at].next) {
        if (has_name(at, name)) {
            *cursor = members[at].next;
            return at;
        }
    }
    return RECORD_FIELD_COUNT;
}

/* The name of a member up to its value. *ret_found: RECORD_FIELD_COUNT when it is not known. */
static bool scan_name(struct parser *parser, struct level level, uint32_t *cursor,
                      uint32_t *ret_found)
{
    bool escaped = false;
    char plain[MAX_NAME];
    struct slice name = {parser->at, 0};

    if (next(parser) != '"') {
        return fault(parser, parser->at == parser->end ? "the record is cut off"
                                                       : "here should be the name of a member");
    }
    parser->at++;
    if (!scan_string(parser, &escaped)) {
        return false;
    }
    /* With both quotes, as slice_text() wants it. */
    name.length = (size_t)(parser->at - name.at);
    if (escaped) { /* "\u0070id" is another spelling of "pid", and must not pass as unknown */
        name.length = slice_text(&name, plain, sizeof(plain));
        name.at = plain;
    } else {
        name = (struct slice){name.at + 1, name.length - 2};
    }
    *ret_found =
        name.length >= sizeof(plain) ? RECORD_FIELD_COUNT : find_member(level, &name, cursor);
    skip_blanks(parser);
    if (next(parser) != ':') {
        return fault(parser, "here should be a colon");
    }
    parser->at++;
    skip_blanks(parser);
    return true;
}

/* False: the line had it before. A line with a member twice is refused: RFC 8259 leaves open which
 * of them counts, so two readers could see two different records. */
static bool note_met(struct parser *parser, uint32_t field)
{
    uint64_t bit = UINT64_C(1) << field % 64, before = parser->met[field / 64];

    parser->met[field / 64] |= bit;
    return (before & bit) == 0;
}

/* One name and its value. A member that is not known is checked like any other and passed over, so
 * that a later version's record can be read. On a duplicate the parser goes back to the name, which
 * is the place that is reported. */
static bool scan_member(struct parser *parser, struct level level, uint32_t *cursor)
{
    const char *start = parser->at;
    uint32_t found = RECORD_FIELD_COUNT;

    if (!scan_name(parser, level, cursor, &found)) {
        return false;
    }
    if (found == RECORD_FIELD_COUNT) {
        return scan_value(parser, no_level);
    }
    if (!note_met(parser, found)) {
        parser->at = start;
        return fault(parser, "a member stands there twice");
    }
    start = parser->at;
    if (!scan_value(parser, (struct level){found + 1, members[found].next})) {
        return false;
    }
    parser->record->field[found] = (struct slice){start, (size_t)(parser->at - start)};
    return true;
}

/* The level gives the members that are known inside of this object; no_level knows none. */
static bool scan_object(struct parser *parser, struct level level)
{
    uint32_t cursor = level.first;
    bool end = false;

    if (!enter(parser, '}', &end)) {
        return false;
    }
    while (!end) {
        if (!scan_member(parser, level, &cursor) || !advance(parser, '}', &end)) {
            return false;
        }
    }
    return true;
}

/* A line holds exactly one object, with blanks around it at the most. */
static bool scan_line(struct parser *parser)
{
    skip_blanks(parser);
    if (parser->at == parser->end) {
        return fault(parser, "an empty line");
    }
    if (*parser->at != '{') {
        return fault(parser, "no JSON object");
    }
    if (!scan_object(parser, root)) {
        return false;
    }
    skip_blanks(parser);
    return parser->at == parser->end || fault(parser, "there is more after the record");
}

/* The fields of *ret_record point into line, which must outlive it. */
const char *record_parse_bare(const char *line, size_t length, struct record *ret_record,
                              size_t *ret_offset)
{
    struct parser parser = {.at = line, .end = line + length, .record = ret_record};

    memset(ret_record, 0, sizeof(*ret_record));
    ret_record->line = line;
    ret_record->length = length;
    if (scan_line(&parser)) {
        return NULL;
    }
    *ret_offset = (size_t)(parser.at - line);
    return parser.fault;
}

const char *record_parse(const char *line, size_t length, struct record *ret_record,
                         size_t *ret_offset)
{
    const char *fault = record_parse_bare(line, length, ret_record, ret_offset);

    if (fault == NULL) {
        record_complete(ret_record);
    }
    return fault;
}

/* As record_parse_bare(), and where the values stand. */
bool record_parse_leaves(const char *line, size_t length, struct record *ret_record,
                         struct record_leaves *ret_leaves)
{
    struct parser parser = {
        .at = line, .end = line + length, .record = ret_record, .leaves = ret_leaves};

    memset(ret_record, 0, sizeof(*ret_record));
    ret_record->line = line;
    ret_record->length = length;
    ret_leaves->line = line;
    ret_leaves->count = 0;
    ret_leaves->too_many = false;
    return scan_line(&parser) && !ret_leaves->too_many;
}

/* One value that has no known members. */
const char *record_scan_leaf(const char *at, const char *end, unsigned depth)
{
    struct parser parser = {.at = at, .end = end, .depth = depth};

    return scan_value(&parser, no_level) ? parser.at : NULL;
}

/* An object or a value, by the list of members. */
bool record_is_leaf(enum record_field field)
{
    return members[field].next == field + 1;
}

/* ---- asking -----------------------------------------------------------------------------------
 */

/*
 * Fields are slices of the line. Their escapes are undone run by run, so that neither a comparison
 * nor a copy needs the whole value at once.
 */

/* A string. Numbers and words have no quotes to remove. */
static bool quoted(const struct slice *slice)
{
    return slice->length >= 2 && slice->at[0] == '"';
}

/* The bytes of a code point, which escaped_point() has checked to be one (RFC 3629). Gives their
 * number. */
static size_t put_utf8(uint32_t point, char bytes[4])
{
    if (point < 0x80) {
        bytes[0] = (char)point;
        return 1;
    }
    size_t length = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    for (size_t i = length - 1; i > 0; i--, point >>= 6) {
        bytes[i] = (char)(0x80 | (point & 0x3F));
    }
    bytes[0] = (char)((0xF00U >> length & 0xFF) | point);
    return length;
}

/* The bytes that one escape stands for; *at is at its backslash, and then behind it. */
static size_t unescape(const char **at, const char *end, char bytes[4])
{
    static const char letters[] = "bfnrt", meant[] = "\b\f\n\r\t";
    uint32_t point = 0;
    char letter = (*at)[1];

    if (letter == 'u') {
        *at += 2 + escaped_point(*at + 2, end, &point);
        return put_utf8(point, bytes);
    }
    const char *found = strchr(letters, letter);
    bytes[0] = found != NULL ? meant[found - letters] : letter;
    *at += 2;
    return 1;
}

/* The next run of bytes of the text: of the line itself, or in bytes. False at the end. */
static bool next_run(const char **at, const char *end, char bytes[4], struct slice *ret_run)
{
    if (*at == end) {
        return false;
    }
    if (**at == '\\') {
        *ret_run = (struct slice){bytes, unescape(at, end, bytes)};
        return true;
    }
    const char *escape = memchr(*at, '\\', (size_t)(end - *at));
    const char *stop = escape != NULL ? escape : end;
    *ret_run = (struct slice){*at, (size_t)(stop - *at)};
    *at = stop;
    return true;
}

/* The bytes between the quotes of a string, or the whole of any other value. */
static void inside(const struct slice *slice, const char **ret_at, const char **ret_end)
{
    bool quotes = quoted(slice);

    *ret_at = slice->at + quotes;
    *ret_end = slice->at + slice->length - quotes;
}

/* Goes on counting behind the end of the buffer, so that a caller can ask for the size with size
 * 0. */
size_t slice_text(const struct slice *slice, char *buffer, size_t size)
{
    const char *at, *end;
    char bytes[4];
    struct slice run;
    size_t length = 0;

    if (size > 0) {
        buffer[0] = '\0';
    }
    if (slice->at == NULL) {
        return 0;
    }
    inside(slice, &at, &end);
    while (next_run(&at, end, bytes, &run)) {
        if (length + 1 < size) {
            size_t room = size - 1 - length, taken = run.length < room ? run.length : room;
            memcpy(buffer + length, run.at, taken);
            buffer[length + taken] = '\0';
        }
        length += run.length;
    }
    return length;
}

/* Runs are compared as they come, so that a long value needs no buffer. */
bool slice_is(const struct slice *slice, const char *text)
{
    const char *at, *end;
    char bytes[4];
    struct slice run;

    if (slice->at == NULL) {
        return false;
    }
    inside(slice, &at, &end);
    if (at < end && *at != '\\' && *at != *text) { /* the usual no */
        return false;
    }
    size_t left = strlen(text);
    while (next_run(&at, end, bytes, &run)) {
        if (run.length > left || memcmp(run.at, text, run.length) != 0) {
            return false;
        }
        text += run.length;
        left -= run.length;
    }
    return left == 0;
}

/* By the field's number: slice_text() of it. */
size_t record_text(const struct record *record, enum record_field field, char *buffer, size_t size)
{
    return slice_text(&record->field[field], buffer, size);
}

/* Without a buffer, so any length of value is compared whole. */
bool record_is(const struct record *record, enum record_field field, const char *text)
{
    return slice_is(&record->field[field], text);
}

/* A number with a fraction, an exponent or a sign is not one that a record has, and gives false. So
 * does one beyond 64 bits: it is never cut. */
bool record_number(const struct record *record, enum record_field field, uint64_t *ret_number)
{
    const struct slice *slice = &record->field[field];
    const char *at, *end;
    uint64_t number = 0;

    if (slice->at == NULL) {
        return false;
    }
    inside(slice, &at, &end);
    if (at == end) {
        return false;
    }
    for (; at < end; at++) {
        if (!digit(*at) || __builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, (uint64_t)(*at - '0'), &number)) {
            return false;
        }
    }
    *ret_number = number;
    return true;
}

/* ---- time -------------------------------------------------------------------------------------
 */

/* The state of a time that is being read. Once good is false each step leaves it so: the caller
 * tests it once, at the end. */
struct reading {
    const char *at, *end;
    bool good;
};

/* Every part of a time but the fraction has two digits; the year is two of them. */
static unsigned two_digits(struct reading *reading, unsigned least, unsigned most)
{
    if (!reading->good || reading->end - reading->at < 2 || !digit(reading->at[0]) ||
        !digit(reading->at[1])) {
        reading->good = false;
        return 0;
    }
    unsigned value = (unsigned)(reading->at[0] - '0') * 10 + (unsigned)(reading->at[1] - '0');
    reading->at += 2;
    reading->good = value >= least && value <= most;
    return value;
}

/* One character that is among letters. NUL is excluded, because strchr(3) finds the end of its own
 * list. */
static void one_of(struct reading *reading, const char *letters)
{
    reading->good = reading->good && reading->at < reading->end && *reading->at != '\0' &&
                    strchr(letters, *reading->at) != NULL;
    reading->at += reading->good;
}

/* Nanoseconds. RFC 3339 allows any number of digits; those behind the ninth add 0, since scale has
 * become 0. */
static int64_t fraction(struct reading *reading)
{
    int64_t value = 0, scale = 100000000;

    if (!reading->good || reading->at == reading->end || *reading->at != '.') {
        return 0;
    }
    reading->at++;
    reading->good = reading->at < reading->end && digit(*reading->at);
    for (; reading->at < reading->end && digit(*reading->at); reading->at++, scale /= 10) {
        value += scale * (*reading->at - '0');
    }
    return value;
}

/* Seconds east of UTC. */
static int64_t zone(struct reading *reading)
{
    char sign = reading->good && reading->at < reading->end ? *reading->at : '\0';

    one_of(reading, "Z+-");
    if (sign == 'Z') {
        return 0;
    }
    int64_t seconds = two_digits(reading, 0, 23) * 3600;
    one_of(reading, ":");
    seconds += two_digits(reading, 0, 59) * 60;
    return sign == '-' ? -seconds : seconds;
}

/* The range ends in 2261 because 64 bits of nanoseconds reach into 2262. */
bool record_parse_time(const char *text, size_t length, int64_t *ret_time)
{
    struct reading reading = {text, text + length, true};

    /* The year as two numbers, which bounds it to 1900 to 2299 before any arithmetic. */
    unsigned year = two_digits(&reading, 19, 22) * 100;
    year += two_digits(&reading, 0, 99);
    one_of(&reading, "-");
    unsigned month = two_digits(&reading, 1, 12);
    one_of(&reading, "-");
    unsigned day = two_digits(&reading, 1, 31);
    one_of(&reading, "Tt ");
    int64_t second = two_digits(&reading, 0, 23) * 3600;
    one_of(&reading, ":");
    second += two_digits(&reading, 0, 59) * 60;
    one_of(&reading, ":");
    second += two_digits(&reading, 0, 60); /* a leap second */
    int64_t nanosecond = fraction(&reading);
    second -= zone(&reading);
    if (!reading.good || reading.at != reading.end || year < 1970 || year > 2261 ||
        day > civil_days_in_month(year, month)) {
        return false;
    }
    *ret_time = (civil_days(year, month, day) * 86400 + second) * 1000000000 + nanosecond;
    return true;
}

/* A time without quotes is a number, which no record has there. */
bool record_time(const struct record *record, enum record_field field, int64_t *ret_time)
{
    const struct slice *slice = &record->field[field];

    return quoted(slice) && record_parse_time(slice->at + 1, slice->length - 2, ret_time);
}

/* ---- arrays -----------------------------------------------------------------------------------
 */

/* The array was checked by record_parse(), so a fault here means its end and nothing else. *at is
 * the byte behind the comma, or the length behind the last element. */
bool record_item(const struct record *record, enum record_field field, size_t *at,
                 struct slice *ret_item)
{
    const struct slice *array = &record->field[field];

    if (array->at == NULL || array->at[0] != '[' || *at >= array->length) {
        return false;
    }
    struct parser parser = {.at = array->at + (*at == 0 ? 1 : *at),
                            .end = array->at + array->length};
    skip_blanks(&parser);
    const char *start = parser.at;
    if (next(&parser) == ']' || !scan_value(&parser, no_level)) {
        return false;
    }
    *ret_item = (struct slice){start, (size_t)(parser.at - start)};
    skip_blanks(&parser);
    *at = next(&parser) == ',' ? (size_t)(parser.at + 1 - array->at) : array->length;
    return true;
}

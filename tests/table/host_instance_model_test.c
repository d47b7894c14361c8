/* SPDX-License-Identifier: MIT */
/*
 * Instances against a plain model: random operations, right and wrong, on dynamic and static ones,
 * on clones and on those in the caller's memory. The model keeps each value as text. After each
 * operation the instance is read in every way and compared; what an operation may answer is
 * computed from the model alone (the table of element semantics of the API). Now and then an
 * allocation fails, and then nothing may have changed.
 */
#include <MI.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "host/object/object.h"
#include "support/failing_alloc.h"
#include "unit/host_decls.h"

enum {
    SLOTS = 6,
    MOST_ELEMENTS = 24,
    MOST_BLOCKS = 256, /* that live as long as an instance, because it borrows them */
    MOST_DEPTH = 12,   /* of instances within instances; the limits have tests of their own */
    MOST_TEXT = 3000,
};

static unsigned long good_checks, bad_checks;
static unsigned long answers[64]; /* by result: that each is reached at all */
static const char *doing = "";

static void note(bool good, const char *what)
{
    good_checks += good;
    bad_checks += !good;
    if (!good && bad_checks < 20) {
        printf("FAIL %s: %s\n", doing, what);
    }
}

static uint64_t random_state = 0x9E3779B97F4A7C15u;

static unsigned draw(unsigned below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (unsigned)((random_state >> 33) % below);
}

/* ---- text ----------------------------------------------------------------------------------- */

struct page {
    char *data;
    size_t length, size;
};

static void put(struct page *page, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void put(struct page *page, const char *format, ...)
{
    va_list list;

    va_start(list, format);
    int length = vsnprintf(NULL, 0, format, list);
    va_end(list);
    if (page->length + (size_t)length + 1 > page->size) {
        page->size = 2 * page->size + (size_t)length + 64;
        page->data = realloc(page->data, page->size);
        if (page->data == NULL) {
            abort();
        }
    }
    va_start(list, format);
    vsnprintf(page->data + page->length, page->size - page->length, format, list);
    va_end(list);
    page->length += (size_t)length;
}

static void put_instance(struct page *page, const MI_Instance *instance);

static void put_datetime(struct page *page, const void *value)
{
    MI_Datetime when;

    memcpy(&when, value, sizeof(when));
    if (when.isTimestamp != 0) {
        put(page, "%u-%u-%u %u:%u:%u.%u%+d", when.u.timestamp.year, when.u.timestamp.month,
            when.u.timestamp.day, when.u.timestamp.hour, when.u.timestamp.minute,
            when.u.timestamp.second, when.u.timestamp.microseconds, when.u.timestamp.utc);
    } else {
        put(page, "%ud %u:%u:%u.%u", when.u.interval.days, when.u.interval.hours,
            when.u.interval.minutes, when.u.interval.seconds, when.u.interval.microseconds);
    }
}

static size_t scalar_size(MI_Type type)
{
    static const size_t sizes[] = {1,
                                   1,
                                   1,
                                   2,
                                   2,
                                   4,
                                   4,
                                   8,
                                   8,
                                   4,
                                   8,
                                   2,
                                   sizeof(MI_Datetime),
                                   sizeof(char *),
                                   sizeof(void *),
                                   sizeof(void *)};
    return sizes[(unsigned)type & 15U];
}

static void put_scalar(struct page *page, MI_Type type, const void *value)
{
    const unsigned char *bytes = value;
    const void *pointer = NULL;

    switch (type) {
    case MI_DATETIME:
        put_datetime(page, value);
        return;
    case MI_STRING:
        memcpy(&pointer, value, sizeof(pointer));
        put(page, pointer == NULL ? "null" : "'%s'", (const char *)pointer);
        return;
    case MI_REFERENCE:
    case MI_INSTANCE:
        memcpy(&pointer, value, sizeof(pointer));
        put_instance(page, pointer);
        return;
    default: /* numbers by their bytes: also a NaN and a boolean of 2 are kept as they are */
        for (size_t i = 0; i < scalar_size(type); i++) {
            put(page, "%02x", bytes[i]);
        }
    }
}

static void put_value(struct page *page, MI_Type type, const void *value)
{
    MI_Array array;

    if (((unsigned)type & 16U) == 0) {
        put_scalar(page, type, value);
        return;
    }
    memcpy(&array, value, sizeof(array));
    put(page, "[");
    for (MI_Uint32 i = 0; i < array.size; i++) {
        const unsigned char *data = array.data;
        const MI_Type scalar = (MI_Type)((unsigned)type & 15U);
        put_scalar(page, scalar, data + i * scalar_size(scalar));
        put(page, ",");
    }
    put(page, "]");
}

/* An embedded instance, read by the functions that a client has. */
static void put_instance(struct page *page, const MI_Instance *instance)
{
    const MI_Char *name = NULL;
    MI_Uint32 count = 0;

    if (instance == NULL) {
        put(page, "null");
        return;
    }
    if (MI_Instance_GetClassName(instance, &name) != MI_RESULT_OK ||
        MI_Instance_GetElementCount(instance, &count) != MI_RESULT_OK) {
        put(page, "(unreadable)");
        return;
    }
    put(page, "%s{", name);
    for (MI_Uint32 i = 0; i < count; i++) {
        MI_Value value;
        MI_Type type = MI_BOOLEAN;
        MI_Uint32 flags = 0;
        if (MI_Instance_GetElementAt(instance, i, &name, &value, &type, &flags) != MI_RESULT_OK) {
            put(page, "(unreadable)");
            continue;
        }
        put(page, "%s%s=", (flags & MI_FLAG_KEY) != 0 ? "*" : "", name);
        if ((flags & MI_FLAG_NULL) != 0) {
            put(page, "null");
        } else {
            put_value(page, type, &value);
        }
        put(page, ";");
    }
    put(page, "}");
}

/* ---- the model ------------------------------------------------------------------------------ */

struct blocks {
    void *plain[MOST_BLOCKS];
    MI_Instance *instances[MOST_BLOCKS];
    unsigned plain_count, instance_count;
};

static void release_blocks(struct blocks *blocks)
{
    for (unsigned i = 0; i < blocks->plain_count; i++) {
        free(blocks->plain[i]);
    }
    for (unsigned i = 0; i < blocks->instance_count; i++) {
        MI_Instance_Delete(blocks->instances[i]);
    }
    blocks->plain_count = blocks->instance_count = 0;
}

struct element {
    char name[16];
    MI_Type type;
    MI_Uint32 flags;
    bool null, modified;
    char *text;
    unsigned depth; /* of the instances in it */
};

enum kind { FREE, DYNAMIC, STATIC, IN_CALLERS_MEMORY };

struct slot {
    enum kind kind;
    MI_Instance *real;
    const char *class_name;
    const char *name_space, *server; /* constants of this file */
    struct element elements[MOST_ELEMENTS];
    unsigned count;
    struct blocks borrowed;
};

static struct slot slots[SLOTS];

static unsigned depth_of(const struct slot *slot)
{
    unsigned deepest = 0;

    for (unsigned i = 0; i < slot->count; i++) {
        deepest = slot->elements[i].depth > deepest ? slot->elements[i].depth : deepest;
    }
    return deepest + 1;
}

static size_t length_of(const struct slot *slot)
{
    size_t length = 0;

    for (unsigned i = 0; i < slot->count; i++) {
        length += slot->elements[i].text == NULL ? 4 : strlen(slot->elements[i].text);
    }
    return length;
}

static int find(const struct slot *slot, const char *name)
{
    for (unsigned i = 0; name != NULL && i < slot->count; i++) {
        if (strcasecmp(slot->elements[i].name, name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

static void forget(struct slot *slot)
{
    for (unsigned i = 0; i < slot->count; i++) {
        free(slot->elements[i].text);
    }
    release_blocks(&slot->borrowed);
    memset(slot, 0, sizeof(*slot));
}

static void set_null(struct element *element, bool modified)
{
    free(element->text);
    element->text = NULL;
    element->null = true;
    element->modified = modified;
    element->depth = 0;
}

/* ---- values --------------------------------------------------------------------------------- */

/* A value in memory of just its size, so that a sanitizer sees any reading beyond. */
struct made {
    void *value; /* NULL: none is passed */
    struct page text;
    bool null, impossible;
    unsigned depth;
    struct blocks blocks;
};

static void *keep_block(struct made *made, size_t size)
{
    void *block = malloc(size == 0 ? 1 : size);

    if (block == NULL || made->blocks.plain_count == MOST_BLOCKS) {
        abort();
    }
    made->blocks.plain[made->blocks.plain_count++] = block;
    return block;
}

static char *make_string(struct made *made)
{
    static const char *const texts[] = {"", "a", "text", "zwei W\303\266rter", "a'b\"c", "\n\t"};

    if (draw(12) == 0) {
        return NULL;
    }
    if (draw(20) == 0) {
        char *large = keep_block(made, 301);
        memset(large, 'x', 300);
        large[300] = '\0';
        return large;
    }
    const char *text = texts[draw(sizeof(texts) / sizeof(texts[0]))];
    return strcpy(keep_block(made, strlen(text) + 1), text);
}

static MI_Datetime make_datetime(struct made *made)
{
    MI_Datetime when;

    memset(&when, 0, sizeof(when));
    when.isTimestamp = draw(2);
    if (when.isTimestamp != 0) {
        when.u.timestamp = (MI_Timestamp){
            1 + draw(9999), 1 + draw(12), 1 + draw(28),  draw(24),
            draw(60),       draw(60),     draw(1000000), (MI_Sint32)draw(1441) - 720};
    } else {
        when.u.interval =
            (MI_Interval){draw(100000000), draw(24), draw(60), draw(60), draw(1000000), 0, 0, 0};
    }
    if (draw(30) == 0) {
        *(when.isTimestamp != 0 ? &when.u.timestamp.month : &when.u.interval.minutes) = 60;
        made->impossible = true;
    }
    return when;
}

/* Another instance of the table, or a part of the one that it is put into. */
static MI_Instance *make_instance(struct made *made)
{
    const struct slot *slot = &slots[draw(SLOTS)];

    if (slot->kind == FREE || depth_of(slot) > MOST_DEPTH || length_of(slot) > MOST_TEXT) {
        return NULL;
    }
    made->depth = depth_of(slot) > made->depth ? depth_of(slot) : made->depth;
    return slot->real;
}

/* One that nothing else has, since the value may be borrowed. */
static MI_Instance *make_own_instance(struct made *made)
{
    const MI_Instance *instance = make_instance(made);
    MI_Instance *clone = NULL;

    if (instance == NULL) {
        return NULL;
    }
    if (MI_Instance_Clone(instance, &clone) != MI_RESULT_OK ||
        made->blocks.instance_count == MOST_BLOCKS) {
        abort();
    }
    made->blocks.instances[made->blocks.instance_count++] = clone;
    return clone;
}

static void make_scalar(struct made *made, MI_Type type, bool borrowed, unsigned char *place)
{
    const void *pointer = NULL;

    if (type == MI_DATETIME) {
        const MI_Datetime when = make_datetime(made);
        memcpy(place, &when, sizeof(when));
        return;
    }
    if (type == MI_STRING || type == MI_REFERENCE || type == MI_INSTANCE) {
        pointer = type == MI_STRING ? make_string(made)
                  : borrowed        ? (const void *)make_own_instance(made)
                                    : make_instance(made);
        memcpy(place, &pointer, sizeof(pointer));
        return;
    }
    for (size_t i = 0; i < scalar_size(type); i++) {
        place[i] = (unsigned char)draw(256);
    }
}

static void make_array(struct made *made, MI_Type type, bool borrowed, MI_Array *array)
{
    const MI_Type scalar = (MI_Type)((unsigned)type & 15U);
    const size_t size = scalar_size(scalar);

    array->size = draw(5);
    if (draw(40) == 0) { /* a count without data */
        *array = (MI_Array){NULL, 1 + draw(3)};
        made->impossible = true;
        return;
    }
    unsigned char *data =
        array->size == 0 && draw(2) == 0 ? NULL : keep_block(made, array->size * size);
    for (MI_Uint32 i = 0; i < array->size; i++) {
        make_scalar(made, scalar, borrowed, data + i * size);
    }
    array->data = data;
}

static void make(struct made *made, MI_Type type, MI_Uint32 flags)
{
    const bool borrowed = (flags & MI_FLAG_BORROW) != 0;
    const void *pointer = NULL;

    memset(made, 0, sizeof(*made));
    if (draw(15) == 0) {
        made->null = true;
        return;
    }
    if (((unsigned)type & 16U) != 0) {
        MI_Array array;
        made->value = keep_block(made, sizeof(array));
        make_array(made, type, borrowed, &array);
        memcpy(made->value, &array, sizeof(array));
        if (array.data != NULL || array.size == 0) {
            put_value(&made->text, type, made->value);
        }
    } else {
        made->value = keep_block(made, scalar_size(type));
        make_scalar(made, type, borrowed, made->value);
        put_value(&made->text, type, made->value);
        if (type == MI_STRING || type == MI_REFERENCE || type == MI_INSTANCE) {
            memcpy(&pointer, made->value, sizeof(pointer));
            made->null = pointer == NULL;
        }
    }
    if ((flags & MI_FLAG_NULL) != 0) {
        made->null = true;
        made->impossible = false; /* the value is not looked at */
    }
}

/* The element has the value now. What it borrows lives as long as the instance. */
static void store(struct slot *slot, struct element *element, struct made *made, MI_Uint32 flags)
{
    set_null(element, true);
    if (made->null) {
        return;
    }
    element->null = false;
    element->text = made->text.data;
    element->depth = made->depth;
    made->text = (struct page){NULL, 0, 0};
    if ((flags & MI_FLAG_BORROW) != 0) {
        struct blocks *kept = &slot->borrowed;
        for (unsigned i = 0; i < made->blocks.plain_count; i++) {
            kept->plain[kept->plain_count++] = made->blocks.plain[i];
        }
        for (unsigned i = 0; i < made->blocks.instance_count; i++) {
            kept->instances[kept->instance_count++] = made->blocks.instances[i];
        }
        made->blocks.plain_count = made->blocks.instance_count = 0;
    }
}

static void end_made(struct made *made)
{
    release_blocks(&made->blocks);
    free(made->text.data);
}

/* ---- comparing ------------------------------------------------------------------------------ */

static bool same_text(MI_Type type, const MI_Value *value, const char *expected)
{
    struct page page = {NULL, 0, 0};

    put_value(&page, type, value);
    bool same = page.data != NULL && strcmp(page.data, expected) == 0;
    if (!same) {
        printf("found: %s\n", page.data);
    }
    free(page.data);
    return same;
}

static bool all_zero(MI_Type type, const MI_Value *value)
{
    static const MI_Value zero;
    const size_t size = ((unsigned)type & 16U) != 0 ? sizeof(MI_Array) : scalar_size(type);

    return memcmp(value, &zero, size) == 0;
}

static bool same_element(const struct slot *slot, unsigned index)
{
    const struct element *element = &slot->elements[index];
    const MI_Char *name = NULL;
    MI_Value value, by_name;
    MI_Type type = MI_BOOLEAN, type_by_name = MI_BOOLEAN;
    MI_Uint32 flags = 0, flags_by_name = 0, found = 99;
    const MI_Uint32 expected = element->flags | (element->null ? MI_FLAG_NULL : 0) |
                               (element->modified ? 0 : MI_FLAG_NOT_MODIFIED);

    memset(&value, 0xA5, sizeof(value));
    if (MI_Instance_GetElementAt(slot->real, index, &name, &value, &type, &flags) != MI_RESULT_OK ||
        strcmp(name, element->name) != 0 || type != element->type || flags != expected) {
        return false;
    }
    if (MI_Instance_GetElement(slot->real, element->name, &by_name, &type_by_name, &flags_by_name,
                               &found) != MI_RESULT_OK ||
        found != index || type_by_name != type || flags_by_name != flags) {
        return false;
    }
    return element->null ? all_zero(type, &value) : same_text(type, &value, element->text);
}

static bool same_name(const MI_Char *name, const char *expected)
{
    return expected == NULL ? name == NULL : name != NULL && strcmp(name, expected) == 0;
}

static void compare(const struct slot *slot)
{
    const MI_Char *name = NULL, *space = NULL, *server = NULL;
    MI_Uint32 count = 0;
    bool good = MI_Instance_GetElementCount(slot->real, &count) == MI_RESULT_OK &&
                count == slot->count &&
                MI_Instance_GetClassName(slot->real, &name) == MI_RESULT_OK &&
                same_name(name, slot->class_name) &&
                MI_Instance_GetNameSpace(slot->real, &space) == MI_RESULT_OK &&
                same_name(space, slot->name_space) &&
                MI_Instance_GetServerName(slot->real, &server) == MI_RESULT_OK &&
                same_name(server, slot->server);

    for (unsigned i = 0; good && i < slot->count; i++) {
        good = same_element(slot, i);
        if (!good) {
            const struct element *element = &slot->elements[i];
            printf("element %u, %s of type %u: %s%s\n", i, element->name, (unsigned)element->type,
                   element->null ? "null" : element->text, element->modified ? ", modified" : "");
        }
    }
    note(good, "the instance differs from the model");
}

/* ---- results -------------------------------------------------------------------------------- */

#define MAY(result) ((uint64_t)1 << (result))

/* allowed: errors of which one must come. None: it must succeed, unless memory ran out. True when
 * the model is to change, too. */
static bool judge(MI_Result result, uint64_t allowed)
{
    countdown = -1;
    answers[(unsigned)result & 63U]++;
    if (failed && result == MI_RESULT_SERVER_LIMITS_EXCEEDED) {
        note(true, "");
        return false;
    }
    if (allowed == 0) {
        note(result == MI_RESULT_OK, "refused without a reason");
        return result == MI_RESULT_OK;
    }
    note((allowed & MAY(result)) != 0, "another result");
    return false;
}

/* One of its allocations may fail. */
static void begin(const char *what)
{
    doing = what;
    failed = false;
    countdown = draw(25) == 0 ? (long)draw(6) : -1;
}

/* ---- names and types ------------------------------------------------------------------------ */

static const char *const legal[] = {"Id",    "Number", "Text",  "Flag", "Names", "Bytes",
                                    "Inner", "Ratio",  "Zwei2", "_x",   "Last_"};
static const char *const illegal[] = {"",    "9x",   "a-b",    "a b",
                                      "a.b", "\xC3", "a\xC3(", "\xED\xA0\x80"};

#define COUNT(list) (unsigned)(sizeof(list) / sizeof((list)[0]))

/* In another case now and then: names are compared without it. */
static const char *draw_name(char buffer[16])
{
    strcpy(buffer, legal[draw(COUNT(legal))]);
    for (char *at = buffer; draw(4) == 0 && *at != '\0'; at++) {
        *at = (char)(*at >= 'a' && *at <= 'z' ? *at - 32 : *at);
    }
    return buffer;
}

static MI_Type draw_type(void)
{
    return (MI_Type)draw(32);
}

static MI_Uint32 draw_flags(void)
{
    static const MI_Uint32 flags[] = {0,
                                      0,
                                      0,
                                      MI_FLAG_BORROW,
                                      MI_FLAG_BORROW,
                                      MI_FLAG_ADOPT,
                                      MI_FLAG_NULL,
                                      MI_FLAG_NOT_MODIFIED,
                                      MI_FLAG_BORROW | MI_FLAG_ADOPT};

    return flags[draw(COUNT(flags))];
}

#define BOTH(flags)                                                                                \
    (((flags) & (MI_FLAG_BORROW | MI_FLAG_ADOPT)) == (MI_FLAG_BORROW | MI_FLAG_ADOPT))

/* Room for what a value may borrow. */
static MI_Uint32 flags_that_fit(const struct slot *slot, MI_Uint32 flags)
{
    const bool full = slot->borrowed.plain_count > MOST_BLOCKS - 16 ||
                      slot->borrowed.instance_count > MOST_BLOCKS - 16;

    return full && !BOTH(flags) ? flags & ~MI_FLAG_BORROW : flags;
}

/* ---- life ----------------------------------------------------------------------------------- */

static void element_of_decl(struct element *element, const MI_PropertyDecl *decl)
{
    memset(element, 0, sizeof(*element));
    snprintf(element->name, sizeof(element->name), "%s", decl->name);
    element->type = (MI_Type)decl->type;
    element->flags = decl->flags;
    element->null = true;
}

static void begin_static(struct slot *slot, enum kind kind, MI_Instance *real)
{
    slot->kind = kind;
    slot->real = real;
    slot->class_name = "Test_Thing";
    slot->count = THING_ELEMENTS;
    for (unsigned i = 0; i < THING_ELEMENTS; i++) {
        element_of_decl(&slot->elements[i], test_thing_properties[i]);
    }
}

static void new_dynamic(struct slot *slot)
{
    static const char *const names[] = {"Test_Dynamic", "A", "Some_Class"};
    const unsigned which = draw(COUNT(names) + 2);
    const bool is_legal = which < COUNT(names);
    const char *name = is_legal ? names[which] : illegal[draw(COUNT(illegal))];
    MI_Instance *real = NULL;

    begin("NewDynamicInstance");
    MI_Result result = instance_new_dynamic(name, 0, &real);
    if (judge(result, is_legal ? 0 : MAY(MI_RESULT_INVALID_PARAMETER))) {
        slot->kind = DYNAMIC;
        slot->real = real;
        slot->class_name = name;
    }
}

static void new_static(struct slot *slot)
{
    MI_Instance *real = NULL;

    begin("NewInstance");
    if (judge(instance_new(&test_thing_decl, &real), 0)) {
        begin_static(slot, STATIC, real);
    }
}

/* The caller's memory may hold anything before. */
static void construct(struct slot *slot)
{
    MI_Instance *real = malloc(sizeof(struct test_thing));

    if (real == NULL) {
        abort();
    }
    memset(real, 0xA5, sizeof(struct test_thing));
    begin("ConstructInstance");
    if (judge(instance_construct(&test_thing_decl, real), 0)) {
        begin_static(slot, IN_CALLERS_MEMORY, real);
    } else {
        free(real);
    }
}

static void copy_model(const struct slot *from, struct slot *to)
{
    memset(&to->borrowed, 0, sizeof(to->borrowed));
    to->class_name = from->class_name;
    to->name_space = from->name_space;
    to->server = from->server;
    to->count = from->count;
    for (unsigned i = 0; i < from->count; i++) {
        to->elements[i] = from->elements[i];
        if (from->elements[i].text != NULL) {
            to->elements[i].text = strdup(from->elements[i].text);
        }
    }
}

static void clone(struct slot *slot)
{
    const struct slot *from = &slots[draw(SLOTS)];
    MI_Instance *real = NULL;

    if (from->kind == FREE) {
        return;
    }
    begin("Clone");
    if (judge(MI_Instance_Clone(from->real, &real), 0)) {
        slot->kind = from->kind == DYNAMIC ? DYNAMIC : STATIC;
        slot->real = real;
        copy_model(from, slot);
    }
}

static void create(struct slot *slot)
{
    switch (draw(4)) {
    case 0:
        new_static(slot);
        return;
    case 1:
        construct(slot);
        return;
    case 2:
        clone(slot);
        return;
    default:
        new_dynamic(slot);
    }
}

/* The end of the other kind is refused and changes nothing. */
static void end(struct slot *slot)
{
    const bool in_callers = slot->kind == IN_CALLERS_MEMORY;

    begin("the wrong end");
    MI_Result result =
        in_callers ? MI_Instance_Delete(slot->real) : MI_Instance_Destruct(slot->real);
    (void)judge(result, MAY(MI_RESULT_INVALID_PARAMETER));
    compare(slot);
    begin("Delete or Destruct");
    result = in_callers ? MI_Instance_Destruct(slot->real) : MI_Instance_Delete(slot->real);
    (void)judge(result, 0);
    if (in_callers) {
        note(MI_Instance_Clone(slot->real, &(MI_Instance *){NULL}) == MI_RESULT_INVALID_PARAMETER,
             "used after Destruct");
        free(slot->real);
    }
    forget(slot);
}

/* ---- operations ----------------------------------------------------------------------------- */

static uint64_t errors_of_value(const struct made *made, MI_Uint32 flags)
{
    return made->impossible || BOTH(flags) ? MAY(MI_RESULT_INVALID_PARAMETER) : 0;
}

static void add(struct slot *slot)
{
    char buffer[16];
    const bool is_legal = draw(10) != 0, known = draw(20) != 0;
    const char *name = is_legal ? draw_name(buffer) : illegal[draw(COUNT(illegal))];
    const MI_Type type = draw_type();
    const MI_Uint32 key = draw(4) == 0 ? MI_FLAG_KEY : 0;
    const MI_Uint32 flags = flags_that_fit(slot, draw_flags());
    struct made made;

    make(&made, type, flags);
    uint64_t allowed = errors_of_value(&made, flags);
    allowed |= slot->kind != DYNAMIC ? MAY(MI_RESULT_FAILED) : 0;
    allowed |= !is_legal || !known ? MAY(MI_RESULT_INVALID_PARAMETER) : 0;
    allowed |= find(slot, name) >= 0 ? MAY(MI_RESULT_ALREADY_EXISTS) : 0;
    if (allowed == 0 && slot->count == MOST_ELEMENTS) {
        end_made(&made);
        return;
    }
    begin("AddElement");
    MI_Result result = MI_Instance_AddElement(slot->real, name, made.value,
                                              known ? type : (MI_Type)(32 + draw(9)), flags | key);
    if (judge(result, allowed)) {
        struct element *element = &slot->elements[slot->count++];
        memset(element, 0, sizeof(*element));
        snprintf(element->name, sizeof(element->name), "%s", name);
        element->type = type;
        element->flags = MI_FLAG_PROPERTY | key;
        store(slot, element, &made, flags);
    }
    end_made(&made);
}

/* By name or by position. */
static void set(struct slot *slot)
{
    char buffer[16];
    const bool by_name = draw(2) == 0;
    const unsigned index = draw(slot->count + 2);
    const char *name =
        index < slot->count && draw(8) != 0 ? slot->elements[index].name : draw_name(buffer);
    const int at = by_name ? find(slot, name) : index < slot->count ? (int)index : -1;
    const MI_Type type = at >= 0 && draw(10) != 0 ? slot->elements[at].type : draw_type();
    const MI_Uint32 flags = flags_that_fit(slot, draw_flags());
    struct made made;

    make(&made, type, flags);
    uint64_t allowed = errors_of_value(&made, flags);
    if (at < 0) {
        allowed |= MAY(by_name ? MI_RESULT_NO_SUCH_PROPERTY : MI_RESULT_FAILED);
    } else if (type != slot->elements[at].type) {
        allowed |= MAY(MI_RESULT_TYPE_MISMATCH);
    }
    begin(by_name ? "SetElement" : "SetElementAt");
    MI_Result result = by_name
                           ? MI_Instance_SetElement(slot->real, name, made.value, type, flags)
                           : MI_Instance_SetElementAt(slot->real, index, made.value, type, flags);
    if (judge(result, allowed)) {
        store(slot, &slot->elements[at], &made, flags);
    }
    end_made(&made);
}

/* From itself: the value is a part of the instance that is changed, or of the element itself. */
static void set_from_itself(struct slot *slot)
{
    if (slot->count == 0) {
        return;
    }
    const struct element *from = &slot->elements[draw(slot->count)];
    struct element *to = &slot->elements[draw(slot->count)];
    MI_Value value;
    MI_Type type = MI_BOOLEAN;

    if (from->null ||
        MI_Instance_GetElement(slot->real, from->name, &value, &type, NULL, NULL) != MI_RESULT_OK) {
        return;
    }
    begin("SetElement from itself");
    MI_Result result = MI_Instance_SetElement(slot->real, to->name, &value, type, 0);
    if (judge(result, type != to->type ? MAY(MI_RESULT_TYPE_MISMATCH) : 0) && to != from) {
        set_null(to, true);
        to->null = false;
        to->text = strdup(from->text);
        to->depth = from->depth;
    } else if (result == MI_RESULT_OK) {
        to->modified = true;
    }
}

static void clear(struct slot *slot)
{
    char buffer[16];
    const bool by_name = draw(2) == 0;
    const unsigned index = draw(slot->count + 2);
    const char *name = index < slot->count ? slot->elements[index].name : draw_name(buffer);
    const int at = by_name ? find(slot, name) : index < slot->count ? (int)index : -1;

    begin(by_name ? "ClearElement" : "ClearElementAt");
    MI_Result result = by_name ? MI_Instance_ClearElement(slot->real, name)
                               : MI_Instance_ClearElementAt(slot->real, index);
    if (judge(result, at >= 0   ? 0
                      : by_name ? MAY(MI_RESULT_NO_SUCH_PROPERTY)
                                : MAY(MI_RESULT_FAILED))) {
        set_null(&slot->elements[at], false);
    }
}

/* Names are copied; NULL removes one. */
static void set_names(struct slot *slot)
{
    static const char *const names[] = {"root/test", "root/cimv2", "", NULL};
    const char *name = names[draw(COUNT(names))];
    char *copy = name == NULL ? NULL : strdup(name);
    const bool space = draw(2) == 0;

    begin(space ? "SetNameSpace" : "SetServerName");
    MI_Result result = space ? MI_Instance_SetNameSpace(slot->real, copy)
                             : MI_Instance_SetServerName(slot->real, copy);
    free(copy);
    if (judge(result, 0)) {
        *(space ? &slot->name_space : &slot->server) = name;
    }
}

/* What generated code does: it writes to the struct itself (X_Set_Number, X_Clear_Number). */
static void write_directly(struct slot *slot)
{
    struct element *element = &slot->elements[NUMBER];
    struct test_thing *thing = (struct test_thing *)(void *)slot->real;
    MI_Uint32Field field = {draw(1000), MI_TRUE, 0};
    struct page text = {NULL, 0, 0};

    if (slot->kind == DYNAMIC) {
        return;
    }
    doing = "a direct write";
    if (draw(2) == 0) {
        field = (MI_Uint32Field){0, MI_FALSE, 0};
        set_null(element, false);
    } else {
        put_value(&text, MI_UINT32, &field.value);
        field.flags = thing->Number.flags;
        free(element->text);
        element->text = text.data;
        element->null = false;
    }
    memcpy((void *)(uintptr_t)&thing->Number, &field, sizeof(field));
}

/* Each changes nothing. */
static void misuse(struct slot *slot)
{
    MI_Value value = {0};
    const MI_Char *name = NULL;
    MI_Boolean is = MI_FALSE;
    MI_Instance *real = slot->real;
    const uint64_t invalid = MAY(MI_RESULT_INVALID_PARAMETER);
    const struct {
        const char *what;
        MI_Result result;
        uint64_t allowed;
    } rows[] = {
        {"Clone(NULL)", MI_Instance_Clone(real, NULL), invalid},
        {"GetElement(NULL)", MI_Instance_GetElement(real, NULL, &value, NULL, NULL, NULL), invalid},
        {"GetElement(unknown)", MI_Instance_GetElement(real, "Nowhere", &value, NULL, NULL, NULL),
         MAY(MI_RESULT_NO_SUCH_PROPERTY)},
        {"GetElementAt(count)",
         MI_Instance_GetElementAt(real, slot->count, &name, &value, NULL, NULL), invalid},
        {"GetElementAt(-1)", MI_Instance_GetElementAt(real, UINT32_MAX, &name, &value, NULL, NULL),
         invalid},
        {"SetElement(NULL)", MI_Instance_SetElement(real, NULL, &value, MI_UINT8, 0), invalid},
        {"SetElementAt(-1)", MI_Instance_SetElementAt(real, UINT32_MAX, &value, MI_UINT8, 0),
         MAY(MI_RESULT_FAILED)},
        {"ClearElement(NULL)", MI_Instance_ClearElement(real, NULL), invalid},
        {"ClearElementAt(-1)", MI_Instance_ClearElementAt(real, UINT32_MAX), MAY(MI_RESULT_FAILED)},
        {"GetElementCount(NULL)", MI_Instance_GetElementCount(real, NULL), invalid},
        {"GetClassName(NULL)", MI_Instance_GetClassName(real, NULL), invalid},
        {"GetNameSpace(NULL)", MI_Instance_GetNameSpace(real, NULL), invalid},
        {"IsA(NULL)", MI_Instance_IsA(real, NULL, &is), invalid},
    };

    for (unsigned i = 0; i < COUNT(rows); i++) {
        doing = rows[i].what;
        failed = false;
        (void)judge(rows[i].result, rows[i].allowed);
    }
    doing = "IsA";
    note(MI_Instance_IsA(real, &test_base_decl, &is) == MI_RESULT_OK &&
             (is == MI_TRUE) == (slot->kind != DYNAMIC),
         "of the superclass");
}

static void step(void)
{
    static void (*const operations[])(struct slot *) = {
        add, add, add, set, set, set, set, set_from_itself, clear, set_names, write_directly};
    struct slot *slot = &slots[draw(SLOTS)];

    if (slot->kind == FREE) {
        create(slot);
    } else if (draw(60) == 0) {
        end(slot);
    } else if (draw(100) == 0) {
        misuse(slot);
    } else {
        operations[draw(COUNT(operations))](slot);
    }
    if (slot->kind != FREE) {
        compare(slot);
    }
}

int main(void)
{
    const char *seed = getenv("SEED");
    const unsigned long steps = getenv("FULL") != NULL       ? 1000000
                                : getenv("EMULATED") != NULL ? 10000
                                : getenv("QUICK") != NULL    ? 30000
                                                             : 200000;
    static const MI_Result reached[] = {MI_RESULT_OK,
                                        MI_RESULT_FAILED,
                                        MI_RESULT_INVALID_PARAMETER,
                                        MI_RESULT_ALREADY_EXISTS,
                                        MI_RESULT_NO_SUCH_PROPERTY,
                                        MI_RESULT_TYPE_MISMATCH,
                                        MI_RESULT_SERVER_LIMITS_EXCEEDED};

    if (seed != NULL) {
        random_state = strtoull(seed, NULL, 0);
    }
    for (unsigned long i = 0; i < steps && bad_checks == 0; i++) {
        step();
        if (bad_checks > 0) {
            printf("operation %lu\n", i);
        }
    }
    for (unsigned i = 0; i < SLOTS; i++) {
        if (slots[i].kind != FREE) {
            end(&slots[i]);
        }
    }
    doing = "at the end";
    note(outstanding == 0, "blocks are left");
    for (unsigned i = 0; i < COUNT(reached); i++) {
        note(answers[reached[i]] > steps / 10000, "a result that hardly came");
    }
    printf("%lu operations: %lu done, %lu refused, %lu without memory\n", steps,
           answers[MI_RESULT_OK],
           answers[MI_RESULT_FAILED] + answers[MI_RESULT_INVALID_PARAMETER] +
               answers[MI_RESULT_ALREADY_EXISTS] + answers[MI_RESULT_NO_SUCH_PROPERTY] +
               answers[MI_RESULT_TYPE_MISMATCH],
           answers[MI_RESULT_SERVER_LIMITS_EXCEEDED]);
    printf("%lu passed, %lu failed\n", good_checks, bad_checks);
    return bad_checks == 0 ? 0 : 1;
}

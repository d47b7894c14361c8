/* SPDX-License-Identifier: MIT */
/*
 * XML to elements, by expat. Text is taken where CIM-XML has it, and refused elsewhere.
 *
 * A document type is refused where it begins, so no entity can be declared: those of XML itself are
 * the only ones. The text is UTF-8, whatever it says of itself. All of expat's memory comes from
 * base/alloc.h.
 */
#include "host/serial/xml.h"

#include <expat.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/text.h"

/* An element while its end has not been read. */
struct open_element {
    struct xml_element *element;
    const struct xml_element **link; /* where its next child goes */
};

struct parse {
    XML_Parser parser;
    struct arena *arena;
    struct mof_error *error;
    struct open_element open[XML_MAX_DEPTH];
    unsigned depth, count;
    const struct xml_element *root;
    struct text characters; /* since the last tag */
    size_t used;
    bool stopped, no_memory;
};

/* ---- failures ---------------------------------------------------------------------------------
 */

static void stop(struct parse *parse)
{
    parse->stopped = true;
    (void)XML_StopParser(parse->parser, XML_FALSE);
}

static void set_place(const struct parse *parse)
{
    parse->error->line = (unsigned)XML_GetCurrentLineNumber(parse->parser);
    parse->error->column = (unsigned)XML_GetCurrentColumnNumber(parse->parser) + 1;
}

/* The first failure counts. */
static void refuse(struct parse *parse, bool limit, const char *text)
{
    if (!parse->stopped) {
        set_place(parse);
        parse->error->limit = limit;
        snprintf(parse->error->text, sizeof(parse->error->text), "%s", text);
        stop(parse);
    }
}

static void run_out(struct parse *parse)
{
    parse->no_memory = true;
    stop(parse);
}

/* ---- elements ---------------------------------------------------------------------------------
 */

static const char *copy(struct parse *parse, const char *text)
{
    return arena_copy(parse->arena, text, strlen(text));
}

/* False without memory. */
static bool copy_attributes(struct parse *parse, const XML_Char **attributes,
                            struct xml_element *element)
{
    size_t count = 0;

    while (attributes[count] != NULL) {
        count++;
    }
    const char **list = arena_take(parse->arena, count + 1, sizeof(*list));
    bool good = list != NULL;
    for (size_t i = 0; good && i < count; i++) {
        list[i] = copy(parse, attributes[i]);
        good = list[i] != NULL;
    }
    element->attributes = list;
    return good;
}

/* What stands before the first child, or between two, must be blank. */
static bool passes_blanks(struct parse *parse)
{
    const size_t blanks =
        parse->characters.length == 0 ? 0 : strspn(parse->characters.data, " \t\r\n");

    if (blanks < parse->characters.length) {
        refuse(parse, false, "an element is needed here, not text");
        return false;
    }
    text_clear(&parse->characters);
    return true;
}

static void XMLCALL begin_element(void *data, const XML_Char *name, const XML_Char **attributes)
{
    struct parse *parse = data;

    if (parse->stopped || !passes_blanks(parse)) {
        return;
    }
    if (parse->depth == XML_MAX_DEPTH || parse->count == XML_MAX_ELEMENTS) {
        refuse(parse, true, "more elements, or deeper ones, than a text may have");
        return;
    }
    struct xml_element *element = arena_take(parse->arena, 1, sizeof(*element));
    if (element == NULL || !copy_attributes(parse, attributes, element) ||
        (element->name = copy(parse, name)) == NULL) {
        run_out(parse);
        return;
    }
    element->line = (unsigned)XML_GetCurrentLineNumber(parse->parser);
    element->column = (unsigned)XML_GetCurrentColumnNumber(parse->parser) + 1;
    element->text = "";
    if (parse->depth > 0) {
        struct open_element *outer = &parse->open[parse->depth - 1];
        *outer->link = element;
        outer->link = &element->next;
    } else {
        parse->root = element;
    }
    parse->open[parse->depth++] = (struct open_element){element, &element->first};
    parse->count++;
}

/* The elements of CIM-XML that have text; it would be lost in any other. */
static bool holds_text(const char *name)
{
    return strcmp(name, "VALUE") == 0 || strcmp(name, "KEYVALUE") == 0 || strcmp(name, "HOST") == 0;
}

static void XMLCALL end_element(void *data, const XML_Char *name)
{
    struct parse *parse = data;

    if (parse->stopped) {
        return;
    }
    struct xml_element *element = parse->open[parse->depth - 1].element;
    if ((element->first != NULL || !holds_text(name)) && !passes_blanks(parse)) {
        return;
    }
    if (parse->characters.length > 0) {
        element->text = arena_copy(parse->arena, parse->characters.data, parse->characters.length);
        text_clear(&parse->characters);
    }
    if (element->text == NULL) {
        run_out(parse);
        return;
    }
    if (--parse->depth == 0) {
        parse->used = (size_t)XML_GetCurrentByteIndex(parse->parser) +
                      (size_t)XML_GetCurrentByteCount(parse->parser);
        stop(parse);
    }
}

static void XMLCALL add_characters(void *data, const XML_Char *bytes, int length)
{
    struct parse *parse = data;

    if (!parse->stopped) {
        text_append_bytes(&parse->characters, bytes, (size_t)length);
        if (parse->characters.failed) {
            run_out(parse);
        }
    }
}

static void XMLCALL refuse_doctype(void *data, const XML_Char *name, const XML_Char *system_id,
                                   const XML_Char *public_id, int has_subset)
{
    (void)name;
    (void)system_id;
    (void)public_id;
    (void)has_subset;
    refuse(data, false, "a document type is not allowed");
}

/* ---- the parser -------------------------------------------------------------------------------
 */

static void *take(size_t size)
{
    return base_alloc(1, size);
}

static void *resize(void *block, size_t size)
{
    return base_resize(block, 1, size);
}

static bool finish(struct parse *parse)
{
    enum XML_Error code = XML_GetErrorCode(parse->parser);

    if (parse->root != NULL && parse->depth == 0 && !parse->no_memory) {
        return true;
    }
    if (parse->no_memory || code == XML_ERROR_NO_MEMORY) {
        *parse->error = (struct mof_error){.text = "out of memory"};
    } else if (!parse->stopped) {
        set_place(parse);
        snprintf(parse->error->text, sizeof(parse->error->text), "this is not well-formed XML: %s",
                 XML_ErrorString(code));
    }
    return false;
}

bool xml_parse(struct arena *arena, const char *text, size_t length,
               const struct xml_element **ret_root, size_t *ret_used, struct mof_error *ret_error)
{
    static const XML_Memory_Handling_Suite memory = {take, resize, base_free};
    struct parse parse = {.arena = arena, .error = ret_error};

    *ret_error = (struct mof_error){.text = "out of memory"};
    parse.parser = XML_ParserCreate_MM("UTF-8", &memory, NULL);
    if (parse.parser == NULL) {
        return false;
    }
    XML_SetUserData(parse.parser, &parse);
    XML_SetElementHandler(parse.parser, begin_element, end_element);
    XML_SetCharacterDataHandler(parse.parser, add_characters);
    XML_SetStartDoctypeDeclHandler(parse.parser, refuse_doctype);
    (void)XML_Parse(parse.parser, text, (int)length, XML_TRUE);
    bool good = finish(&parse);
    XML_ParserFree(parse.parser);
    text_release(&parse.characters);
    if (good) {
        *ret_root = parse.root;
        *ret_used = parse.used;
    }
    return good;
}

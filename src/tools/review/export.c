/* SPDX-License-Identifier: MIT */
/*
 * Writes a record as ECS, OCSF, CEF or RFC 5424, for `miguard audit export`.
 *
 * export_record() chooses the format. ECS is the record in its full form, since its names are
 * ECS, and related.* (export_ecs.c); the others are made from tables in export.h, field by field,
 * so that --mapping and the code cannot disagree. Escaping is export_text()'s, with the style of
 * the place.
 */
#include "tools/review/export.h"

#include <stdio.h>
#include <string.h>

#include "miguard/guard.h"
#include "tools/review/export_ecs.h"
#include "tools/review/export_ocsf.h"
#include "tools/review/record_expand.h"

/* In the order of enum export_format; the command takes its option's words from here. */
const char *const export_formats[] = {
#define FORMAT_NAME(NAME, name) [EXPORT_##NAME##_FORMAT] = name,
    EXPORT_FORMAT_MAP(FORMAT_NAME)
#undef FORMAT_NAME
        NULL,
};

/* ---- shared by CEF and RFC 5424 --------------------------------------------------------------*/

/*
 * Both are flat: a value is one text, whatever it is in JSON.
 */

/* A list is its items with commas. CEF and RFC 5424 have no lists. A comma inside of an item stays
 * as it is. */
static void append_value(struct text *text, enum export_style style, const struct record *record,
                         enum record_field field)
{
    struct slice item;
    const char *separator = "";

    if (record->field[field].at[0] != '[') {
        export_field(text, style, record, field);
        return;
    }
    for (size_t at = 0; export_element(&record->field[field], &at, &item);) {
        text_append(text, separator);
        export_slice(text, style, &item);
        separator = ",";
    }
}

/* The action decides where it is about the log or the policy; else the decision does. Keep it as in
 * the syslog sink (src/audit/sink). */
unsigned export_severity(const struct record *record)
{
    enum { CRITICAL = 2, ERROR, WARNING, NOTICE, INFO };
    enum audit_action action;

    if (export_action(record, &action)) {
        switch (action) {
        case AUDIT_ACTION_RECORDS_LOST:
        case AUDIT_ACTION_STATE_SET_ASIDE:
            return CRITICAL;
        case AUDIT_ACTION_AUDIT_SPACE:
            return record_is(record, RECORD_SPACE_STEP, "normal") ? NOTICE
                   : record_is(record, RECORD_SPACE_STEP, "low")  ? WARNING
                                                                  : CRITICAL;
        case AUDIT_ACTION_POLICY_REFUSED:
            return ERROR;
        case AUDIT_ACTION_POLICY_LOAD:
            return NOTICE;
        default:
            break;
        }
    }
    return record_is(record, RECORD_DECISION, "deny")     ? WARNING
           : record_is(record, RECORD_WOULD_DENY, "true") ? NOTICE
                                                          : INFO;
}

/* ---- CEF -------------------------------------------------------------------------------------*/

/*
 * ArcSight Common Event Format: a header of seven fields between bars, then key=value. Of both only
 * a few characters are escaped (EXPORT_CEF_HEADER, EXPORT_CEF).
 */

static const struct {
    enum record_field field;
    const char *key, *label;
    /* A key that is CEF's own has no label; custom fields (cs1 to cs6, cn1 to cn3, flexString1 and
     * 2) must have one. */
} cef_keys[] = {
#define CEF_ROW(FIELD, key, label) {RECORD_##FIELD, key, label},
    EXPORT_CEF_MAP(CEF_ROW)
#undef CEF_ROW
};

/* CEF takes milliseconds since 1970. */
static void cef_time(struct text *text, const char *key, const struct record *record,
                     enum record_field field)
{
    int64_t time;

    if (record_time(record, field, &time)) {
        text_append(text, " ");
        text_append(text, key);
        text_append(text, "=");
        text_append_unsigned(text, (uint64_t)(time / 1000000));
    }
}

/* CEF counts from 0 to 10, and upwards. The index is the syslog severity; 10 is the gravest in
 * CEF. */
static unsigned cef_severity(const struct record *record)
{
    static const unsigned severities[] = {10, 10, 9, 8, 6, 3, 1, 0};

    return severities[export_severity(record) & 7];
}

/* CEF:Version|Vendor|Product|Device Version|Signature ID|Name|Severity|Extension. The signature id
 * is event.code; a header field may not be empty, hence "unknown". */
static void export_cef(struct text *text, const struct record *record)
{
    text_append(text, "CEF:0|miguard|miguard|" MIGUARD_VERSION "|");
    if (export_has(record, RECORD_CODE)) {
        export_field(text, EXPORT_CEF_HEADER, record, RECORD_CODE);
    } else {
        text_append(text, "unknown");
    }
    text_append(text, "|");
    export_string(text, EXPORT_CEF_HEADER, export_action_text(record));
    text_append(text, "|");
    text_append_unsigned(text, cef_severity(record));
    text_append(text, "|");
    /* CEF's name for what was done; "would-deny" is of this project. */
    const char *act = record_is(record, RECORD_DECISION, "deny")     ? "deny"
                      : record_is(record, RECORD_WOULD_DENY, "true") ? "would-deny"
                                                                     : "allow";
    text_append(text, "act=");
    text_append(text, act);
    cef_time(text, "rt", record, RECORD_TIMESTAMP);
    cef_time(text, "start", record, RECORD_START);
    cef_time(text, "end", record, RECORD_END);
    for (size_t i = 0; i < sizeof(cef_keys) / sizeof(cef_keys[0]); i++) {
        if (!export_has(record, cef_keys[i].field)) {
            continue;
        }
        if (cef_keys[i].label != NULL) {
            text_append(text, " ");
            text_append(text, cef_keys[i].key);
            text_append(text, "Label=");
            text_append(text, cef_keys[i].label);
        }
        text_append(text, " ");
        text_append(text, cef_keys[i].key);
        text_append(text, "=");
        append_value(text, EXPORT_CEF, record, cef_keys[i].field);
    }
}

/* ---- RFC 5424 --------------------------------------------------------------------------------*/

/*
 * As the syslog sink sends it, so that a log that is exported later looks the same to a collector:
 * facility, tags and the names of the structured data.
 */

/* RFC 5424, table 1. */
enum { FACILITY = 10 /* authpriv, as the syslog sink by default */ };

static const struct {
    enum record_field field;
    const char *name;
    /* The names of the syslog sink, so that a rule of a collector works for both ways. */
} parameters[] = {
#define PARAMETER_ROW(FIELD, name) {RECORD_##FIELD, name},
    EXPORT_SYSLOG_MAP(PARAMETER_ROW)
#undef PARAMETER_ROW
};

/* Visible ASCII of limited length, "-" for none (RFC 5424, 6). Each limit is that of RFC 5424, 6:
 * HOSTNAME 255, PROCID 128, MSGID 32. */
static void append_header(struct text *text, const struct record *record, enum record_field field,
                          size_t limit)
{
    char value[256];

    record_text(record, field, value, limit + 1 < sizeof(value) ? limit + 1 : sizeof(value));
    for (char *at = value; *at != '\0'; at++) {
        /* PRINTUSASCII of RFC 5424. */
        if (*at < 33 || *at > 126) {
            *at = '_';
        }
    }
    text_append(text, " ");
    text_append(text, value[0] != '\0' ? value : "-");
}

/* The record has no byte order mark before it, which RFC 8259, 8.1 forbids in JSON. The message
 * behind the structured data is the record itself. NILVALUE stands for a time that the record
 * lacks. */
static void export_syslog(struct text *text, uint32_t enterprise, const struct record *record)
{
    int64_t time;

    text_format(text, "<%u>1 ", FACILITY * 8 + export_severity(record));
    if (record_time(record, RECORD_TIMESTAMP, &time)) {
        export_utc(text, time);
    } else {
        text_append(text, "-");
    }
    append_header(text, record, RECORD_HOST, 255);
    text_append(text, " miguard");
    append_header(text, record, RECORD_PID, 128);
    append_header(text, record, RECORD_CODE, 32);
    text_format(text, " [miguard@%u", enterprise);
    for (size_t i = 0; i < sizeof(parameters) / sizeof(parameters[0]); i++) {
        if (export_has(record, parameters[i].field)) {
            text_append(text, " ");
            text_append(text, parameters[i].name);
            text_append(text, "=\"");
            append_value(text, EXPORT_SYSLOG, record, parameters[i].field);
            text_append(text, "\"");
        }
    }
    text_append(text, "] ");
    text_append_bytes(text, record->line, record->length);
}

/* text->comma: the caller may have written JSON before; each line begins a new value. */
static void export_full(struct text *text, const struct export_form *form,
                        const struct record *record)
{
    text->comma = false;
    switch (form->format) {
    case EXPORT_OCSF_FORMAT:
        export_ocsf(text, record);
        break;
    case EXPORT_CEF_FORMAT:
        export_cef(text, record);
        break;
    case EXPORT_RFC5424_FORMAT:
        export_syslog(text, form->enterprise, record);
        break;
    default:
        export_ecs(text, record);
        break;
    }
    text_append(text, "\n");
}

/* Other systems get the full form: they do not know the short one. */
void export_record(struct text *text, const struct export_form *form,
                   struct record_expander *expander, const struct record *record)
{
    struct text own = TEXT_EMPTY, *line = record_expander_line(expander, &own);
    struct record full;

    text->failed = !record_expand_next(expander, record, line, &full) || text->failed;
    export_full(text, form, &full);
    text_release(&own);
}

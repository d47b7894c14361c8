/* SPDX-License-Identifier: MIT */
/*
 * Flags of operations (reference B.3): what each operation answers with each of them. A flag that
 * says nothing about an operation changes nothing, and unknown bits are not refused.
 */
#include "../../unit/host_module.h"

#include <math.h>

#include "rows.h"

#define UNKNOWN_BITS 0xFFFFF000U
#define BASE_ONLY    MI_OPERATIONFLAGS_POLYMORPHISM_DEEP_BASE_PROPS_ONLY

/* What a flag can change. Types of elements: u is uint32, s string, - NULL, . not there. */
enum effect { TYPES = 1, SHALLOW = 2, BASE = 4, STARTED = 8 };

static const struct {
    MI_Uint32 flags;
    unsigned effects;
} flag_rows_of[] = {
    {MI_OPERATIONFLAGS_DEFAULT_RTTI, 0},
    {MI_OPERATIONFLAGS_BASIC_RTTI, 0},
    {MI_OPERATIONFLAGS_STANDARD_RTTI, 0},
    {MI_OPERATIONFLAGS_FULL_RTTI, 0},
    {MI_OPERATIONFLAGS_NO_RTTI, TYPES},
    /* Who asks for types, too, gets them. */
    {MI_OPERATIONFLAGS_NO_RTTI | MI_OPERATIONFLAGS_BASIC_RTTI, 0},
    {MI_OPERATIONFLAGS_NO_RTTI | MI_OPERATIONFLAGS_STANDARD_RTTI, 0},
    {MI_OPERATIONFLAGS_NO_RTTI | MI_OPERATIONFLAGS_FULL_RTTI, 0},
    {MI_OPERATIONFLAGS_LOCALIZED_QUALIFIERS, 0},
    {MI_OPERATIONFLAGS_FULL_RTTI | MI_OPERATIONFLAGS_LOCALIZED_QUALIFIERS, 0},
    {MI_OPERATIONFLAGS_EXPENSIVE_PROPERTIES, 0},
    {MI_OPERATIONFLAGS_MANUAL_ACK_RESULTS, 0},
    {MI_OPERATIONFLAGS_REPORT_OPERATION_STARTED, STARTED},
    {MI_OPERATIONFLAGS_POLYMORPHISM_SHALLOW, SHALLOW},
    {BASE_ONLY, BASE},
    {BASE_ONLY & ~MI_OPERATIONFLAGS_POLYMORPHISM_SHALLOW, 0}, /* half of a flag */
    {MI_OPERATIONFLAGS_NO_RTTI | MI_OPERATIONFLAGS_POLYMORPHISM_SHALLOW, TYPES | SHALLOW},
    {MI_OPERATIONFLAGS_NO_RTTI | BASE_ONLY, TYPES | BASE},
    {UNKNOWN_BITS, 0},
};

/* Each item is class:key:types of Count, Weight and the return value. NULL: as without the flag. */
static const struct operation_row {
    const char *name;
    const char *plain, *texts, *shallow, *base, *base_texts, *shallow_texts;
} operations[] = {
    {"MI_Session_GetInstance", "T_Widget:abc:u.. ", "T_Widget:abc:s.. ", NULL, NULL,
     "T_Widget:abc:s.. ", "T_Widget:abc:s.. "},
    {"MI_Session_CreateInstance", "T_Widget:abc:u.. ", "T_Widget:abc:s.. ", NULL, NULL,
     "T_Widget:abc:s.. ", "T_Widget:abc:s.. "},
    {"MI_Session_ModifyInstance", "", "", NULL, NULL, "", ""},
    {"MI_Session_DeleteInstance", "", "", NULL, NULL, "", ""},
    {"MI_Session_Invoke", "Touch::..u ", "Touch::..s ", NULL, NULL, "Touch::..s ", "Touch::..s "},
    {"MI_Session_EnumerateInstances",
     "T_Widget:w1:u.. T_Widget:w2:u.. T_Gadget:g1:uu. T_Gadget:g2:uu. ",
     "T_Widget:w1:s.. T_Widget:w2:s.. T_Gadget:g1:ss. T_Gadget:g2:ss. ",
     "T_Widget:w1:u.. T_Widget:w2:u.. ",
     "T_Widget:w1:u.. T_Widget:w2:u.. T_Gadget:g1:u-. T_Gadget:g2:u-. ",
     "T_Widget:w1:s.. T_Widget:w2:s.. T_Gadget:g1:s-. T_Gadget:g2:s-. ",
     "T_Widget:w1:s.. T_Widget:w2:s.. "},
    {"MI_Session_QueryInstances", "T_Widget:w2:u.. T_Gadget:g2:uu. ",
     "T_Widget:w2:s.. T_Gadget:g2:ss. ", "T_Widget:w2:u.. ", "T_Widget:w2:u.. T_Gadget:g2:u-. ",
     "T_Widget:w2:s.. T_Gadget:g2:s-. ", "T_Widget:w2:s.. "},
    {"MI_Session_AssociatorInstances", "T_Widget:abc:u.. ", "T_Widget:abc:s.. ", NULL, NULL,
     "T_Widget:abc:s.. ", "T_Widget:abc:s.. "},
    {"MI_Session_ReferenceInstances", "", "", NULL, NULL, "", ""},
    /* Classes have their types, whatever is asked for. */
    {"MI_Session_GetClass", "T_Widget ", NULL, NULL, NULL, NULL, NULL},
    {"MI_Session_EnumerateClasses", "T_Base T_Widget T_Gadget T_Idea T_Bare T_Hollow T_Link ", NULL,
     "T_Base T_Bare T_Hollow T_Link ", NULL, NULL, "T_Base T_Bare T_Hollow T_Link "},
    {"MI_Session_TestConnection", "", "", NULL, NULL, "", ""},
};

static const char *expected(const struct operation_row *row, unsigned effects)
{
    const char *text = NULL;

    switch (effects & (TYPES | SHALLOW | BASE)) {
    case TYPES:
        text = row->texts;
        break;
    case SHALLOW:
        text = row->shallow;
        break;
    case BASE:
        text = row->base;
        break;
    case TYPES | BASE:
        text = row->base_texts;
        break;
    case TYPES | SHALLOW:
        text = row->shallow_texts;
        break;
    default:
        break;
    }
    return text == NULL ? row->plain : text;
}

static void start(const char *name, MI_Uint32 flags, MI_OperationCallbacks *callbacks,
                  MI_Operation *operation)
{
    MI_Instance *a = key("T_Widget", "abc");

#define IS(FUNCTION) (strcmp(name, #FUNCTION) == 0)
#define START(FUNCTION, ...)                                                                       \
    if (IS(FUNCTION)) {                                                                            \
        FUNCTION(&session, flags, NULL, SPACE, __VA_ARGS__, callbacks, operation);                 \
    }
    START(MI_Session_GetInstance, a)
    START(MI_Session_CreateInstance, a)
    START(MI_Session_ModifyInstance, a)
    START(MI_Session_DeleteInstance, a)
    START(MI_Session_Invoke, "T_Widget", "Touch", a, NULL)
    START(MI_Session_EnumerateInstances, "T_Widget", MI_FALSE)
    START(MI_Session_QueryInstances, "WQL", "select * from T_Widget where Count = 2")
    START(MI_Session_AssociatorInstances, a, "T_Link", NULL, NULL, NULL, MI_FALSE)
    START(MI_Session_ReferenceInstances, a, "T_Link", NULL, MI_FALSE)
    START(MI_Session_GetClass, "T_Widget")
    START(MI_Session_EnumerateClasses, NULL, MI_FALSE)
    if (IS(MI_Session_TestConnection)) {
        MI_Session_TestConnection(&session, flags, callbacks, operation);
    }
    MI_Instance_Delete(a);
}

static char letter(const MI_Instance *instance, const char *name)
{
    MI_Value value;
    MI_Type type;
    MI_Uint32 flags = 0;

    if (MI_Instance_GetElement(instance, name, &value, &type, &flags, NULL) != MI_RESULT_OK) {
        return '.';
    }
    return (flags & MI_FLAG_NULL) != 0 ? '-'
           : type == MI_UINT32         ? 'u'
           : type == MI_STRING         ? 's'
                                       : '?';
}

static void append_instance(const MI_Instance *instance, char *text, size_t size)
{
    const MI_Char *name = NULL;
    MI_Value id = {.string = NULL};
    size_t length = strlen(text);

    MI_Instance_GetClassName(instance, &name);
    if (MI_Instance_GetElement(instance, "Id", &id, NULL, NULL, NULL) != MI_RESULT_OK) {
        id.string = NULL;
    }
    snprintf(text + length, size - length, "%s:%s:%c%c%c ", name,
             id.string == NULL ? "" : id.string, letter(instance, "Count"),
             letter(instance, "Weight"), letter(instance, "ReturnValue"));
}

static void append_class(const MI_Class *class_item, char *text, size_t size)
{
    const MI_Char *name = NULL;
    size_t length = strlen(text);

    MI_Class_GetClassName(class_item, &name);
    snprintf(text + length, size - length, "%s ", name);
}

/* All that the operation gives, and its final result. */
static MI_Result read_all(MI_Operation *operation, bool classes, char *text, size_t size)
{
    MI_Boolean more = MI_TRUE;
    MI_Result result = MI_RESULT_FAILED;

    text[0] = '\0';
    while (more) {
        const MI_Instance *instance = NULL;
        const MI_Class *class_item = NULL;
        MI_Result got =
            classes ? MI_Operation_GetClass(operation, &class_item, &more, &result, NULL, NULL)
                    : MI_Operation_GetInstance(operation, &instance, &more, &result, NULL, NULL);
        size_t length = strlen(text);
        if (got != MI_RESULT_OK) {
            result = got;
            break;
        }
        if (instance != NULL) {
            append_instance(instance, text, size);
        } else if (class_item != NULL) {
            append_class(class_item, text, size);
        } else if (more) {
            snprintf(text + length, size - length, "started ");
        }
    }
    MI_Operation_Close(operation);
    return result;
}

static void row_of(const struct operation_row *row, MI_Uint32 flags, unsigned effects)
{
    bool classes = strstr(row->name, "Class") != NULL;
    char text[512], wanted[512];
    MI_Operation operation = MI_OPERATION_NULL;

    start(row->name, flags, NULL, &operation);
    row_note(row->name, "with flags", MI_RESULT_OK,
             read_all(&operation, classes, text, sizeof(text)));
    const char *items = expected(row, effects);
    snprintf(wanted, sizeof(wanted), "%s%s", (effects & STARTED) != 0 ? "started " : "", items);
    if ((effects & STARTED) != 0 && items[0] == '\0' && text[0] == '\0') {
        wanted[0] = '\0'; /* ended before its client asked: one answer says both */
    }
    EFFECT(strcmp(text, wanted) == 0);
    if (strcmp(text, wanted) != 0) {
        printf("flags 0x%X of %s: %s, expected %s\n", flags, row->name, text, wanted);
    }
}

/* A client that asked for strings can give them back. */
static void back_rows(void)
{
    MI_Operation got = MI_OPERATION_NULL, again = MI_OPERATION_NULL;
    const MI_Instance *texts = NULL;
    MI_Boolean more = MI_FALSE;
    MI_Result result = MI_RESULT_FAILED;
    char text[512];

    start("MI_Session_GetInstance", MI_OPERATIONFLAGS_NO_RTTI, NULL, &got);
    ROW(OK, MI_Operation_GetInstance, "strings alone", &got, &texts, &more, &result, NULL, NULL);
    MI_Session_CreateInstance(&session, 0, NULL, SPACE, texts, NULL, &again);
    VOID_ROW(OK, MI_Session_CreateInstance, "strings alone",
             read_all(&again, false, text, sizeof(text)));
    EFFECT(strcmp(text, "T_Widget:abc:u.. ") == 0);
    MI_Operation_Close(&got);
}

/* As numbers it fits, as strings it does not. */
static void get_many_numbers(MI_Context *context, const struct widget *wanted)
{
    static MI_Uint64 numbers[1000000];
    MI_Instance *instance = NULL;
    MI_Value value = {.uint64a = {numbers, COUNT(numbers)}};

    (void)wanted;
    memset(numbers, 0xFF, sizeof(numbers));
    MI_Result result = MI_Context_NewDynamicInstance(context, "T_Widget", 0, &instance);
    if (result == MI_RESULT_OK) {
        MI_Instance_AddElement(instance, "Numbers", &value, MI_UINT64A, 0);
        (void)MI_Context_PostInstance(context, instance);
        MI_Instance_Delete(instance);
    }
    MI_Context_PostResult(context, result);
}

/* A real that is no number has no text. */
static void get_endless(MI_Context *context, const struct widget *wanted)
{
    MI_Instance *instance = NULL;
    MI_Value value = {.real64 = HUGE_VAL};

    (void)wanted;
    MI_Result result = MI_Context_NewDynamicInstance(context, "T_Widget", 0, &instance);
    if (result == MI_RESULT_OK) {
        MI_Instance_AddElement(instance, "Endless", &value, MI_REAL64, 0);
        (void)MI_Context_PostInstance(context, instance);
        MI_Instance_Delete(instance);
    }
    MI_Context_PostResult(context, result);
}

static void refused_rows(void)
{
    static const struct {
        void (*get)(MI_Context *context, const struct widget *wanted);
        MI_Result texts;
    } posts[] = {{get_many_numbers, MI_RESULT_SERVER_LIMITS_EXCEEDED},
                 {get_endless, MI_RESULT_NOT_SUPPORTED}};
    MI_Operation operation = MI_OPERATION_NULL;
    char text[512];

    for (size_t i = 0; i < COUNT(posts); i++) {
        hooks.get = posts[i].get;
        start("MI_Session_GetInstance", 0, NULL, &operation);
        VOID_ROW(OK, MI_Session_GetInstance, "what has no text, with its type",
                 read_all(&operation, false, text, sizeof(text)));
        EFFECT(strcmp(text, "T_Widget::... ") == 0);
        start("MI_Session_GetInstance", MI_OPERATIONFLAGS_NO_RTTI, NULL, &operation);
        MI_Result result = read_all(&operation, false, text, sizeof(text));
        VOID_ROW(OK, MI_Session_GetInstance, "what has no text, as text",
                 result == posts[i].texts ? MI_RESULT_OK : MI_RESULT_FAILED);
        EFFECT(text[0] == '\0');
    }
    hooks.get = NULL;
}

void flag_rows(void)
{
    if (!start_host()) {
        VOID_ROW(OK, MI_Session_TestConnection, "the host starts", MI_RESULT_FAILED);
        return;
    }
    for (size_t i = 0; i < COUNT(operations); i++) {
        for (size_t j = 0; j < COUNT(flag_rows_of); j++) {
            row_of(&operations[i], flag_rows_of[j].flags, flag_rows_of[j].effects);
        }
    }
    back_rows();
    refused_rows();
    stop_host();
}

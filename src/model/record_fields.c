/* SPDX-License-Identifier: MIT */
/* The rows of the map by number, for the encoder, the sinks and the reader of records. */
#include "model/record_fields.h"

const struct record_field_words record_fields[RECORD_FIELD_COUNT] = {
#define KEY(name) "\"" name "\":"
#define FIELD_ROW(NAME, path, name, TYPE)                                                          \
    [RECORD_##NAME] = {path, name, KEY(name), sizeof(KEY(name)) - 1, RECORD_TYPE_##TYPE},
#define OBJECT_ROW(NAME, path, name)                                                               \
    [RECORD_##NAME##_OBJECT] = {path, name, KEY(name), sizeof(KEY(name)) - 1, RECORD_TYPE_OBJECT},
#define END_ROW(NAME)
    RECORD_FIELD_MAP(FIELD_ROW, OBJECT_ROW, END_ROW)
#undef FIELD_ROW
#undef OBJECT_ROW
#undef END_ROW
#undef KEY
};

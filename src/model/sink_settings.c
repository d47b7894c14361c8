/* SPDX-License-Identifier: MIT */
/* The words of the maps, by number. Read by the policy's schema, the commands and the log; the
 * functions of the sinks are not here, so that a program without a log needs none of them. */
#include "model/sink_settings.h"

const struct sink_kind_words sink_kinds[SINK_KIND_COUNT] = {
#define KIND_ROW(NAME, name, ops, ...) [SINK_##NAME] = {name, __VA_ARGS__},
    SINK_KIND_MAP(KIND_ROW)
#undef KIND_ROW
};

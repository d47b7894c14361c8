/* SPDX-License-Identifier: MIT */
/* The texts of the maps by number, for the encoder, the guard and the reviewing commands. */
#include "model/event.h"

const struct audit_action_words audit_actions[AUDIT_ACTION_COUNT] = {
#define ACTION_ROW(NAME, name, allowed, refused, text)                                             \
    [AUDIT_ACTION_##NAME] = {name, allowed, refused, text},
    AUDIT_ACTION_MAP(ACTION_ROW)
#undef ACTION_ROW
};

const struct audit_words audit_reasons[AUDIT_REASON_COUNT] = {
#define REASON_ROW(NAME, name, text) [AUDIT_REASON_##NAME] = {name, text},
    AUDIT_REASON_MAP(REASON_ROW)
#undef REASON_ROW
};

const struct audit_words audit_losses[AUDIT_LOSS_COUNT] = {
#define LOSS_ROW(NAME, name, text) [AUDIT_LOSS_##NAME] = {name, text},
    AUDIT_LOSS_MAP(LOSS_ROW)
#undef LOSS_ROW
};

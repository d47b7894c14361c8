/* SPDX-License-Identifier: MIT */
/* What sign_text.c needs of sign.c. */
#ifndef TOOLS_SIGN_SIGN_TEXT_H
#define TOOLS_SIGN_SIGN_TEXT_H

#include "tools/sign/sign.h"

/* Fills in id and both signatures; trusted is set already. */
void sign_both(const struct sign_secret *secret, const uint8_t digest[SIGN_DIGEST],
               struct sign_signature *signature);

#endif

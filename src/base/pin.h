/* SPDX-License-Identifier: MIT */
#ifndef BASE_PIN_H
#define BASE_PIN_H

#include <stdbool.h>

/*
 * Keeps the object that holds this code in memory until the process ends. Called before the first
 * signal handler, thread, key or fork handler, which point into it. The shared library is linked so
 * (-z nodelete); the archive inside a plug-in that is unloaded is not. False when that fails.
 * Thread safe; not for a signal handler.
 */
bool pin_in_memory(void);

#endif

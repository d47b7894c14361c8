/* SPDX-License-Identifier: MIT */
/*
 * Where the handlers of pthread_atfork(3) cannot be had, a child could not be told from its parent:
 * nothing is handed out that a child must not have. This file's definition stands in for the C
 * library's.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>

#include "base/fork.h"
#include "base/process.h"
#include "miguard/switch.h"
#include "support/fronts.h"
#include "support/log.h"

static int asked;

int pthread_atfork(void (*before)(void), void (*after)(void), void (*in_child)(void))
{
    (void)before, (void)after, (void)in_child;
    asked++;
    return ENOMEM;
}

static int passed, failed;

static void check(const char *name, bool good)
{
    passed += good;
    failed += !good;
    if (!good) {
        printf("FAILED: %s\n", name);
    }
}

int main(void)
{
    const struct miguard_groups none = {.choice = MIGUARD_GROUPS_KEEP};
    struct miguard_target *target = NULL;
    struct miguard_error error = {0};
    struct scene scene;

    log_start();
    check("the handlers are asked for once", asked == 1);
    check("they are known to be missing", !fork_is_watched());
    check("there is no epoch", process_epoch() == 0 && process_check_word(1) == 0);
    check("no session", !scene_make(&scene));
    check("no binding", !fronts[FRONT_BINDING].make(&scene));
    if (miguard_target_ids(2001, 2001, &none, &target, &error) == MIGUARD_OK) {
        check("no switch", miguard_switch_to(target, &error) != MIGUARD_OK);
    }
    miguard_target_free(target);
    log_remove();
    printf("%d passed, %d failed\n", passed, failed);
    return failed != 0;
}

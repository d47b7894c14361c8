#!/bin/sh
# SPDX-License-Identifier: MIT
# C++ exceptions out of a provider's callbacks and functions, through the library, to who catches
# them. The rest of what unwinds is in tests/table/unwind_test.c.
set -u

: "${OUT:=build}"
cd "$(dirname "$0")/../.." || exit 3
LC_ALL=C
export LC_ALL

if ! command -v g++ >/dev/null 2>&1; then
    echo "skip: unwind: g++ is not installed"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
fi
case $OUT in
build | build/clang) ;;
*) # what a sanitizer built needs its run-time library
    echo "skip: unwind: not with the libraries of $OUT"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
    ;;
esac

tmp=$(mktemp -d "${TMPDIR:-/tmp}/miguard-unwind-test.XXXXXX") || exit 3
trap 'rm -rf "$tmp"' EXIT
trap 'exit 3' HUP INT TERM

cat >"$tmp/program.cc" <<'PROGRAM'
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <miguard.h>
#include <miguard/host.h>
#include <pthread.h>
#include <sys/fsuid.h>
#include <unistd.h>

static unsigned passed, failed;

static void check(bool right, const char *row, const char *what)
{
    passed += right;
    failed += !right;
    if (!right) {
        std::printf("FAIL %s: %s\n", row, what);
    }
}

/* ---- the provider: what it does is throw ---------------------------------------------------- */

enum place { NOWHERE, METHOD, ITEM, FINAL, MESSAGE, PROMPT, REFUSED, CLOSE };
static place where = NOWHERE;
static MI_Session inner_session;

static void throw_at(place here)
{
    if (where == here) {
        throw static_cast<int>(here);
    }
}

static void MI_CALL on_instance(MI_Operation *, void *, const MI_Instance *, MI_Boolean more,
                                MI_Result result, const MI_Char *, const MI_Instance *,
                                MI_Result(MI_CALL *)(MI_Operation *))
{
    throw_at(result == MI_RESULT_ACCESS_DENIED ? REFUSED : more ? ITEM : FINAL);
}

static void MI_CALL on_closed(void *)
{
    throw_at(CLOSE);
}

static void MI_CALL on_message(MI_Operation *, void *, MI_Uint32, const MI_Char *)
{
    throw_at(MESSAGE);
}

static void MI_CALL on_prompt(MI_Operation *operation, void *, const MI_Char *, MI_PromptType,
                              MI_Result(MI_CALL *answer)(MI_Operation *,
                                                         MI_OperationCallback_ResponseType))
{
    throw_at(PROMPT);
    answer(operation, MI_OperationCallback_ResponseType_Yes);
}

static void MI_CALL load(void **, MI_Module_Self *, MI_Context *context)
{
    MI_Context_PostResult(context, MI_RESULT_OK);
}

static void MI_CALL unload(void *, MI_Context *context)
{
    MI_Context_PostResult(context, MI_RESULT_OK);
}

/* A request for one object runs on the thread that makes it; one for many has a thread of its own,
 * through which nothing unwinds. */
static void get(MI_Session *session, const char *name, MI_OperationCallbacks *callbacks,
                MI_Operation *operation)
{
    MI_ClassDecl decl;
    MI_Instance key;

    std::memset(&decl, 0, sizeof(decl));
    std::memset(&key, 0, sizeof(key));
    decl.flags = MI_FLAG_CLASS;
    decl.name = name;
    decl.size = sizeof(MI_Instance);
    key.classDecl = &decl;
    MI_Session_GetInstance(session, 0, nullptr, "s", &key, callbacks, operation);
}

/* The inner class writes a message and asks, on the thread of who uses the session. */
static void inner(MI_Context *context, const MI_Instance *found)
{
    MI_Boolean go_on = MI_FALSE;
    MI_Context_WriteMessage(context, 0, "m");
    MI_Context_PromptUser(context, "?", MI_PROMPTTYPE_CRITICAL, &go_on);
    throw_at(METHOD);
    MI_Context_PostInstance(context, found);
    MI_Context_PostResult(context, MI_RESULT_OK);
}

static void use(MI_Context *context, const MI_Instance *found)
{
    MI_OperationCallbacks callbacks = MI_OPERATIONCALLBACKS_NULL;
    MI_Operation operation = MI_OPERATION_NULL;

    if (MI_Context_GetLocalSession(context, &inner_session) != MI_RESULT_OK) {
        return;
    }
    callbacks.writeMessage = on_message;
    callbacks.promptUser = on_prompt;
    if (where == REFUSED || where == CLOSE) {
        callbacks.instanceResult = on_instance;
    }
    if (where == REFUSED) {
        setfsuid(65534);
    }
    try {
        if (where == CLOSE) {
            MI_Session_Close(&inner_session, nullptr, on_closed);
        } else {
            const MI_Instance *instance = nullptr;
            MI_Boolean more = MI_TRUE;
            MI_Result result = MI_RESULT_OK;
            get(&inner_session, "Inner", &callbacks, &operation);
            if (where == NOWHERE) {
                MI_Operation_GetInstance(&operation, &instance, &more, &result, nullptr, nullptr);
                check(result == MI_RESULT_OK, "nowhere", "the request inside");
            }
        }
        check(where == NOWHERE, "use", "nothing was thrown");
    } catch (int thrown) {
        check(thrown == where, "use", "what was thrown");
    }
    setfsuid(0);
    int state = -1;
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &state);
    MI_Operation_Close(&operation);
    MI_Context_PostInstance(context, found);
    MI_Context_PostResult(context, MI_RESULT_OK);
}

static void MI_CALL get_instance(void *, MI_Context *context, const MI_Char *, const MI_Char *name,
                                 const MI_Instance *key, const MI_PropertySet *)
{
    if (std::strcmp(name, "Inner") == 0) {
        inner(context, key);
    } else if (std::strcmp(name, "Thrower") == 0) {
        throw 77;
    } else {
        use(context, key);
    }
}

static MI_Module *MI_CALL provider_main(MI_Server *server)
{
    static MI_ProviderFT provider;
    static MI_Module module;
    provider.Load = load;
    provider.Unload = unload;
    provider.GetInstance = get_instance;
    module.version = MI_VERSION;
    module.charSize = sizeof(MI_Char);
    module.dynamicProviderFT = &provider;
    return miguard_wrap_module(server, &module);
}

/* ---- the client ----------------------------------------------------------------------------- */

static MI_Result ask(MI_Session *client, const char *name)
{
    MI_Operation operation = MI_OPERATION_NULL;
    const MI_Instance *instance = nullptr;
    MI_Boolean more = MI_TRUE;
    MI_Result result = MI_RESULT_OK;

    get(client, name, nullptr, &operation);
    MI_Operation_GetInstance(&operation, &instance, &more, &result, nullptr, nullptr);
    MI_Operation_Close(&operation);
    return result;
}

static void through_a_request(MI_Session *client)
{
    MI_Operation operation = MI_OPERATION_NULL;
    int caught = 0;

    try {
        get(client, "Thrower", nullptr, &operation);
    } catch (int thrown) {
        caught = thrown;
    }
    check(caught == 77, "thrower", "what was thrown");
    int state = -1;
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &state);
    check(state == PTHREAD_CANCEL_ENABLE, "thrower", "cancellation afterwards");
    const MI_Instance *instance = nullptr;
    MI_Boolean more = MI_TRUE;
    MI_Result result = MI_RESULT_OK;
    MI_Operation_GetInstance(&operation, &instance, &more, &result, nullptr, nullptr);
    check(result == MI_RESULT_FAILED && !more, "thrower", "the request has failed");
    MI_Operation_Close(&operation);
}

int main(int, char **argv)
{
    static const place places[] = {METHOD, MESSAGE, PROMPT, REFUSED, CLOSE};
    miguard_config config = MIGUARD_CONFIG_INIT;
    miguard_host *host = nullptr;
    MI_Session client;

    alarm(30);
    config.audit_file = argv[1];
    config.repeat_window = 0;
    if (miguard_configure(&config, nullptr) != MIGUARD_OK ||
        miguard_host_new(nullptr, &host, nullptr) != MIGUARD_OK ||
        miguard_host_add(host, provider_main, "*", nullptr) != MIGUARD_OK ||
        miguard_host_session(host, &client, nullptr) != MIGUARD_OK) {
        std::puts("FAIL set-up");
        return 1;
    }
    for (place here : places) {
        where = here;
        check(ask(&client, "Outer") == MI_RESULT_OK, "outer", "the request that caught it");
        where = NOWHERE;
        check(ask(&client, "Outer") == MI_RESULT_OK, "outer", "the next request");
    }
    through_a_request(&client);
    MI_Session_Close(&client, nullptr, nullptr);
    miguard_host_free(host); /* waits for whatever is pinned */
    std::printf("%u passed, %u failed\n", passed, failed);
    return failed != 0;
}
PROGRAM

LINK="-lcap-ng -lseccomp -lyaml -lsodium -lexpat"
if ! g++ -std=c++17 -Wall -Wextra -Werror -Iinclude -o "$tmp/program" "$tmp/program.cc" \
    "$OUT/libmiguard-host.a" "$OUT/libmiguard.a" $LINK -pthread -ldl; then
    echo "0 passed, 1 failed"
    exit 1
fi
[ "$(id -u)" = 0 ] || {
    echo "skip: unwind: needs root"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
}
"$tmp/program" "$tmp/audit.jsonl" || {
    status=$?
    [ $status -eq 1 ] || echo "0 passed, 1 failed"
    exit 1
}

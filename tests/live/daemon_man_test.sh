#!/bin/sh
# SPDX-License-Identifier: MIT
# miguard-daemon(7): its daemon is built by its command, and guards; its policy is one; each row of its
# table is a row of table/naive_daemons_test.c. One line a check; `make check` runs it with OUT and CC.
set -u

: "${OUT:=build}" "${CC:=gcc}"
cd "$(dirname "$0")/../.." || exit 3
LC_ALL=C
export LC_ALL

page=man/miguard-daemon.7
tmp=$(mktemp -d "${TMPDIR:-/tmp}/miguard-daemon-man.XXXXXX") || exit 3
run=$(mktemp -d /run/miguard-daemon-man.XXXXXX 2>/dev/null || echo "$tmp") # policies may not lie in /tmp
trap 'rm -rf "$tmp" "$run"' EXIT
trap 'exit 3' HUP INT TERM
. tests/support/check.sh
skipped=0

skip() { # "what: why"
    echo "skip: $*"
    skipped=$((skipped + 1))
}

plain() {
    sed -e 's/\\-/-/g' -e 's/\\&//g' -e 's/\\e/\\/g'
}

between() { # mark
    awk -v begin="$1: begin" -v end="$1: end" \
        'index($0, end) { on = 0 } on { print } index($0, begin) { on = 1 }' "$page" | plain
}

between example >"$tmp/guarded.c"
between policy >"$run/policy.yaml"
chmod 755 "$run" && chmod 644 "$run/policy.yaml"

# By the command of the page, with the built library in place of the installed one.
example_builds() {
    command=$(plain <"$page" | sed -n 's/^\$ \(cc -o guarded .*\) \$(pkg-config --cflags --libs miguard)$/\1/p')
    [ -n "$command" ] || return 1
    words=$(echo "$command" | sed -e "s|^cc|$CC|" -e "s|-o guarded guarded.c|-o $tmp/guarded $tmp/guarded.c|")
    # shellcheck disable=SC2086 # words of a command
    $words -D_GNU_SOURCE -Wall -Wextra -Wconversion -Werror -Iinclude -L"$OUT" -lmiguard \
        -Wl,-rpath,"$PWD/$OUT"
}

# The client: client PROGRAM POLICY LOG FOLDER (UID GROUP NAME ANSWER)... starts the daemon in the
# folder on a socket, connects as each uid with that group, and compares the answers.
cat >"$tmp/client.c" <<'PROGRAM'
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static struct sockaddr_un address = {.sun_family = AF_UNIX};

static int ask(char **words)
{
    char answer[256];
    gid_t group = (gid_t)atoi(words[1]);
    uid_t uid = (uid_t)atoi(words[0]);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    if (setgroups(1, &group) != 0 || setresgid(group, group, group) != 0 ||
        setresuid(uid, uid, uid) != 0 ||
        connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        send(fd, words[2], strlen(words[2]), 0) < 0) {
        perror("client");
        return 1;
    }
    ssize_t got = recv(fd, answer, sizeof(answer) - 1, MSG_WAITALL);
    answer[got > 0 ? got : 0] = '\0';
    printf("uid %s, group %s, %s: \"%s\"\n", words[0], words[1], words[2], answer);
    fflush(stdout);
    return strcmp(answer, words[3]) != 0;
}

int main(int count, char **words)
{
    int status, wrong = 0, listener = socket(AF_UNIX, SOCK_STREAM, 0);

    snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket", words[4]);
    if (bind(listener, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        chmod(address.sun_path, 0777) != 0 || listen(listener, 8) != 0 || chdir(words[4]) != 0) {
        perror("socket");
        return 1;
    }
    pid_t daemon = fork();
    if (daemon == 0) {
        dup2(listener, 0);
        execl(words[1], words[1], words[2], words[3], (char *)0);
        _exit(98);
    }
    close(listener);
    for (int i = 5; i + 3 < count; i += 4) {
        pid_t child = fork();
        if (child == 0) {
            alarm(20);
            _exit(ask(words + i));
        }
        waitpid(child, &status, 0);
        wrong += status != 0;
    }
    wrong += waitpid(daemon, &status, WNOHANG) != 0; /* it runs still */
    kill(daemon, SIGKILL);
    return wrong != 0;
}
PROGRAM

example_guards() {
    mkdir "$run/files" && chmod 755 "$run/files" || return 1
    for name in own draft1; do
        printf %s "content of $name" >"$run/files/$name"
        chown 41001:60001 "$run/files/$name" && chmod 600 "$run/files/$name" || return 1
    done
    ln -s own "$run/files/link"
    "$CC" -D_GNU_SOURCE -Wall -Wextra -Werror -o "$tmp/client" "$tmp/client.c" &&
        "$tmp/client" "$tmp/guarded" "$run/policy.yaml" "$run/audit" "$run/files" \
            41001 60001 own "content of own" \
            41002 60001 own "" \
            41001 60001 draft1 "" \
            41001 60002 draft1 "content of draft1" \
            41001 60001 ../audit "" \
            41001 60001 link "" \
            0 0 own "content of own" \
            41001 60001 own "content of own"
}

refusal_is_recorded() {
    grep guests-read-no-drafts "$run/audit" >"$tmp/records"
    cat "$tmp/records"
    grep '"resource":"draft1"' "$tmp/records" | grep -q '"operation":"read"'
}

rows_are_tested() {
    sed -n '/^\.Sh WHAT GOES WRONG BY HAND/,/^\.Sh SEE/s/^\.It //p' "$page" | plain >"$tmp/rows"
    "$OUT/tests/table/naive_daemons_test" --rows | diff "$tmp/rows" -
}

each_row_says_both() {
    [ "$(grep -c '^By hand:' "$page")" -eq "$(wc -l <"$tmp/rows")" ] &&
        [ "$(grep -c '^Here:' "$page")" -eq "$(wc -l <"$tmp/rows")" ]
}

check "the daemon of miguard-daemon(7) builds by its command" example_builds
check "its policy is one" "$OUT/miguard" policy check "$run/policy.yaml"
if [ "$(id -u)" != 0 ]; then
    skip "running the daemon of miguard-daemon(7): only root can become its clients"
elif [ "$OUT" != build ] && [ "$OUT" != build/clang ]; then
    skip "running the daemon of miguard-daemon(7): what a sanitizer built needs its run-time library"
else
    check "it serves each client what the kernel and the policy let it have" example_guards
    check "the refusal of its policy is recorded" refusal_is_recorded
fi
if [ -x "$OUT/tests/table/naive_daemons_test" ]; then
    check "each mistake of its table is tested" rows_are_tested
    check "and has both sides" each_row_says_both
else
    skip "the table of miguard-daemon(7): its test is not built"
fi

printf '%d passed, %d failed, %d skipped\n' $passed $failed $skipped
[ $failed -eq 0 ]

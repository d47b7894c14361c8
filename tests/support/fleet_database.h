/* SPDX-License-Identifier: MIT */
/*
 * A PostgreSQL of a test's own, for sh(1): in the folder pg of the present one, on a socket there,
 * as another user, since it refuses root; setpriv(1) leaves nothing of it. To be put into a file
 * and read with `.`: make_database, up, down, ask (psql), count WHERE. $U is its URL, $SETTINGS may
 * have more of `-c NAME=VALUE`.
 */
#ifndef SUPPORT_FLEET_DATABASE_H
#define SUPPORT_FLEET_DATABASE_H

#define FLEET_DATABASE_POSSIBLE                                                                    \
    "ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 && command -v psql >/dev/null && "        \
    "command -v setpriv >/dev/null"

/* Where initdb can: names are in the order of a language, so that what must be in that of bytes
 * says so itself. fsync=off: what is killed here is a process and never the machine. */
static const char fleet_database[] =
    "bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | tail -n 1)\n"
    "as() { if [ \"$(id -u)\" = 0 ]; then setpriv --reuid 65534 --regid 65534 --clear-groups "
    "env HOME=\"$PWD/pg\" PATH=\"$bin:$PATH\" \"$@\"; else env PATH=\"$bin:$PATH\" \"$@\"; fi; }\n"
    "up() { as pg_ctl -D pg/data -o \"-k $PWD/pg/socket -c listen_addresses= -c "
    "shared_buffers=32MB -c fsync=off ${SETTINGS:-}\" -l pg/log -w -t 120 start >/dev/null 2>&1; "
    "}\n"
    "down() { as pg_ctl -D pg/data -m immediate -w -t 120 stop >/dev/null 2>&1; }\n"
    "ask() { psql -XAtq -v ON_ERROR_STOP=1 \"$U\" \"$@\"; }\n"
    "count() { ask -c \"SELECT count(*) FROM miguard.records $1\"; }\n"
    "make_database() { mkdir -p pg/socket && { [ \"$(id -u)\" != 0 ] || chown -R 65534:65534 pg; } "
    "&& { make_data --locale-provider=icu --icu-locale=en-US || make_data; } && up; }\n"
    "make_data() { rm -rf pg/data; as initdb -D pg/data -A trust -U miguard -E UTF8 --locale=C "
    "--no-sync \"$@\" >initdb.log 2>&1; }\n";

#endif

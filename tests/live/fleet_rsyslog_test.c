/* SPDX-License-Identifier: MIT */
/*
 * The recipes of policy/fleet/rsyslog with the real rsyslogd on loopback: each host in a UTS
 * namespace of its own has a writer with a file and a syslog sink, and rsyslogd sends both by RELP
 * over TLS, to a collector and to a second one for heads. Writers, senders and collectors are
 * killed and started again in between. Then every record that the file of a host has is in the
 * store, with the same bytes, and `miguard fleet verify` says so; and it finds what is removed,
 * edited and put into another order there.
 *
 * The configurations are those that are shipped; only paths, names and ports are those of the test.
 * HOSTS, RECORDS (of each) and PATIENCE (seconds) in the environment make it larger: make
 * check-fleet.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "audit/audit.h"
#include "audit/file/file.h"
#include "support/chain_log.h"
#include "support/fleet_database.h"

enum { HOSTS_MOST = 40, OUTPUT = 65536 };

static char folder[64], recipes[4096];
static unsigned hosts = 3, passed, failed;
static unsigned long records = 3000;
static double patience = 120; /* seconds */
static pid_t collector, heads, senders[HOSTS_MOST], writers[HOSTS_MOST];
static char out[OUTPUT];

static void need(bool good, const char *what)
{
    if (!good) {
        fprintf(stderr, "cannot go on: %s\n", what);
        exit(3);
    }
}

static void check(const char *what, bool good)
{
    passed += good;
    failed += !good;
    if (!good) {
        printf("FAIL: %s\n%.3000s\n", what, out);
    }
}

static int shell(const char *command)
{
    char line[12288];

    snprintf(line, sizeof(line), "{ %s\n} >out 2>&1 </dev/null", command);
    int status = system(line);
    FILE *file = fopen("out", "re");
    need(file != NULL, "out");
    out[fread(out, 1, OUTPUT - 1, file)] = '\0';
    fclose(file);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void nap(unsigned milliseconds)
{
    struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000L};
    clock_nanosleep(CLOCK_MONOTONIC, 0, &time, NULL);
}

static double seconds(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* ---- what is needed -------------------------------------------------------------------------- */

static bool possible(void)
{
    return geteuid() == 0 &&
           system("command -v rsyslogd >/dev/null && command -v openssl >/dev/null "
                  "&& ls /usr/lib*/rsyslog/imrelp.so /usr/lib/*/rsyslog/imrelp.so "
                  "2>/dev/null | grep -q .") == 0 &&
           system("unshare -u true 2>/dev/null") == 0;
}

/* A CA, and a certificate for each name; they are of today. */
static const char certificates[] =
    "mkdir tls && cd tls && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes "
    "-keyout ca.key -out ca.pem -days 2 -subj /CN=ca 2>/dev/null && for name in "
    "collector heads $(seq -f web%g $COUNT); do openssl req -newkey ec -pkeyopt "
    "ec_paramgen_curve:P-256 -nodes -keyout $name.key -out $name.csr -subj /CN=$name.example "
    "2>/dev/null && echo \"subjectAltName=DNS:$name.example\" >ext && openssl x509 -req -in "
    "$name.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile ext -out $name.pem "
    "2>/dev/null || exit 1; done";

/* Ports that are free now; the kernel gives them, and nothing else is expected to take them at
 * once. */
static void choose_ports(void)
{
    char text[16];
    unsigned base = 20000 + (unsigned)getpid() % 20000;

    snprintf(text, sizeof(text), "%u", base);
    setenv("PORT", text, 1);
    snprintf(text, sizeof(text), "%u", base + 1);
    setenv("HEADS_PORT", text, 1);
}

/* RECIPE to NAME/CONF, for this test's folder. */
static void configure(const char *recipe, const char *name)
{
    char command[8192];

    snprintf(command, sizeof(command),
             "mkdir -p %s/spool && sed -e \"s|/var/lib/rsyslog|$PWD/%s/spool|; "
             "s|/var/log/miguard|$PWD/%s|; s|/run/miguard|$PWD/%s|; "
             "s|/etc/miguard/fleet/host|$PWD/tls/%s|g; s|/etc/miguard/fleet|$PWD/tls|g; "
             "s|/srv/miguard-heads|$PWD/heads|; s|/srv/miguard|$PWD/store|; "
             "s|target=\\\"[a-z.]*\\\"|target=\\\"127.0.0.1\\\"|; s|\\\"20514\\\"|\\\"$PORT\\\"|; "
             "s|\\\"20515\\\"|\\\"$HEADS_PORT\\\"|\" '%s/%s.conf' >%s/%s.conf",
             name, name, name, name, name, recipes, recipe, name, recipe);
    need(shell(command) == 0, command);
}

static void make_all(void)
{
    char name[32], count[16], path[600], text[CHAIN_KEY_TEXT_SIZE];
    const char *build = getenv("OUT");
    char *whole = realpath(build != NULL ? build : "build", NULL);

    need(whole != NULL && realpath("policy/fleet/rsyslog", recipes) != NULL, "recipes");
    snprintf(path, sizeof(path), "%s/miguard", whole);
    setenv("M", path, 1);
    free(whole);
    strcpy(folder, "/tmp/miguard-fleet-rs-XXXXXX");
    need(mkdtemp(folder) != NULL && chdir(folder) == 0, folder);
    snprintf(count, sizeof(count), "%u", hosts);
    setenv("COUNT", count, 1);
    choose_ports();
    need(shell(certificates) == 0 && shell("mkdir store heads keys") == 0, out);
    configure("collector", "collector");
    configure("heads", "heads2");
    for (unsigned i = 0; i < hosts; i++) {
        struct chain_key key;
        snprintf(name, sizeof(name), "web%u", i + 1);
        configure("host-file", name);
        configure("host-syslog", name);
        /* One rsyslogd for both: what they have in common is said once. */
        snprintf(path, sizeof(path),
                 "cd %s && { cat host-file.conf; grep -v '^global\\|omrelp\" tls.tlslib' "
                 "host-syslog.conf; } >all.conf",
                 name);
        need(shell(path) == 0, path);
        chain_key_new(&key);
        chain_key_text(&key, text);
        snprintf(path, sizeof(path), "keys/%s.example.key", name);
        chain_log_append(path, text, strlen(text));
        need(chmod(path, 0600) == 0, path);
        snprintf(path, sizeof(path), "%s/%s/audit.log", folder, name);
        need(file_init(path, &key, FILE_EARLIER_REFUSE, NULL, NULL) == MIGUARD_OK, path);
    }
}

/* ---- processes ------------------------------------------------------------------------------- */

/* host: the name that it believes to have. */
static pid_t start_rsyslog(const char *host, const char *name, const char *conf)
{
    char path[256], pid[256], log[256];

    snprintf(path, sizeof(path), "%s/%s/%s.conf", folder, name, conf);
    snprintf(pid, sizeof(pid), "%s/%s/%s.pid", folder, name, conf);
    snprintf(log, sizeof(log), "%s/%s/%s.log", folder, name, conf);
    unlink(pid);
    pid_t child = fork();
    need(child >= 0, "fork");
    if (child == 0) {
        int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
        if (unshare(CLONE_NEWUTS) != 0 || sethostname(host, strlen(host)) != 0 || fd < 0) {
            _exit(3);
        }
        dup2(fd, 1);
        dup2(fd, 2);
        execlp("rsyslogd", "rsyslogd", "-n", "-C", "-f", path, "-i", pid, NULL);
        _exit(3);
    }
    return child;
}

static void end(pid_t *process, int number)
{
    if (*process > 0) {
        kill(*process, number);
        waitpid(*process, NULL, 0);
    }
    *process = 0;
}

/* What the drop-in of rsyslog.service does before each start. */
static void forget_places(unsigned i)
{
    char command[8192];

    snprintf(command, sizeof(command),
             "eval \"$(sed -n \"s/^ExecStartPre=sh -c '\\(.*\\)'/\\1/p\" "
             "'%s/rsyslog.service.d/miguard.conf' | sed 's|/var/lib/rsyslog|web%u/spool|')\"; ! ls "
             "web%u/spool | grep imfile-state",
             recipes, i + 1, i + 1);
    need(shell(command) == 0, command);
}

static void start_sender(unsigned i)
{
    char name[32], host[64];

    forget_places(i);
    snprintf(name, sizeof(name), "web%u", i + 1);
    snprintf(host, sizeof(host), "%s.example", name);
    senders[i] = start_rsyslog(host, name, "all");
}

/* Writes until there are so many records, a little slower than it could: what happens to the others
 * should happen meanwhile. */
static void write_records(unsigned i, unsigned long count)
{
    char path[256], socket[256], host[64];
    struct audit *audit = NULL;
    struct miguard_error error = {0};

    snprintf(host, sizeof(host), "web%u.example", i + 1);
    snprintf(path, sizeof(path), "%s/web%u/audit.log", folder, i + 1);
    snprintf(socket, sizeof(socket), "%s/web%u/syslog", folder, i + 1);
    struct sink_settings sinks[] = {
        SINK_FILE_DEFAULT(path),
        {.kind = SINK_SYSLOG, .path = socket, .facility = 13, .enterprise = 32473}};
    const struct audit_settings settings = {sinks, 2, 0, NULL};
    sinks[0].sync = AUDIT_SYNC_NONE;
    if (unshare(CLONE_NEWUTS) != 0 || sethostname(host, strlen(host)) != 0 ||
        audit_open(&settings, &audit, &error) != MIGUARD_OK) {
        fprintf(stderr, "%s: %s\n", host, error.detail);
        _exit(3);
    }
    for (unsigned long n = 0; n < count; n++) {
        struct audit_event event = chain_log_event(3 * n + 1);
        if (audit_write(audit, &event) != MIGUARD_OK) {
            _exit(4);
        }
        if (n % 50 == 0) {
            nap(10);
        }
    }
    audit_close(audit);
    _exit(0);
}

static void start_writer(unsigned i, unsigned long count)
{
    writers[i] = fork();
    need(writers[i] >= 0, "fork");
    if (writers[i] == 0) {
        write_records(i, count);
    }
}

static void wait_for_writers(void)
{
    for (unsigned i = 0; i < hosts; i++) {
        int status = 0;
        waitpid(writers[i], &status, 0);
        writers[i] = 0;
        check("the writer came to its end", WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
}

static void start_collectors(void)
{
    collector = start_rsyslog("collector.example", "collector", "collector");
    heads = start_rsyslog("heads.example", "heads2", "heads");
}

/* A socket that rsyslogd has made is there. */
static void wait_for_sockets(void)
{
    struct stat status;
    char path[256];
    double until = seconds() + 60;

    for (unsigned i = 0; i < hosts; i++) {
        snprintf(path, sizeof(path), "web%u/syslog", i + 1);
        while (stat(path, &status) != 0 && seconds() < until) {
            nap(20);
        }
        need(stat(path, &status) == 0, path);
    }
}

/* What goes wrong while records are written. */
static void disturb(void)
{
    nap(700);
    end(&collector, SIGKILL);
    end(&senders[2], SIGTERM);
    start_sender(2);
    nap(700);
    collector = start_rsyslog("collector.example", "collector", "collector");
    nap(500);
    end(&senders[0], SIGKILL);
    nap(200);
    start_sender(0);
    end(&writers[1], SIGKILL);
    start_writer(1, records / 2);
    nap(500);
    end(&heads, SIGTERM);
    end(&collector, SIGTERM);
    nap(300);
    end(&senders[0], SIGKILL);
    nap(700);
    start_sender(0);
    start_collectors();
}

/* ---- what came ------------------------------------------------------------------------------- */

/* All lines of all hosts are in the store. */
static bool all_came(void)
{
    return shell("cat web*/audit.log | sort >sent; cat store/*/audit.log 2>/dev/null | sort -u "
                 ">came; comm -23 sent came >missing; ! [ -s missing ]") == 0;
}

static bool wait_for_all(double most)
{
    double until = seconds() + most;

    while (!all_came()) {
        if (seconds() > until) {
            shell("wc -l sent came missing; head -c 2000 */*.log");
            return false;
        }
        nap(500);
    }
    return true;
}

/* The last record of each host is among the heads. */
static bool wait_for_heads(double most)
{
    double until = seconds() + most;

    while (
        shell(
            "for host in web*; do hash=$(tail -n 1 $host/audit.log | sed "
            "'s/.*\"hash\":\"\\([0-9a-f]*\\)\"}}$/\\1/'); grep -q \"hash=.$hash\" heads/* || exit "
            "1; done") != 0) {
        if (seconds() > until) {
            shell(
                "wc -l heads/* web*/audit.log; grep -h records-lost web*/audit.log | cut -c 1-900; "
                "ls -l web*/spool; grep -v RELP web*/all.log | grep -v librelp | tail -n 20");
            return false;
        }
        nap(500);
    }
    return true;
}

#define VERIFY "$M fleet verify --keys keys --heads heads --folders "

static void judge(void)
{
    check("every line is in the store", wait_for_all(patience));
    check("lines in the store are those of the hosts and no others",
          shell("comm -13 sent came | head -n 3 | grep .") == 1);
    check("the heads came the other way", wait_for_heads(patience));
    check("fleet verify", shell(VERIFY "store") == 0);
    shell(VERIFY "store | tail -n 1");
    printf("# %.400s", out);
    check("one line for each host",
          shell(VERIFY "store | grep -c '^web[0-9]*.example: intact: '") == 0 &&
              (unsigned)atoi(out) == hosts);
}

static void tamper(void)
{
    check("removed", shell("cp -r store a && sed -i '/\"sequence\":17,/d' a/web1/audit.log; " VERIFY
                           "a | grep '^web1.example: tampered: .*; deleted 17'") == 0);
    check("edited", shell("cp -r store b && sed -i '/\"sequence\":18,/s/Web_Server/Web_server/' "
                          "b/web2/audit.log; " VERIFY
                          "b | grep '^web2.example: tampered: .*; edited 18'") == 0);
    check("in another order",
          shell("cp -r store c && tac store/web3/audit.log >c/web3/audit.log; " VERIFY
                "c | grep '^web3.example: intact: .* out of order'") == 0);
    check("in the folder of another",
          shell("cp -r store d && cat d/web1/audit.log "
                ">>d/web2/audit.log; " VERIFY "d | grep '^web1.example: .*; foreign-host'") == 0);
    check("cut",
          shell("cp -r store e && sed -i '$d' e/web1/audit.log && sort -u e/web1/audit.log "
                ">f && grep -v -F \"$(tail -n 1 web1/audit.log)\" f >e/web1/audit.log; " VERIFY
                "e | grep '^web1.example: tampered: .*; cut '") == 0);
}

/* From the store into PostgreSQL: each record once, and what comes out of there is proved, too. */
static void load(void)
{
    char url[256];

    if (shell(FLEET_DATABASE_POSSIBLE) != 0) {
        puts("skip: from the store into PostgreSQL: postgresql is not installed");
        return;
    }
    snprintf(url, sizeof(url), "postgresql:///postgres?host=%s/pg/socket&user=miguard", folder);
    setenv("U", url, 1);
    chain_log_append("start", fleet_database, sizeof(fleet_database) - 1);
    need(chmod(folder, 0711) == 0 && shell(". ./start; make_database") == 0, out);
    check("into PostgreSQL", shell("$M audit load --create --to \"$U\" store/*/audit.log") == 0);
    check("each record is there once",
          shell(". ./start; [ \"$(count)\" = \"$(cat sent | wc -l)\" ]") == 0);
    check(
        "what comes out of it is proved",
        shell(". ./start; ask -c 'SELECT line FROM miguard.records' >lines; $M fleet verify --keys "
              "keys --heads heads lines") == 0);
    (void)shell(". ./start; down");
}

static void finish(void)
{
    char command[128];

    for (unsigned i = 0; i < hosts; i++) {
        end(&writers[i], SIGKILL);
        end(&senders[i], SIGKILL);
    }
    end(&collector, SIGKILL);
    end(&heads, SIGKILL);
    snprintf(command, sizeof(command), "cd / && rm -rf '%s'", folder);
    need(system(command) == 0, command);
}

static void read_sizes(void)
{
    const char *more = getenv("HOSTS"), *each = getenv("RECORDS"), *wait = getenv("PATIENCE");

    hosts = more != NULL ? (unsigned)atoi(more) : hosts;
    records = each != NULL ? strtoul(each, NULL, 10) : records;
    patience = wait != NULL ? atof(wait) : patience;
    need(hosts >= 3 && hosts <= HOSTS_MOST && records >= 100, "HOSTS and RECORDS");
}

int main(void)
{
    read_sizes();
    if (!possible()) {
        puts("skip: records by rsyslog: it needs root, rsyslogd with RELP, and openssl");
        puts("0 passed, 0 failed, 1 skipped");
        return 0;
    }
    need(chain_init(), "sodium");
    make_all();
    start_collectors();
    for (unsigned i = 0; i < hosts; i++) {
        start_sender(i);
    }
    wait_for_sockets();
    double from = seconds();
    for (unsigned i = 0; i < hosts; i++) {
        start_writer(i, records);
    }
    disturb();
    wait_for_writers();
    double written = seconds();
    /* The second channel loses what is in a socket when rsyslogd is killed. A later head covers it.
     */
    for (unsigned i = 0; i < hosts; i++) {
        start_writer(i, 20);
    }
    wait_for_writers();
    judge();
    printf("# %u hosts: written in %.1f s, all there and verified %.1f s later\n", hosts,
           written - from, seconds() - written);
    tamper();
    load();
    finish();
    printf("%u passed, %u failed\n", passed, failed);
    return failed != 0;
}

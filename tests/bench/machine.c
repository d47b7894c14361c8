/* SPDX-License-Identifier: MIT */
/* Reads what processor, kernel, C library and compiler the figures are of, and the load. */
#include "bench/machine.h"

#include <gnu/libc-version.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#ifndef BENCH_FLAGS
#define BENCH_FLAGS "unknown"
#endif

/* More than this of the processors, by others, and the figures are doubtful. */
static const double SHARE_ROOM = 0.1, STOLEN_ROOM = 0.02;

/* The rest of the line of the file that begins with the prefix, "" for the first line. */
static void read_line(const char *path, const char *prefix, char *ret_text, size_t size)
{
    char line[512];
    FILE *file = fopen(path, "re");

    snprintf(ret_text, size, "unknown");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, prefix, strlen(prefix)) == 0) {
            const char *text = line + strlen(prefix) + strspn(line + strlen(prefix), " \t:");
            snprintf(ret_text, size, "%.*s", (int)strcspn(text, "\n"), text);
            break;
        }
    }
    if (file != NULL) {
        fclose(file);
    }
}

void machine_read(struct machine *ret_machine)
{
    struct utsname name;
    cpu_set_t set;

    *ret_machine = (struct machine){.compiler = __VERSION__, .flags = BENCH_FLAGS};
    read_line("/proc/cpuinfo", "model name", ret_machine->cpu, sizeof(ret_machine->cpu));
    read_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "", ret_machine->governor,
              sizeof(ret_machine->governor));
    if (uname(&name) == 0) {
        snprintf(ret_machine->kernel, sizeof(ret_machine->kernel), "%.20s %.60s %.20s",
                 name.sysname, name.release, name.machine);
    }
    snprintf(ret_machine->libc, sizeof(ret_machine->libc), "glibc %s", gnu_get_libc_version());
    ret_machine->processors = (int)sysconf(_SC_NPROCESSORS_ONLN);
    ret_machine->usable = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;
}

/* proc_stat(5): user, nice, system, idle, iowait, irq, softirq, steal, in ticks. */
static void read_stat(struct machine_load *ret_load)
{
    unsigned long long ticks[8] = {0};
    char line[512];
    const double second = (double)sysconf(_SC_CLK_TCK);

    read_line("/proc/stat", "cpu ", line, sizeof(line));
    if (sscanf(line, "%llu %llu %llu %llu %llu %llu %llu %llu", &ticks[0], &ticks[1], &ticks[2],
               &ticks[3], &ticks[4], &ticks[5], &ticks[6], &ticks[7]) != 8) {
        ret_load->busy = ret_load->stolen = -1;
        return;
    }
    ret_load->busy = (double)(ticks[0] + ticks[1] + ticks[2] + ticks[5] + ticks[6]) / second;
    ret_load->stolen = (double)ticks[7] / second;
}

static double processor_time(int who)
{
    struct rusage usage;

    if (getrusage(who, &usage) != 0) {
        return 0;
    }
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

void machine_load_read(struct machine_load *ret_load)
{
    struct timespec now;

    *ret_load = (struct machine_load){.load = -1};
    (void)!getloadavg(&ret_load->load, 1);
    read_stat(ret_load);
    ret_load->own = processor_time(RUSAGE_SELF) + processor_time(RUSAGE_CHILDREN);
    clock_gettime(CLOCK_MONOTONIC, &now);
    ret_load->time = (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

double machine_share_of_others(const struct machine *machine, const struct machine_load *start,
                               const struct machine_load *end)
{
    const double all = (end->time - start->time) * machine->processors;

    if (start->busy < 0 || end->busy < 0 || all <= 0) {
        return 0;
    }
    const double others = end->busy - start->busy - (end->own - start->own);
    return others <= 0 ? 0 : others < all ? others / all : 1;
}

const char *machine_doubt(const struct machine *machine, const struct machine_load *start,
                          const struct machine_load *end)
{
    const double all = (end->time - start->time) * machine->processors;

    if (machine_share_of_others(machine, start, end) > SHARE_ROOM) {
        return "other programs took processor time during the run";
    }
    if (all > 0 && start->stolen >= 0 && end->stolen - start->stolen > STOLEN_ROOM * all) {
        return "the hypervisor took processor time during the run";
    }
    if (start->load > 0.5 * machine->usable) {
        return "the machine was busy at the start";
    }
    return NULL;
}

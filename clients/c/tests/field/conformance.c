/* Reads a segment with given clocks, boot id and time namespace, for the conformance tests:
 *
 *   conformance PROC REALTIME COARSE RAW PATH now 0 [SECONDS NANOSECONDS]...
 *   conformance PROC REALTIME COARSE RAW PATH at MONOTONIC_RAW [SECONDS NANOSECONDS]...
 *   conformance PROC REALTIME COARSE RAW PATH at_realtime STAMP [SECONDS NANOSECONDS]...
 *   conformance PROC REALTIME COARSE RAW PATH record 0
 *   conformance PROC REALTIME COARSE RAW PATH disruption 0
 *   conformance PROC REALTIME COARSE RAW PATH simulated 0
 *
 * The directory PROC contains boot_id and timens_offsets, and vmclock if there is a VMClock page.
 * This program replaces the functions of libc with which the library reads the clocks and /proc;
 * the library is the one that programs use. Prints the fields of the result, or "error KIND". For
 * each time, prints whether it has certainly passed and whether it is certainly in the future. If
 * REFUSE_SIMULATED is set in the environment, simulated records are refused. */
#define _GNU_SOURCE
#include <clockbound.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static char const *proc;
static int64_t realtime_ns, coarse_ns, raw_ns;

int clock_gettime(clockid_t clock, struct timespec *time)
{
    switch (clock) {
    case CLOCK_REALTIME:
        *time = clockbound_timespec_from_ns(realtime_ns);
        return 0;
    case CLOCK_MONOTONIC_COARSE:
        *time = clockbound_timespec_from_ns(coarse_ns);
        return 0;
    case CLOCK_MONOTONIC_RAW:
        *time = clockbound_timespec_from_ns(raw_ns);
        return 0;
    default:
        return (int)syscall(SYS_clock_gettime, clock, time);
    }
}

int open64(char const *path, int flags, ...)
{
    char other[4096];
    char const *name = NULL;
    if (!strcmp(path, "/proc/sys/kernel/random/boot_id"))
        name = "boot_id";
    else if (!strcmp(path, "/proc/self/timens_offsets"))
        name = "timens_offsets";
    if (name) {
        snprintf(other, sizeof other, "%s/%s", proc, name);
        path = other;
    }
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags, 0);
}

static int print_error(clockbound_err const *err)
{
    printf("error %d\n", (int)err->kind);
    return 0;
}

static void print_interval(clockbound_interval const *interval)
{
    printf("%" PRId64 " %" PRId64 " %s %s", interval->earliest_ns, interval->latest_ns,
           clockbound_status_name(interval->status), clockbound_reason_name(interval->reason));
}

int main(int argc, char **argv)
{
    clockbound_err open_err;
    clockbound_err const *err;
    clockbound_ctx *ctx;
    clockbound_interval interval;
    char const *what;
    char page[4096];
    if (argc < 8)
        return 64;
    proc = argv[1];
    snprintf(page, sizeof page, "%s/vmclock", proc);
    realtime_ns = strtoll(argv[2], NULL, 10);
    coarse_ns = strtoll(argv[3], NULL, 10);
    raw_ns = strtoll(argv[4], NULL, 10);
    what = argv[6];
    ctx = clockbound_open_with_vmclock(
        argv[5], page, getenv("REFUSE_SIMULATED") ? CLOCKBOUND_REFUSE_SIMULATED : 0, &open_err);
    if (!ctx)
        return print_error(&open_err);
    if (!strcmp(what, "now")) {
        clockbound_now_result now;
        err = clockbound_now(ctx, &now);
        if (err)
            return print_error(err);
        if (clockbound_interval_now(ctx, &interval))
            return 1;
        printf("%" PRId64 " %" PRId64 " %d ", clockbound_ns_from_timespec(now.earliest),
               clockbound_ns_from_timespec(now.latest), (int)now.clock_status);
        print_interval(&interval);
    } else if (!strcmp(what, "disruption")) {
        clockbound_record record;
        record.size = sizeof record;
        err = clockbound_record_now(ctx, &record);
        if (err)
            return print_error(err);
        printf("%d %" PRIu64 " %d %d %d %" PRId32, record.disruption_supported,
               record.disruption_marker, record.disruption_soon, record.disruption_imminent,
               record.tai_offset_known, record.tai_offset_s);
    } else if (!strcmp(what, "simulated")) {
        clockbound_record record;
        record.size = sizeof record;
        err = clockbound_record_now(ctx, &record);
        if (err)
            return print_error(err);
        printf("%d", record.is_simulated);
    } else if (!strcmp(what, "record")) {
        clockbound_record record;
        record.size = sizeof record;
        err = clockbound_record_now(ctx, &record);
        if (err)
            return print_error(err);
        printf("%d %" PRId64 " %d %" PRIu32 " %" PRId64, (int)record.layout, record.age_ns,
               (int)record.leap, record.source, record.valid_since_ns);
    } else {
        int64_t instant = strtoll(argv[7], NULL, 10);
        err = !strcmp(what, "at") ? clockbound_interval_at(ctx, instant, &interval)
                                  : clockbound_interval_at_realtime(ctx, instant, &interval);
        if (err)
            return print_error(err);
        print_interval(&interval);
    }
    for (int n = 8; n + 1 < argc; n += 2) {
        struct timespec time;
        int64_t ns;
        time.tv_sec = strtoll(argv[n], NULL, 10);
        time.tv_nsec = strtol(argv[n + 1], NULL, 10);
        ns = clockbound_ns_from_timespec(time);
        printf(" %d %d", clockbound_is_after(&interval, ns), clockbound_is_before(&interval, ns));
    }
    putchar('\n');
    clockbound_close(ctx);
    return 0;
}

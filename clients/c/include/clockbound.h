/* What time is it, and how wrong can that be? Read from clockbound's shared memory.
 *
 * Programs for the headers of the 1.x and 2.x generations compile, link and run unchanged. Beyond those: a context may
 * be shared by all threads; it follows the daemon through restarts; and the calls below "Beyond 2.x".
 *
 * Link with -lclockbound (pkg-config: clockbound).
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef CLOCKBOUND_H
#define CLOCKBOUND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The segment of the 1.x layout. Any path of a segment will do, of whatever layout, or CLOCKBOUND_DEFAULT_DIRECTORY. */
#define CLOCKBOUND_SHM_DEFAULT_PATH "/var/run/clockbound/shm"
/* The directory that the daemon publishes in; the best layout there is taken. */
#define CLOCKBOUND_DEFAULT_DIRECTORY "/var/run/clockbound"
/* The device that tells of disruptions of a virtual machine. */
#define VMCLOCK_SHM_DEFAULT_PATH "/dev/vmclock0"

/* A handle on the daemon's segment. One is enough for all threads of a process. */
typedef struct clockbound_ctx clockbound_ctx;

/* What went wrong. */
typedef enum clockbound_err_kind {
    /* Nothing. */
    CLOCKBOUND_ERR_NONE = 0,
    /* A system call failed: see sys_errno, and detail for what was being done. */
    CLOCKBOUND_ERR_SYSCALL = 1,
    /* The segment was not written yet, or not since the machine was booted. Try again later. */
    CLOCKBOUND_ERR_SEGMENT_NOT_INITIALIZED = 2,
    /* What is there is no segment, or holds nonsense. */
    CLOCKBOUND_ERR_SEGMENT_MALFORMED = 3,
    /* The segment is from the future of this process's clocks: another boot, or time namespace. */
    CLOCKBOUND_ERR_CAUSALITY_BREACH = 4,
    /* The segment is of a layout to come. */
    CLOCKBOUND_ERR_SEGMENT_VERSION_NOT_SUPPORTED = 5,
    /* Beyond 2.x, from new calls only: nothing that can be relied on came in time. */
    CLOCKBOUND_ERR_NOT_READY = 6,
    /* Beyond 2.x, from new calls only: the clock status is not one to rely on. */
    CLOCKBOUND_ERR_UNTRUSTED = 7,
    /* Beyond 2.x, from new calls only: this layout, or record, cannot answer that. */
    CLOCKBOUND_ERR_NOT_KNOWN = 8
} clockbound_err_kind;

typedef struct clockbound_err {
    clockbound_err_kind kind;
    /* For CLOCKBOUND_ERR_SYSCALL, the system's error number; otherwise 0. */
    int sys_errno;
    /* A constant string with a little more, never to be freed; may be NULL. */
    char const *detail;
} clockbound_err;

/* What may be relied on. */
typedef enum clockbound_clock_status {
    /* Nothing: the interval claims nothing. */
    CLOCKBOUND_STA_UNKNOWN = 0,
    /* The clock follows a source; the interval contains true time. */
    CLOCKBOUND_STA_SYNCHRONIZED = 1,
    /* The last bound is held over and grows; the interval contains true time. */
    CLOCKBOUND_STA_FREE_RUNNING = 2,
    /* The clock was disrupted: the interval claims nothing. */
    CLOCKBOUND_STA_DISRUPTED = 3
} clockbound_clock_status;

typedef struct clockbound_now_result {
    struct timespec earliest;
    struct timespec latest;
    clockbound_clock_status clock_status;
} clockbound_now_result;

/* Opens the segment at shm_path (NULL: CLOCKBOUND_DEFAULT_DIRECTORY).
 *
 * Returns NULL on failure, with *err filled in unless err is NULL.
 */
clockbound_ctx *clockbound_open(char const *shm_path, clockbound_err *err);

/* As clockbound_open. The device at vmclock_path is not read yet: a segment that asks for it reads as unknown. */
clockbound_ctx *clockbound_vmclock_open(char const *shm_path, char const *vmclock_path, clockbound_err *err);

/* Closes what was opened. No other thread may be using it. Returns NULL. */
clockbound_err const *clockbound_close(clockbound_ctx *ctx);

/* The interval that contains true time now, if its status is synchronized or free running.
 *
 * Returns NULL on success; otherwise an error that is this thread's until its next call.
 */
clockbound_err const *clockbound_now(clockbound_ctx *ctx, clockbound_now_result *result);

/* ---- Beyond 2.x ---- */

/* Why the status is what it is. Numbers may be added. */
typedef enum clockbound_reason {
    CLOCKBOUND_REASON_TRACKING = 0,
    CLOCKBOUND_REASON_NEVER_SYNCHRONIZED = 1,
    CLOCKBOUND_REASON_RESUMED = 2,
    CLOCKBOUND_REASON_SLEW_IN_FLIGHT = 3,
    CLOCKBOUND_REASON_CHRONY_SILENT = 4,
    CLOCKBOUND_REASON_REPORT_REFUSED = 5,
    CLOCKBOUND_REASON_LEAP_UNSYNCHRONIZED = 6,
    CLOCKBOUND_REASON_SOURCE_UNREACHABLE = 7,
    CLOCKBOUND_REASON_LOCAL_REFERENCE = 8,
    CLOCKBOUND_REASON_CLOCK_STEPPED = 9,
    CLOCKBOUND_REASON_PHC_UNREADABLE = 10,
    CLOCKBOUND_REASON_HOLDOVER_EXPIRED = 11,
    CLOCKBOUND_REASON_BOUND_OVER_CAP = 12,
    CLOCKBOUND_REASON_DISRUPTED = 13,
    CLOCKBOUND_REASON_DAEMON_SILENT = 14,
    CLOCKBOUND_REASON_CONTRADICTION = 15,
    CLOCKBOUND_REASON_SOURCES_DISAGREE = 16,
    CLOCKBOUND_REASON_TOO_FEW_SOURCES = 17,
    /* The layout does not say. */
    CLOCKBOUND_REASON_UNTOLD = 255
} clockbound_reason;

/* Where true time lies, ns of UTC since 1970. */
typedef struct clockbound_interval {
    int64_t earliest_ns;
    int64_t latest_ns;
    clockbound_clock_status status;
    clockbound_reason reason;
} clockbound_interval;

/* Waits up to timeout_ns for an interval that can be relied on, with a bound of at most max_bound_ns (0: any). */
clockbound_ctx *clockbound_open_when_ready(char const *shm_path, uint64_t timeout_ns, uint64_t max_bound_ns,
                                           clockbound_err *err);

/* As clockbound_now, in nanoseconds and with the reason. */
clockbound_err const *clockbound_interval_now(clockbound_ctx *ctx, clockbound_interval *interval);

/* The interval when CLOCK_MONOTONIC_RAW showed raw_ns, not too long ago; from the native layout only. */
clockbound_err const *clockbound_interval_at(clockbound_ctx *ctx, int64_t raw_ns, clockbound_interval *interval);

/* Returns once t_ns has certainly passed, with the interval that shows it (unless interval is NULL); at once with
 * CLOCKBOUND_ERR_UNTRUSTED when nothing is claimed. */
clockbound_err const *clockbound_commit_wait(clockbound_ctx *ctx, int64_t t_ns, clockbound_interval *interval);

/* Whether t_ns has certainly passed. Never, while the status is not one to rely on. */
bool clockbound_is_after(clockbound_interval const *interval, int64_t t_ns);

/* Whether t_ns has certainly not come yet, likewise. */
bool clockbound_is_before(clockbound_interval const *interval, int64_t t_ns);

/* How wrong the middle can be: half the width, rounded up. */
int64_t clockbound_bound_ns(clockbound_interval const *interval);

/* What went wrong, and what to do; a constant string. NULL is no error. */
char const *clockbound_strerror(clockbound_err const *err);

/* The words of the daemon's log; constant strings. */
char const *clockbound_status_name(clockbound_clock_status status);
char const *clockbound_reason_name(clockbound_reason reason);

#ifdef __cplusplus
}
#define CLOCKBOUND_STATIC_ASSERT static_assert
#else
#define CLOCKBOUND_STATIC_ASSERT _Static_assert
#endif

#if defined(__LP64__)
CLOCKBOUND_STATIC_ASSERT(sizeof(clockbound_err) == 16, "clockbound_err");
CLOCKBOUND_STATIC_ASSERT(offsetof(clockbound_err, sys_errno) == 4, "sys_errno");
CLOCKBOUND_STATIC_ASSERT(offsetof(clockbound_err, detail) == 8, "detail");
CLOCKBOUND_STATIC_ASSERT(sizeof(clockbound_now_result) == 40, "clockbound_now_result");
CLOCKBOUND_STATIC_ASSERT(offsetof(clockbound_now_result, latest) == 16, "latest");
CLOCKBOUND_STATIC_ASSERT(offsetof(clockbound_now_result, clock_status) == 32, "clock_status");
CLOCKBOUND_STATIC_ASSERT(sizeof(clockbound_interval) == 24, "clockbound_interval");
CLOCKBOUND_STATIC_ASSERT(offsetof(clockbound_interval, status) == 16, "status");
CLOCKBOUND_STATIC_ASSERT(offsetof(clockbound_interval, reason) == 20, "reason");
#endif
#undef CLOCKBOUND_STATIC_ASSERT

#endif

/* clockbound.h - read an interval that contains true time from clockbound's shared memory
 *
 * The daemon publishes an interval [earliest, latest] of UTC with a clock status. The interval
 * contains true time while the status is CLOCKBOUND_STA_SYNCHRONIZED or
 * CLOCKBOUND_STA_FREE_RUNNING ("trusted"). It must not be used with any other status.
 *
 * Link with -lclockbound (pkg-config: clockbound).
 *
 * Compatibility
 *   Programs written for the headers of the 1.x and 2.x generations compile, link and run
 *   unchanged. The functions in the section "Extensions" are not in those headers.
 *
 * Threads
 *   All threads of a process can share one context. Only clockbound_close() requires that no
 *   other thread uses it.
 *
 * Restarts
 *   A context follows the daemon through restarts, and reads a file that replaces the segment.
 *   It need not be opened again. While the daemon does not run, the interval grows, and the status
 *   changes to free running and then to unknown.
 *
 * Errors
 *   Functions that return clockbound_err const * return NULL on success. An error is valid in the
 *   calling thread until its next error. Functions that return clockbound_ctx * return NULL on
 *   failure and fill in *err, unless err is NULL.
 *
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

/* The path of the segment of the 1.x layout. */
#define CLOCKBOUND_SHM_DEFAULT_PATH "/var/run/clockbound/shm"
/* The directory in which the daemon publishes. */
#define CLOCKBOUND_DEFAULT_DIRECTORY "/var/run/clockbound"
/* The device that reports disruptions of a virtual machine. */
#define VMCLOCK_SHM_DEFAULT_PATH "/dev/vmclock0"

/* A handle to the daemon's segment. */
typedef struct clockbound_ctx clockbound_ctx;

/* The kind of an error. */
typedef enum clockbound_err_kind {
    /* No error. */
    CLOCKBOUND_ERR_NONE = 0,
    /* A system call failed. sys_errno is its errno, and detail names the call. Also returned for
     * a null pointer in a required argument, with sys_errno EINVAL. */
    CLOCKBOUND_ERR_SYSCALL = 1,
    /* The segment is not initialized, its first write is incomplete, or it is from an earlier
     * boot. Try again later. */
    CLOCKBOUND_ERR_SEGMENT_NOT_INITIALIZED = 2,
    /* The file is not a segment, or its content is invalid. */
    CLOCKBOUND_ERR_SEGMENT_MALFORMED = 3,
    /* The record is ahead of the monotonic clock of this process. It is from another boot or
     * another time namespace. */
    CLOCKBOUND_ERR_CAUSALITY_BREACH = 4,
    /* The layout version of the segment is not supported. */
    CLOCKBOUND_ERR_SEGMENT_VERSION_NOT_SUPPORTED = 5,
    /* Extension: no trusted interval was published within the timeout. */
    CLOCKBOUND_ERR_NOT_READY = 6,
    /* Extension: the clock status is not trusted. detail is the name of the reason. */
    CLOCKBOUND_ERR_UNTRUSTED = 7,
    /* Extension: the layout or the record has no interval at the requested instant. */
    CLOCKBOUND_ERR_NOT_KNOWN = 8
} clockbound_err_kind;

typedef struct clockbound_err {
    clockbound_err_kind kind;
    /* The errno of the system call for CLOCKBOUND_ERR_SYSCALL; otherwise 0. */
    int sys_errno;
    /* A constant string with details, which must not be freed, or NULL. */
    char const *detail;
} clockbound_err;

/* The clock status. */
typedef enum clockbound_clock_status {
    /* Not trusted: the interval claims nothing. */
    CLOCKBOUND_STA_UNKNOWN = 0,
    /* Trusted: the clock is synchronized to a source. */
    CLOCKBOUND_STA_SYNCHRONIZED = 1,
    /* Trusted: the clock is in holdover. The last interval grows with time. */
    CLOCKBOUND_STA_FREE_RUNNING = 2,
    /* Not trusted: a disruption of the virtual machine occurred. The interval claims nothing. */
    CLOCKBOUND_STA_DISRUPTED = 3
} clockbound_clock_status;

/* The interval, UTC since 1970. */
typedef struct clockbound_now_result {
    /* The earliest possible true time. */
    struct timespec earliest;
    /* The latest possible true time. */
    struct timespec latest;
    clockbound_clock_status clock_status;
} clockbound_now_result;

/* Opens a segment of any layout.
 *
 * shm_path is the path of a segment or of a directory. In a directory the first file that exists
 * of native, shm0 (2.x layout) and shm (1.x layout) is opened. NULL is
 * CLOCKBOUND_DEFAULT_DIRECTORY.
 *
 * Returns NULL on failure, with an error of kind SYSCALL, SEGMENT_NOT_INITIALIZED,
 * SEGMENT_MALFORMED or SEGMENT_VERSION_NOT_SUPPORTED.
 */
clockbound_ctx *clockbound_open(char const *shm_path, clockbound_err *err);

/* Like clockbound_open(). The device at vmclock_path is not read. A segment that requires it reads
 * as unknown. */
clockbound_ctx *clockbound_vmclock_open(char const *shm_path, char const *vmclock_path,
                                        clockbound_err *err);

/* Closes ctx, which may be NULL. No other thread may use ctx. Always returns NULL. */
clockbound_err const *clockbound_close(clockbound_ctx *ctx);

/* Reads the interval at the present.
 *
 * Returns NULL on success, otherwise an error of kind SYSCALL, SEGMENT_NOT_INITIALIZED,
 * SEGMENT_MALFORMED or CAUSALITY_BREACH. A status that is not trusted is not an error.
 */
clockbound_err const *clockbound_now(clockbound_ctx *ctx, clockbound_now_result *result);

/* ---- Extensions ---- */

/* The reason of the clock status. Later versions can add values. */
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
    CLOCKBOUND_REASON_PERMISSION_DENIED = 18,
    /* The layout has no reason, or the value is not defined in this version. */
    CLOCKBOUND_REASON_UNTOLD = 255
} clockbound_reason;

/* The interval, ns of UTC since 1970. */
typedef struct clockbound_interval {
    /* The earliest possible true time. */
    int64_t earliest_ns;
    /* The latest possible true time. */
    int64_t latest_ns;
    clockbound_clock_status status;
    clockbound_reason reason;
} clockbound_interval;

/* Opens a segment like clockbound_open() and waits until it contains a trusted interval with a
 * clock error bound of at most max_bound_ns (0: any). The segment need not exist yet.
 *
 * Returns NULL after timeout_ns, with an error of kind NOT_READY.
 */
clockbound_ctx *clockbound_open_when_ready(char const *shm_path, uint64_t timeout_ns,
                                           uint64_t max_bound_ns, clockbound_err *err);

/* Like clockbound_now(), in ns and with the reason of the status. */
clockbound_err const *clockbound_interval_now(clockbound_ctx *ctx, clockbound_interval *interval);

/* Reads the interval at the instant at which CLOCK_MONOTONIC_RAW in this process reads raw_ns. The
 * instant can be in the past or in the future.
 *
 * Returns an error of kind NOT_KNOWN if the segment is not of the native layout, or if the instant
 * is further before the record than the record is valid after it. The other errors are those of
 * clockbound_now().
 */
clockbound_err const *clockbound_interval_at(clockbound_ctx *ctx, int64_t raw_ns,
                                             clockbound_interval *interval);

/* Waits until t_ns (UTC since 1970) has certainly passed: until earliest_ns exceeds it. Stores the
 * interval that proves it, unless interval is NULL.
 *
 * Returns an error of kind UNTRUSTED as soon as the status is not trusted. The other errors are
 * those of clockbound_now().
 */
clockbound_err const *clockbound_commit_wait(clockbound_ctx *ctx, int64_t t_ns,
                                             clockbound_interval *interval);

/* Returns whether t_ns (UTC since 1970) has certainly passed: whether it is less than earliest_ns.
 * Returns false while the status is not trusted. */
bool clockbound_is_after(clockbound_interval const *interval, int64_t t_ns);

/* Returns whether t_ns (UTC since 1970) is certainly in the future: whether it is greater than
 * latest_ns. Returns false while the status is not trusted. */
bool clockbound_is_before(clockbound_interval const *interval, int64_t t_ns);

/* Returns the clock error bound of the midpoint: half the width in ns, rounded up. Returns
 * INT64_MAX if interval is NULL. */
int64_t clockbound_bound_ns(clockbound_interval const *interval);

/* Returns the message of an error, with its remedy: a constant string. The message for
 * NULL is "no error". */
char const *clockbound_strerror(clockbound_err const *err);

/* Returns the name of a status or a reason as in the daemon's log: a constant string. */
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

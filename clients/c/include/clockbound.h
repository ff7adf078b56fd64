/* clockbound.h - read an interval that contains true time from clockbound's shared memory
 *
 * The daemon publishes an interval [earliest, latest] of UTC with a clock status. The interval
 * contains true time while the status is CLOCKBOUND_STA_SYNCHRONIZED or
 * CLOCKBOUND_STA_FREE_RUNNING ("trusted"). It must not be used with any other status. By default a
 * context is neither async-signal-safe nor usable under a seccomp filter that forbids opening
 * files.
 *
 * Link with -lclockbound (pkg-config: clockbound). C99 or later, or C++98 or later; clockbound.hpp
 * is a C++11 interface over this one. 64-bit Linux only.
 *
 * Compatibility
 *   Programs written for the headers of the 1.x and 2.x generations compile, link and run
 *   unchanged. The functions in the section "Extensions" are not in those headers.
 *
 * Threads
 *   All threads of a process can share one context. Only clockbound_close() requires that no
 *   other thread uses it.
 *
 * Signal handlers and seccomp
 *   By default a context must not be used in a signal handler, nor under a seccomp filter that
 *   forbids opening files: it looks for a file that replaces the segment, which makes system calls
 *   and allocates memory. A context that was opened with CLOCKBOUND_OPEN_NO_FOLLOW can be used in
 *   both. With it, all functions except those that open, wait and close make no system call, take
 *   no lock and allocate nothing. (Where the vDSO of the machine does not have the clocks,
 *   clock_gettime(2) must be permitted. SECCOMP_MODE_STRICT cannot be used: it forbids the
 *   instruction that reads the counter of an x86 processor.)
 *
 * Restarts
 *   A context follows the daemon through restarts, and reads a file that replaces the segment.
 *   It need not be opened again. While the daemon does not run, the interval grows, and the status
 *   changes to free running and then to unknown.
 *
 * Errors
 *   Functions that return clockbound_err const * return NULL on success. An error returned in this
 *   way is a constant: it remains valid, in all threads, and must not be freed. Functions that
 *   return clockbound_ctx * return NULL on failure and fill in *err, unless err is NULL.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef CLOCKBOUND_H
#define CLOCKBOUND_H

#if !defined(__LP64__)
#error "clockbound supports 64-bit processors only: elsewhere time_t has two sizes"
#endif

/* For struct timespec: with -std=c99, <time.h> does not define it. */
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The version of this header. clockbound_version() returns that of the library. */
#define CLOCKBOUND_VERSION_MAJOR 0
#define CLOCKBOUND_VERSION_MINOR 2
#define CLOCKBOUND_VERSION_PATCH 0
#define CLOCKBOUND_VERSION "0.2.0"

/* The path of the segment of the 2.x layout, as in the 2.x header. Where the daemon does not
 * publish that layout, clockbound_open() opens another one in CLOCKBOUND_DEFAULT_DIRECTORY. */
#define CLOCKBOUND_SHM_DEFAULT_PATH "/var/run/clockbound/shm0"
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
    /* Extension: no trusted interval was published within the timeout. detail and sys_errno are
     * those of the last attempt: for example "open" and ENOENT, or the name of the reason. */
    CLOCKBOUND_ERR_NOT_READY = 6,
    /* Extension: the clock status is not trusted. detail is the name of the reason. */
    CLOCKBOUND_ERR_UNTRUSTED = 7,
    /* Extension: the layout or the record has no interval at the requested instant. */
    CLOCKBOUND_ERR_NOT_KNOWN = 8,
    /* Extension: the timeout ended before the wait. */
    CLOCKBOUND_ERR_TIMED_OUT = 9,
    /* Extension: the record holds only while the VMClock page has its disruption marker, and this
     * process cannot read that page. If opening it failed, detail is "open" and sys_errno the
     * errno; otherwise detail names what is wrong with the page. */
    CLOCKBOUND_ERR_VMCLOCK = 10,
    /* Extension: a program wrote the record for a test, and the context was opened with
     * CLOCKBOUND_REFUSE_SIMULATED. */
    CLOCKBOUND_ERR_SIMULATED = 11
} clockbound_err_kind;

typedef struct clockbound_err {
    clockbound_err_kind kind;
    /* The errno of the system call for CLOCKBOUND_ERR_SYSCALL, and for CLOCKBOUND_ERR_NOT_READY
     * and CLOCKBOUND_ERR_VMCLOCK if one failed; otherwise 0. */
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

/* Opens a segment of any layout. By default a context is neither async-signal-safe nor usable under
 * a seccomp filter that forbids opening files; see CLOCKBOUND_OPEN_NO_FOLLOW.
 *
 * shm_path is the path of a segment or of a directory. In a directory, one of the files native,
 * shm0 (2.x layout), shm (1.x layout) and shm1 (3.x layout) is opened: preferably one that a daemon
 * has published in the last 5 s, then one whose status is trusted, then the first of them. NULL is
 * CLOCKBOUND_DEFAULT_DIRECTORY.
 *
 * If the record has disruption support, the VMClock page of VMCLOCK_SHM_DEFAULT_PATH is required.
 * Each read compares its disruption marker with that of the record, after reading the clock. If
 * they differ, the status is CLOCKBOUND_STA_DISRUPTED.
 *
 * Returns NULL on failure, with an error of kind SYSCALL, SEGMENT_NOT_INITIALIZED,
 * SEGMENT_MALFORMED, SEGMENT_VERSION_NOT_SUPPORTED or VMCLOCK.
 */
clockbound_ctx *clockbound_open(char const *shm_path, clockbound_err *err);

/* Like clockbound_open(), with the VMClock page at vmclock_path. NULL is VMCLOCK_SHM_DEFAULT_PATH. */
clockbound_ctx *clockbound_vmclock_open(char const *shm_path, char const *vmclock_path,
                                        clockbound_err *err);

/* Closes ctx, which may be NULL. No other thread may use ctx. Always returns NULL. */
clockbound_err const *clockbound_close(clockbound_ctx *ctx);

/* Reads the interval at the present.
 *
 * Returns NULL on success, otherwise an error of kind SYSCALL, SEGMENT_NOT_INITIALIZED,
 * SEGMENT_MALFORMED, CAUSALITY_BREACH or VMCLOCK. A status that is not trusted is not an error.
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
    CLOCKBOUND_REASON_RETIRED = 19,
    /* The layout has no reason, or the value is not defined in this version. */
    CLOCKBOUND_REASON_UNTOLD = 255
} clockbound_reason;

/* The interval, ns of UTC since 1970.
 *
 * An interval whose status is not trusted contains all times, from INT64_MIN to INT64_MAX, so that
 * no comparison with one of its ends holds. After an error the functions below store such an
 * interval, too. */
typedef struct clockbound_interval {
    /* The earliest possible true time. */
    int64_t earliest_ns;
    /* The latest possible true time. */
    int64_t latest_ns;
    clockbound_clock_status status;
    clockbound_reason reason;
} clockbound_interval;

/* The order of two intervals. */
typedef enum clockbound_order {
    /* The first is before the second: all of its times are. */
    CLOCKBOUND_ORDER_BEFORE = -1,
    /* Both have the same ends. The order of events in them is not known. */
    CLOCKBOUND_ORDER_EQUAL = 0,
    /* The first is after the second: all of its times are. */
    CLOCKBOUND_ORDER_AFTER = 1,
    /* They overlap, or one of them is not trusted. */
    CLOCKBOUND_ORDER_UNORDERED = 2
} clockbound_order;

/* The layout of a segment. Later versions can add values. */
typedef enum clockbound_layout {
    CLOCKBOUND_LAYOUT_NATIVE = 0,
    CLOCKBOUND_LAYOUT_V1 = 1,
    CLOCKBOUND_LAYOUT_V2 = 2,
    CLOCKBOUND_LAYOUT_V3 = 3
} clockbound_layout;

/* The leap second that is announced for the end of the UTC day. */
typedef enum clockbound_leap {
    CLOCKBOUND_LEAP_NORMAL = 0,
    /* The last minute of the day has 61 seconds. */
    CLOCKBOUND_LEAP_INSERT_SECOND = 1,
    /* The last minute of the day has 59 seconds. */
    CLOCKBOUND_LEAP_DELETE_SECOND = 2,
    CLOCKBOUND_LEAP_UNSYNCHRONIZED = 3,
    /* The layout has no announcement. */
    CLOCKBOUND_LEAP_UNTOLD = 255
} clockbound_leap;

/* The details of the record that was published last. Instants are readings of CLOCK_MONOTONIC_RAW
 * in this process with the native layout, of CLOCK_MONOTONIC_COARSE with v1 and v2, and UTC since
 * 1970 with v3, ns. */
typedef struct clockbound_record {
    /* sizeof(clockbound_record), set by the caller. Later versions can add members at the end. The
     * library fills in the members within this size that it has. */
    size_t size;
    clockbound_layout layout;
    clockbound_clock_status status;
    clockbound_reason reason;
    clockbound_leap leap;
    /* The instant of the record, and the time since. */
    int64_t as_of_ns;
    int64_t age_ns;
    /* The record gives no interval of an earlier instant; 0 if not known. */
    int64_t valid_since_ns;
    /* The longest time between two publications; 0 if not known. */
    uint64_t publication_interval_ns;
    /* chronyd's reference id of the source; 0 if not known. */
    uint32_t source;
    /* 0. The first version of the struct ends here. */
    uint32_t reserved;
    /* The disruption marker, if disruption_supported; otherwise 0. */
    uint64_t disruption_marker;
    /* Whether the record holds only while the VMClock page has that marker. */
    bool disruption_supported;
    /* Whether the host of the virtual machine expects a disruption within about a day, and within
     * about an hour. */
    bool disruption_soon;
    bool disruption_imminent;
    /* Whether the host reports TAI - UTC. */
    bool tai_offset_known;
    /* TAI - UTC, s, if tai_offset_known; otherwise 0. */
    int32_t tai_offset_s;
    /* Whether a program wrote the record for a test: the interval is not that of the clock. */
    bool is_simulated;
    /* 0 */
    uint8_t reserved_too[7];
} clockbound_record;

/* The intervals immediately before and after an operation. The operation took place between
 * began.earliest_ns and ended.latest_ns. */
typedef struct clockbound_timing {
    clockbound_interval began;
    clockbound_interval ended;
} clockbound_timing;

/* A flag of clockbound_open_with(): the context keeps reading the file that it opened, although
 * another one replaces it. Only such a context can be used in a signal handler, and under a seccomp
 * filter that permits no system call. A restarted daemon continues to use the same file. After the
 * file was deleted, the interval grows and its status becomes unknown; open a new context then. */
#define CLOCKBOUND_OPEN_NO_FOLLOW 1u

/* A flag of clockbound_open_with(): a record that a program wrote for a test is an error of kind
 * SIMULATED. Programs that simulate the daemon mark their records. In a directory, such a segment is
 * skipped if there is another one. */
#define CLOCKBOUND_REFUSE_SIMULATED 2u

/* Returns the version of the library, as in CLOCKBOUND_VERSION. */
char const *clockbound_version(void);

/* Like clockbound_open(). flags is 0, or CLOCKBOUND_OPEN_NO_FOLLOW and
 * CLOCKBOUND_REFUSE_SIMULATED, one or both. */
clockbound_ctx *clockbound_open_with(char const *shm_path, unsigned int flags,
                                     clockbound_err *err);

/* Like clockbound_open_with(), with the VMClock page at vmclock_path. NULL is
 * VMCLOCK_SHM_DEFAULT_PATH. */
clockbound_ctx *clockbound_open_with_vmclock(char const *shm_path, char const *vmclock_path,
                                             unsigned int flags, clockbound_err *err);

/* Opens a segment like clockbound_open() and waits until it contains a trusted interval with a
 * clock error bound of at most max_bound_ns (0: any). The segment need not exist yet.
 *
 * Returns NULL after timeout_ns, with an error of kind NOT_READY.
 */
clockbound_ctx *clockbound_open_when_ready(char const *shm_path, uint64_t timeout_ns,
                                           uint64_t max_bound_ns, clockbound_err *err);

/* Like clockbound_open_when_ready(), with the arguments of clockbound_open_with_vmclock(). */
clockbound_ctx *clockbound_open_when_ready_with(char const *shm_path, char const *vmclock_path,
                                                unsigned int flags, uint64_t timeout_ns,
                                                uint64_t max_bound_ns, clockbound_err *err);

/* Like clockbound_now(), in ns and with the reason of the status. */
clockbound_err const *clockbound_interval_now(clockbound_ctx *ctx, clockbound_interval *interval);

/* Reads the interval at the instant at which CLOCK_MONOTONIC_RAW in this process reads raw_ns. The
 * instant can be in the past or in the future.
 *
 * Returns an error of kind NOT_KNOWN if the segment is not of the native layout, if the instant is
 * before a suspend, a leap second or a disruption (before valid_since_ns of clockbound_record), or
 * if it is further before the record than the record is valid after it. The other errors are those
 * of clockbound_now().
 */
clockbound_err const *clockbound_interval_at(clockbound_ctx *ctx, int64_t raw_ns,
                                             clockbound_interval *interval);

/* Reads the interval at the instant at which CLOCK_REALTIME read stamp_ns: the time of a packet
 * (SO_TIMESTAMPING), of a file or of a log line. The interval is wider than that of
 * clockbound_interval_at() by what the rate of CLOCK_REALTIME can have been. Between the stamp and
 * the call, CLOCK_REALTIME must not have been set, nor slewed away and back.
 *
 * Returns an error of kind NOT_KNOWN if the segment is not of the native layout, if CLOCK_REALTIME
 * was set since the stamp or is slewed faster than the record contains, or if the stamp is in the
 * future or before the instants of which the record gives intervals. The other errors are those of
 * clockbound_now().
 */
clockbound_err const *clockbound_interval_at_realtime(clockbound_ctx *ctx, int64_t stamp_ns,
                                                      clockbound_interval *interval);

/* Waits until t_ns (UTC since 1970) has certainly passed: until earliest_ns exceeds it. Stores the
 * interval that proves it, unless interval is NULL.
 *
 * Returns an error of kind UNTRUSTED as soon as the status is not trusted, also during the wait.
 * The other errors are those of clockbound_now().
 */
clockbound_err const *clockbound_commit_wait(clockbound_ctx *ctx, int64_t t_ns,
                                             clockbound_interval *interval);

/* Like clockbound_commit_wait(), for timeout_ns at most. Returns an error of kind TIMED_OUT when
 * it has passed. */
clockbound_err const *clockbound_commit_wait_timeout(clockbound_ctx *ctx, int64_t t_ns,
                                                     uint64_t timeout_ns,
                                                     clockbound_interval *interval);

/* Read the interval before and after an operation. clockbound_timing_begin() stores an interval
 * that is not trusted as timing->ended. The errors are those of clockbound_now(). */
clockbound_err const *clockbound_timing_begin(clockbound_ctx *ctx, clockbound_timing *timing);
clockbound_err const *clockbound_timing_end(clockbound_ctx *ctx, clockbound_timing *timing);

/* Reads the details of the record that was published last. record->size must be set.
 *
 * Returns an error of kind SYSCALL with EINVAL if record->size is less than in the first version
 * of the struct. The other errors are those of clockbound_now(). */
clockbound_err const *clockbound_record_now(clockbound_ctx *ctx, clockbound_record *record);

/* Explains in sentences, in English, why the interval is as wide as it is or why the status is not
 * trusted, since when, by which sources, and what would make the interval narrower. path is the
 * file diagnostics of the daemon or its directory; NULL is CLOCKBOUND_DEFAULT_DIRECTORY.
 *
 * Writes at most size bytes to buffer, with a terminating zero byte: one statement a line, and
 * lines for chrony.conf indented by four spaces. Returns the length of the whole text without the
 * zero byte, which can be size or more; 0 after an error, with *err of kind SYSCALL,
 * SEGMENT_NOT_INITIALIZED, SEGMENT_MALFORMED or SEGMENT_VERSION_NOT_SUPPORTED. buffer can be NULL
 * if size is 0. The text is for people; it can differ in another version.
 *
 * Opens the file at each call and allocates memory. Not for signal handlers. */
size_t clockbound_explain(char const *path, char *buffer, size_t size, clockbound_err *err);

/* Returns whether t_ns (UTC since 1970) has certainly passed: whether it is less than earliest_ns.
 * Returns false while the status is not trusted. To order two intervals, do not pass an end of one
 * of them: call clockbound_interval_is_after(), which also checks its status. */
bool clockbound_is_after(clockbound_interval const *interval, int64_t t_ns);

/* Returns whether t_ns (UTC since 1970) is certainly in the future: whether it is greater than
 * latest_ns. Returns false while the status is not trusted. To order two intervals, call
 * clockbound_interval_is_before(). */
bool clockbound_is_before(clockbound_interval const *interval, int64_t t_ns);

/* Returns the order of two intervals. NULL is an interval that is not trusted. */
clockbound_order clockbound_compare(clockbound_interval const *a, clockbound_interval const *b);

/* Return whether an event in a is certainly before, or after, an event in b. They return false
 * unless both intervals are trusted. */
bool clockbound_interval_is_before(clockbound_interval const *a, clockbound_interval const *b);
bool clockbound_interval_is_after(clockbound_interval const *a, clockbound_interval const *b);

/* Returns the middle of the interval, UTC since 1970, rounded down. It is an estimate only while
 * the status is trusted. Returns 0 if interval is NULL. */
int64_t clockbound_midpoint_ns(clockbound_interval const *interval);

/* Returns the clock error bound of the midpoint: half the width in ns, rounded up. Returns
 * INT64_MAX if interval is NULL. */
int64_t clockbound_bound_ns(clockbound_interval const *interval);

/* Convert between ns of UTC since 1970 and struct timespec. Times beyond the limits of 64 bits, in
 * 1677 and 2262, become INT64_MIN and INT64_MAX. */
struct timespec clockbound_timespec_from_ns(int64_t ns);
int64_t clockbound_ns_from_timespec(struct timespec time);

/* Returns the message of an error, with its remedy: a constant string. The message for
 * NULL is "no error". */
char const *clockbound_strerror(clockbound_err const *err);

/* Returns the name of a status or a reason as in the daemon's log: a constant string. */
char const *clockbound_status_name(clockbound_clock_status status);
char const *clockbound_reason_name(clockbound_reason reason);

#ifdef __cplusplus
}
#endif

/* The layout of the structs, checked in every language version. */
#define CLOCKBOUND_ASSERT(name, condition) \
    typedef char clockbound_assert_##name[(condition) ? 1 : -1]
CLOCKBOUND_ASSERT(err, sizeof(clockbound_err) == 16);
CLOCKBOUND_ASSERT(sys_errno, offsetof(clockbound_err, sys_errno) == 4);
CLOCKBOUND_ASSERT(detail, offsetof(clockbound_err, detail) == 8);
CLOCKBOUND_ASSERT(now_result, sizeof(clockbound_now_result) == 40);
CLOCKBOUND_ASSERT(latest, offsetof(clockbound_now_result, latest) == 16);
CLOCKBOUND_ASSERT(clock_status, offsetof(clockbound_now_result, clock_status) == 32);
CLOCKBOUND_ASSERT(interval, sizeof(clockbound_interval) == 24);
CLOCKBOUND_ASSERT(status, offsetof(clockbound_interval, status) == 16);
CLOCKBOUND_ASSERT(reason, offsetof(clockbound_interval, reason) == 20);
CLOCKBOUND_ASSERT(record, sizeof(clockbound_record) == 88);
CLOCKBOUND_ASSERT(disruption_marker, offsetof(clockbound_record, disruption_marker) == 64);
CLOCKBOUND_ASSERT(tai_offset_s, offsetof(clockbound_record, tai_offset_s) == 76);
CLOCKBOUND_ASSERT(is_simulated, offsetof(clockbound_record, is_simulated) == 80);
CLOCKBOUND_ASSERT(as_of, offsetof(clockbound_record, as_of_ns) == 24);
CLOCKBOUND_ASSERT(source, offsetof(clockbound_record, source) == 56);
#undef CLOCKBOUND_ASSERT

#endif

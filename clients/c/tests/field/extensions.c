/* Tests the extensions to the 2.x interface: extensions PATH. Prints nothing on success. The exit
 * code after a failure depends on the line of the check. */
#include <clockbound.h>
#include <errno.h>
#include <string.h>

#define CHECK(what) do { if (!(what)) return __LINE__ % 255 + 1; } while (0)

int main(int argc, char **argv)
{
    clockbound_interval now, past;
    clockbound_err err;
    clockbound_err const *why;
    clockbound_ctx *ctx;
    clockbound_record record;
    struct timespec raw;
    int64_t raw_ns, stamp_ns;

    CHECK(argc == 2);
    ctx = clockbound_open_when_ready(argv[1], 1000000, 1, &err);
    CHECK(!ctx && err.kind == CLOCKBOUND_ERR_NOT_READY && clockbound_strerror(&err));
    CHECK(!strcmp(err.detail, "the clock error bound exceeds the maximum"));
    /* The cause of the last attempt, and its errno. */
    ctx = clockbound_open_when_ready("/nonexistent/clockbound", 1000000, 0, &err);
    CHECK(!ctx && err.kind == CLOCKBOUND_ERR_NOT_READY);
    CHECK(err.sys_errno == ENOENT && !strcmp(err.detail, "open"));
    ctx = clockbound_open_with(argv[1], 4, &err);
    CHECK(!ctx && err.kind == CLOCKBOUND_ERR_SYSCALL && err.sys_errno == EINVAL);
    ctx = clockbound_open_with(argv[1], CLOCKBOUND_REFUSE_SIMULATED, &err);
    CHECK(ctx && !clockbound_close(ctx));
    CHECK(!strcmp(clockbound_version(), CLOCKBOUND_VERSION));
    ctx = clockbound_open_when_ready(argv[1], 5000000000, 0, &err);
    CHECK(ctx && err.kind == CLOCKBOUND_ERR_NONE);
    CHECK(!clockbound_interval_now(ctx, &now));
    CHECK(now.reason == CLOCKBOUND_REASON_TRACKING);
    CHECK(!strcmp(clockbound_reason_name(now.reason), "tracking"));
    CHECK(!strcmp(clockbound_status_name(now.status), "synchronized"));
    CHECK(clockbound_is_after(&now, now.earliest_ns - 1));
    CHECK(!clockbound_is_after(&now, now.earliest_ns));
    CHECK(clockbound_is_before(&now, now.latest_ns + 1));
    CHECK(!clockbound_is_before(&now, now.latest_ns));
    CHECK(clockbound_bound_ns(&now) == (now.latest_ns - now.earliest_ns + 1) / 2);
    CHECK(!clockbound_commit_wait(ctx, now.latest_ns, &past) && past.earliest_ns > now.latest_ns);
    CHECK(!clockbound_commit_wait(ctx, 0, NULL));
    CHECK(!clock_gettime(CLOCK_MONOTONIC_RAW, &raw));
    raw_ns = raw.tv_sec * INT64_C(1000000000) + raw.tv_nsec;
    CHECK(!clockbound_interval_at(ctx, raw_ns - 1000000000, &past));
    CHECK(past.latest_ns < now.earliest_ns);
    why = clockbound_interval_at(ctx, raw_ns - INT64_C(2000000000000), &past);
    CHECK(why && why->kind == CLOCKBOUND_ERR_NOT_KNOWN);
    why = clockbound_interval_at(ctx, raw_ns - INT64_C(200000000000), &past);
    CHECK(why && why->kind == CLOCKBOUND_ERR_NOT_KNOWN && past.earliest_ns == INT64_MIN);
    /* A stamp of CLOCK_REALTIME: the interval of its instant contains it. */
    CHECK(!clock_gettime(CLOCK_REALTIME, &raw));
    stamp_ns = clockbound_ns_from_timespec(raw);
    CHECK(!clockbound_interval_at_realtime(ctx, stamp_ns, &past));
    CHECK(past.earliest_ns <= stamp_ns && stamp_ns <= past.latest_ns);
    CHECK(!clockbound_interval_at_realtime(ctx, stamp_ns - 1000000000, &past));
    CHECK(past.earliest_ns <= stamp_ns - 1000000000 && stamp_ns - 1000000000 <= past.latest_ns);
    why = clockbound_interval_at_realtime(ctx, stamp_ns + INT64_C(1000000000000), &past);
    CHECK(why && why->kind == CLOCKBOUND_ERR_NOT_KNOWN && why->detail);
    why = clockbound_commit_wait_timeout(ctx, INT64_MAX, 1000000, &past);
    CHECK(why && why->kind == CLOCKBOUND_ERR_TIMED_OUT);
    CHECK(!clockbound_commit_wait_timeout(ctx, 0, 0, NULL));
    record.size = sizeof record;
    CHECK(!clockbound_record_now(ctx, &record));
    CHECK(record.layout == CLOCKBOUND_LAYOUT_NATIVE && record.leap == CLOCKBOUND_LEAP_NORMAL);
    CHECK(record.source == 1 && record.age_ns > 0 && record.as_of_ns < raw_ns);
    CHECK(record.valid_since_ns == record.as_of_ns - INT64_C(100000000000));
    CHECK(record.status == CLOCKBOUND_STA_SYNCHRONIZED && record.size == sizeof record);
    CHECK(!record.disruption_supported && !record.disruption_marker && !record.tai_offset_known);
    CHECK(!record.is_simulated);
    /* A program of the version before the last member. */
    memset(&record, 0x55, sizeof record);
    record.size = 80;
    CHECK(!clockbound_record_now(ctx, &record) && record.size == 80);
    CHECK(((unsigned char *)&record)[80] == 0x55);
    record.size = 63;
    why = clockbound_record_now(ctx, &record);
    CHECK(why && why->kind == CLOCKBOUND_ERR_SYSCALL && why->sys_errno == EINVAL);
    CHECK(clockbound_midpoint_ns(&now) == now.earliest_ns + (now.latest_ns - now.earliest_ns) / 2);
    raw = clockbound_timespec_from_ns(-1);
    CHECK(raw.tv_sec == -1 && raw.tv_nsec == 999999999 && clockbound_ns_from_timespec(raw) == -1);
    why = clockbound_interval_now(ctx, NULL);
    CHECK(why && why->kind == CLOCKBOUND_ERR_SYSCALL && why->sys_errno);
    now.status = CLOCKBOUND_STA_UNKNOWN;
    CHECK(!clockbound_is_after(&now, 0) && !clockbound_is_before(&now, INT64_MAX));
    CHECK(!clockbound_close(ctx) && !clockbound_close(NULL));
    return 0;
}

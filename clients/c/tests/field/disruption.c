/* Reads before and after disruptions: disruption SEGMENT PAGE. Waits for a line on
 * standard input before the second part, in which the page has another marker. Prints nothing but
 * "ready" on success. The exit code after a failure depends on the line of the check. */
#include <clockbound.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define CHECK(what) do { if (!(what)) return __LINE__ % 255 + 1; } while (0)

/* The struct as in the first version of the header, with what follows it in memory. */
struct old_program {
    char record[64];
    unsigned char after[16];
};

static int check_old_program(clockbound_ctx *ctx, clockbound_record const *expected)
{
    struct old_program old;
    size_t const size = sizeof old.record;
    size_t n;
    memset(&old, 0x5a, sizeof old);
    memcpy(old.record, &size, sizeof size);
    CHECK(!clockbound_record_now(ctx, (clockbound_record *)(void *)old.record));
    CHECK(!memcmp(old.record, &size, sizeof size));
    CHECK(!memcmp(old.record + offsetof(clockbound_record, as_of_ns), &expected->as_of_ns, 8));
    for (n = 0; n < sizeof old.after; n++)
        CHECK(old.after[n] == 0x5a);
    return 0;
}

int main(int argc, char **argv)
{
    clockbound_interval now;
    clockbound_now_result result;
    clockbound_err err;
    clockbound_err const *why;
    clockbound_ctx *ctx[3];
    clockbound_record record;
    char line[8];
    int n;

    CHECK(argc == 3);
    ctx[0] = clockbound_open_with_vmclock(argv[1], "/nonexistent/vmclock", 0, &err);
    CHECK(!ctx[0] && err.kind == CLOCKBOUND_ERR_VMCLOCK && err.sys_errno == ENOENT);
    CHECK(!strcmp(err.detail, "open") && strstr(clockbound_strerror(&err), "VMClock"));
    ctx[0] = clockbound_vmclock_open(argv[1], argv[1], &err);
    CHECK(!ctx[0] && err.kind == CLOCKBOUND_ERR_VMCLOCK && !err.sys_errno && err.detail);
    ctx[0] = clockbound_open_when_ready_with(argv[1], "/nonexistent/vmclock", 0, 1000000, 0, &err);
    CHECK(!ctx[0] && err.kind == CLOCKBOUND_ERR_NOT_READY && err.sys_errno == ENOENT);
    ctx[0] = clockbound_open_when_ready_with(argv[1], argv[2], 4, 1000000, 0, &err);
    CHECK(!ctx[0] && err.kind == CLOCKBOUND_ERR_SYSCALL && err.sys_errno == EINVAL);

    ctx[0] = clockbound_vmclock_open(argv[1], argv[2], &err);
    ctx[1] = clockbound_open_with_vmclock(argv[1], argv[2], CLOCKBOUND_OPEN_NO_FOLLOW, &err);
    ctx[2] = clockbound_open_when_ready_with(argv[1], argv[2], CLOCKBOUND_OPEN_NO_FOLLOW,
                                             5000000000, 0, &err);
    for (n = 0; n < 3; n++) {
        CHECK(ctx[n]);
        CHECK(!clockbound_interval_now(ctx[n], &now) && now.status == CLOCKBOUND_STA_SYNCHRONIZED);
        record.size = sizeof record;
        CHECK(!clockbound_record_now(ctx[n], &record));
        CHECK(record.disruption_supported && record.disruption_marker == 7);
        CHECK(record.size == sizeof record && record.reserved == 0);
        if (record.layout == CLOCKBOUND_LAYOUT_NATIVE)
            CHECK(record.disruption_soon && record.tai_offset_known && record.tai_offset_s == -37);
        else
            CHECK(!record.disruption_soon && !record.tai_offset_known && !record.tai_offset_s);
        CHECK(!record.disruption_imminent);
        CHECK(!check_old_program(ctx[n], &record));
    }
    puts("ready");
    fflush(stdout);
    CHECK(fgets(line, sizeof line, stdin));
    for (n = 0; n < 3; n++) {
        CHECK(!clockbound_interval_now(ctx[n], &now));
        CHECK(now.status == CLOCKBOUND_STA_DISRUPTED);
        CHECK(now.reason == CLOCKBOUND_REASON_DISRUPTED && now.earliest_ns == INT64_MIN);
        CHECK(!clockbound_now(ctx[n], &result) && result.clock_status == CLOCKBOUND_STA_DISRUPTED);
        why = clockbound_commit_wait(ctx[n], 0, NULL);
        CHECK(why && why->kind == CLOCKBOUND_ERR_UNTRUSTED && !strcmp(why->detail, "disrupted"));
        CHECK(!clockbound_close(ctx[n]));
    }
    return 0;
}

/* Reads the interval under a seccomp filter that permits only exit(2): seccomp PATH. Prints
 * "skipped: REASON" where the vDSO does not read the clocks. */
#define _GNU_SOURCE
#include <clockbound.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef FLAGS
#define FLAGS CLOCKBOUND_OPEN_NO_FOLLOW
#endif

enum { READS = 100000 };

/* Ends this process without exit_group(2), which the filter does not permit. */
static void end(int code)
{
    syscall(SYS_exit, code);
}

static int forbid_system_calls(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
    };
    struct sock_fprog program = {sizeof filter / sizeof filter[0], filter};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

/* Returns the exit code of body in a child process without system calls, or -1 if it made one. */
static int run_in_child(void (*body)(clockbound_ctx *), clockbound_ctx *ctx)
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        if (forbid_system_calls())
            end(2);
        body(ctx);
        end(1);
    }
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void read_clocks(clockbound_ctx *ctx)
{
    struct timespec time;
    (void)ctx;
    clock_gettime(CLOCK_REALTIME, &time);
    clock_gettime(CLOCK_MONOTONIC_COARSE, &time);
    clock_gettime(CLOCK_MONOTONIC_RAW, &time);
    end(0);
}

static void read_intervals(clockbound_ctx *ctx)
{
    clockbound_interval interval;
    clockbound_record record;
    clockbound_err const *err;
    int n;
    for (n = 0; n < READS; n++)
        if (clockbound_interval_now(ctx, &interval))
            end(3);
    record.size = sizeof record;
    if (clockbound_record_now(ctx, &record))
        end(5);
    err = clockbound_interval_at(ctx, record.as_of_ns, &interval);
    if (err ? record.layout == CLOCKBOUND_LAYOUT_NATIVE : record.layout != CLOCKBOUND_LAYOUT_NATIVE)
        end(6);
    err = clockbound_interval_at_realtime(ctx, interval.earliest_ns, &interval);
    if (err && err->kind != CLOCKBOUND_ERR_NOT_KNOWN)
        end(7);
    end(clockbound_interval_now(NULL, &interval) ? 0 : 4);
}

int main(int argc, char **argv)
{
    clockbound_ctx *ctx;
    int code;
    if (argc != 2)
        return 64;
    /* The record is so old that a context that follows looks for another file at each read. */
    ctx = clockbound_open_with(argv[1], FLAGS, NULL);
    if (!ctx)
        return 1;
    code = run_in_child(read_clocks, NULL);
    if (code != 0) {
        printf("skipped: seccomp: %s\n",
               code == 2 ? "no seccomp" : "clock_gettime is a system call here");
        return 0;
    }
    code = run_in_child(read_intervals, ctx);
    clockbound_close(ctx);
    return code == -1 ? 9 : code;
}

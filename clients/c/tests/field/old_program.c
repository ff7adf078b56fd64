/* A program written for the 1.x headers (with -DV2, the 2.x headers). It contains their
 * declarations and does not include clockbound.h.
 * Prints "<earliest s> <ns> <latest s> <ns> <status>", or "error <kind> <errno>". */
#include <stdio.h>
#include <time.h>

typedef struct clockbound_ctx clockbound_ctx;

typedef enum {
    ERR_NONE,
    ERR_SYSCALL,
    ERR_SEGMENT_NOT_INITIALIZED,
    ERR_SEGMENT_MALFORMED,
    ERR_CAUSALITY_BREACH,
#ifdef V2
    ERR_SEGMENT_VERSION_NOT_SUPPORTED,
#endif
} err_kind;

typedef struct {
    err_kind kind;
    int sys_errno;
    char const *detail;
} clockbound_err;

typedef struct {
    struct timespec earliest;
    struct timespec latest;
    int clock_status;
} clockbound_now_result;

clockbound_ctx *clockbound_open(char const *shm_path, clockbound_err *err);
#ifdef V2
clockbound_ctx *clockbound_vmclock_open(char const *shm_path, char const *vmclock_path,
                                        clockbound_err *err);
#endif
clockbound_err const *clockbound_close(clockbound_ctx *ctx);
clockbound_err const *clockbound_now(clockbound_ctx *ctx, clockbound_now_result *result);

int main(int argc, char **argv)
{
    clockbound_err open_err = {ERR_CAUSALITY_BREACH, 7, "untouched"};
    clockbound_now_result now;
    clockbound_err const *err;
    clockbound_ctx *ctx;
    if (argc != 2)
        return 64;
#ifdef V2
    ctx = clockbound_vmclock_open(argv[1], "/dev/vmclock0", &open_err);
#else
    ctx = clockbound_open(argv[1], &open_err);
#endif
    if (!ctx) {
        printf("error %d %d\n", (int)open_err.kind, open_err.sys_errno);
        return 0;
    }
    err = clockbound_now(ctx, &now);
    if (err)
        printf("error %d %d\n", (int)err->kind, err->sys_errno);
    else
        printf("%lld %ld %lld %ld %d\n", (long long)now.earliest.tv_sec, now.earliest.tv_nsec,
               (long long)now.latest.tv_sec, now.latest.tv_nsec, now.clock_status);
    return clockbound_close(ctx) != NULL;
}

/* Opens CLOCKBOUND_SHM_DEFAULT_PATH. Prints the layout, or "error KIND ERRNO". */
#include <clockbound.h>
#include <stdio.h>

int main(void)
{
    clockbound_record record;
    clockbound_err err;
    clockbound_ctx *ctx = clockbound_open(CLOCKBOUND_SHM_DEFAULT_PATH, &err);
    if (!ctx) {
        printf("error %d %d\n", (int)err.kind, err.sys_errno);
        return 0;
    }
    record.size = sizeof record;
    if (clockbound_record_now(ctx, &record))
        return 1;
    printf("%d\n", (int)record.layout);
    clockbound_close(ctx);
    return 0;
}

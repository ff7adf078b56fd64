/* Several threads share one context, each with its own errors: threads PATH. Prints the number of
 * failed checks. */
#include <clockbound.h>
#include <pthread.h>
#include <stdio.h>

enum { THREADS = 4, READS = 200000 };

static clockbound_ctx *ctx;

static void *read_repeatedly(void *failures)
{
    for (int n = 0; n < READS; n++) {
        clockbound_now_result now;
        clockbound_err const *err = clockbound_now(ctx, &now);
        /* On a busy machine the record becomes old enough for free running. */
        if (err || (now.clock_status != CLOCKBOUND_STA_SYNCHRONIZED &&
                    now.clock_status != CLOCKBOUND_STA_FREE_RUNNING))
            ++*(int *)failures;
        if (n % 1000 == 0) {
            err = clockbound_now(NULL, &now);
            if (!err || err->kind != CLOCKBOUND_ERR_SYSCALL)
                ++*(int *)failures;
        }
    }
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t threads[THREADS];
    int failures[THREADS] = {0}, total = 0;
    ctx = clockbound_open(argc > 1 ? argv[1] : NULL, NULL);
    if (!ctx)
        return 1;
    for (int n = 0; n < THREADS; n++)
        pthread_create(&threads[n], NULL, read_repeatedly, &failures[n]);
    for (int n = 0; n < THREADS; n++) {
        pthread_join(threads[n], NULL);
        total += failures[n];
    }
    printf("%d\n", total);
    clockbound_close(ctx);
    return 0;
}

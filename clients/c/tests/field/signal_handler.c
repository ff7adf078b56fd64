/* Reads the interval in a signal handler that interrupts malloc: signal_handler PATH. The exit code
 * is 1 after an error, and 2 if the handler has allocated memory. */
#include <clockbound.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#ifndef FLAGS
#define FLAGS CLOCKBOUND_OPEN_NO_FOLLOW
#endif

enum { READS = 200 };

static clockbound_ctx *ctx;
static volatile sig_atomic_t reads, failures, is_in_handler;

/* malloc of libc, which this program replaces by one that ends the program if the handler calls it:
 * the heap of the interrupted malloc would be damaged. */
void *__libc_malloc(size_t size);

void *malloc(size_t size)
{
    if (is_in_handler)
        _exit(2);
    return __libc_malloc(size);
}

static void read_interval(int signal)
{
    clockbound_now_result now;
    clockbound_interval interval;
    (void)signal;
    is_in_handler = 1;
    if (clockbound_now(ctx, &now) || now.clock_status == CLOCKBOUND_STA_UNKNOWN)
        failures++;
    /* An error needs no memory of this thread, either. */
    if (!clockbound_interval_now(NULL, &interval) || clockbound_interval_now(ctx, &interval))
        failures++;
    is_in_handler = 0;
    reads++;
}

int main(int argc, char **argv)
{
    struct itimerval timer = {{0, 200}, {0, 200}};
    struct sigaction action;
    void *blocks[64] = {NULL};
    unsigned n = 0;
    if (argc != 2)
        return 64;
    /* The record is so old that a context that follows looks for another file, which allocates
     * memory. The alarm ends a deadlock. */
    alarm(60);
    ctx = clockbound_open_with(argv[1], FLAGS, NULL);
    if (!ctx)
        return 1;
    memset(&action, 0, sizeof action);
    action.sa_handler = read_interval;
    sigaction(SIGPROF, &action, NULL);
    setitimer(ITIMER_PROF, &timer, NULL);
    while (reads < READS) {
        free(blocks[n % 64]);
        blocks[n % 64] = malloc(16 + n * 37 % 4000);
        n++;
    }
    return failures ? 1 : 0;
}

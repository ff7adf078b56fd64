/* Tests clockbound_explain: explain DIRECTORY NONE. Prints the text. The exit code after a failure
 * depends on the line of the check. */
#include <clockbound.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define CHECK(what) do { if (!(what)) return __LINE__ % 255 + 1; } while (0)

int main(int argc, char **argv)
{
    static char text[65536], part[65536];
    clockbound_err err;
    size_t length;

    CHECK(argc == 3);
    length = clockbound_explain(argv[1], text, sizeof text, &err);
    CHECK(length && length < sizeof text && strlen(text) == length);
    CHECK(err.kind == CLOCKBOUND_ERR_NONE && text[length - 1] == '\n');
    for (size_t size = 1; size <= length + 1; size++) {
        memset(part, 'x', sizeof part);
        CHECK(clockbound_explain(argv[1], part, size, NULL) == length);
        /* A character of several bytes is not cut. */
        CHECK(strlen(part) < size && strlen(part) + 4 > (size <= length ? size : length));
        CHECK(!strncmp(part, text, strlen(part)) && part[size] == 'x');
    }
    CHECK(clockbound_explain(argv[1], NULL, 0, &err) == length);
    CHECK(!clockbound_explain(argv[1], NULL, 1, &err));
    CHECK(err.kind == CLOCKBOUND_ERR_SYSCALL && err.sys_errno == EINVAL);
    CHECK(!clockbound_explain(argv[2], part, sizeof part, &err) && !part[0]);
    CHECK(err.kind == CLOCKBOUND_ERR_SYSCALL && err.sys_errno == ENOENT);
    CHECK(!strcmp(err.detail, "open"));
    fputs(text, stdout);
    return 0;
}

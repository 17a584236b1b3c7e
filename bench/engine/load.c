/* A load generator with less work per call than any client: it measures the capacity of the bench server.
 *
 *   cc -O2 -o load load.c && ./load PORT CONNECTIONS CALLS
 *
 * Each connection sends the same 700-byte request, waits for the answer's last byte, and sends it again. Prints calls
 * per second and its own CPU per call.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static double seconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

int main(int count, char **arguments) {
    if (count != 4) return fprintf(stderr, "usage: load PORT CONNECTIONS CALLS\n"), 2;
    int port = atoi(arguments[1]), connections = atoi(arguments[2]);
    long calls = atol(arguments[3]), sent = 0, done = 0;
    char request[1024], body[600], answer[8192];
    memset(body, 'x', sizeof body - 1);
    body[sizeof body - 1] = 0;
    int size = snprintf(request, sizeof request,
                        "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: %zu\r\n\r\n%s",
                        strlen(body), body);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int poller = epoll_create1(0);
    double begun = seconds();
    for (int i = 0; i < connections; i++) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(fd, (struct sockaddr *)&address, sizeof address)) return perror("connect"), 1;
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
        epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
        if (send(fd, request, (size_t)size, 0) != size) return perror("send"), 1;
        sent++;
    }
    struct epoll_event found[512];
    while (done < calls) {
        int n = epoll_wait(poller, found, 512, 10000);
        if (n <= 0) return fprintf(stderr, "no answer for 10 s\n"), 1;
        for (int i = 0; i < n; i++) {
            ssize_t got = recv(found[i].data.fd, answer, sizeof answer, 0);
            if (got <= 0) return fprintf(stderr, "the server hung up\n"), 1;
            if (answer[got - 1] != '}') continue; /* the answer is sent whole, and ends so */
            done++;
            if (sent++ < calls && send(found[i].data.fd, request, (size_t)size, 0) != size) return perror("send"), 1;
        }
    }
    double wall = seconds() - begun;
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    double cpu = (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e3 +
                 (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e3;
    printf("{\"calls\":%ld,\"seconds\":%.4f,\"calls_per_s\":%.0f,\"cpu_ms_per_call\":%.5f}\n", done, wall,
           (double)done / wall, cpu / (double)done);
    return 0;
}

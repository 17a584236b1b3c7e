/* A fast chat-completions server: epoll, HTTP/1.1 keep-alive, a heap of deadlines, one thread, no libraries.
 *
 *   cc -O2 -o server server.c -lm && ./server [--latency-ms 200] [--p99-ratio 20] [--seed 0] [--slots 1,8,64]
 *                                    [--limit 300 --limiter fixed|sliding|bucket --span 1 --retry-after 1]
 *
 * It prints its port and serves until its parent dies. Any POST is answered with one fixed completion after its
 * latency: constant, or log-normal with the given ratio of 99th percentile to median. GET /stats returns its counts,
 * POST /reset sets them to zero.
 *
 * The prefix counter (--slots) simulates prefix caches of several sizes at once, as in llama.cpp's server: a
 * request goes to the slot whose last prompt shares the longest prefix with it (the one longest unused, if none
 * shares at least a tenth), the shared bytes are counted as reused, and the slot then holds this prompt. The prompt is
 * the text of the body's "messages".
 *
 * With --limit it accepts this number of requests per second and refuses the others with 429 after the same latency; it
 * decides when they arrive. `fixed` counts in windows of `--span` seconds of the clock, `sliding` in any interval of that
 * length; `bucket` is refilled evenly and holds `--span` seconds' worth. With --retry-after 1 a refusal says after how
 * many seconds the request would be accepted. "First" refusals are those within a second of the first one.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define MAX_CONNECTIONS 65536
#define MAX_CACHES 8
#define SHARED_AT_LEAST 0.1

typedef struct {
    char *data;
    size_t used, room;
    uint32_t life; /* counts reuses of this descriptor, so that a late answer never reaches the next connection */
    int open;
} Connection;

typedef struct {
    uint64_t due_ns;
    int fd;
    uint32_t life;
    double retry_after_s; /* below 0: not refused */
} Waiting;

typedef struct {
    char *text;
    size_t used, room;
    uint64_t touched;
} Slot;

typedef struct {
    int slots;
    Slot *slot;
    uint64_t reused_bytes;
} Cache;

static Connection connections[MAX_CONNECTIONS];
static Waiting *heap;
static size_t heap_used, heap_room;
static Cache caches[MAX_CACHES];
static int n_caches;
static uint64_t requests, prompt_bytes, in_flight, most_in_flight, opened;
static double latency_ms = 200.0, p99_ratio = 1.0;
static uint64_t random_state = 1;
static int poller, timer;
static uint64_t armed_ns;

static const char ANSWER[] =
    "{\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion\",\"created\":1700000000,\"model\":\"tiny\",\"choices\":"
    "[{\"index\":0,\"finish_reason\":\"stop\",\"message\":{\"role\":\"assistant\",\"content\":"
    "\"Each box holds 6 apples and there are 7 boxes, so 6 * 7 = 42. The answer is 42.\"}}],"
    "\"usage\":{\"prompt_tokens\":57,\"completion_tokens\":29,\"total_tokens\":86}}";
static const char REFUSAL[] =
    "{\"error\":{\"message\":\"Rate limit reached for requests\",\"type\":\"requests\",\"code\":\"rate_limit_exceeded\"}}";
static double limit, span = 1.0, level, level_at, first_refused_at;
static int says_when;
static char limiter = 'f';
static double *passed_at; /* sliding: a ring of as many moments as pass in a span */
static size_t ring_size, ring_at;
static uint64_t window, window_used, refused, refused_first;
static char answer[1024];
static size_t answer_size;

static uint64_t now_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000ull + (uint64_t)time.tv_nsec;
}

static double uniform(void) { /* splitmix64, open interval */
    uint64_t z = (random_state += 0x9e3779b97f4a7c15ull);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return ((double)((z ^ (z >> 31)) >> 11) + 0.5) / 9007199254740992.0;
}

static uint64_t latency_ns(void) {
    double factor = 1.0;
    if (p99_ratio > 1.0) { /* log-normal: the 99th percentile lies 2.3263 standard deviations above the median */
        double normal = sqrt(-2.0 * log(uniform())) * cos(6.283185307179586 * uniform());
        factor = exp(log(p99_ratio) / 2.3263478740408408 * normal);
    }
    return (uint64_t)(latency_ms * factor * 1e6);
}

/* Let a request pass (-1), or say in how many seconds it would. */
static double refusal_s(double now) {
    double most = limit * span, wait = -1.0;
    if (limiter == 'f') {
        if ((uint64_t)(now / span) != window) window = (uint64_t)(now / span), window_used = 0;
        if ((double)window_used + 1 > most) wait = (double)(window + 1) * span - now;
        else window_used++;
    } else if (limiter == 's') {
        if (passed_at[ring_at] > now - span) wait = passed_at[ring_at] + span - now;
        else passed_at[ring_at] = now, ring_at = (ring_at + 1) % ring_size;
    } else {
        level = fmin(most, level + (now - level_at) * limit), level_at = now;
        if (level < 1.0) wait = (1.0 - level) / limit;
        else level -= 1.0;
    }
    if (wait >= 0.0) {
        refused++;
        if (!first_refused_at) first_refused_at = now;
        if (now < first_refused_at + 1.0) refused_first++;
    }
    return wait;
}

static void begin_limit(void) {
    ring_size = (size_t)fmax(1.0, limit * span), ring_at = 0;
    passed_at = realloc(passed_at, ring_size * sizeof *passed_at);
    for (size_t i = 0; i < ring_size; i++) passed_at[i] = -1e9;
    level = limit * span, window_used = refused = refused_first = 0, first_refused_at = 0.0;
}

static void arm(void) {
    uint64_t due = heap_used ? heap[0].due_ns : 0;
    if (due == armed_ns) return;
    struct itimerspec when = {.it_value = {.tv_sec = due / 1000000000ull, .tv_nsec = due % 1000000000ull}};
    timerfd_settime(timer, TFD_TIMER_ABSTIME, &when, NULL);
    armed_ns = due;
}

static void push(Waiting item) {
    if (heap_used == heap_room) heap = realloc(heap, (heap_room = heap_room ? 2 * heap_room : 1024) * sizeof *heap);
    size_t at = heap_used++;
    for (; at && heap[(at - 1) / 2].due_ns > item.due_ns; at = (at - 1) / 2) heap[at] = heap[(at - 1) / 2];
    heap[at] = item;
}

static Waiting pop(void) {
    Waiting first = heap[0], last = heap[--heap_used];
    size_t at = 0;
    for (size_t child; (child = 2 * at + 1) < heap_used; at = child) {
        if (child + 1 < heap_used && heap[child + 1].due_ns < heap[child].due_ns) child++;
        if (heap[child].due_ns >= last.due_ns) break;
        heap[at] = heap[child];
    }
    heap[at] = last;
    return first;
}

static size_t shared(const char *left, size_t left_size, const char *right, size_t right_size) {
    size_t limit = left_size < right_size ? left_size : right_size, at = 0;
    while (at < limit && left[at] == right[at]) at++;
    return at;
}

static void play(Cache *cache, const char *text, size_t size) {
    Slot *best = NULL, *oldest = &cache->slot[0];
    size_t most = 0;
    for (int i = 0; i < cache->slots; i++) {
        Slot *slot = &cache->slot[i];
        size_t common = shared(slot->text, slot->used, text, size);
        if (common > most) most = common, best = slot;
        if (slot->touched < oldest->touched) oldest = slot;
    }
    if (!best || (double)most < SHARED_AT_LEAST * (double)size) {
        best = oldest;
        most = shared(best->text, best->used, text, size);
    }
    cache->reused_bytes += most;
    if (best->room < size) best->text = realloc(best->text, best->room = 2 * size);
    memcpy(best->text, text, size);
    best->used = size;
    best->touched = requests;
}

/* Count one prompt: the array behind "messages", without the frame around its first content. */
static void count_prompt(const char *body, size_t size) {
    const char *start = memmem(body, size, "\"messages\":", 11), *end = body + size;
    if (!start) return;
    start = memchr(start, '[', (size_t)(end - start));
    if (!start) return;
    int depth = 0, quoted = 0;
    const char *at = start;
    for (; at < end; at++) {
        if (quoted) {
            if (*at == '\\') at++;
            else if (*at == '"') quoted = 0;
        } else if (*at == '"') quoted = 1;
        else if (*at == '[' || *at == '{') depth++;
        else if ((*at == ']' || *at == '}') && --depth == 0) break;
    }
    const char *content = memmem(start, (size_t)(at - start), "\"content\":", 10);
    if (content) start = content + 10;
    size_t length = (size_t)(at - start);
    prompt_bytes += length;
    for (int i = 0; i < n_caches; i++) play(&caches[i], start, length);
}

static void drop(int fd) {
    Connection *one = &connections[fd];
    one->open = 0;
    one->life++;
    one->used = 0;
    close(fd);
}

static void say(int fd, const char *text, size_t size) {
    /* An answer is far smaller than a socket's buffer: what can't be sent at once goes to a client that is gone. */
    if (send(fd, text, size, MSG_NOSIGNAL) != (ssize_t)size) drop(fd);
}

static void refuse(int fd, double retry_after_s) {
    char all[512], when[64] = "";
    if (says_when) snprintf(when, sizeof when, "Retry-After: %.3f\r\n", retry_after_s);
    int n = snprintf(all, sizeof all,
                     "HTTP/1.1 429 Too Many Requests\r\nContent-Type: application/json\r\n%sContent-Length: %zu\r\n\r\n%s",
                     when, sizeof REFUSAL - 1, REFUSAL);
    say(fd, all, (size_t)n);
}

static void tell(int fd) {
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    double cpu = (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e3 +
                 (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e3;
    char body[2048], all[2304];
    int n = snprintf(body, sizeof body,
                     "{\"requests\":%llu,\"in_flight\":%llu,\"most_in_flight\":%llu,\"connections\":%llu,"
                     "\"cpu_ms\":%.3f,\"refused\":%llu,\"refused_first\":%llu,\"prompt_bytes\":%llu,\"reused_bytes\":{",
                     (unsigned long long)requests, (unsigned long long)in_flight, (unsigned long long)most_in_flight,
                     (unsigned long long)opened, cpu, (unsigned long long)refused, (unsigned long long)refused_first,
                     (unsigned long long)prompt_bytes);
    for (int i = 0; i < n_caches; i++)
        n += snprintf(body + n, sizeof body - (size_t)n, "%s\"%d\":%llu", i ? "," : "", caches[i].slots,
                      (unsigned long long)caches[i].reused_bytes);
    n += snprintf(body + n, sizeof body - (size_t)n, "}}");
    int m = snprintf(all, sizeof all, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
                     n, body);
    say(fd, all, (size_t)m);
}

static void reset(int fd) {
    requests = prompt_bytes = opened = 0;
    most_in_flight = in_flight;
    begin_limit();
    for (int i = 0; i < n_caches; i++) {
        caches[i].reused_bytes = 0;
        for (int j = 0; j < caches[i].slots; j++) caches[i].slot[j].used = caches[i].slot[j].touched = 0;
    }
    tell(fd);
}

static void accept_chat(int fd, const char *body, size_t size) {
    requests++;
    if (++in_flight > most_in_flight) most_in_flight = in_flight;
    if (n_caches) count_prompt(body, size);
    uint64_t now = now_ns();
    double wait = limit > 0.0 ? refusal_s((double)now / 1e9) : -1.0;
    push((Waiting){.due_ns = now + latency_ns(), .fd = fd, .life = connections[fd].life, .retry_after_s = wait});
}

/* Serve the whole requests in the buffer and keep the rest. */
static void serve(int fd) {
    Connection *one = &connections[fd];
    size_t at = 0;
    while (one->open && at < one->used) {
        char *start = one->data + at, *end = memmem(start, one->used - at, "\r\n\r\n", 4);
        if (!end) break;
        size_t head = (size_t)(end - start) + 4, size = 0;
        for (char *line = start; line < end; line++) {
            if (*line == '\n' && !strncasecmp(line + 1, "content-length:", 15)) size = strtoul(line + 16, NULL, 10);
        }
        if (one->used - at < head + size) break;
        if (!strncmp(start, "GET ", 4)) tell(fd);
        else if (!strncmp(start, "POST /reset", 11)) reset(fd);
        else accept_chat(fd, start + head, size);
        at += head + size;
    }
    if (!one->open) return;
    memmove(one->data, one->data + at, one->used - at);
    one->used -= at;
}

static void receive(int fd) {
    Connection *one = &connections[fd];
    if (one->room - one->used < 8192) one->data = realloc(one->data, one->room = one->used + 16384);
    ssize_t got = recv(fd, one->data + one->used, one->room - one->used, 0);
    if (got > 0) {
        one->used += (size_t)got;
        serve(fd);
    } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
        drop(fd);
    }
}

static void welcome(int listener) {
    int fd, on = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        if (fd >= MAX_CONNECTIONS) {
            close(fd);
            continue;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        connections[fd].open = 1;
        connections[fd].used = 0;
        opened++;
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
        epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
    }
}

static void answer_due(void) {
    uint64_t now = now_ns();
    while (heap_used && heap[0].due_ns <= now) {
        Waiting one = pop();
        in_flight--;
        if (!connections[one.fd].open || connections[one.fd].life != one.life) continue;
        if (one.retry_after_s < 0.0) say(one.fd, answer, answer_size);
        else refuse(one.fd, one.retry_after_s);
    }
}

static int listen_anywhere(void) {
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&address, size) || listen(fd, 4096)) perror("listen"), exit(1);
    getsockname(fd, (struct sockaddr *)&address, &size);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

static void add_caches(char *sizes) {
    for (char *one = strtok(sizes, ","); one && n_caches < MAX_CACHES; one = strtok(NULL, ",")) {
        int slots = atoi(one);
        if (slots > 0) caches[n_caches++] = (Cache){.slots = slots, .slot = calloc((size_t)slots, sizeof(Slot))};
    }
}

int main(int count, char **arguments) {
    for (int i = 1; i + 1 < count; i += 2) {
        char *name = arguments[i], *value = arguments[i + 1];
        if (!strcmp(name, "--latency-ms")) latency_ms = atof(value);
        else if (!strcmp(name, "--p99-ratio")) p99_ratio = atof(value);
        else if (!strcmp(name, "--seed")) random_state = strtoull(value, NULL, 10) + 1;
        else if (!strcmp(name, "--slots")) add_caches(value);
        else if (!strcmp(name, "--limit")) limit = atof(value);
        else if (!strcmp(name, "--limiter")) limiter = value[0];
        else if (!strcmp(name, "--span")) span = atof(value);
        else if (!strcmp(name, "--retry-after")) says_when = atoi(value);
        else fprintf(stderr, "unknown argument %s\n", name), exit(2);
    }
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    begin_limit();
    answer_size = (size_t)snprintf(answer, sizeof answer,
                                   "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                                   sizeof ANSWER - 1, ANSWER);
    poller = epoll_create1(0);
    timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    int listener = listen_anywhere();
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, found[512];
    epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event);
    event.data.fd = timer;
    epoll_ctl(poller, EPOLL_CTL_ADD, timer, &event);
    for (;;) {
        int n = epoll_wait(poller, found, 512, -1);
        for (int i = 0; i < n; i++) {
            int fd = found[i].data.fd;
            uint64_t ticks;
            if (fd == listener) welcome(listener);
            else if (fd == timer) armed_ns = read(timer, &ticks, sizeof ticks) > 0 ? 0 : armed_ns;
            else if (connections[fd].open) receive(fd);
        }
        answer_due();
        arm();
    }
}

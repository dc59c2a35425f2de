// Thin shims for what the Glibc module does not show: epoll, eventfd, accept4, fallocate, and two
// processor instructions. They take plain integers and pointers and keep no state; feature-test
// macros stay in linux.c, where they cannot clash with the Glibc module.
#ifndef CLINUX_H
#define CLINUX_H

#include <stdint.h>
#include <stddef.h>

#include "float_text.h"

/// One readiness report: `token` as registered, `events` as epoll gives them.
struct hf_event {
    uint64_t token;
    uint32_t events;
};

enum {
    HF_READABLE = 0x001,
    HF_WRITABLE = 0x004,
    HF_ERROR = 0x008,
    HF_HANGUP = 0x010,
};

int hf_epoll_create(void);
/// `operation`: 1 add, 2 delete, 3 modify.
int hf_epoll_control(int poller, int operation, int fd, uint32_t events, uint64_t token);
int hf_epoll_wait(int poller, struct hf_event *events, int capacity, int timeout_ms);

int hf_eventfd(void);
int hf_accept(int fd, void *address, uint32_t *length);
/// Keeps the size, so that reads give what they gave before.
int hf_fallocate(int fd, int64_t offset, int64_t length);
/// Blocks SIGTERM, SIGINT and SIGHUP for all threads made from here on, ignores SIGPIPE, and gives a
/// descriptor that becomes readable when one of them comes.
int hf_signal_descriptor(void);
/// The next signal that came, or 0.
int hf_next_signal(int descriptor);
/// Goes on as a session leader without a terminal; 0 in the process that goes on, the caller exits.
int hf_daemonize(void);
/// How many bytes the allocator gave to `block`.
size_t hf_allocated_bytes(const void *block);
/// Processor time in seconds: 0 of the process, 1 of its children that ended, 2 of the calling thread.
void hf_processor_time(int scope, double *user, double *system);
/// System name, release and machine with blanks between; cut to `size` bytes with the final NUL.
void hf_system_name(char *text, size_t size);
/// Writes over the words of the command line, which is what `ps` shows. Not for two threads at once.
void hf_set_process_title(const char *title);
/// Raises the limit of open files towards `wanted`, as far as the system lets us; gives what holds then.
uint64_t hf_raise_file_limit(uint64_t wanted);
/// Names the calling thread for `ps` and debuggers.
void hf_name_thread(const char *name);

/// Lets the calling thread give way to others that want the processor.
void hf_lower_priority(void);

/// Lets the calling thread run soon after it wakes, beside others that compute; threads that it makes inherit it.
void hf_favour_latency(void);

static inline void hf_prefetch(const void *address) { __builtin_prefetch(address, 0, 3); }

/// A cheap, monotonic tick; `hf_ticks_are_tsc` says whether it is the processor's counter or ns.
#if defined(__x86_64__)
static inline uint64_t hf_ticks(void) { return __builtin_ia32_rdtsc(); }
static inline int hf_ticks_are_tsc(void) { return 1; }
#else
#include <time.h>
static inline uint64_t hf_ticks(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}
static inline int hf_ticks_are_tsc(void) { return 0; }
#endif

#endif

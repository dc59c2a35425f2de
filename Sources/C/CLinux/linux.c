#define _GNU_SOURCE
#include "CLinux.h"

#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sched.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int hf_epoll_create(void) { return epoll_create1(EPOLL_CLOEXEC); }

int hf_epoll_control(int poller, int operation, int fd, uint32_t events, uint64_t token) {
    struct epoll_event event = {.events = events, .data.u64 = token};
    return epoll_ctl(poller, operation, fd, &event);
}

int hf_epoll_wait(int poller, struct hf_event *events, int capacity, int timeout_ms) {
    struct epoll_event ready[512];
    if (capacity > 512) capacity = 512;
    int count = epoll_wait(poller, ready, capacity, timeout_ms);
    for (int i = 0; i < count; i++) {
        events[i].token = ready[i].data.u64;
        events[i].events = ready[i].events;
    }
    return count;
}

int hf_eventfd(void) { return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC); }

int hf_accept(int fd, void *address, uint32_t *length) {
    return accept4(fd, address, length, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

int hf_fallocate(int fd, int64_t offset, int64_t length) {
    return fallocate(fd, FALLOC_FL_KEEP_SIZE, offset, length);
}

int hf_signal_descriptor(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    signal(SIGPIPE, SIG_IGN);
    if (pthread_sigmask(SIG_BLOCK, &set, NULL) != 0) return -1;
    return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

int hf_next_signal(int descriptor) {
    struct signalfd_siginfo info;
    return read(descriptor, &info, sizeof info) == sizeof info ? (int)info.ssi_signo : 0;
}

int hf_daemonize(void) {
    pid_t child = fork();
    if (child < 0) return -1;
    if (child > 0) _exit(0);
    setsid();
    int null = open("/dev/null", O_RDWR);
    if (null >= 0) {
        dup2(null, 0);
        dup2(null, 1);
        dup2(null, 2);
        if (null > 2) close(null);
    }
    return 0;
}

size_t hf_allocated_bytes(const void *block) { return malloc_usable_size((void *)block); }

/* Since Linux 6.12 a thread of the ordinary policy may say how long its slices shall be: a short one makes it run soon after
   it wakes, also beside threads in the middle of longer ones. Older kernels pass over the field. */
static void ask_for_slice(int nice, uint64_t nanoseconds) {
    struct {
        uint32_t size, policy;
        uint64_t flags;
        int32_t nice;
        uint32_t priority;
        uint64_t runtime, deadline, period;
    } attributes = {.size = sizeof attributes, .policy = SCHED_OTHER, .nice = nice, .runtime = nanoseconds};
    if (sched_getscheduler(0) != SCHED_OTHER) return;
    syscall(SYS_sched_setattr, 0, &attributes, 0);
}

void hf_favour_latency(void) { ask_for_slice(getpriority(PRIO_PROCESS, 0), 100 * 1000); }

void hf_lower_priority(void) {
    setpriority(PRIO_PROCESS, 0, 4);
    ask_for_slice(4, 3 * 1000 * 1000);
}

void hf_name_thread(const char *name) { pthread_setname_np(pthread_self(), name); }

void hf_processor_time(int scope, double *user, double *system) {
    struct rusage usage;
    int who = scope == 0 ? RUSAGE_SELF : scope == 1 ? RUSAGE_CHILDREN : RUSAGE_THREAD;
    if (getrusage(who, &usage) != 0) return;
    *user = (double)usage.ru_utime.tv_sec + (double)usage.ru_utime.tv_usec / 1e6;
    *system = (double)usage.ru_stime.tv_sec + (double)usage.ru_stime.tv_usec / 1e6;
}

void hf_system_name(char *text, size_t size) {
    struct utsname name;
    if (uname(&name) != 0) return;
    snprintf(text, size, "%s %s %s", name.sysname, name.release, name.machine);
}

uint64_t hf_raise_file_limit(uint64_t wanted) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1024;
    if (limit.rlim_cur >= wanted) return limit.rlim_cur;
    struct rlimit raised = {.rlim_cur = wanted, .rlim_max = limit.rlim_max};
    if (raised.rlim_max < wanted) raised.rlim_max = wanted;
    if (setrlimit(RLIMIT_NOFILE, &raised) == 0) return wanted;
    raised.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
    raised.rlim_max = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &raised) == 0) return raised.rlim_cur;
    return limit.rlim_cur;
}

/// The words of the command line and the environment behind them, as the kernel laid them out.
static char *title_start;
static size_t title_room;

/// glibc hands the command line to constructors too.
__attribute__((constructor)) static void hf_note_command_line(int argc, char **argv, char **envp) {
    if (argc < 1 || argv[0] == NULL) return;
    char *end = argv[0];
    for (int i = 0; i < argc; i++) {
        if (argv[i] == end) end += strlen(argv[i]) + 1;
    }
    // The environment moves elsewhere, so that its room can be used.
    for (int i = 0; envp != NULL && envp[i] != NULL; i++) {
        if (envp[i] != end) continue;
        char *copy = strdup(envp[i]);
        if (copy == NULL) break;
        end += strlen(envp[i]) + 1;
        envp[i] = copy;
    }
    title_start = argv[0];
    title_room = (size_t)(end - argv[0]);
}

void hf_set_process_title(const char *title) {
    if (title_room < 2) return;
    size_t length = strlen(title);
    if (length > title_room - 1) length = title_room - 1;
    memset(title_start, 0, title_room);
    memcpy(title_start, title, length);
}

// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "command.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "system.h"

#define DRAIN_MS 5000

static long long now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

static int open_terminal(struct job *job, int *slave) {
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0) fail("a terminal");
    *slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
    struct winsize size = {.ws_row = job->rows, .ws_col = job->columns};
    if (*slave < 0 || ioctl(master, TIOCSWINSZ, &size) < 0) fail("a terminal");
    return master;
}

// Does not return. Failures speak as a shell's would: 127 not found, 126 found but not executable.
static void run_command(struct job *job, int in, int out, int err, int terminal) {
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setsid();
    if (terminal) ioctl(in, TIOCSCTTY, 0);
    if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0) _exit(126);
    struct rlimit files = {.rlim_cur = 1024, .rlim_max = 524288}; // systemd's defaults
    setrlimit(RLIMIT_NOFILE, &files);
    char *path = "/usr/bin:/bin";
    for (char **e = job->env; *e; e++)
        if (strncmp(*e, "PATH=", 5) == 0) path = *e + 5;
    setenv("PATH", path, 1); // execvpe searches ours
    execvpe(job->argv[0], job->argv, job->env);
    int e = errno;
    dprintf(2, "lab: %s: %s\n", job->argv[0], strerror(e));
    _exit(e == ENOENT ? 127 : 126);
}

// Passes on what is there. 0 at end of file (a terminal without processes answers EIO).
static int forward(int from, char type) {
    static char data[FRAME_DATA];
    ssize_t r = read(from, data, sizeof data);
    if (r < 0 && (errno == EINTR || errno == EAGAIN)) return 1;
    if (r <= 0) return 0;
    send_frame(type, data, r);
    return 1;
}

// Reaps everyone; stores the wait status of `pid` when it is among them. Children of the command that outlive it end up here too.
static int reap(pid_t pid, int *status) {
    int found = 0, s;
    for (pid_t p; (p = waitpid(-1, &s, WNOHANG)) > 0;)
        if (p == pid) {
            *status = s;
            found = 1;
        }
    return found;
}

// Frames that came while the command runs: what is typed, and the terminal's new size. 0 when the terminal takes no more
// for now: waiting for it here, while it waits for its output to be read, would never end.
static int take_input(struct incoming *in, int master) {
    int got;
    while ((got = receive(in)) > 0) {
        uint32_t n;
        memcpy(&n, in->buffer + 1, 4);
        char *data = in->buffer + FRAME_HEADER, type = in->buffer[0];
        if (type == 'I' && master >= 0) {
            while (in->typed < n) {
                ssize_t w = write(master, data + in->typed, n - in->typed);
                if (w < 0 && errno == EAGAIN) return 0;
                if (w < 0 && errno != EIO) fail("terminal");
                in->typed += w < 0 ? n : w;
            }
            in->typed = 0;
        } else if (type == 'W' && master >= 0 && n < 32) {
            char text[32] = "";
            struct winsize size = {0};
            memcpy(text, data, n);
            if (sscanf(text, "%hu %hu", &size.ws_row, &size.ws_col) == 2) ioctl(master, TIOCSWINSZ, &size);
        }
        drop_frame(in, n);
    }
    if (got < 0) power_off();
    return 1;
}

void serve(struct job *job, struct incoming *in) {
    int out[2], err[2] = {-1, -1}, null = open("/dev/null", O_RDONLY | O_CLOEXEC), slave = -1, master = -1;
    if (job->rows) {
        out[0] = master = open_terminal(job, &slave);
        out[1] = slave;
    } else if (pipe2(out, O_CLOEXEC) < 0 || pipe2(err, O_CLOEXEC) < 0) {
        fail("pipes");
    }
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, NULL);
    int signals = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);

    if (chdir(job->cwd[0] ? job->cwd : "/") < 0) {
        send_text('N', "no %s in the lab (%s): the command starts in /", job->cwd, strerror(errno));
        if (chdir("/") < 0) fail("/");
    }
    pid_t pid = fork();
    if (pid < 0) fail("fork");
    if (pid == 0) run_command(job, job->rows ? slave : null, out[1], job->rows ? slave : err[1], job->rows > 0);
    if (chdir("/") < 0) fail("/");
    close(out[1]);
    if (err[1] >= 0) close(err[1]);

    int status = 0, running = 1;
    long long deadline = 0;
    struct pollfd p[4] = {{.fd = out[0], .events = POLLIN},
                          {.fd = err[0], .events = POLLIN},
                          {.fd = signals, .events = POLLIN},
                          {.fd = port, .events = POLLIN}};
    while (running || p[0].fd >= 0 || p[1].fd >= 0) {
        // here and not on POLLIN alone: input may have come right behind the job
        int takes = p[0].fd < 0 || master < 0 || take_input(in, master);
        p[0].events = takes ? POLLIN : POLLIN | POLLOUT;
        p[3].events = takes ? POLLIN : 0;
        int wait = running ? -1 : (int)(deadline - now_ms());
        if (!running && wait <= 0) {
            send_text('N', "output is cut: processes of the command could not be killed within %d ms", DRAIN_MS);
            break;
        }
        if (poll(p, 4, wait) < 0 && errno != EINTR) fail("poll");
        if (p[0].revents && !forward(out[0], 'O')) p[0].fd = -1;
        if (p[1].revents && !forward(err[0], 'E')) p[1].fd = -1;
        if (p[2].revents) {
            struct signalfd_siginfo info;
            while (read(signals, &info, sizeof info) > 0) continue;
            int ended = reap(pid, &status);
            if (running && ended) {
                // the command is over and so is all it started; its last output is still in the pipes
                running = 0;
                deadline = now_ms() + DRAIN_MS;
                kill(-1, SIGKILL);
            }
        }
        if (p[3].revents & POLLHUP) power_off(); // without a host the guest has no purpose
        if (p[3].revents && takes) take_input(in, master);
    }
    if (getenv("ACG_SHARE")) {
        int share = open(SHARE_PATH, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (share < 0 || syncfs(share) < 0) send_text('N', "sync of the share: %s", strerror(errno));
    }
    if (WIFSIGNALED(status))
        send_text('X', "signal %d", WTERMSIG(status));
    else
        send_text('X', "exit %d", WEXITSTATUS(status));
}

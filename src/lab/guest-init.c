// SPDX-License-Identifier: Apache-2.0
// PID 1 of the lab guest. It lives in the initramfs, builds the guest's root (the host's root read-only over virtiofs,
// a tmpfs overlaid), runs one command and reports its output and wait status through one virtio-serial port.
//
// The port carries frames both ways: u8 type, u32 length (little endian), payload (frames.ts is the other end).
//   guest: 'R' ready (kernel release)  'F' failure before the command could run (text)  'N' a note for people (text)
//          'O' 'E' bytes of stdout, stderr  'X' exit: "exit N" or "signal N", after the last byte of output
//   host:  'S' start (the job, see parse_job)  'I' bytes for the terminal  'W' "ROWS COLUMNS" of the terminal
// One process does it all, so there is nothing to lose to the OOM killer (which spares PID 1) and an exit frame cannot
// overtake output. The environment of PID 1 is what the kernel command line set: ACG_SHARE, ACG_SWAP (bytes),
// ACG_MODULES (a folder of the host, mounted at /lib/modules).
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SHARE_PATH "/run/lab-share"
// The port takes at most 32 KiB per write: a frame with its header fits in one.
#define FRAME_HEADER 5
#define FRAME_DATA (32768 - FRAME_HEADER)
#define DRAIN_MS 5000

static int port = -1;

static void power_off(void) {
    reboot(RB_POWER_OFF);
    for (;;) pause();
}

static long long now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

// Writes a whole frame; waits while the host is slow. Without a host (QEMU gone, its peer dead) the guest has no purpose.
static void send_frame(char type, const void *data, size_t length) {
    static char frame[FRAME_HEADER + FRAME_DATA];
    frame[0] = type;
    uint32_t n = length;
    memcpy(frame + 1, &n, 4);
    memcpy(frame + FRAME_HEADER, data, length);
    size_t size = FRAME_HEADER + length, done = 0;
    while (done < size) {
        ssize_t w = write(port, frame + done, size - done);
        if (w > 0) {
            done += w;
        } else if (w < 0 && errno == EAGAIN) {
            struct pollfd p = {.fd = port, .events = POLLOUT};
            // POLLHUP means "the host's end is not connected", also before it ever was: do not spin on it
            if (poll(&p, 1, 1000) > 0 && (p.revents & POLLHUP)) usleep(10000);
        } else if (w < 0 && errno != EINTR) {
            power_off();
        }
    }
}

static void send_text(char type, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void send_text(char type, const char *format, ...) {
    char text[1024];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    send_frame(type, text, n < (int)sizeof text ? n : (int)sizeof text - 1);
}

static void fail(const char *what) __attribute__((noreturn));
static void fail(const char *what) {
    int e = errno;
    fprintf(stderr, "lab init: %s: %s\n", what, strerror(e));
    if (port >= 0) {
        send_text('F', "%s: %s", what, strerror(e));
        sleep(5); // the host ends QEMU when it has read this
    }
    power_off();
    abort();
}

static void mount_or_fail(const char *source, const char *target, const char *type, unsigned long flags,
                          const char *data) {
    if (mount(source, target, type, flags, data) < 0) {
        char what[256];
        snprintf(what, sizeof what, "mount %s on %s", type, target);
        fail(what);
    }
}

// A filesystem that a small custom kernel may not have.
static void mount_if_known(const char *type, const char *target, unsigned long flags, const char *data) {
    if (mount(type, target, type, flags, data) < 0 && errno != ENODEV && errno != ENOENT) {
        char what[256];
        snprintf(what, sizeof what, "mount %s on %s", type, target);
        fail(what);
    }
}

static void write_file(const char *path, const char *text) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, text, strlen(text)) < 0) fail(path);
    close(fd);
}

// The modules named in /modules/order, in that order; the host put them there decompressed, dependencies first.
static void load_modules(void) {
    FILE *order = fopen("/modules/order", "re");
    if (!order) return;
    char name[256];
    while (fscanf(order, "%255s", name) == 1) {
        char path[300];
        snprintf(path, sizeof path, "/modules/%s", name);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0 || (syscall(SYS_finit_module, fd, "", 0) < 0 && errno != EEXIST)) fail(path);
        close(fd);
    }
    fclose(order);
}

// Our port's device: its number depends on QEMU, its name does not. virtio_console adds ports from a work queue.
static void open_port(void) {
    for (int tries = 0; tries < 1000; tries++, usleep(10000)) {
        DIR *dir = opendir("/sys/class/virtio-ports");
        struct dirent *entry;
        while (dir && (entry = readdir(dir))) {
            char path[400], name[32] = "";
            snprintf(path, sizeof path, "/sys/class/virtio-ports/%s/name", entry->d_name);
            FILE *file = fopen(path, "re");
            if (!file) continue;
            int matches = fgets(name, sizeof name, file) && strcmp(name, "agentcgroup\n") == 0;
            fclose(file);
            if (!matches) continue;
            snprintf(path, sizeof path, "/dev/%s", entry->d_name);
            port = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
        }
        if (dir) closedir(dir);
        if (port >= 0) return;
    }
    fail("no virtio-serial port named agentcgroup");
}

static void build_root(void) {
    mkdir("/host", 0755);
    mkdir("/rw", 0755);
    mkdir("/root", 0755);
    mount_or_fail("hostroot", "/host", "virtiofs", MS_RDONLY, NULL);
    mount_or_fail("tmpfs", "/rw", "tmpfs", 0, "mode=0755");
    mkdir("/rw/upper", 0755);
    mkdir("/rw/work", 0755);
    mount_or_fail("overlay", "/root", "overlay", 0, "lowerdir=/host,upperdir=/rw/upper,workdir=/rw/work");
    const char *modules = getenv("ACG_MODULES");
    if (modules) {
        char from[1024];
        snprintf(from, sizeof from, "/host%s", modules);
        mkdir("/root/lib/modules", 0755);
        mount_or_fail(from, "/root/lib/modules", "bind", MS_BIND, NULL);
    }
    if (chdir("/root") < 0 || mount("/dev", "dev", NULL, MS_MOVE, NULL) < 0 ||
        mount("/proc", "proc", NULL, MS_MOVE, NULL) < 0 || mount("/sys", "sys", NULL, MS_MOVE, NULL) < 0 ||
        mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0 || chdir("/") < 0)
        fail("switch to the overlay root");
}

static void mount_system(void) {
    mount_or_fail("tmpfs", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755");
    mkdir("/dev/pts", 0755);
    mkdir("/dev/shm", 01777);
    mkdir("/dev/mqueue", 01777);
    mount_or_fail("devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "gid=5,mode=620,ptmxmode=666");
    mount_or_fail("tmpfs", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777");
    mount_if_known("mqueue", "/dev/mqueue", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
    if (symlink("/proc/self/fd", "/dev/fd") < 0 || symlink("/proc/self/fd/0", "/dev/stdin") < 0 ||
        symlink("/proc/self/fd/1", "/dev/stdout") < 0 || symlink("/proc/self/fd/2", "/dev/stderr") < 0)
        fail("links in /dev");
    // the options systemd mounts it with: what holds here holds on a systemd machine
    mount_or_fail("cgroup2", "/sys/fs/cgroup", "cgroup2", MS_NOSUID | MS_NODEV | MS_NOEXEC,
                  "nsdelegate,memory_recursiveprot");
    mount_if_known("bpf", "/sys/fs/bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700");
    mount_if_known("debugfs", "/sys/kernel/debug", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
    mount_if_known("tracefs", "/sys/kernel/tracing", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
    mount_if_known("securityfs", "/sys/kernel/security", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
    if (getenv("ACG_SHARE")) {
        mkdir(SHARE_PATH, 0755);
        mount_or_fail("share", SHARE_PATH, "virtiofs", MS_NOSUID | MS_NODEV, NULL);
    }
}

static void loopback_up(void) {
    struct ifreq request = {.ifr_name = "lo"};
    int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (s < 0 && errno == EAFNOSUPPORT) return;
    if (s < 0 || ioctl(s, SIOCGIFFLAGS, &request) < 0) fail("loopback");
    request.ifr_flags |= IFF_UP | IFF_RUNNING;
    if (ioctl(s, SIOCSIFFLAGS, &request) < 0) fail("loopback up");
    close(s);
}

// What mkswap(8) writes: a header in the first page (see union swap_header in the kernel's include/linux/swap.h).
static void swap_on_zram(const char *bytes) {
    write_file("/sys/block/zram0/disksize", bytes);
    int fd = open("/dev/zram0", O_RDWR | O_CLOEXEC);
    if (fd < 0) fail("/dev/zram0");
    long page = sysconf(_SC_PAGESIZE);
    char *header = calloc(1, page);
    uint32_t info[2] = {1, (uint32_t)(strtoull(bytes, NULL, 10) / page - 1)}; // version, last_page
    memcpy(header + 1024, info, sizeof info);
    memcpy(header + page - 10, "SWAPSPACE2", 10);
    if (pwrite(fd, header, page, 0) != page || fsync(fd) < 0) fail("swap header");
    free(header);
    close(fd);
    if (swapon("/dev/zram0", 0) < 0) fail("swapon");
}

struct job {
    char *cwd; // empty: the root
    unsigned short rows, columns; // rows > 0: the command gets a terminal
    char **argv, **env;
};

// NUL-terminated fields: wall clock in ms, cwd, rows, columns, argc, argv..., envc, env...
static struct job parse_job(char *data, size_t length) {
    char *at = data, *end = data + length;
    struct job job = {0};
#define NEXT_FIELD(into)                                                                                               \
    do {                                                                                                               \
        if (at >= end) fail("the job is cut short");                                                                   \
        into = at;                                                                                                     \
        at += strlen(at) + 1;                                                                                          \
    } while (0)
    char *field;
    errno = EPROTO;
    if (length == 0 || data[length - 1] != 0) fail("the job is not terminated");
    NEXT_FIELD(field);
    long long ms = strtoll(field, NULL, 10);
    struct timespec clock = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    if (clock_settime(CLOCK_REALTIME, &clock) < 0) fail("set the clock");
    NEXT_FIELD(job.cwd);
    NEXT_FIELD(field);
    job.rows = atoi(field);
    NEXT_FIELD(field);
    job.columns = atoi(field);
    for (int list = 0; list < 2; list++) {
        NEXT_FIELD(field);
        size_t count = strtoul(field, NULL, 10);
        char **strings = calloc(count + 1, sizeof *strings);
        for (size_t i = 0; i < count; i++) NEXT_FIELD(strings[i]);
        *(list ? &job.env : &job.argv) = strings;
    }
#undef NEXT_FIELD
    return job;
}

// Frames from the host. `buffer` holds an incomplete one between calls.
struct incoming {
    char *buffer;
    size_t used, size;
    size_t typed; // of an 'I' frame at the start: bytes the terminal has taken
};

// 1: a frame stands at the buffer's start; 0: not yet; -1: the host is gone.
static int receive(struct incoming *in) {
    for (;;) {
        if (in->used >= FRAME_HEADER) {
            uint32_t n;
            memcpy(&n, in->buffer + 1, 4);
            if (in->used >= FRAME_HEADER + (size_t)n) return 1;
            if (in->size < FRAME_HEADER + (size_t)n) in->buffer = realloc(in->buffer, in->size = FRAME_HEADER + (size_t)n);
        } else if (in->size < 4096) {
            in->buffer = realloc(in->buffer, in->size = 4096);
        }
        ssize_t r = read(port, in->buffer + in->used, in->size - in->used);
        if (r > 0)
            in->used += r;
        else if (r < 0 && (errno == EAGAIN || errno == EINTR))
            return 0;
        else
            return -1;
    }
}

static void drop_frame(struct incoming *in, size_t payload) {
    in->used -= FRAME_HEADER + payload;
    memmove(in->buffer, in->buffer + FRAME_HEADER + payload, in->used);
}

static struct job receive_job(struct incoming *in) {
    for (;;) {
        struct pollfd p = {.fd = port, .events = POLLIN};
        poll(&p, 1, 1000);
        int got = receive(in);
        if (got > 0 && in->buffer[0] == 'S') break;
        if (got > 0) fail("a frame before the start");
        if (got < 0) usleep(10000); // the host's end not open yet
    }
    uint32_t n;
    memcpy(&n, in->buffer + 1, 4);
    char *copy = malloc(n);
    memcpy(copy, in->buffer + FRAME_HEADER, n);
    drop_frame(in, n);
    return parse_job(copy, n);
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

static void serve(struct job *job, struct incoming *in) {
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

int main(void) {
    mkdir("/dev", 0755);
    mkdir("/proc", 0755);
    mkdir("/sys", 0755);
    mount_or_fail("devtmpfs", "/dev", "devtmpfs", MS_NOSUID, "mode=0755");
    int console = open("/dev/console", O_RDWR);
    if (console >= 0) {
        dup2(console, 0);
        dup2(console, 1);
        dup2(console, 2);
    }
    mount_or_fail("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
    mount_or_fail("sysfs", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
    open_port();
    load_modules();
    build_root();
    mount_system();
    loopback_up();
    if (sethostname("lab", 3) < 0) fail("host name");
    const char *swap = getenv("ACG_SWAP");
    if (swap) swap_on_zram(swap);

    struct utsname name;
    uname(&name);
    send_text('R', "%s", name.release);
    struct incoming in = {0};
    struct job job = receive_job(&in);
    serve(&job, &in);
    for (;;) { // the host ends QEMU now; should it be gone, so are we
        struct pollfd p = {.fd = port, .events = POLLIN};
        if (poll(&p, 1, -1) > 0 && (p.revents & POLLHUP)) power_off();
        if (receive(&in) < 0) power_off();
    }
}

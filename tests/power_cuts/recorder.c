/*
 * Records, in their order, all operations of a process that change or sync files below one directory.
 *
 * Preloaded into the process (LD_PRELOAD). Set in its environment:
 *   RECORDER_DIRECTORY  the directory, absolute, without symbolic links
 *   RECORDER_FILE       where the record goes; must lie outside the directory; appended to
 *   RECORDER_SYNC_US    how much longer a sync takes, in microseconds: a disk is slower than a file system in memory, and
 *                       an answer that is given too early must be seen to come before the end of its sync
 *
 * What is written to the file `.notes` in the directory is recorded as a note and not written. One write is one note, so
 * a process can say what it told others at that point of the record.
 *
 * Files are told apart by inode, not by descriptor: duplicates, renames while open and files that were opened unseen make
 * no difference. A change that is not recorded ends the process: a recorder that misses one would lie. Raw system calls
 * and changes through memory maps of C libraries are not seen; whoever replays the record compares its end with the
 * directory.
 *
 * One record: kind, id (u32); sequence, a, b (u64); length of path, length of data (u32); path; data. Little-endian.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define REAL(name) \
  static __typeof__(&name) real; \
  if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

struct header {
  uint32_t kind, id;
  uint64_t sequence, a, b;
  uint32_t path, data;
} __attribute__((packed));

/* Held from before an operation until it is recorded, so that the record has the order of the disk. Never during a sync. */
static pthread_mutex_t order = PTHREAD_MUTEX_INITIALIZER;
static char directory[PATH_MAX];
static size_t directory_length;
static int record = -1;
static long sync_us;
static uint64_t sequence;
static uint32_t notes; /* the id of the file of notes */

static void give_up(const char *why, const char *what) {
  dprintf(STDERR_FILENO, "recorder: %s: %s\n", why, what ? what : "");
  abort();
}

__attribute__((constructor)) static void begin(void) {
  const char *dir = getenv("RECORDER_DIRECTORY"), *file = getenv("RECORDER_FILE"), *us = getenv("RECORDER_SYNC_US");
  if (!dir || !file) return;
  int fd = (int)syscall(SYS_openat, AT_FDCWD, file, O_CREAT | O_APPEND | O_WRONLY | O_CLOEXEC, 0600);
  if (fd < 0) give_up("cannot write", file);
  if (strlen(dir) >= sizeof directory) give_up("too long", dir);
  strcpy(directory, dir);
  directory_length = strlen(dir);
  sync_us = us ? atol(us) : 0;
  record = fd;
}

/* ---- files by inode ---- */

#define SLOTS 65536
static struct { dev_t device; ino_t inode; uint32_t id; } files[SLOTS];
static uint32_t last_id;

static size_t slot_of(dev_t device, ino_t inode) {
  size_t at = ((size_t)inode * 2654435761u ^ (size_t)device) % SLOTS;
  for (size_t tries = 0; tries < SLOTS; tries++, at = (at + 1) % SLOTS)
    if (!files[at].id || (files[at].device == device && files[at].inode == inode)) return at;
  give_up("too many files", directory);
  return 0;
}

static uint32_t enter(const struct stat *st) {
  size_t at = slot_of(st->st_dev, st->st_ino);
  files[at].device = st->st_dev;
  files[at].inode = st->st_ino;
  files[at].id = ++last_id;
  return last_id;
}

/* ---- paths ---- */

static int below(const char *path) {
  return strncmp(path, directory, directory_length) == 0 &&
         (path[directory_length] == '/' || path[directory_length] == 0);
}

/* The absolute path, if it is below the directory. */
static int resolve(int at, const char *path, char out[PATH_MAX]) {
  if (record < 0 || !path) return 0;
  if (path[0] == '/') {
    if (strlen(path) >= PATH_MAX) return 0;
    strcpy(out, path);
  } else {
    char base[PATH_MAX], link[64];
    snprintf(link, sizeof link, at == AT_FDCWD ? "/proc/self/cwd" : "/proc/self/fd/%d", at);
    ssize_t length = readlink(link, base, sizeof base - 1);
    if (length < 0) return 0;
    base[length] = 0;
    if (snprintf(out, PATH_MAX, "%s/%s", base, path) >= PATH_MAX) return 0;
  }
  size_t length = strlen(out);
  while (length > 1 && out[length - 1] == '/') out[--length] = 0;
  if (!below(out)) return 0;
  if (strstr(out, "//") || strstr(out, "/./") || strstr(out, "/../")) give_up("a path that is not plain", out);
  return 1;
}

/* The path as it is recorded: relative to the directory. */
static const char *relative(const char *path) { return path[directory_length] ? path + directory_length + 1 : ""; }

/* The id of an open file below the directory, or 0. Call with `order` held. */
static uint32_t id_of(int fd) {
  struct stat st;
  if (record < 0 || fd < 0 || fd == record || fstat(fd, &st) || !(S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))) return 0;
  size_t at = slot_of(st.st_dev, st.st_ino);
  if (files[at].id) return files[at].id;
  char link[64], path[PATH_MAX];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = 0;
  if (below(path)) give_up("a file that was opened unseen", path);
  return 0;
}

static uint32_t locked_id_of(int fd) {
  pthread_mutex_lock(&order);
  uint32_t id = id_of(fd);
  pthread_mutex_unlock(&order);
  return id;
}

/* ---- the record ---- */

/* Call with `order` held. */
static void say(char kind, uint32_t id, uint64_t a, uint64_t b, const char *path, const void *data, size_t length) {
  struct header head = {(uint32_t)kind, id, ++sequence, a, b, path ? (uint32_t)strlen(path) : 0, (uint32_t)length};
  struct iovec parts[3] = {
      {&head, sizeof head}, {(void *)(uintptr_t)path, head.path}, {(void *)(uintptr_t)data, length}};
  size_t whole = sizeof head + head.path + length;
  if (syscall(SYS_writev, record, parts, 3) != (ssize_t)whole) give_up("the record cannot be written", strerror(errno));
}

static void refuse(int fd, const char *call) {
  if (record >= 0 && locked_id_of(fd)) give_up("not recorded", call);
}

static void refuse_path(int at, const char *path, const char *call) {
  char full[PATH_MAX];
  if (resolve(at, path, full)) give_up("not recorded", call);
}

/* ---- opening ---- */

static int opened(int at, const char *path, int flags, mode_t mode) {
  REAL(openat64);
  char full[PATH_MAX];
  if (!resolve(at, path, full)) return real(at, path, flags, mode);
  if (flags & (O_SYNC | O_DSYNC | O_DIRECT) || (flags & O_TMPFILE) == O_TMPFILE) give_up("not recorded: flags of open", full);
  pthread_mutex_lock(&order);
  struct stat st;
  int existed = fstatat(at, path, &st, 0) == 0;
  int fd = real(at, path, flags, mode);
  if (fd >= 0 && !fstat(fd, &st)) {
    uint32_t id = files[slot_of(st.st_dev, st.st_ino)].id;
    if (!strcmp(relative(full), ".notes")) {
      if (!id) notes = enter(&st);
    } else if (!existed) {
      say('C', enter(&st), 0, 0, relative(full), 0, 0);
    } else {
      if (!id) say('O', id = enter(&st), 0, 0, relative(full), 0, 0);
      if (flags & O_TRUNC) say('T', id, 0, 0, 0, 0, 0);
    }
  }
  pthread_mutex_unlock(&order);
  return fd;
}

#define MODE(flags, mode) \
  mode_t mode = 0; \
  if ((flags) & (O_CREAT | O_TMPFILE)) { va_list rest; va_start(rest, flags); mode = va_arg(rest, mode_t); va_end(rest); }

int open(const char *path, int flags, ...) { MODE(flags, mode) return opened(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE(flags, mode) return opened(AT_FDCWD, path, flags, mode); }
int openat(int at, const char *path, int flags, ...) { MODE(flags, mode) return opened(at, path, flags, mode); }
int openat64(int at, const char *path, int flags, ...) { MODE(flags, mode) return opened(at, path, flags, mode); }
int creat(const char *path, mode_t mode) { return opened(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int creat64(const char *path, mode_t mode) { return opened(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }

/* ---- writing ---- */

static ssize_t written(int fd, const void *bytes, size_t count, off64_t at) {
  REAL(pwrite64);
  pthread_mutex_lock(&order);
  uint32_t id = id_of(fd);
  if (!id) {
    pthread_mutex_unlock(&order);
    return real(fd, bytes, count, at);
  }
  ssize_t done = real(fd, bytes, count, at);
  int error = errno;
  if (done > 0) say('W', id, (uint64_t)at, 0, 0, bytes, (size_t)done);
  pthread_mutex_unlock(&order);
  errno = error;
  return done;
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at) { return written(fd, bytes, count, at); }
ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at) { return written(fd, bytes, count, at); }

ssize_t write(int fd, const void *bytes, size_t count) {
  REAL(write);
  struct stat st;
  /* Sockets and pipes may block: not under the lock. */
  if (record < 0 || fd == record || fstat(fd, &st) || !S_ISREG(st.st_mode)) return real(fd, bytes, count);
  pthread_mutex_lock(&order);
  uint32_t id = id_of(fd);
  ssize_t done = (ssize_t)count;
  if (id && id == notes) {
    say('N', 0, 0, 0, 0, bytes, count);
  } else {
    int append = id && (fcntl(fd, F_GETFL) & O_APPEND);
    off64_t at = id ? lseek64(fd, 0, append ? SEEK_END : SEEK_CUR) : 0;
    done = real(fd, bytes, count);
    int error = errno;
    if (id && done > 0) say('W', id, (uint64_t)at, 0, 0, bytes, (size_t)done);
    errno = error;
  }
  pthread_mutex_unlock(&order);
  return done;
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
  REAL(writev);
  struct stat st;
  if (record < 0 || fstat(fd, &st) || !S_ISREG(st.st_mode) || !locked_id_of(fd)) return real(fd, parts, count);
  ssize_t all = 0;
  for (int i = 0; i < count; i++) {
    ssize_t done = write(fd, parts[i].iov_base, parts[i].iov_len);
    if (done < 0) return all ? all : done;
    all += done;
    if ((size_t)done < parts[i].iov_len) break;
  }
  return all;
}

static int cut(int fd, off64_t length) {
  REAL(ftruncate64);
  pthread_mutex_lock(&order);
  uint32_t id = id_of(fd);
  int done = real(fd, length);
  int error = errno;
  if (id && !done) say('T', id, (uint64_t)length, 0, 0, 0, 0);
  pthread_mutex_unlock(&order);
  errno = error;
  return done;
}

int ftruncate(int fd, off_t length) { return cut(fd, length); }
int ftruncate64(int fd, off64_t length) { return cut(fd, length); }

/* ---- names ---- */

/* Records `kind` for `path` when the call succeeded. */
static int named(int done, char kind, const char *full) {
  int error = errno;
  if (!done) {
    struct stat st;
    uint32_t id = 0;
    if (kind == 'M') id = stat(full, &st) ? 0 : enter(&st);
    say(kind, id, 0, 0, relative(full), 0, 0);
  }
  pthread_mutex_unlock(&order);
  errno = error;
  return done;
}

int mkdirat(int at, const char *path, mode_t mode) {
  REAL(mkdirat);
  char full[PATH_MAX];
  if (!resolve(at, path, full)) return real(at, path, mode);
  pthread_mutex_lock(&order);
  return named(real(at, path, mode), 'M', full);
}

int mkdir(const char *path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }

int unlinkat(int at, const char *path, int flags) {
  REAL(unlinkat);
  char full[PATH_MAX];
  if (!resolve(at, path, full)) return real(at, path, flags);
  pthread_mutex_lock(&order);
  return named(real(at, path, flags), flags & AT_REMOVEDIR ? 'X' : 'U', full);
}

int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }
int rmdir(const char *path) { return unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }

int remove(const char *path) {
  REAL(remove);
  refuse_path(AT_FDCWD, path, "remove");
  return real(path);
}

int renameat2(int from_at, const char *from, int to_at, const char *to, unsigned flags) {
  REAL(renameat2);
  char old[PATH_MAX], new[PATH_MAX];
  int inside = resolve(from_at, from, old);
  if (inside != resolve(to_at, to, new)) give_up("not recorded: a rename into or out of the directory", to);
  if (!inside) return real(from_at, from, to_at, to, flags);
  struct stat st;
  if (flags & ~(unsigned)RENAME_NOREPLACE || (!stat(old, &st) && !S_ISREG(st.st_mode)))
    give_up("not recorded: rename of a directory, or with flags", old);
  pthread_mutex_lock(&order);
  int done = real(from_at, from, to_at, to, flags), error = errno;
  if (!done) say('R', 0, 0, 0, relative(old), relative(new), strlen(relative(new)));
  pthread_mutex_unlock(&order);
  errno = error;
  return done;
}

int renameat(int from_at, const char *from, int to_at, const char *to) { return renameat2(from_at, from, to_at, to, 0); }
int rename(const char *from, const char *to) { return renameat2(AT_FDCWD, from, AT_FDCWD, to, 0); }

/* ---- syncs: what was recorded before the call began is covered, and it holds from when the call has returned ---- */

static void start_sync(int fd, uint32_t *id, uint64_t *covered) {
  pthread_mutex_lock(&order);
  *id = id_of(fd);
  *covered = sequence;
  pthread_mutex_unlock(&order);
  if (*id && sync_us) usleep((useconds_t)sync_us);
}

static int end_sync(int done, char kind, uint32_t id, uint64_t covered, const uint64_t range[2]) {
  int error = errno;
  if (id && !done) {
    pthread_mutex_lock(&order);
    say(kind, id, covered, 0, 0, range, range ? 2 * sizeof *range : 0);
    pthread_mutex_unlock(&order);
  }
  errno = error;
  return done;
}

int fsync(int fd) {
  REAL(fsync);
  uint32_t id;
  uint64_t covered;
  start_sync(fd, &id, &covered);
  return end_sync(real(fd), 'F', id, covered, 0);
}

int fdatasync(int fd) {
  REAL(fdatasync);
  uint32_t id;
  uint64_t covered;
  start_sync(fd, &id, &covered);
  return end_sync(real(fd), 'D', id, covered, 0);
}

int sync_file_range(int fd, off64_t offset, off64_t length, unsigned flags) {
  REAL(sync_file_range);
  uint32_t id;
  uint64_t covered, range[2] = {(uint64_t)offset, length ? (uint64_t)length : UINT64_MAX};
  start_sync(fd, &id, &covered);
  int done = real(fd, offset, length, flags);
  unsigned whole = SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;
  /* Without all three it promises nothing, even of the drive's cache. */
  return (flags & whole) == whole ? end_sync(done, 'S', id, covered, range) : done;
}

/* ---- what the replay has no model of ---- */

#define NOT_ON(fd_name, type, name, arguments, ...) \
  type name arguments { \
    REAL(name); \
    refuse(fd_name, #name); \
    return real(__VA_ARGS__); \
  }

NOT_ON(fd, int, fallocate, (int fd, int mode, off_t at, off_t length), fd, mode, at, length)
NOT_ON(fd, int, fallocate64, (int fd, int mode, off64_t at, off64_t length), fd, mode, at, length)
NOT_ON(fd, int, posix_fallocate, (int fd, off_t at, off_t length), fd, at, length)
NOT_ON(fd, int, posix_fallocate64, (int fd, off64_t at, off64_t length), fd, at, length)
NOT_ON(fd, ssize_t, pwritev, (int fd, const struct iovec *v, int n, off_t at), fd, v, n, at)
NOT_ON(fd, ssize_t, pwritev64, (int fd, const struct iovec *v, int n, off64_t at), fd, v, n, at)
NOT_ON(fd, ssize_t, pwritev2, (int fd, const struct iovec *v, int n, off_t at, int f), fd, v, n, at, f)
NOT_ON(out, ssize_t, sendfile, (int out, int in, off_t *at, size_t n), out, in, at, n)
NOT_ON(out, ssize_t, sendfile64, (int out, int in, off64_t *at, size_t n), out, in, at, n)
NOT_ON(out, ssize_t, copy_file_range, (int in, off64_t *i, int out, off64_t *o, size_t n, unsigned f), in, i, out, o, n, f)
NOT_ON(out, ssize_t, splice, (int in, off64_t *i, int out, off64_t *o, size_t n, unsigned f), in, i, out, o, n, f)
NOT_ON(fd, int, syncfs, (int fd), fd)
NOT_ON(fd, FILE *, fdopen, (int fd, const char *mode), fd, mode)

static void refuse_map(int fd, int protection, int flags) {
  if (fd >= 0 && (flags & MAP_SHARED) && (protection & PROT_WRITE)) refuse(fd, "mmap");
}

void *mmap(void *at, size_t length, int protection, int flags, int fd, off_t offset) {
  REAL(mmap);
  refuse_map(fd, protection, flags);
  return real(at, length, protection, flags, fd, offset);
}

void *mmap64(void *at, size_t length, int protection, int flags, int fd, off64_t offset) {
  REAL(mmap64);
  refuse_map(fd, protection, flags);
  return real(at, length, protection, flags, fd, offset);
}

int truncate(const char *path, off_t length) {
  REAL(truncate);
  refuse_path(AT_FDCWD, path, "truncate");
  return real(path, length);
}

int truncate64(const char *path, off64_t length) {
  REAL(truncate64);
  refuse_path(AT_FDCWD, path, "truncate64");
  return real(path, length);
}

int linkat(int from_at, const char *from, int to_at, const char *to, int flags) {
  REAL(linkat);
  refuse_path(to_at, to, "linkat");
  return real(from_at, from, to_at, to, flags);
}

int link(const char *from, const char *to) { return linkat(AT_FDCWD, from, AT_FDCWD, to, 0); }

int symlinkat(const char *target, int at, const char *path) {
  REAL(symlinkat);
  refuse_path(at, path, "symlinkat");
  return real(target, at, path);
}

int symlink(const char *target, const char *path) { return symlinkat(target, AT_FDCWD, path); }

FILE *fopen(const char *path, const char *mode) {
  REAL(fopen);
  refuse_path(AT_FDCWD, path, "fopen");
  return real(path, mode);
}

FILE *fopen64(const char *path, const char *mode) {
  REAL(fopen64);
  refuse_path(AT_FDCWD, path, "fopen64");
  return real(path, mode);
}

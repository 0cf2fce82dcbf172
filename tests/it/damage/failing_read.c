/*
 * Lets one read of a process fail with EIO, once, as a disk does that is about to go.
 *
 * Preloaded into the process (LD_PRELOAD). Set in its environment:
 *   READS_OF    the end of the path of the file that counts
 *   READS_FILE  gets a byte for each read that reaches the disk, outside the directory
 *   READS_FAIL  which of those fails, from 1; 0 for none
 *
 * What was read or written before comes from the kernel's cache, and does not fail: only a read of a page that the
 * process has not touched yet counts.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#define REAL(name) \
  static __typeof__(&name) real; \
  if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

#define PAGE 4096
#define PAGES (1 << 16)

static pthread_mutex_t counting = PTHREAD_MUTEX_INITIALIZER;
static const char *end;
static int file = -1;
static long failing, count;
static char cached[PAGES];

__attribute__((constructor)) static void begin(void) {
  const char *path = getenv("READS_FILE"), *nth = getenv("READS_FAIL");
  end = getenv("READS_OF");
  failing = nth ? atol(nth) : 0;
  if (path && end) file = open(path, O_CREAT | O_APPEND | O_WRONLY | O_CLOEXEC, 0600);
}

static int counts(int fd) {
  char link[64], path[PATH_MAX];
  if (file < 0) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < (ssize_t)strlen(end)) return 0;
  path[length] = 0;
  return strcmp(path + length - strlen(end), end) == 0;
}

/* Whether all of it was touched before; it is afterwards. */
static int touch(off64_t offset, ssize_t length) {
  int were = 1;
  for (off64_t page = offset / PAGE; page * PAGE < offset + length; page++) {
    if (page >= PAGES) abort();
    were &= cached[page];
    cached[page] = 1;
  }
  return were;
}

static ssize_t ended(ssize_t done, int fd, off64_t offset, int writes) {
  if (done <= 0 || !counts(fd)) return done;
  pthread_mutex_lock(&counting);
  int fails = 0;
  if (!touch(offset, done) && !writes) {
    if (write(file, ".", 1) != 1) abort();
    fails = ++count == failing;
  }
  pthread_mutex_unlock(&counting);
  if (!fails) return done;
  errno = EIO;
  return -1;
}

ssize_t pread(int fd, void *to, size_t length, off_t offset) {
  REAL(pread);
  return ended(real(fd, to, length, offset), fd, offset, 0);
}

ssize_t pread64(int fd, void *to, size_t length, off64_t offset) {
  REAL(pread64);
  return ended(real(fd, to, length, offset), fd, offset, 0);
}

ssize_t pwrite(int fd, const void *from, size_t length, off_t offset) {
  REAL(pwrite);
  return ended(real(fd, from, length, offset), fd, offset, 1);
}

ssize_t pwrite64(int fd, const void *from, size_t length, off64_t offset) {
  REAL(pwrite64);
  return ended(real(fd, from, length, offset), fd, offset, 1);
}

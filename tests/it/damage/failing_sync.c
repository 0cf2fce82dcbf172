/*
 * Lets one sync of a process fail with EIO, as a disk does that loses what it was given; or lets syncs hang.
 *
 * Preloaded into the process (LD_PRELOAD). Set in its environment:
 *   SYNCS_BELOW  the directory whose files and directories count, absolute, without symbolic links
 *   SYNCS_FILE   gets a byte for each sync, outside the directory
 *   SYNCS_FAIL   which sync fails, from 1; 0 for none
 *   SYNCS_HANG   while there is a file of this name, no sync returns
 *
 * The real call is made first, as the kernel does: it calls the pages clean, and the next sync succeeds.
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
#include <unistd.h>

#define REAL(name) \
  static __typeof__(&name) real; \
  if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

static pthread_mutex_t counting = PTHREAD_MUTEX_INITIALIZER;
static const char *directory, *hanging;
static int file = -1;
static long failing, count;

__attribute__((constructor)) static void begin(void) {
  const char *path = getenv("SYNCS_FILE"), *nth = getenv("SYNCS_FAIL");
  directory = getenv("SYNCS_BELOW");
  hanging = getenv("SYNCS_HANG");
  failing = nth ? atol(nth) : 0;
  if (path && directory) file = open(path, O_CREAT | O_APPEND | O_WRONLY | O_CLOEXEC, 0600);
}

/* Whether this is the one. */
static int fails(int fd) {
  char link[64], path[PATH_MAX];
  if (file < 0) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = 0;
  if (strncmp(path, directory, strlen(directory)) != 0) return 0;
  pthread_mutex_lock(&counting);
  int this = ++count == failing;
  if (write(file, ".", 1) != 1) abort();
  pthread_mutex_unlock(&counting);
  while (hanging && access(hanging, F_OK) == 0) usleep(5000);
  return this;
}

static int ended(int done, int fd) {
  if (!fails(fd)) return done;
  errno = EIO;
  return -1;
}

int fsync(int fd) {
  REAL(fsync);
  return ended(real(fd), fd);
}

int fdatasync(int fd) {
  REAL(fdatasync);
  return ended(real(fd), fd);
}

int sync_file_range(int fd, off64_t offset, off64_t length, unsigned flags) {
  REAL(sync_file_range);
  return ended(real(fd, offset, length, flags), fd);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "services/starlingctl/state_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/mem.h"

static char opened[PATH_MAX];

static const char *choose(const char *dir)
{
	if (dir)
		return dir;
	dir = getenv("STARLING_DIR");
	if (dir && *dir)
		return dir;
	return state_dir_exists(STATE_CONFIG) ? "." : "/etc/starling";
}

int state_dir_open(const char *dir, struct err *e)
{
	dir = choose(dir);
	if (chdir(dir) || !getcwd(opened, sizeof(opened)))
		return err_set(e, "%s: %s", dir, strerror(errno));
	if (!state_dir_exists(STATE_CONFIG))
		return err_set(e, "%s is no state folder: it has no %s (make one with: starlingctl init --dir %s)", dir, STATE_CONFIG, dir);
	return 0;
}

const char *state_dir_path(void)
{
	return opened;
}

bool state_dir_exists(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

int state_dir_mkdir(const char *path, mode_t mode, struct err *e)
{
	if (mkdir(path, mode) == 0)
		return chmod(path, mode) ? err_set(e, "%s: %s", path, strerror(errno)) : 0;
	return errno == EEXIST ? 0 : err_set(e, "%s: %s", path, strerror(errno));
}

static int write_all(int fd, const char *p, size_t n)
{
	while (n) {
		ssize_t w = write(fd, p, n);

		if (w < 0 && errno != EINTR)
			return -1;
		if (w > 0) {
			p += w;
			n -= (size_t)w;
		}
	}
	return fsync(fd);
}

int state_dir_create(const char *path, mode_t mode, const char *text, size_t n, struct err *e)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	int failed;

	if (fd < 0)
		return err_set(e, "%s: %s", path, strerror(errno));
	failed = fchmod(fd, mode) || write_all(fd, text, n);
	if (failed) {
		err_set(e, "%s: %s", path, strerror(errno));
		unlink(path);
	}
	close(fd);
	return failed ? -1 : 0;
}

int state_dir_replace(const char *path, mode_t mode, const char *text, size_t n, struct err *e)
{
	char new[PATH_MAX];

	snprintf(new, sizeof(new), "%s.new", path);
	unlink(new);
	if (state_dir_create(new, mode, text, n, e))
		return -1;
	return rename(new, path) ? err_set(e, "%s: %s", path, strerror(errno)) : 0;
}

char *state_dir_read(const char *path, size_t *out_n, struct err *e)
{
	enum { LIMIT = 1 << 20 };
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t n = 0;
	ssize_t r = 0;
	char *text;

	if (fd < 0) {
		err_set(e, "%s: %s", path, strerror(errno));
		return NULL;
	}
	text = mem_alloc(LIMIT + 1);
	while (n < LIMIT && (r = read(fd, text + n, LIMIT - n)) > 0)
		n += (size_t)r;
	close(fd);
	if (r < 0) {
		err_set(e, "%s: %s", path, strerror(errno));
		mem_free(text);
		return NULL;
	}
	text[n] = '\0';
	if (out_n)
		*out_n = n;
	return mem_realloc(text, n + 1);
}

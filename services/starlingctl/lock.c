/* SPDX-License-Identifier: Apache-2.0 */
#include "services/starlingctl/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "services/starlingctl/state_dir.h"

int lock_take(struct err *e)
{
	int fd = open(STATE_LOCK, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	int reason;

	if (fd < 0)
		return err_set(e, "%s: %s", STATE_LOCK, strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return fd;
	reason = errno;
	close(fd);
	return reason == EWOULDBLOCK ? -2 : err_set(e, "%s: %s", STATE_LOCK, strerror(reason));
}

int lock_write_pid(struct err *e)
{
	char text[32];
	int n = snprintf(text, sizeof(text), "%d\n", (int)getpid());

	return state_dir_replace(STATE_PID, 0644, text, (size_t)n, e);
}

void lock_drop(int *fd)
{
	unlink(STATE_PID);
	close(*fd);
	*fd = -1;
}

int lock_holder(void)
{
	int fd = open(STATE_LOCK, O_RDONLY | O_CLOEXEC);
	bool held;
	char *text;
	int pid;

	if (fd < 0)
		return 0;
	held = flock(fd, LOCK_SH | LOCK_NB) != 0;
	close(fd);
	if (!held)
		return 0;
	text = state_dir_read(STATE_PID, NULL, NULL);
	pid = text ? (int)strtol(text, NULL, 10) : 0;
	mem_free(text);
	return pid > 0 ? pid : 0;
}

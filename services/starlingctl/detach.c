/* SPDX-License-Identifier: Apache-2.0 */
#include "services/starlingctl/detach.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The report is one byte of status, then text, then the end. */
static void wait_report(int fd, int *out_status, char *text, size_t size)
{
	unsigned char status = 0;
	size_t n = 0;
	ssize_t r;
	bool any = read(fd, &status, 1) == 1;

	while (any && n + 1 < size && ((r = read(fd, text + n, size - 1 - n)) > 0 || (r < 0 && errno == EINTR)))
		n += r > 0 ? (size_t)r : 0;
	text[n] = '\0';
	*out_status = status;
	if (!any) {
		*out_status = 1;
		snprintf(text, size, "ended before it was ready");
	}
}

static void go_background(const char *log)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int out = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	setsid();
	dup2(null, 0);
	dup2(out >= 0 ? out : null, 1);
	dup2(out >= 0 ? out : null, 2);
	close(null);
	if (out >= 0)
		close(out);
}

int detach(const char *log, int *out_fd, int *out_status, char *text, size_t size)
{
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC))
		return -1;
	fflush(NULL);
	pid = fork();
	if (pid < 0) {
		close(ends[0]);
		close(ends[1]);
		return -1;
	}
	if (pid == 0) {
		close(ends[0]);
		*out_fd = ends[1];
		go_background(log);
		return 0;
	}
	close(ends[1]);
	wait_report(ends[0], out_status, text, size);
	close(ends[0]);
	return 1;
}

void detach_report(int *fd, int status, const char *text)
{
	unsigned char byte = (unsigned char)status;

	if (*fd < 0)
		return;
	/* Nobody may be listening any more. */
	if (write(*fd, &byte, 1) == 1 && *text && write(*fd, text, strlen(text)) < 0)
		fprintf(stderr, "%s\n", text);
	close(*fd);
	*fd = -1;
}

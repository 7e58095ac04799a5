/* SPDX-License-Identifier: Apache-2.0 */
#include "services/starlingctl/run_tool.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define TOOL_LOG "log/init.log"
enum { LIMIT_MS = 60000, POLL_MS = 20 };

/* In the new process: nothing but system calls until exec. */
static void become(const struct tool *t, int input, int log)
{
	dup2(input, 0);
	dup2(log, 1);
	dup2(log, 2);
	if (t->fd3 == 3)
		fcntl(3, F_SETFD, 0);
	else if (t->fd3 >= 0)
		dup2(t->fd3, 3);
	if (t->uid && (setgroups(0, NULL) || setgid(t->gid) || setuid(t->uid)))
		_exit(126);
	execv(t->argv[0], (char *const *)t->argv);
	_exit(127);
}

static int wait_bounded(pid_t pid, int *out_status)
{
	for (int waited = 0; waited < LIMIT_MS; waited += POLL_MS) {
		pid_t done = waitpid(pid, out_status, WNOHANG);

		if (done == pid)
			return 0;
		poll(NULL, 0, POLL_MS);
	}
	kill(pid, SIGKILL);
	waitpid(pid, out_status, 0);
	return -1;
}

static int open_input(const char *text)
{
	int ends[2];

	if (!text)
		return open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (pipe2(ends, O_CLOEXEC))
		return -1;
	if (write(ends[1], text, strlen(text)) < 0) /* fits into the pipe's buffer */
		close(ends[0]), ends[0] = -1;
	close(ends[1]);
	return ends[0];
}

int run_tool(const struct tool *t, struct err *e)
{
	int input = open_input(t->input);
	int log = open(TOOL_LOG, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	int status = 0, rc = -1;
	pid_t pid = input < 0 || log < 0 ? -1 : fork();

	if (pid == 0)
		become(t, input, log);
	if (pid < 0)
		err_set(e, "%s: %s", t->argv[0], strerror(errno));
	else if (wait_bounded(pid, &status))
		err_set(e, "%s did not end within %d s", t->argv[0], LIMIT_MS / 1000);
	else if (!WIFEXITED(status) || WEXITSTATUS(status))
		err_set(e, "%s failed (status %d), see %s", t->argv[0], WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
		        TOOL_LOG);
	else
		rc = 0;
	if (input >= 0)
		close(input);
	if (log >= 0)
		close(log);
	return rc;
}

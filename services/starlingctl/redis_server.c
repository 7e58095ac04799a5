/* SPDX-License-Identifier: Apache-2.0 */
#include "services/starlingctl/redis_server.h"

#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "services/starlingctl/state_dir.h"

static void prepare(struct child *c, uv_process_options_t *options, const char **argv)
{
	/* It changes to --dir before it makes the socket. */
	static const char *const fixed[] = { "redis-server",
		                             "--port",
		                             "0",
		                             "--unixsocket",
		                             "../" STATE_REDIS,
		                             "--unixsocketperm",
		                             "700",
		                             "--dir",
		                             "redis",
		                             "--save",
		                             "",
		                             "--appendonly",
		                             "no",
		                             "--daemonize",
		                             "no",
		                             NULL };
	const struct redis_server *r = c->context;

	memcpy(argv, fixed, sizeof(fixed));
	if (r->uid) {
		options->flags |= UV_PROCESS_SETUID | UV_PROCESS_SETGID;
		options->uid = r->uid;
		options->gid = r->gid;
	}
}

/* Connecting to a Unix socket does not wait: it is accepted by the kernel, or refused. */
static bool ready(const struct child *c)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = STATE_REDIS };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	bool yes = fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;

	(void)c;
	if (fd >= 0)
		close(fd);
	return yes;
}

const struct program redis_program = { prepare, ready, SIGTERM };

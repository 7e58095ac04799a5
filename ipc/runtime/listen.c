/* SPDX-License-Identifier: Apache-2.0
 *
 * listen: see listen.h. */
#include "ipc/runtime/listen.h"

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

#include "ipc/runtime/frame.h"

#define IPC       "ipc://"
#define LINK_FILE "link-"

static void set_int(void *socket, int option, int value)
{
	zmq_setsockopt(socket, option, &value, sizeof(value));
}

void listen_options(void *socket, const struct keypair *key)
{
	int64_t max = FRAME_MAX + 1024;

	zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &max, sizeof(max));
	set_int(socket, ZMQ_LINGER, 500);
	set_int(socket, ZMQ_SNDHWM, 0);
	set_int(socket, ZMQ_RCVHWM, 0);
	set_int(socket, ZMQ_ROUTER_MANDATORY, 1);
	set_int(socket, ZMQ_HANDSHAKE_IVL, 3000);
	set_int(socket, ZMQ_BACKLOG, 512);
	set_int(socket, ZMQ_IPV6, 1);
	set_int(socket, ZMQ_TCP_KEEPALIVE, 1);
	set_int(socket, ZMQ_TCP_KEEPALIVE_IDLE, 30);
	set_int(socket, ZMQ_TCP_KEEPALIVE_INTVL, 10);
	set_int(socket, ZMQ_TCP_KEEPALIVE_CNT, 3);
	set_int(socket, ZMQ_CURVE_SERVER, 1);
	zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, key->secret_key, KEYS_Z85);
	zmq_setsockopt(socket, ZMQ_ZAP_DOMAIN, "starling", 8);
}

/* Nobody listens at the socket file: it is left over from a killed process. */
static bool is_stale(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool stale;

	if (fd < 0)
		return false;
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	stale = connect(fd, (struct sockaddr *)&addr, sizeof(addr)) != 0 && errno == ECONNREFUSED;
	close(fd);
	return stale;
}

static bool fits(const char *path)
{
	return strlen(path) < sizeof(((struct sockaddr_un *)0)->sun_path);
}

int listen_bind(void *socket, const char *endpoint, struct err *e)
{
	const char *path = strncmp(endpoint, IPC, strlen(IPC)) == 0 ? endpoint + strlen(IPC) : NULL;

	if (path) {
		if (!fits(path))
			return err_set(e, "the path of a Unix socket is too long: %s", path);
		if (is_stale(path))
			unlink(path);
		/* ZeroMQ would silently take the place of a socket that is in use. */
		if (access(path, F_OK) == 0)
			return err_set(e, "%s is in use by another process", path);
	}
	if (zmq_bind(socket, endpoint) != 0)
		return err_set(e, "cannot bind %s: %s", endpoint, zmq_strerror(errno));
	/* The flock's other daemons may run as another user; who may connect is decided by keys. */
	if (path)
		chmod(path, 0666);
	return 0;
}

void listen_skip_rest(void *socket)
{
	zmq_msg_t msg;
	int more = 1;
	size_t n = sizeof(more);

	while (zmq_getsockopt(socket, ZMQ_RCVMORE, &more, &n) == 0 && more) {
		zmq_msg_init(&msg);
		if (zmq_msg_recv(&msg, socket, ZMQ_DONTWAIT) < 0)
			more = 0;
		zmq_msg_close(&msg);
	}
}

bool listen_link_endpoint(const char *link, const char *const *routers, uint32_t router_count, uint64_t instance, char *out, size_t n)
{
	if (!link || strcmp(link, "none") == 0)
		return false;
	if (*link)
		return snprintf(out, n, strchr(link, ':') && *link != '[' ? "tcp://[%s]:*" : "tcp://%s:*", link) < (int)n;
	for (uint32_t i = 0; i < router_count; i++) {
		const char *slash = strrchr(routers[i], '/');

		if (strncmp(routers[i], IPC "/", strlen(IPC) + 1) == 0 && slash)
			return snprintf(out, n, "%.*s/" LINK_FILE "%016llx", (int)(slash - routers[i]), routers[i],
			                (unsigned long long)instance) < (int)n;
	}
	return false;
}

static bool is_old_socket(const char *path, unsigned older_than_s)
{
	struct stat st;

	/* By the inode's change, which nobody can set back: between bind and listen a socket looks stale. */
	return lstat(path, &st) == 0 && S_ISSOCK(st.st_mode) && time(NULL) - st.st_ctime >= (time_t)older_than_s;
}

unsigned listen_sweep(const char *endpoint, unsigned older_than_s)
{
	const char *path = endpoint + strlen(IPC), *slash = strrchr(endpoint, '/');
	char pattern[512];
	unsigned n = 0;
	glob_t found;

	if (strncmp(endpoint, IPC, strlen(IPC)) != 0 || slash < path)
		return 0;
	snprintf(pattern, sizeof(pattern), "%.*s/" LINK_FILE "*", (int)(slash - path), path);
	if (glob(pattern, GLOB_NOSORT, NULL, &found) != 0)
		return 0;
	for (size_t i = 0; i < found.gl_pathc; i++)
		n += fits(found.gl_pathv[i]) && is_old_socket(found.gl_pathv[i], older_than_s) && is_stale(found.gl_pathv[i]) &&
		     unlink(found.gl_pathv[i]) == 0;
	globfree(&found);
	return n;
}

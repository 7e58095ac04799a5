/* SPDX-License-Identifier: Apache-2.0
 *
 * `starlingctl health URL`: asks /healthz over HTTP, so that a container needs no other tool for its health check. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "services/starlingctl/command.h"

struct url {
	char host[64];
	char path[256];
	int port;
};

/* http://127.0.0.1:9100/healthz; a health check asks its own machine, so names are not looked up. */
static int parse(const char *text, struct url *out)
{
	snprintf(out->path, sizeof(out->path), "/healthz");
	return sscanf(text, "http://%63[0-9.]:%d%255s", out->host, &out->port, out->path) >= 2 && out->port > 0 && out->port < 65536 ? 0
	                                                                                                                             : -1;
}

static int open_socket(const struct url *u, int64_t timeout_ms)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)u->port) };
	struct timeval limit = { .tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000 };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (inet_pton(AF_INET, u->host, &address.sin_addr) == 1 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	close(fd);
	return -1;
}

int command_health(const struct args *a)
{
	char request[512], answer[1024];
	size_t n = 0;
	ssize_t r;
	struct url u;
	int fd, status = 0;

	if (parse(a->words[0], &u))
		return command_fail(a, CTL_USAGE, "'%s' is not like http://127.0.0.1:9100/healthz", a->words[0]);
	fd = open_socket(&u, a->timeout_ms);
	if (fd < 0)
		return command_fail(a, CTL_UNAVAILABLE, "%s: %s", a->words[0], strerror(errno));
	snprintf(request, sizeof(request), "GET %s HTTP/1.0\r\nHost: %s\r\nConnection: close\r\n\r\n", u.path, u.host);
	if (write(fd, request, strlen(request)) < 0)
		n = 0;
	while (n + 1 < sizeof(answer) && (r = read(fd, answer + n, sizeof(answer) - 1 - n)) > 0)
		n += (size_t)r;
	close(fd);
	answer[n] = '\0';
	if (sscanf(answer, "HTTP/1.%*d %d", &status) != 1)
		return command_fail(a, CTL_UNAVAILABLE, "%s: no answer", a->words[0]);
	return status == 200 ? CTL_OK : command_fail(a, CTL_FAILED, "%s: status %d", a->words[0], status);
}

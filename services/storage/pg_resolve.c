/* SPDX-License-Identifier: Apache-2.0
 *
 * Hosts are looked up one after the other; there are few, and it happens once a connection. */
#include "services/storage/pg_resolve.h"

#include <stdio.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/mem.h"

struct pg_resolve {
	uv_getaddrinfo_t req;
	pg_resolve_fn fn; /* NULL: cancelled */
	void *ctx;
	char *hosts[PG_HOSTS_MAX];
	char *ports[PG_HOSTS_MAX];
	uint32_t host_count, port_count, at;
	struct buf host, hostaddr, port;
	uint32_t found;
	char why[256];
};

static uint32_t split(const char *list, char **out)
{
	uint32_t n = 0;

	while (list && n < PG_HOSTS_MAX) {
		size_t len = strcspn(list, ",");

		out[n++] = mem_strndup(list, len);
		list = list[len] ? list + len + 1 : NULL;
	}
	return n;
}

static void resolve_free(struct pg_resolve *r)
{
	for (uint32_t i = 0; i < r->host_count; i++)
		mem_free(r->hosts[i]);
	for (uint32_t i = 0; i < r->port_count; i++)
		mem_free(r->ports[i]);
	buf_fini(&r->host);
	buf_fini(&r->hostaddr);
	buf_fini(&r->port);
	mem_free(r);
}

/* One more host for libpq, with the port that stood beside it. */
static void keep(struct pg_resolve *r, const char *address)
{
	const char *separator = r->found++ ? "," : "";
	const char *port = r->port_count > 1 && r->at < r->port_count ? r->ports[r->at] : r->port_count ? r->ports[0] : "";

	buf_printf(&r->host, "%s%s", separator, r->hosts[r->at]);
	buf_printf(&r->hostaddr, "%s%s", separator, address);
	buf_printf(&r->port, "%s%s", separator, port);
}

static char *text_of(struct buf *b)
{
	size_t n;

	return buf_take(b, &n);
}

static void finish(struct pg_resolve *r)
{
	char *host = text_of(&r->host), *hostaddr = text_of(&r->hostaddr), *port = text_of(&r->port);

	r->fn(host, hostaddr, port, r->found ? NULL : r->why, r->ctx);
	mem_free(host);
	mem_free(hostaddr);
	mem_free(port);
	resolve_free(r);
}

static void next(struct pg_resolve *r);

/* Every address of the name: "localhost" may be ::1 while the server listens on 127.0.0.1 only. */
static void keep_all(struct pg_resolve *r, const struct addrinfo *list)
{
	char address[64];

	for (const struct addrinfo *a = list; a && r->found < PG_HOSTS_MAX; a = a->ai_next)
		if (getnameinfo(a->ai_addr, a->ai_addrlen, address, sizeof address, NULL, 0, NI_NUMERICHOST) == 0)
			keep(r, address);
}

static void on_address(uv_getaddrinfo_t *req, int status, struct addrinfo *list)
{
	struct pg_resolve *r = req->data;

	if (!r->fn) {
		uv_freeaddrinfo(list);
		resolve_free(r);
		return;
	}
	if (status == 0)
		keep_all(r, list);
	else
		snprintf(r->why, sizeof r->why, "%s: %s", r->hosts[r->at], uv_strerror(status));
	uv_freeaddrinfo(list);
	r->at++;
	next(r);
}

static void next(struct pg_resolve *r)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };

	for (; r->at < r->host_count; r->at++) {
		if (!pg_dsn_is_name(r->hosts[r->at])) {
			keep(r, "");
			continue;
		}
		if (uv_getaddrinfo(r->req.loop, &r->req, on_address, r->hosts[r->at], NULL, &hints) == 0)
			return;
		snprintf(r->why, sizeof r->why, "%s: cannot be looked up", r->hosts[r->at]);
	}
	finish(r);
}

struct pg_resolve *pg_resolve_start(uv_loop_t *loop, const struct pg_dsn *dsn, pg_resolve_fn fn, void *ctx)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct pg_resolve *r;

	if (pg_dsn_get(dsn, "hostaddr") || !pg_dsn_get(dsn, "host"))
		return NULL;
	r = mem_new(struct pg_resolve);
	r->fn = fn;
	r->ctx = ctx;
	r->req.data = r;
	r->req.loop = loop;
	r->host_count = split(pg_dsn_get(dsn, "host"), r->hosts);
	r->port_count = split(pg_dsn_get(dsn, "port"), r->ports);
	for (; r->at < r->host_count && !pg_dsn_is_name(r->hosts[r->at]); r->at++)
		keep(r, "");
	if (r->at == r->host_count || uv_getaddrinfo(loop, &r->req, on_address, r->hosts[r->at], NULL, &hints) != 0) {
		resolve_free(r);
		return NULL;
	}
	return r;
}

void pg_resolve_cancel(struct pg_resolve **r)
{
	if (!*r)
		return;
	(*r)->fn = NULL;
	uv_cancel((uv_req_t *)&(*r)->req);
	*r = NULL;
}

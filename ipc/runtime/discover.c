/* SPDX-License-Identifier: Apache-2.0
 *
 * discover: see discover.h. Names are resolved in libuv's thread pool; a name that cannot be resolved now keeps the addresses it had. */
#include "ipc/runtime/discover.h"

#include <glob.h>
#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"

#define QUICK_MS 200u
#define SLOW_MS  2000u

struct lookup;
struct pattern {
	struct discover *discover;
	char *text;
	char *host, *port; /* NULL unless tcp */
	char **found;
	uint32_t count;
	struct lookup *lookup; /* on its way */
};

/* Outlives the pattern when it is cancelled too late. */
struct lookup {
	uv_getaddrinfo_t request;
	struct pattern *pattern;
};

struct discover {
	uv_timer_t timer;
	uv_loop_t *loop;
	struct pattern *patterns;
	uint32_t count;
	discover_fn fn;
	void *ctx;
};

static void pattern_clear(struct pattern *p)
{
	for (uint32_t i = 0; i < p->count; i++)
		mem_free(p->found[i]);
	p->count = 0;
}

static void pattern_add(struct pattern *p, const char *endpoint)
{
	p->found = mem_realloc(p->found, (p->count + 1) * sizeof(char *));
	p->found[p->count++] = mem_strdup(endpoint);
}

static bool listed(const char *const *list, uint32_t n, const char *endpoint)
{
	for (uint32_t i = 0; i < n; i++)
		if (strcmp(list[i], endpoint) == 0)
			return true;
	return false;
}

static uint32_t tell(struct discover *d)
{
	uint32_t most = 0, n = 0;
	const char **all;

	for (uint32_t i = 0; i < d->count; i++)
		most += d->patterns[i].count;
	all = mem_alloc((most + 1) * sizeof(*all));
	for (uint32_t i = 0; i < d->count; i++)
		for (uint32_t k = 0; k < d->patterns[i].count; k++)
			if (!listed(all, n, d->patterns[i].found[k]))
				all[n++] = d->patterns[i].found[k];
	d->fn(all, n, d->ctx);
	mem_free(all);
	return n;
}

static void take_addresses(struct pattern *p, const struct addrinfo *list)
{
	char address[64], endpoint[128];

	pattern_clear(p);
	for (const struct addrinfo *a = list; a; a = a->ai_next) {
		bool v6 = a->ai_family == AF_INET6;

		if (uv_ip_name(a->ai_addr, address, sizeof(address)) != 0)
			continue;
		snprintf(endpoint, sizeof(endpoint), v6 ? "tcp://[%s]:%s" : "tcp://%s:%s", address, p->port);
		pattern_add(p, endpoint);
	}
}

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *list)
{
	struct lookup *l = (struct lookup *)request->data;
	struct pattern *p = l->pattern;

	mem_free(l);
	if (p) {
		p->lookup = NULL;
		if (status == 0 && list) {
			take_addresses(p, list);
			tell(p->discover);
		}
	}
	uv_freeaddrinfo(list);
}

static void look_up(struct pattern *p)
{
	const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG };

	if (p->lookup)
		return;
	p->lookup = mem_new(struct lookup);
	p->lookup->pattern = p;
	p->lookup->request.data = p->lookup;
	if (uv_getaddrinfo(p->discover->loop, &p->lookup->request, on_resolved, p->host, p->port, &hints) == 0)
		return;
	mem_free(p->lookup);
	p->lookup = NULL;
}

static void look_around(struct pattern *p)
{
	glob_t found;
	char endpoint[512];

	pattern_clear(p);
	if (glob(p->text + strlen("ipc://"), GLOB_NOSORT, NULL, &found) != 0)
		return;
	for (size_t i = 0; i < found.gl_pathc; i++) {
		snprintf(endpoint, sizeof(endpoint), "ipc://%s", found.gl_pathv[i]);
		pattern_add(p, endpoint);
	}
	globfree(&found);
}

static void look(struct pattern *p)
{
	if (p->host) {
		look_up(p);
	} else if (strncmp(p->text, "ipc:///", 7) == 0) {
		look_around(p);
	} else {
		pattern_clear(p);
		pattern_add(p, p->text);
	}
}

static void on_timer(uv_timer_t *timer)
{
	struct discover *d = timer->data;

	for (uint32_t i = 0; i < d->count; i++)
		look(&d->patterns[i]);
	uv_timer_start(timer, on_timer, tell(d) ? SLOW_MS : QUICK_MS, 0);
}

/* tcp://NAME:PORT; NAME may be [v6]. */
static void pattern_init(struct pattern *p, struct discover *d, const char *text)
{
	const char *host = text + strlen("tcp://"), *colon = strrchr(text, ':');

	p->discover = d;
	p->text = mem_strdup(text);
	if (strncmp(text, "tcp://", 6) != 0 || colon < host)
		return;
	p->port = mem_strdup(colon + 1);
	if (*host == '[' && colon[-1] == ']')
		p->host = mem_strndup(host + 1, (size_t)(colon - host) - 2);
	else
		p->host = mem_strndup(host, (size_t)(colon - host));
}

struct discover *discover_new(uv_loop_t *loop, const char *const *patterns, uint32_t count, discover_fn fn, void *ctx)
{
	struct discover *d = mem_new(struct discover);

	d->loop = loop;
	d->count = count;
	d->fn = fn;
	d->ctx = ctx;
	d->patterns = mem_zalloc(count * sizeof(*d->patterns));
	for (uint32_t i = 0; i < count; i++)
		pattern_init(&d->patterns[i], d, patterns[i]);
	uv_timer_init(loop, &d->timer);
	d->timer.data = d;
	uv_timer_start(&d->timer, on_timer, 0, 0);
	return d;
}

static void on_closed(uv_handle_t *handle)
{
	mem_free(handle->data);
}

void discover_free(struct discover **pd)
{
	struct discover *d = *pd;

	if (!d)
		return;
	*pd = NULL;
	for (uint32_t i = 0; i < d->count; i++) {
		struct pattern *p = &d->patterns[i];

		if (p->lookup) {
			p->lookup->pattern = NULL;
			uv_cancel((uv_req_t *)&p->lookup->request);
		}
		pattern_clear(p);
		mem_free(p->found);
		mem_free(p->text);
		mem_free(p->host);
		mem_free(p->port);
	}
	mem_free(d->patterns);
	uv_close((uv_handle_t *)&d->timer, on_closed);
}

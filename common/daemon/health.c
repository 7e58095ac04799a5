/* SPDX-License-Identifier: Apache-2.0
 *
 * health: see health.h. */
#include "common/daemon/health.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/list.h"
#include "common/base/mem.h"
#include "common/daemon/metrics.h"

#define CLIENTS_MAX   32u
#define REQUEST_MAX   4096u
#define CLIENT_MAX_MS 5000u

struct health {
	uv_tcp_t listener;
	struct list_node clients;
	unsigned client_count;
	health_fn fn;
	void *ctx;
	char url[128];
	bool closing;
};

struct client {
	struct health *owner;
	struct list_node node;
	uv_tcp_t tcp;
	uv_timer_t timer;
	uv_write_t write;
	char request[REQUEST_MAX];
	size_t request_n;
	struct buf response;
	unsigned open_handles;
	bool answering, closing;
};

/* --- one client --------------------------------------------------------------------------------------------------- */

static void free_when_closed(struct health *h)
{
	if (h->closing && h->client_count == 0 && h->listener.data == NULL)
		mem_free(h);
}

static void on_client_closed(uv_handle_t *handle)
{
	struct client *c = handle->data;
	struct health *h = c->owner;

	if (--c->open_handles > 0)
		return;
	list_remove(&c->node);
	h->client_count--;
	buf_fini(&c->response);
	mem_free(c);
	free_when_closed(h);
}

static void client_close(struct client *c)
{
	if (c->closing)
		return;
	c->closing = true;
	uv_close((uv_handle_t *)&c->tcp, on_client_closed);
	uv_close((uv_handle_t *)&c->timer, on_client_closed);
}

static void on_timeout(uv_timer_t *timer)
{
	client_close(timer->data);
}

static void on_written(uv_write_t *write, int status)
{
	(void)status;
	client_close(write->data);
}

static void respond(struct client *c, const char *status, const char *type, struct str body, bool head_only)
{
	c->answering = true;
	uv_read_stop((uv_stream_t *)&c->tcp);
	buf_printf(&c->response,
	           "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n", status,
	           type, body.n);
	if (!head_only)
		buf_append_str(&c->response, body);
	struct str all = buf_str(&c->response);
	uv_buf_t bytes = uv_buf_init((char *)all.p, (unsigned)all.n);
	c->write.data = c;
	if (uv_write(&c->write, (uv_stream_t *)&c->tcp, &bytes, 1, on_written) < 0)
		client_close(c);
}

static void respond_text(struct client *c, const char *status, const char *text, bool head_only)
{
	struct buf body = { 0 };

	buf_printf(&body, "%s\n", text);
	respond(c, status, "text/plain; charset=utf-8", buf_str(&body), head_only);
	buf_fini(&body);
}

static void respond_metrics(struct client *c, bool head_only)
{
	struct buf body = { 0 };

	metrics_write(&body);
	respond(c, "200 OK", "text/plain; version=0.0.4; charset=utf-8", buf_str(&body), head_only);
	buf_fini(&body);
}

/* The request is whole: only its first line matters. */
static void answer(struct client *c)
{
	struct health *h = c->owner;
	char method[8], path[128];
	int line_end = 0;

	if (sscanf(c->request, "%7[A-Z] %127[!-~] HTTP/1.%*1[01]%n", method, path, &line_end) != 2 || line_end == 0) {
		respond_text(c, "400 Bad Request", "not an HTTP/1 request", false);
		return;
	}
	bool head = strcmp(method, "HEAD") == 0;
	path[strcspn(path, "?")] = '\0';
	if (!head && strcmp(method, "GET") != 0) {
		respond_text(c, "405 Method Not Allowed", "GET and HEAD only", false);
	} else if (strcmp(path, "/metrics") == 0) {
		respond_metrics(c, head);
	} else if (strcmp(path, "/healthz") == 0) {
		const char *wrong = h->fn(h->ctx);
		respond_text(c, wrong ? "503 Service Unavailable" : "200 OK", wrong ? wrong : "ok", head);
	} else {
		respond_text(c, "404 Not Found", "/metrics and /healthz are here", head);
	}
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
	struct client *c = handle->data;

	(void)suggested;
	*out = uv_buf_init(c->request + c->request_n, (unsigned)(REQUEST_MAX - 1 - c->request_n));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *bytes)
{
	struct client *c = stream->data;

	(void)bytes;
	if (n == UV_ENOBUFS) {
		respond_text(c, "431 Request Header Fields Too Large", "request too long", false);
		return;
	}
	if (n < 0) {
		client_close(c);
		return;
	}
	c->request_n += (size_t)n;
	c->request[c->request_n] = '\0';
	if (strstr(c->request, "\r\n\r\n") || strstr(c->request, "\n\n"))
		answer(c);
}

static void on_connection(uv_stream_t *listener, int status)
{
	struct health *h = listener->data;

	if (status < 0 || !h)
		return;
	struct client *c = mem_new(struct client);
	c->owner = h;
	c->tcp.data = c->timer.data = c;
	c->open_handles = 2;
	uv_tcp_init(listener->loop, &c->tcp);
	uv_timer_init(listener->loop, &c->timer);
	list_push_back(&h->clients, &c->node);
	h->client_count++;
	if (uv_accept(listener, (uv_stream_t *)&c->tcp) < 0 || h->client_count > CLIENTS_MAX) {
		client_close(c);
		return;
	}
	uv_timer_start(&c->timer, on_timeout, CLIENT_MAX_MS, 0);
	uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read);
}

/* --- the listener ------------------------------------------------------------------------------------------------- */

static void make_url(struct health *h, const char *address)
{
	struct sockaddr_storage bound;
	int n = sizeof(bound);
	char host[65];

	uv_tcp_getsockname(&h->listener, (struct sockaddr *)&bound, &n);
	unsigned port =
	        ntohs(bound.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&bound)->sin6_port : ((struct sockaddr_in *)&bound)->sin_port);
	/* Nobody can ask "any address": name the machine instead. */
	bool any = strcmp(address, "0.0.0.0") == 0 || strcmp(address, "::") == 0;
	if (any && gethostname(host, sizeof(host)) == 0)
		address = host;
	host[sizeof(host) - 1] = '\0';
	bool brackets = strchr(address, ':') != NULL;
	snprintf(h->url, sizeof(h->url), brackets ? "http://[%s]:%u/metrics" : "http://%s:%u/metrics", address, port);
}

static void on_listener_closed(uv_handle_t *handle)
{
	struct health *h = (struct health *)handle;

	h->listener.data = NULL;
	free_when_closed(h);
}

struct health *health_new(uv_loop_t *loop, const char *address, int port, health_fn fn, void *ctx, struct err *e)
{
	struct sockaddr_storage addr;
	struct health *h;

	if (uv_ip4_addr(address, port, (struct sockaddr_in *)&addr) < 0 && uv_ip6_addr(address, port, (struct sockaddr_in6 *)&addr) < 0) {
		err_set(e, "metrics.address '%s' is not an IP address", address);
		return NULL;
	}
	h = mem_new(struct health);
	h->fn = fn;
	h->ctx = ctx;
	list_init(&h->clients);
	uv_tcp_init(loop, &h->listener);
	h->listener.data = h;
	int rc = uv_tcp_bind(&h->listener, (struct sockaddr *)&addr, 0);
	if (rc == 0)
		rc = uv_listen((uv_stream_t *)&h->listener, 16, on_connection);
	if (rc < 0) {
		err_set(e, "cannot listen at %s port %d for metrics: %s", address, port, uv_strerror(rc));
		health_free(&h);
		return NULL;
	}
	make_url(h, address);
	return h;
}

void health_free(struct health **hp)
{
	struct health *h = *hp;

	if (!h)
		return;
	*hp = NULL;
	h->closing = true;
	list_for_each_safe (it, &h->clients)
		client_close(list_entry(it, struct client, node));
	uv_close((uv_handle_t *)&h->listener, on_listener_closed);
}

const char *health_url(const struct health *h)
{
	return h->url;
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * dns_channel: c-ares on libuv: its sockets are poll handles, its time-outs one timer. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/dns/dns_private.h"

#define SERVERS_MAX 8u
/* More than fits a datagram that no router cuts is asked for again by TCP. */
#define DATAGRAM_BYTES 1232

struct poll {
	struct list_node node;
	uv_poll_t handle;
	ares_socket_t fd;
	struct dns *d;
};

static void on_handle_closed(struct dns *d)
{
	if (--d->handles == 0)
		mem_free(d);
}

static void on_poll_closed(uv_handle_t *handle)
{
	struct poll *p = handle->data;
	struct dns *d = p->d;

	mem_free(p);
	on_handle_closed(d);
}

static void on_timer_closed(uv_handle_t *handle)
{
	on_handle_closed(handle->data);
}

static void on_poll(uv_poll_t *handle, int status, int events)
{
	struct poll *p = handle->data;
	struct dns *d = p->d;
	ares_socket_t in = status < 0 || (events & UV_READABLE) ? p->fd : ARES_SOCKET_BAD;
	ares_socket_t out = status < 0 || (events & UV_WRITABLE) ? p->fd : ARES_SOCKET_BAD;

	ares_process_fd(d->channel, in, out);
	dns_channel_rearm(d);
}

static void on_timer(uv_timer_t *timer)
{
	struct dns *d = timer->data;

	ares_process_fd(d->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	dns_channel_rearm(d);
}

static struct poll *find_poll(struct dns *d, ares_socket_t fd)
{
	list_for_each (it, &d->polls) {
		struct poll *p = list_entry(it, struct poll, node);

		if (p->fd == fd)
			return p;
	}
	return NULL;
}

/* c-ares opened a socket, waits for something else, or (neither) is about to close it. A socket that cannot be watched is one that stays silent: its
 * queries time out. */
static void on_socket(void *data, ares_socket_t fd, int readable, int writable)
{
	struct dns *d = data;
	struct poll *p = find_poll(d, fd);

	if (!readable && !writable) {
		if (p) {
			list_remove(&p->node);
			uv_close((uv_handle_t *)&p->handle, on_poll_closed);
		}
		return;
	}
	if (!p) {
		p = mem_new(struct poll);
		if (uv_poll_init(d->loop->uv, &p->handle, fd) < 0) {
			mem_free(p);
			return;
		}
		p->handle.data = p;
		p->fd = fd;
		p->d = d;
		d->handles++;
		list_push_back(&d->polls, &p->node);
	}
	uv_poll_start(&p->handle, (readable ? UV_READABLE : 0) | (writable ? UV_WRITABLE : 0), on_poll);
}

void dns_channel_rearm(struct dns *d)
{
	struct timeval tv, *in;

	if (!d->channel)
		return;
	in = ares_timeout(d->channel, NULL, &tv);
	if (in)
		uv_timer_start(&d->timer, on_timer, (uint64_t)in->tv_sec * 1000u + (uint64_t)in->tv_usec / 1000u + 1u, 0);
	else
		uv_timer_stop(&d->timer);
}

/* "192.0.2.53", "192.0.2.53:5353", "2001:db8::1" or "[2001:db8::1]:5353". */
static int parse_server(struct str in, struct ares_addr_port_node *out, struct err *e)
{
	char text[64], *host = text, *colon, *end;
	unsigned long port = 53;

	if (in.n == 0 || in.n >= sizeof(text))
		return err_set(e, "DNS server \"%.*s\": an address is wanted, such as 192.0.2.53 or [2001:db8::1]:53", STR_ARG(in));
	memcpy(text, in.p, in.n);
	text[in.n] = '\0';
	colon = strrchr(text, ':');
	if (text[0] == '[') {
		host++;
		end = strchr(text, ']');
		if (!end || (end[1] && end[1] != ':'))
			return err_set(e, "DNS server \"%s\": ']' is missing, or something else than ':' and a port behind it", text);
		colon = end[1] ? end + 1 : NULL;
		*end = '\0';
	} else if (colon && strchr(text, ':') != colon) {
		colon = NULL;
	}
	if (colon) {
		*colon = '\0';
		port = strtoul(colon + 1, &end, 10);
		if (colon[1] < '0' || colon[1] > '9' || *end || port == 0 || port > 65535)
			return err_set(e, "DNS server \"%.*s\": the port has to be 1 to 65535", STR_ARG(in));
	}
	out->udp_port = out->tcp_port = (int)port;
	out->family = strchr(host, ':') ? AF_INET6 : AF_INET;
	if (inet_pton(out->family, host, &out->addr) != 1)
		return err_set(e, "DNS server \"%.*s\": not a numeric IPv4 or IPv6 address", STR_ARG(in));
	return 0;
}

static struct str trim(struct str s)
{
	while (s.n > 0 && s.p[0] == ' ')
		s = str_make(s.p + 1, s.n - 1);
	while (s.n > 0 && s.p[s.n - 1] == ' ')
		s.n--;
	return s;
}

static int set_servers(ares_channel channel, const char *list, struct err *e)
{
	struct ares_addr_port_node nodes[SERVERS_MAX] = { 0 };
	size_t n = 0;

	for (const char *p = list, *end;; p = end + 1) {
		end = p + strcspn(p, ",");
		if (n == SERVERS_MAX)
			return err_set(e, "DNS servers: %u at most", SERVERS_MAX);
		if (parse_server(trim(str_make(p, (size_t)(end - p))), &nodes[n], e) < 0)
			return -1;
		if (n > 0)
			nodes[n - 1].next = &nodes[n];
		n++;
		if (!*end)
			break;
	}
	int status = ares_set_servers_ports(channel, nodes);
	return status == ARES_SUCCESS ? 0 : err_set(e, "DNS servers: %s", ares_strerror(status));
}

int dns_channel_open(struct dns *d, const struct dns_config *config, struct err *e)
{
	struct ares_options options = { .flags = ARES_FLAG_EDNS,
		                        .timeout = (int)config->timeout_ms,
		                        .tries = (int)config->tries,
		                        .ednspsz = DATAGRAM_BYTES,
		                        .sock_state_cb = on_socket,
		                        .sock_state_cb_data = d };
	int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_EDNSPSZ | ARES_OPT_SOCK_STATE_CB;
	int status = ares_library_init(ARES_LIB_INIT_ALL);

	if (status == ARES_SUCCESS)
		status = ares_init_options(&d->channel, &options, mask);
	if (status != ARES_SUCCESS)
		return err_set(e, "DNS: %s", ares_strerror(status));
	if (config->servers && config->servers[0] && set_servers(d->channel, config->servers, e) < 0) {
		ares_destroy(d->channel);
		d->channel = NULL;
		return -1;
	}
	list_init(&d->polls);
	uv_timer_init(d->loop->uv, &d->timer);
	d->timer.data = d;
	d->handles = 1;
	return 0;
}

void dns_channel_close(struct dns *d)
{
	ares_channel channel = d->channel;

	d->channel = NULL;
	ares_destroy(channel);
	uv_close((uv_handle_t *)&d->timer, on_timer_closed);
}

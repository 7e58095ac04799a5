/* SPDX-License-Identifier: Apache-2.0
 *
 * Load for an MQTT broker (3.1.1), all clients in this one process, which counts every delivery.
 *
 *   mqtt_load port=1883 pubs=1 subs=1000 qos=0 window=2 seconds=2
 *
 * Subscriber i has topic i modulo the number of topics, which is the smaller one of pubs and subs, and publisher i publishes to the same: so 1 to 1000, 100 to 1, 50 to 50. A publisher has `window` messages
 * on their way: the next one goes out when all who are to get the oldest have it, and with QoS 1 and 2 the broker has acknowledged it. Each subscriber must get each
 * publisher's messages in order, none missing, none twice. lasting=1: subscribers with sessions that are kept (clean session 0). idle=N: N clients with a subscription each, and nothing more.
 * connects=N: N times, 50 together, connect, CONNACK, DISCONNECT, close. user, password: of all clients; without them they are anonymous.
 * from=PORT,PORT...: the clients' own ports, of 127.0.0.2; of several servers at one port the kernel gives the same client to the same one.
 *
 * Prints READY when all are connected, begins at a line on standard input, prints one line of JSON, and ends with standard input. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define READ_MAX   (1u << 18)
#define WINDOW_MAX 64
#define DRAIN_S    10
#define TOGETHER   50 /* clients that connect at a time */

enum { CONNACK = 2, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP, SUBACK = 9 };

struct client {
	int fd;
	bool waiting;      /* for room in the kernel */
	uint8_t *in, *out; /* the beginning of a packet; what is to be sent */
	size_t in_n, out_n, out_cap;
	uint32_t *expected; /* subscribers: the next number of each publisher */
	uint32_t topic;
	/* publishers */
	uint32_t number, sent, acked, complete;
	uint16_t missing[WINDOW_MAX]; /* deliveries of each message on its way */
};

static struct {
	const char *user, *password, *prefix, *from;
	int port, pubs, subs, qos, window, seconds, ms, size, lasting, idle, connects;
} o = { NULL, NULL, "load", NULL, 1883, 1, 1, 0, 2, 2, 0, 64, 0, 0, 0 };

static struct client *clients;     /* publishers, then subscribers */
static uint32_t topics, receivers; /* receivers of each message */
static uint64_t delivered, twice, lost, published;
static int ep;
static bool over;

static void die(const char *what)
{
	fprintf(stderr, "mqtt_load: %s: %s\n", what, errno ? strerror(errno) : "unexpected");
	exit(1);
}

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* --- packets ------------------------------------------------------------------------------------------------------ */

static uint8_t *put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
	return p + 2;
}

static uint8_t *put_text(uint8_t *p, const char *s)
{
	size_t n = strlen(s);

	memcpy(put16(p, (unsigned)n), s, n);
	return p + 2 + n;
}

/* A packet of at most 16,383 bytes around its body. */
static size_t wrap(uint8_t *out, unsigned first, const uint8_t *body, size_t n)
{
	size_t at = 1;

	out[0] = (uint8_t)first;
	if (n > 127)
		out[at++] = (uint8_t)(n | 128);
	out[at++] = (uint8_t)(n > 127 ? n >> 7 : n);
	memcpy(out + at, body, n);
	return at + n;
}

static size_t connect_packet(uint8_t *out, const char *id, bool clean)
{
	uint8_t body[512], *p = put_text(body, "MQTT");

	*p++ = 4;
	*p++ = (uint8_t)((clean ? 2 : 0) | (o.user ? 0xC0 : 0));
	p = put_text(put16(p, 0), id);
	if (o.user)
		p = put_text(put_text(p, o.user), o.password);
	return wrap(out, 0x10, body, (size_t)(p - body));
}

static void append(struct client *c, const uint8_t *p, size_t n)
{
	if (c->out_n + n > c->out_cap) {
		c->out_cap = (c->out_n + n) * 2;
		c->out = realloc(c->out, c->out_cap);
	}
	memcpy(c->out + c->out_n, p, n);
	c->out_n += n;
}

static void append_ack(struct client *c, unsigned type, const uint8_t *id)
{
	uint8_t p[4] = { (uint8_t)(type << 4 | (type == PUBREL ? 2 : 0)), 2, id[0], id[1] };

	append(c, p, 4);
}

/* --- connections -------------------------------------------------------------------------------------------------- */

static void flush(struct client *c)
{
	size_t at = 0;
	ssize_t n = 0;

	while (at < c->out_n && (n = send(c->fd, c->out + at, c->out_n - at, MSG_NOSIGNAL)) > 0)
		at += (size_t)n;
	if (n < 0 && errno != EAGAIN)
		die("send");
	memmove(c->out, c->out + at, c->out_n - at);
	c->out_n -= at;
	if (c->waiting != (c->out_n > 0)) {
		struct epoll_event e = { .events = EPOLLIN | (c->out_n ? EPOLLOUT : 0), .data = { .ptr = c } };

		c->waiting = c->out_n > 0;
		epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &e);
	}
}

/* The next of o.from. Closed without a goodbye, so that the next run may have it. */
static void come_from(int fd)
{
	struct sockaddr_in own = { .sin_family = AF_INET };
	struct linger at_once = { .l_onoff = 1 };
	char *end;

	own.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1);
	own.sin_port = htons((uint16_t)strtoul(o.from, &end, 10));
	o.from = *end == ',' ? end + 1 : NULL;
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	if (bind(fd, (struct sockaddr *)&own, sizeof(own)) < 0)
		die("bind");
}

static int dial(void)
{
	struct sockaddr_in server = { .sin_family = AF_INET, .sin_port = htons((uint16_t)o.port) };
	int on = 1, fd = socket(AF_INET, SOCK_STREAM, 0);

	server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (o.from)
		come_from(fd);
	if (fd < 0 || connect(fd, (struct sockaddr *)&server, sizeof(server)) < 0)
		die("connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return fd;
}

static void receive(int fd, uint8_t *out, size_t n)
{
	for (size_t at = 0; at < n;) {
		ssize_t got = recv(fd, out + at, n - at, 0);

		if (got <= 0)
			die("recv");
		at += (size_t)got;
	}
}

static void ask(struct client *c, const char *id, bool clean)
{
	uint8_t packet[600];
	size_t n = connect_packet(packet, id, clean);

	c->fd = dial();
	if (send(c->fd, packet, n, MSG_NOSIGNAL) != (ssize_t)n)
		die("send");
}

static void answered(struct client *c)
{
	uint8_t answer[4];

	receive(c->fd, answer, 4);
	if (answer[0] >> 4 != CONNACK || answer[3] != 0) {
		fprintf(stderr, "mqtt_load: refused: %d\n", answer[3]);
		exit(1);
	}
}

static void subscribe(struct client *c, int qos)
{
	uint8_t body[64], packet[80];
	char text[40];
	size_t n;

	snprintf(text, sizeof(text), "bench/%s/%u", o.prefix, c->topic);
	uint8_t *end = put_text(put16(body, 1), text);
	*end++ = (uint8_t)qos;
	n = wrap(packet, 0x82, body, (size_t)(end - body));
	if (send(c->fd, packet, n, MSG_NOSIGNAL) != (ssize_t)n)
		die("send");
}

static void subscribed(struct client *c, int qos)
{
	uint8_t answer[5];

	receive(c->fd, answer, 5);
	if (answer[0] >> 4 != SUBACK || answer[4] != qos)
		die("SUBSCRIBE");
}

static void watch(struct client *c)
{
	struct epoll_event e = { .events = EPOLLIN, .data = { .ptr = c } };

	fcntl(c->fd, F_SETFL, O_NONBLOCK);
	epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &e);
}

/* --- traffic ------------------------------------------------------------------------------------------------------ */

static bool idle_publisher(const struct client *c)
{
	return c->sent == c->complete && (o.qos == 0 || c->acked == c->sent);
}

static void publish(struct client *c)
{
	uint32_t held = o.qos > 0 && c->acked < c->complete ? c->acked : c->complete;
	uint8_t body[4200] = { 0 }, packet[4210];
	char text[40];

	while (!over && c->sent - held < (uint32_t)o.window) {
		uint8_t *p;

		snprintf(text, sizeof(text), "bench/%s/%u", o.prefix, c->topic);
		p = put_text(body, text);
		if (o.qos > 0)
			p = put16(p, c->sent % 65535 + 1);
		memcpy(p, &c->number, 4);
		memcpy(p + 4, &c->sent, 4);
		append(c, packet, wrap(packet, 0x30u | (unsigned)o.qos << 1, body, (size_t)(p - body) + (size_t)o.size));
		c->missing[c->sent++ % WINDOW_MAX] = (uint16_t)receivers;
		published++;
	}
	if (c->out_n > 0)
		flush(c);
}

static void on_publish(struct client *c, unsigned first, const uint8_t *p, size_t n)
{
	size_t at = 2 + ((size_t)p[0] << 8 | p[1]), qos = first >> 1 & 3;
	uint32_t from, number;
	struct client *publisher;

	if (qos == 1)
		append_ack(c, PUBACK, p + at);
	if (qos == 2)
		append_ack(c, PUBREC, p + at);
	at += qos ? 2 : 0;
	if (n != at + (size_t)o.size || (int)qos != o.qos)
		die("PUBLISH");
	memcpy(&from, p + at, 4);
	memcpy(&number, p + at + 4, 4);
	if (from >= (uint32_t)o.pubs)
		die("publisher");
	delivered++;
	if (number < c->expected[from]) {
		twice++;
		return;
	}
	lost += number - c->expected[from];
	c->expected[from] = number + 1;
	publisher = &clients[from];
	publisher->missing[number % WINDOW_MAX]--;
	while (publisher->complete < publisher->sent && publisher->missing[publisher->complete % WINDOW_MAX] == 0)
		publisher->complete++;
	publish(publisher);
}

static void on_packet(struct client *c, unsigned first, const uint8_t *p, size_t n)
{
	switch (first >> 4) {
	case PUBLISH:
		on_publish(c, first, p, n);
		break;
	case PUBREC:
		append_ack(c, PUBREL, p);
		break;
	case PUBREL:
		append_ack(c, PUBCOMP, p);
		break;
	case PUBACK:
	case PUBCOMP:
		c->acked++;
		publish(c);
		break;
	default:
		die("packet");
	}
}

/* How many bytes of whole packets. */
static size_t packets(struct client *c, const uint8_t *p, size_t n)
{
	size_t used = 0;

	while (n - used >= 2) {
		size_t at = used + 1, size = 0, shift = 0;

		do {
			size |= (size_t)(p[at] & 127) << shift;
			shift += 7;
		} while (p[at++] & 128 && at < n);
		if (p[at - 1] & 128 || n - at < size)
			break;
		on_packet(c, p[used], p + at, size);
		used = at + size;
	}
	return used;
}

static void on_readable(struct client *c)
{
	static uint8_t memory[READ_MAX];
	size_t had = c->in_n, used;
	ssize_t n;

	memcpy(memory, c->in, had);
	n = recv(c->fd, memory + had, READ_MAX - had, 0);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0)
		die("a connection was closed");
	used = packets(c, memory, had + (size_t)n);
	c->in_n = had + (size_t)n - used;
	if (c->in_n > 0) {
		c->in = realloc(c->in, c->in_n);
		memcpy(c->in, memory + used, c->in_n);
	}
	if (c->out_n > 0)
		flush(c);
}

static bool all_idle(void)
{
	for (int i = 0; i < o.pubs; i++) {
		if (!idle_publisher(&clients[i]))
			return false;
	}
	return true;
}

static void run(void)
{
	struct epoll_event events[512];
	double start = now_s(), end = start + (o.ms ? o.ms / 1000.0 : o.seconds), t = start;

	for (int i = 0; i < o.pubs; i++)
		publish(&clients[i]);
	while (t < end + DRAIN_S && !(over && all_idle())) {
		int n = epoll_wait(ep, events, 512, 10);

		for (int i = 0; i < n; i++) {
			if (events[i].events & EPOLLOUT)
				flush(events[i].data.ptr);
			if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
				on_readable(events[i].data.ptr);
		}
		t = now_s();
		over = t >= end;
	}
	for (int i = 0; i < o.pubs; i++) {
		for (uint32_t k = clients[i].complete; k < clients[i].sent; k++)
			lost += clients[i].missing[k % WINDOW_MAX];
	}
	printf("{\"seconds\": %.3f, \"published\": %lu, \"delivered\": %lu, \"lost\": %lu, \"twice\": %lu, \"idle\": %d}\n", t - start,
	       published, delivered, lost, twice, all_idle());
}

/* --- the rest ----------------------------------------------------------------------------------------------------- */

/* Some at a time, so that none waits for another to be woken up. */
static void connects(void)
{
	static const uint8_t goodbye[] = { 0xE0, 0 };
	struct client together[TOGETHER] = { 0 };
	double start = now_s();
	char id[60];

	for (int done = 0; done < o.connects; done += TOGETHER) {
		uint8_t byte;

		for (int i = 0; i < TOGETHER; i++) {
			snprintf(id, sizeof(id), "%s-%d", o.prefix, done + i);
			ask(&together[i], id, true);
		}
		for (int i = 0; i < TOGETHER; i++) {
			answered(&together[i]);
			if (send(together[i].fd, goodbye, 2, MSG_NOSIGNAL) != 2)
				die("DISCONNECT");
		}
		for (int i = 0; i < TOGETHER; i++) {
			if (recv(together[i].fd, &byte, 1, 0) != 0)
				die("the end");
			close(together[i].fd);
		}
	}
	printf("{\"seconds\": %.3f, \"connects\": %d}\n", now_s() - start, o.connects);
}

static bool subscribes(int i)
{
	return o.idle || i >= o.pubs;
}

/* From one to before the other, together. */
static void join(int from, int to)
{
	char id[60];

	for (int i = from; i < to; i++) {
		snprintf(id, sizeof(id), "%s-%d", o.prefix, i);
		ask(&clients[i], id, !(subscribes(i) && o.lasting));
	}
	for (int i = from; i < to; i++) {
		struct client *c = &clients[i];

		answered(c);
		c->number = (uint32_t)i;
		c->topic = o.idle ? (uint32_t)i : (uint32_t)(i < o.pubs ? i : i - o.pubs) % topics;
		if (subscribes(i))
			subscribe(c, o.idle ? 0 : o.qos);
	}
	for (int i = from; i < to; i++) {
		struct client *c = &clients[i];

		if (subscribes(i))
			subscribed(c, o.idle ? 0 : o.qos);
		if (subscribes(i) && !o.idle)
			c->expected = calloc((size_t)o.pubs, sizeof(*c->expected));
		watch(c);
	}
}

static void prepare(void)
{
	int count = o.idle ? o.idle : o.connects ? 0 : o.pubs + o.subs;

	topics = (uint32_t)(o.pubs < o.subs ? o.pubs : o.subs);
	receivers = (uint32_t)o.subs / topics;
	clients = calloc((size_t)count + 1, sizeof(*clients));
	ep = epoll_create1(0);
	for (int i = 0; i < count; i += TOGETHER)
		join(i, i + TOGETHER < count ? i + TOGETHER : count);
}

static void read_options(int argc, char **argv)
{
	static const struct {
		const char *name;
		int *number;
		const char **text;
	} known[] = {
		{ "user", NULL, &o.user },
		{ "password", NULL, &o.password },
		{ "prefix", NULL, &o.prefix },
		{ "from", NULL, &o.from },
		{ "port", &o.port, NULL },
		{ "pubs", &o.pubs, NULL },
		{ "subs", &o.subs, NULL },
		{ "qos", &o.qos, NULL },
		{ "window", &o.window, NULL },
		{ "seconds", &o.seconds, NULL },
		{ "ms", &o.ms, NULL },
		{ "size", &o.size, NULL },
		{ "lasting", &o.lasting, NULL },
		{ "idle", &o.idle, NULL },
		{ "connects", &o.connects, NULL },
	};

	for (int i = 1; i < argc; i++) {
		const char *value = strchr(argv[i], '=');
		size_t k = 0, n = sizeof(known) / sizeof(*known);

		while (value && k < n &&
		       (strlen(known[k].name) != (size_t)(value - argv[i]) ||
		        strncmp(known[k].name, argv[i], (size_t)(value - argv[i])) != 0))
			k++;
		if (!value || k == n) {
			fprintf(stderr, "mqtt_load: %s?\n", argv[i]);
			exit(64);
		}
		if (known[k].number)
			*known[k].number = atoi(value + 1);
		else
			*known[k].text = value + 1;
	}
	if (o.window < 1 || o.window > WINDOW_MAX || o.size < 8 || o.size > 4000 || o.pubs < 1 || o.subs < 1 || o.subs > 65535) {
		fprintf(stderr, "mqtt_load: a number out of range\n");
		exit(64);
	}
}

int main(int argc, char **argv)
{
	struct rlimit r;
	char line[16];

	read_options(argc, argv);
	if (getrlimit(RLIMIT_NOFILE, &r) == 0) {
		r.rlim_cur = r.rlim_max;
		setrlimit(RLIMIT_NOFILE, &r);
	}
	prepare();
	printf("READY\n");
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		return 0;
	if (o.connects)
		connects();
	else if (!o.idle)
		run();
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin))
		;
	return 0;
}

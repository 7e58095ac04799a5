/* SPDX-License-Identifier: Apache-2.0
 *
 * zap: answers ZeroMQ's question whether a key may connect (ZAP 1.0, RFC 27 of the ZeroMQ project). A listed key becomes the connection's user id;
 * which roles it may have is checked in join.c, so that a reloaded list counts for connections that stand. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <zmq.h>

#include "services/router/router.h"

#define PARTS      16
#define PART_BYTES 256

struct request {
	char parts[PARTS][PART_BYTES];
	size_t sizes[PARTS];
	int count;
};
enum part { PART_VERSION, PART_REQUEST, PART_DOMAIN, PART_ADDRESS, PART_IDENTITY, PART_MECHANISM, PART_KEY };

static bool read_request(void *socket, struct request *q)
{
	int more = 1;
	size_t n = sizeof(more);

	memset(q, 0, sizeof(*q));
	while (more) {
		char *part = q->parts[q->count < PARTS ? q->count : PARTS - 1];
		int got = zmq_recv(socket, part, PART_BYTES - 1, ZMQ_DONTWAIT);

		if (got < 0)
			return false;
		if (q->count < PARTS)
			q->sizes[q->count++] = (size_t)got < PART_BYTES ? (size_t)got : 0;
		zmq_getsockopt(socket, ZMQ_RCVMORE, &more, &n);
	}
	return true;
}

static bool check(const struct router *r, const struct request *q, char key[KEYS_Z85 + 1])
{
	return q->count > PART_KEY && strcmp(q->parts[PART_VERSION], "1.0") == 0 && strcmp(q->parts[PART_MECHANISM], "CURVE") == 0 &&
	       q->sizes[PART_KEY] == 32 && zmq_z85_encode(key, (const uint8_t *)q->parts[PART_KEY], 32) && allow_has(&r->allow, NULL, key);
}

static void send_part(void *socket, const char *text, bool more)
{
	zmq_send(socket, text, strlen(text), ZMQ_DONTWAIT | (more ? ZMQ_SNDMORE : 0));
}

static void on_request(void *ctx)
{
	struct router *r = ctx;
	void *socket = zsock_socket(r->zap);
	struct request q;
	char key[KEYS_Z85 + 1];

	while (read_request(socket, &q)) {
		bool ok = check(r, &q, key);

		if (!ok) {
			log_info(daemon_log(r->daemon), "connection refused: its key is not listed address=%s", q.parts[PART_ADDRESS]);
			figures_denied();
		}
		send_part(socket, "1.0", true);
		zmq_send(socket, q.parts[PART_REQUEST], q.sizes[PART_REQUEST], ZMQ_DONTWAIT | ZMQ_SNDMORE);
		send_part(socket, ok ? "200" : "400", true);
		send_part(socket, ok ? "OK" : "key not listed", true);
		send_part(socket, ok ? key : "", true);
		zmq_send(socket, NULL, 0, ZMQ_DONTWAIT);
	}
}

int zap_open(struct router *r, struct err *e)
{
	void *socket = zmq_socket(r->zmq, ZMQ_REP);

	if (!socket || zmq_bind(socket, "inproc://zeromq.zap.01") != 0) {
		if (socket)
			zmq_close(socket);
		return err_set(e, "cannot answer for keys: %s", zmq_strerror(errno));
	}
	r->zap = zsock_new(r->loop, socket, on_request, r);
	return 0;
}

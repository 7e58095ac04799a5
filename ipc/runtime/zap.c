/* SPDX-License-Identifier: Apache-2.0
 *
 * zap: see zap.h. */
#include "ipc/runtime/zap.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <zmq.h>

#include "common/base/mem.h"
#include "ipc/runtime/zsock.h"

#define PARTS      16
#define PART_BYTES 256

struct request {
	char parts[PARTS][PART_BYTES];
	size_t sizes[PARTS];
	int count;
};
struct zap {
	struct zsock *socket;
	const struct allow *allow;
	zap_denied_fn denied;
	void *ctx;
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

static bool check(const struct zap *z, const struct request *q, char key[KEYS_Z85 + 1])
{
	return q->count > PART_KEY && strcmp(q->parts[PART_VERSION], "1.0") == 0 && strcmp(q->parts[PART_MECHANISM], "CURVE") == 0 &&
	       q->sizes[PART_KEY] == 32 && zmq_z85_encode(key, (const uint8_t *)q->parts[PART_KEY], 32) && allow_has(z->allow, NULL, key);
}

static void send_part(void *socket, const char *text, bool more)
{
	zmq_send(socket, text, strlen(text), ZMQ_DONTWAIT | (more ? ZMQ_SNDMORE : 0));
}

static void on_request(void *ctx)
{
	struct zap *z = ctx;
	void *socket = zsock_socket(z->socket);
	struct request q;
	char key[KEYS_Z85 + 1];

	while (read_request(socket, &q)) {
		bool ok = check(z, &q, key);

		if (!ok)
			z->denied(q.parts[PART_ADDRESS], z->ctx);
		send_part(socket, "1.0", true);
		zmq_send(socket, q.parts[PART_REQUEST], q.sizes[PART_REQUEST], ZMQ_DONTWAIT | ZMQ_SNDMORE);
		send_part(socket, ok ? "200" : "400", true);
		send_part(socket, ok ? "OK" : "key not listed", true);
		send_part(socket, ok ? key : "", true);
		zmq_send(socket, NULL, 0, ZMQ_DONTWAIT);
	}
}

struct zap *zap_new(uv_loop_t *loop, void *zmq, const struct allow *allow, zap_denied_fn denied, void *ctx, struct err *e)
{
	void *socket = zmq_socket(zmq, ZMQ_REP);
	struct zap *z;

	if (!socket || zmq_bind(socket, "inproc://zeromq.zap.01") != 0) {
		if (socket)
			zmq_close(socket);
		err_set(e, "cannot answer for keys: %s", zmq_strerror(errno));
		return NULL;
	}
	z = mem_new(struct zap);
	z->allow = allow;
	z->denied = denied;
	z->ctx = ctx;
	z->socket = zsock_new(loop, socket, on_request, z);
	return z;
}

void zap_free(struct zap **pz)
{
	struct zap *z = *pz;

	if (!z)
		return;
	*pz = NULL;
	zsock_free(&z->socket);
	mem_free(z);
}

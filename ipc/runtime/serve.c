/* SPDX-License-Identifier: Apache-2.0
 *
 * serve: calls that others make to us, from the record to the answer, and events. A struct ipc_call lives until it is answered. */
#include <stdarg.h>
#include <stdio.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "ipc/runtime/bus_core.h"

/* Under the address sanitizer ended calls are really freed, so that a second answer is found. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SERVE_FREES 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define SERVE_FREES 1
#endif
#ifndef SERVE_FREES
#define SERVE_FREES 0
#endif

struct ipc_call {
	struct ipc_bus *bus;
	const struct ipc_method *method;
	uint64_t source, id, trace, deadline_ms;
	uint32_t number;
	bool event;
	struct str payload; /* of the request */
	struct buf reply_payload;
	struct list_node open;
	struct ipc_call *next_spare;
};

static struct ipc_call *call_new(struct ipc_bus *bus)
{
	struct ipc_call *call = bus->spare;

	if (call)
		bus->spare = call->next_spare;
	else
		call = mem_new(struct ipc_call);
	call->bus = bus;
	list_push_back(&bus->serving, &call->open);
	bus->stats.serving_open++;
	return call;
}

/* The one end of every call and event: the caller gets its credit back. */
static void call_end(struct ipc_call *call)
{
	struct ipc_bus *bus = call->bus;

	bus->stats.serving_open--;
	list_remove(&call->open);
	buf_clear(&call->reply_payload);
	buf_release(&call->reply_payload);
	call->payload = (struct str){ NULL, 0 };
	send_consumed(bus, call->source);
	if (SERVE_FREES) {
		mem_free(call);
		return;
	}
	call->next_spare = bus->spare;
	bus->spare = call;
}

static void answer(struct ipc_call *call, struct post *post)
{
	struct peer *p = directory_find(&call->bus->directory, call->source);

	post->envelope.method = call->number;
	post->envelope.call = call->id;
	post->envelope.trace = call->trace;
	if (p && send_post(call->bus, p, post) == IPC_FULL && post->envelope.kind == STARLING__KIND__KIND_REPLY) {
		log_error(NULL, "reply is larger than a record may be method=%s", call->method->name);
		*post = (struct post){ .envelope = { .kind = STARLING__KIND__KIND_FAILURE,
			                             .code = STARLING__CODE__CODE_INTERNAL,
			                             .text = STR("the answer is too large") } };
		answer(call, post);
		return;
	}
	call_end(call);
}

static void fail(struct ipc_call *call, int code, struct str text)
{
	struct post post = { .envelope = { .kind = STARLING__KIND__KIND_FAILURE, .code = code, .text = text } };

	answer(call, &post);
}

void ipc_fail(struct ipc_call *call, int code, const char *fmt, ...)
{
	char text[CODEC_TEXT_MAX];
	va_list args;
	int n;

	if (call->event)
		return; /* its end comes when the handler returns */
	va_start(args, fmt);
	n = vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	fail(call, code, str_make(text, n < 0 ? 0 : (size_t)n >= sizeof(text) ? sizeof(text) - 1 : (size_t)n));
}

void ipc_reply(struct ipc_call *call, const ProtobufCMessage *reply)
{
	struct post post = { .envelope = { .kind = STARLING__KIND__KIND_REPLY },
		             .message = reply,
		             .payload = buf_str(&call->reply_payload) };

	if (!call->event)
		answer(call, &post);
}

void ipc_reply_payload(struct ipc_call *call, struct str payload)
{
	buf_clear(&call->reply_payload);
	buf_append_str(&call->reply_payload, payload);
}

static const struct ipc_method *served_method(const struct ipc_bus *bus, uint32_t number)
{
	const struct ipc_interface *i = number >> 8 < BUS_INTERFACES ? bus->serves[number >> 8] : NULL;
	uint32_t n = number & 0xff;

	return i && n >= 1 && n <= i->count ? &i->methods[n - 1] : NULL;
}

void serve_record(struct ipc_bus *bus, const struct envelope *e, const struct frame_record *r)
{
	const struct ipc_method *method = served_method(bus, e->method);
	struct ipc_call *call = call_new(bus);
	const ProtobufCMessage *request;
	bool event = e->kind == STARLING__KIND__KIND_EVENT;

	call->method = method;
	call->source = e->source;
	call->id = e->call;
	call->trace = e->trace;
	call->number = e->method;
	call->event = event;
	call->deadline_ms = event ? 0 : bus_now(bus) + (e->deadline_ms ? e->deadline_ms : BUS_DEADLINE_MS);
	call->payload = r->payload;
	request = method && method->event == event ? codec_unpack(bus->arena, method->request, r->body) : NULL;
	if (e->source == bus->instance && !event && !calls_find(&bus->calls, e->call)) {
		call_end(call); /* we have given up waiting for ourselves */
		return;
	}
	if (bus->ending) {
		event ? call_end(call) : fail(call, STARLING__CODE__CODE_UNAVAILABLE, STR("this daemon ends"));
		return;
	}
	if (request) {
		method->handler(call, request);
	} else {
		bus->stats.malformed += method != NULL;
		if (!event && (!method || method->event))
			fail(call, STARLING__CODE__CODE_UNSUPPORTED, STR("no such method here"));
		else if (!event)
			fail(call, STARLING__CODE__CODE_INVALID, STR("the request does not decode"));
	}
	if (event)
		call_end(call);
}

void serve_fini(struct ipc_bus *bus)
{
	while (!list_empty(&bus->serving))
		fail(list_entry(bus->serving.next, struct ipc_call, open), STARLING__CODE__CODE_PEER_LOST, STR("the server ends"));
	while (bus->spare) {
		struct ipc_call *call = bus->spare;

		bus->spare = call->next_spare;
		buf_fini(&call->reply_payload);
		mem_free(call);
	}
}

void *ipc_call_daemon(const struct ipc_call *call)
{
	return call->bus->ctx;
}

struct ipc_bus *ipc_call_bus(const struct ipc_call *call)
{
	return call->bus;
}

uint64_t ipc_call_source(const struct ipc_call *call)
{
	return call->source;
}

uint64_t ipc_call_trace(const struct ipc_call *call)
{
	return call->trace;
}

struct str ipc_call_payload(const struct ipc_call *call)
{
	return call->payload;
}

uint64_t ipc_call_deadline(const struct ipc_call *call)
{
	return call->deadline_ms;
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * debug: STARLING_IPC_DEBUG=1 writes one log line for each record, with the method's name and each field that is set. Secrets are shown as
 * lengths only: a field is secret by its name. */
#include <stdio.h>

#include "common/base/log.h"
#include "ipc/runtime/bus_core.h"

#define LINE_MAX_BYTES 4096u
#define VALUE_MAX      200
#define DEPTH_MAX      8u

static bool is_secret(const char *field)
{
	static const char *const names[] = { "password", "input", "output", "state", "data", "stanza", "xml", "salt" };
	size_t n = strlen(field);

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strcmp(field, names[i]) == 0)
			return true;
	return n > 4 && strcmp(field + n - 4, "_key") == 0;
}

static void write_message(struct buf *out, const ProtobufCMessage *m, unsigned depth);

static void write_bytes(struct buf *out, const ProtobufCFieldDescriptor *f, const char *p, size_t n)
{
	if (f->type == PROTOBUF_C_TYPE_BYTES || is_secret(f->name))
		buf_printf(out, "(%zu bytes)", n);
	else
		buf_printf(out, "\"%.*s\"", (int)(n > VALUE_MAX ? VALUE_MAX : n), p);
}

static void write_enum(struct buf *out, const ProtobufCFieldDescriptor *f, int number)
{
	const ProtobufCEnumValue *v = protobuf_c_enum_descriptor_get_value(f->descriptor, number);

	if (v)
		buf_append_cstr(out, v->name);
	else
		buf_printf(out, "%d", number);
}

static void write_value(struct buf *out, const ProtobufCFieldDescriptor *f, const void *at, unsigned depth)
{
	switch (f->type) {
	case PROTOBUF_C_TYPE_STRING: {
		const char *s = *(const char *const *)at;

		write_bytes(out, f, s ? s : "", s ? strlen(s) : 0);
		break;
	}
	case PROTOBUF_C_TYPE_BYTES:
		write_bytes(out, f, NULL, ((const ProtobufCBinaryData *)at)->len);
		break;
	case PROTOBUF_C_TYPE_MESSAGE:
		write_message(out, *(const ProtobufCMessage *const *)at, depth + 1);
		break;
	case PROTOBUF_C_TYPE_ENUM:
		write_enum(out, f, *(const int *)at);
		break;
	case PROTOBUF_C_TYPE_BOOL:
		buf_append_cstr(out, *(const protobuf_c_boolean *)at ? "true" : "false");
		break;
	case PROTOBUF_C_TYPE_FIXED64:
		buf_printf(out, "%016llx", (unsigned long long)*(const uint64_t *)at);
		break;
	case PROTOBUF_C_TYPE_UINT64:
		buf_printf(out, "%llu", (unsigned long long)*(const uint64_t *)at);
		break;
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
		buf_printf(out, "%lld", (long long)*(const int64_t *)at);
		break;
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
		buf_printf(out, "%u", *(const uint32_t *)at);
		break;
	case PROTOBUF_C_TYPE_DOUBLE:
		buf_printf(out, "%g", *(const double *)at);
		break;
	case PROTOBUF_C_TYPE_FLOAT:
		buf_printf(out, "%g", (double)*(const float *)at);
		break;
	default:
		buf_printf(out, "%d", *(const int32_t *)at);
		break;
	}
}

static size_t value_size(ProtobufCType type)
{
	switch (type) {
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_MESSAGE:
		return sizeof(void *);
	case PROTOBUF_C_TYPE_BYTES:
		return sizeof(ProtobufCBinaryData);
	case PROTOBUF_C_TYPE_BOOL:
		return sizeof(protobuf_c_boolean);
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
	case PROTOBUF_C_TYPE_DOUBLE:
		return 8;
	default:
		return 4;
	}
}

/* What proto3 would not send is not shown. */
static bool is_default(const ProtobufCFieldDescriptor *f, const void *at)
{
	static const char zero[sizeof(ProtobufCBinaryData)];

	if (f->type == PROTOBUF_C_TYPE_STRING)
		return !*(const char *const *)at || !**(const char *const *)at;
	return memcmp(at, zero, value_size(f->type)) == 0;
}

static void write_repeated(struct buf *out, const ProtobufCFieldDescriptor *f, const ProtobufCMessage *m, unsigned depth)
{
	size_t n = *(const size_t *)((const char *)m + f->quantifier_offset);
	const char *items = *(const char *const *)((const char *)m + f->offset);

	if (n == 0)
		return;
	buf_printf(out, " %s=[", f->name);
	for (size_t i = 0; i < n && buf_str(out).n < LINE_MAX_BYTES; i++) {
		if (i > 0)
			buf_append_char(out, ' ');
		write_value(out, f, items + i * value_size(f->type), depth);
	}
	buf_append_char(out, ']');
}

static void write_message(struct buf *out, const ProtobufCMessage *m, unsigned depth)
{
	if (!m || depth > DEPTH_MAX)
		return;
	buf_append_char(out, '{');
	for (unsigned i = 0; i < m->descriptor->n_fields && buf_str(out).n < LINE_MAX_BYTES; i++) {
		const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];
		const char *at = (const char *)m + f->offset;

		if (f->label == PROTOBUF_C_LABEL_REPEATED) {
			write_repeated(out, f, m, depth);
		} else if (!is_default(f, at)) {
			buf_printf(out, " %s=", f->name);
			write_value(out, f, at, depth);
		}
	}
	buf_append_cstr(out, " }");
}

void debug_message(const struct ipc_bus *bus, const char *arrow, const char *via, const struct envelope *e, const ProtobufCMessage *message,
                   size_t payload)
{
	static const char *const kinds[] = { "none", "call", "reply", "failure", "event", "credit" };
	const struct ipc_method *method = ipc_method_find(e->method);
	uint64_t other = e->source == bus->instance ? e->destination : e->source;
	const Starling__Registration *peer = ipc_bus_find(bus, other);
	struct buf line = { 0 };

	buf_printf(&line, "ipc %s %s %s", arrow, e->kind > 0 && e->kind < 6 ? kinds[e->kind] : "?", method ? method->name : "");
	buf_printf(&line, " via=%s peer=%s/%016llx", via, peer ? peer->name : "router", (unsigned long long)other);
	if (e->call)
		buf_printf(&line, " call=%llx", (unsigned long long)e->call);
	if (e->trace)
		buf_printf(&line, " trace=%016llx", (unsigned long long)e->trace);
	if (e->credit)
		buf_printf(&line, " credit=%u", e->credit);
	if (e->kind == STARLING__KIND__KIND_FAILURE)
		buf_printf(&line, " code=%s text=\"%.*s\"", ipc_code_name(e->code), STR_ARG(e->text));
	if (payload)
		buf_printf(&line, " payload=(%zu bytes)", payload);
	if (message) {
		buf_append_char(&line, ' ');
		write_message(&line, message, 0);
	}
	log_info(NULL, "%.*s", STR_ARG(buf_str(&line)));
	buf_fini(&line);
}

void debug_record(const struct ipc_bus *bus, const char *arrow, const char *via, const struct envelope *e, const struct frame_record *r)
{
	const struct ipc_method *method = ipc_method_find(e->method);
	const ProtobufCMessageDescriptor *d = NULL;
	ProtobufCMessage *m;

	if (method && (e->kind == STARLING__KIND__KIND_CALL || e->kind == STARLING__KIND__KIND_EVENT))
		d = method->request;
	else if (method && e->kind == STARLING__KIND__KIND_REPLY)
		d = method->reply;
	m = d ? protobuf_c_message_unpack(d, NULL, r->body.n, (const uint8_t *)r->body.p) : NULL;
	debug_message(bus, arrow, via, e, m, r->payload.n);
	if (m)
		protobuf_c_message_free_unpacked(m, NULL);
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * private: XEP-0049 1.2. Elements that a user's clients keep at the server, one for each name and namespace. */
#include "ipc/gen/storage.client.h"
#include "services/session-manager/features/features.h"
#include "services/session-manager/sm.h"

#define NS_PRIVATE "jabber:iq:private"

static void fill_key(struct iq *iq, const struct xml_node *n, Starling__PrivateKey *out)
{
	starling__private_key__init(out);
	out->account = arena_strndup(iq->arena, iq->account.p, iq->account.n);
	out->name = arena_strndup(iq->arena, n->name.p, n->name.n);
	out->ns = arena_strndup(iq->arena, n->ns.p, n->ns.n);
}

/* An element without a namespace of its own could not be told apart (XEP-0049 section 2). */
static bool has_own_ns(const struct xml_node *n)
{
	return n->ns.n > 0 && !str_is(n->ns, NS_PRIVATE) && !str_is(n->ns, "jabber:client");
}

static void on_get(const struct ipc_result *result, const Starling__XmlReply *reply, void *ctx)
{
	struct iq *iq = ctx;
	const struct xml_node *asked = xml_first_element(iq->child);
	struct xml_node empty = { .name = asked->name, .ns = asked->ns };
	struct buf out = { 0 };

	if (!ipc_ok(result)) {
		iq_fail(iq, result->code);
		return;
	}
	buf_append_cstr(&out, "<query xmlns='" NS_PRIVATE "'>");
	if (reply->xml.len)
		buf_append(&out, reply->xml.data, reply->xml.len);
	else
		xml_write(&out, &empty, STR(NS_PRIVATE));
	buf_append_cstr(&out, "</query>");
	iq_result(iq, buf_str(&out));
	buf_fini(&out);
}

static void get(struct iq *iq)
{
	const struct xml_node *asked = xml_first_element(iq->child);
	Starling__PrivateKey key;

	if (!asked || xml_next_element(asked)) {
		iq_error(iq, "bad-request", "Ask for exactly one element.");
		return;
	}
	if (!has_own_ns(asked)) {
		iq_error(iq, "not-acceptable", "The element needs a namespace of its own.");
		return;
	}
	fill_key(iq, asked, &key);
	call_storage_private_get(iq->sm->bus, ipc_any("storage"), &(struct ipc_opts){ .trace = iq->trace }, &key, on_get, iq);
}

/* One set may hold several elements; it is answered when the last of them is stored, with the first failure if there was one. */
struct put {
	struct iq *iq;
	uint32_t open;
	int code;
};

static void on_put(const struct ipc_result *result, const Starling__Empty *reply, void *ctx)
{
	struct put *put = ctx;

	(void)reply;
	if (!ipc_ok(result) && !put->code)
		put->code = result->code;
	if (--put->open)
		return;
	if (put->code)
		iq_fail(put->iq, put->code);
	else
		iq_result(put->iq, (struct str){ 0 });
}

static void put_one(struct put *put, const struct xml_node *n)
{
	Starling__PrivatePutRequest request = STARLING__PRIVATE_PUT_REQUEST__INIT;
	Starling__PrivateKey key;
	struct buf xml = { 0 };

	fill_key(put->iq, n, &key);
	xml_write(&xml, n, STR(NS_PRIVATE));
	request.key = &key;
	request.xml = (ProtobufCBinaryData){ xml.n, (uint8_t *)xml.p };
	put->open++;
	call_storage_private_put(put->iq->sm->bus, ipc_any("storage"), &(struct ipc_opts){ .trace = put->iq->trace }, &request, on_put,
	                         put);
	buf_fini(&xml);
}

static void set(struct iq *iq)
{
	struct put *put = arena_zalloc(iq->arena, sizeof(*put));

	if (!xml_first_element(iq->child)) {
		iq_error(iq, "not-acceptable", "There is nothing to store.");
		return;
	}
	for (const struct xml_node *n = xml_first_element(iq->child); n; n = xml_next_element(n))
		if (!has_own_ns(n)) {
			iq_error(iq, "not-acceptable", "The element needs a namespace of its own.");
			return;
		}
	put->iq = iq;
	for (const struct xml_node *n = xml_first_element(iq->child); n; n = xml_next_element(n))
		put_one(put, n);
}

static void refuse(struct iq *iq)
{
	iq_error(iq, "forbidden", NULL);
}

static const struct iq_row rows[] = {
	{ NS_PRIVATE, "query", IQ_SELF, IQ_GET, get, false },
	{ NS_PRIVATE, "query", IQ_SELF, IQ_SET, set, false },
	{ NS_PRIVATE, "query", IQ_ACCOUNT, IQ_GET | IQ_SET, refuse, false },
	{ 0 },
};

static const char *const vars[] = { NS_PRIVATE, NULL };

const struct iq_feature private_feature = { "private", rows, vars, NULL };

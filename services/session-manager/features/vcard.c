/* SPDX-License-Identifier: Apache-2.0
 *
 * vcard: XEP-0054 1.2 (vcard-temp). Everyone may read, the owner alone may write. That there is no vCard and that there is no such user
 * look the same to others (section 3.3). */
#include "ipc/gen/storage.client.h"
#include "services/session-manager/features/features.h"
#include "services/session-manager/sm.h"

#define NS_VCARD "vcard-temp"

static void on_get(const struct ipc_result *result, const Starling__XmlReply *reply, void *ctx)
{
	struct iq *iq = ctx;

	if (!ipc_ok(result) && result->code != STARLING__CODE__CODE_NOT_FOUND)
		iq_fail(iq, result->code);
	else if (ipc_ok(result) && reply->xml.len)
		iq_result(iq, str_make(reply->xml.data, reply->xml.len));
	else if (iq->scope == IQ_SELF)
		iq_result(iq, STR("<vCard xmlns='" NS_VCARD "'/>"));
	else
		iq_error(iq, "service-unavailable", NULL);
}

static void get(struct iq *iq)
{
	Starling__AccountKey key = STARLING__ACCOUNT_KEY__INIT;

	key.account = arena_strndup(iq->arena, iq->account.p, iq->account.n);
	call_storage_vcard_get(iq->sm->bus, ipc_any("storage"), &(struct ipc_opts){ .trace = iq->trace }, &key, on_get, iq);
}

static void on_set(const struct ipc_result *result, const Starling__Empty *reply, void *ctx)
{
	struct iq *iq = ctx;

	(void)reply;
	if (ipc_ok(result))
		iq_result(iq, (struct str){ 0 });
	else
		iq_fail(iq, result->code);
}

static void set(struct iq *iq)
{
	Starling__VcardPutRequest request = STARLING__VCARD_PUT_REQUEST__INIT;
	struct buf xml = { 0 };

	xml_write(&xml, iq->child, STR("jabber:client"));
	request.account = arena_strndup(iq->arena, iq->account.p, iq->account.n);
	request.xml = (ProtobufCBinaryData){ xml.n, (uint8_t *)xml.p };
	call_storage_vcard_put(iq->sm->bus, ipc_any("storage"), &(struct ipc_opts){ .trace = iq->trace }, &request, on_set, iq);
	buf_fini(&xml);
}

static void refuse(struct iq *iq)
{
	iq_error(iq, "forbidden", NULL);
}

static void host(struct iq *iq)
{
	iq_result(iq, STR("<vCard xmlns='" NS_VCARD "'><FN>Starling</FN><DESC>A messaging server</DESC></vCard>"));
}

static const struct iq_row rows[] = {
	{ NS_VCARD, "vCard", IQ_SELF | IQ_ACCOUNT, IQ_GET, get, false }, { NS_VCARD, "vCard", IQ_SELF, IQ_SET, set, false },
	{ NS_VCARD, "vCard", IQ_ACCOUNT, IQ_SET, refuse, false },        { NS_VCARD, "vCard", IQ_HOST, IQ_GET, host, false },
	{ NS_VCARD, "vCard", IQ_HOST, IQ_SET, refuse, false },           { 0 },
};

static const char *const vars[] = { NS_VCARD, NULL };

const struct iq_feature vcard_feature = { "vcard", rows, vars, vars };

/* SPDX-License-Identifier: Apache-2.0 */
#include "services/session-manager/archive_retract.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/xml/xml.h"
#include "common/xmpp/jid.h"
#include "common/xmpp/stanza.h"
#include "ipc/gen/storage.client.h"
#include "services/session-manager/later.h"
#include "services/session-manager/sm.h"

#define NS_RETRACT   "urn:xmpp:message-retract:1"
#define ATTEMPTS_MAX 20 /* some half a minute */

struct retraction {
	struct sm *sm;
	struct arena *arena; /* of what the request points to */
	Starling__LogRetractRequest request;
	uint64_t trace;
	uint32_t attempts;
};

static void attempt(void *ctx);

static void retraction_free(struct retraction *r)
{
	arena_free(&r->arena);
	mem_free(r);
}

static void on_done(const struct ipc_result *result, const Starling__Empty *reply, void *ctx)
{
	struct retraction *r = ctx;
	bool passes = result->code == CODE(UNAVAILABLE) || result->code == CODE(OVERLOAD) || result->code == CODE(TIMEOUT) ||
	              result->code == CODE(PEER_LOST);

	(void)reply;
	if (ipc_ok(result) || r->sm->stopping) {
		retraction_free(r);
	} else if (passes && ++r->attempts < ATTEMPTS_MAX) {
		later_again(r->sm, r->attempts, attempt, r);
	} else {
		/* Clients have the retraction itself; what is missing is the tombstone. */
		log_info(&r->sm->log, "a retracted message stays in the archive: %s", result->text);
		retraction_free(r);
	}
}

static void attempt(void *ctx)
{
	struct retraction *r = ctx;

	if (r->sm->stopping)
		retraction_free(r);
	else
		call_storage_log_retract(r->sm->bus, ipc_any("storage"), &(struct ipc_opts){ .trace = r->trace }, &r->request, on_done, r);
}

/* The message in the shape that is left of it: type and id as those who retract know them, and when and by which message it was retracted. Its
 * addresses and time stay with it in the log. */
static void write_tombstone(struct buf *out, const Starling__StanzaMeta *m, struct str target)
{
	const char *type = stanza_type_name((enum stanza_type)m->type);
	char stamp[32];

	clock_format_utc(clock_wall_us(), stamp);
	buf_append_cstr(out, "<message");
	if (type)
		xml_attr(out, "type", str_from(type));
	xml_attr(out, "id", target);
	buf_append_cstr(out, "><retracted xmlns='" NS_RETRACT "'");
	xml_attr(out, "id", str_from(m->id));
	xml_attr(out, "stamp", str_from(stamp));
	buf_append_cstr(out, "/></message>");
}

static char *keep(struct arena *a, struct str s)
{
	return arena_strndup(a, s.p, s.n);
}

void archive_retract(struct sm *sm, const struct packet *p)
{
	struct arena *arena = arena_new(0);
	const struct xml_node *root = xml_parse(arena, p->bytes, STR("jabber:client"));
	const struct xml_node *child = root ? xml_child(root, "retract", NS_RETRACT) : NULL;
	struct str target = child ? xml_get(child, "id") : (struct str){ 0 };
	struct retraction *r;
	struct buf tombstone = { 0 };

	/* Without a name of its own the retraction could not be named in the tombstone, which it must be. Rooms keep their own archives. */
	if (target.n == 0 || !p->meta->id[0] || p->meta->type == TYPE_GROUPCHAT || p->meta->type == TYPE_ERROR) {
		arena_free(&arena);
		return;
	}
	r = mem_new(struct retraction);
	r->sm = sm;
	r->arena = arena;
	r->trace = p->trace;
	starling__log_retract_request__init(&r->request);
	/* Section 5: only who sent the message may retract it, from whichever resource. */
	r->request.sender = keep(arena, jid_view_bare(str_from(p->meta->from)));
	r->request.recipient = keep(arena, jid_view_bare(str_from(p->meta->to)));
	r->request.target = keep(arena, target);
	write_tombstone(&tombstone, p->meta, target);
	r->request.tombstone.len = tombstone.n;
	r->request.tombstone.data = (uint8_t *)keep(arena, buf_str(&tombstone));
	buf_fini(&tombstone);
	attempt(r);
}

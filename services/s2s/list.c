/* SPDX-License-Identifier: Apache-2.0
 *
 * list: what operators see and do (ipc/proto/s2s.proto). */
#include "services/s2s/s2s.h"

#include <stdio.h>

#include "common/base/mem.h"
#include "ipc/gen/s2s.server.h"

#define LIMIT_MAX 10000u

static const char *const link_states[] = {
	[S2S_LINK_IDLE] = "idle",        [S2S_LINK_LOOKING] = "looks for the server",
	[S2S_LINK_DIALING] = "connects", [S2S_LINK_TALKING] = "agrees",
	[S2S_LINK_OPEN] = "open",        [S2S_LINK_RESTING] = "waits to try again",
};

static const char *const proofs[] = { [S2S_PROOF_NONE] = "", [S2S_PROOF_CERTIFICATE] = "certificate", [S2S_PROOF_DIALBACK] = "dialback" };

struct listing {
	struct arena *arena;
	Starling__S2sLink **links;
	size_t count, limit;
	const char *domain;
};

static Starling__S2sLink *add(struct listing *out, const char *local, const char *remote)
{
	Starling__S2sLink *l;

	if (out->count == out->limit || (out->domain[0] && strcmp(out->domain, remote) != 0))
		return NULL;
	l = arena_alloc(out->arena, sizeof(*l));
	starling__s2s_link__init(l);
	l->local = (char *)(uintptr_t)local;
	l->remote = (char *)(uintptr_t)remote;
	out->links[out->count++] = l;
	return l;
}

static void describe(struct listing *out, Starling__S2sLink *l, const struct s2s_stream *s)
{
	char address[NET_ADDR_TEXT_MAX], text[128];
	SSL *ssl = s->conn ? conn_tls(s->conn) : NULL;

	l->managed = s->outbound ? s->managed : s->managed_in;
	if (ssl) {
		snprintf(text, sizeof(text), "%s %s", SSL_get_version(ssl), SSL_get_cipher_name(ssl));
		l->tls = arena_strndup(out->arena, text, strlen(text));
	}
	l->compressed = s->conn && conn_compressed(s->conn);
	if (s->conn) {
		net_addr_text(conn_peer(s->conn), address);
		l->address = arena_strndup(out->arena, address, strlen(address));
	}
}

static void list_link(struct listing *out, struct s2s_link *k, uint64_t now_ms)
{
	Starling__S2sLink *l = add(out, k->local, k->remote);

	if (!l)
		return;
	l->direction = (char *)(uintptr_t)(k->out && k->out->bidi ? "both" : "out");
	l->state = (char *)(uintptr_t)link_states[k->state];
	l->since_ms = now_ms - k->since_ms;
	l->queued = k->count;
	l->spooled = k->spooled;
	l->error = k->error;
	if (k->out) {
		l->proof = (char *)(uintptr_t)proofs[k->out->proof];
		describe(out, l, k->out);
	}
}

static void list_stream(struct listing *out, struct s2s_stream *s, uint64_t now_ms)
{
	for (const struct s2s_pair *p = s->pairs; p && !s->outbound; p = p->next) {
		Starling__S2sLink *l = s->bidi && s->link ? NULL : add(out, p->local, p->remote);

		if (!l)
			continue;
		l->direction = (char *)(uintptr_t) "in";
		l->state = (char *)(uintptr_t)(p->proof == S2S_PROOF_NONE ? "verifies" : "open");
		l->proof = (char *)(uintptr_t)proofs[p->proof];
		l->since_ms = now_ms - s->since_ms;
		l->queued = s->window.taken - s->window.done;
		describe(out, l, s);
	}
}

void on_s2s_list(struct ipc_call *call, const Starling__S2sListRequest *r)
{
	struct s2s *s2s = ipc_call_daemon(call);
	Starling__S2sListReply reply = STARLING__S2S_LIST_REPLY__INIT;
	struct listing out = { .arena = s2s->arena, .domain = r->domain };
	uint64_t now_ms = net_now(s2s->net);

	out.limit = r->limit > 0 && r->limit < LIMIT_MAX ? r->limit : LIMIT_MAX;
	out.links = mem_alloc(out.limit * sizeof(*out.links));
	list_for_each (n, &s2s->links)
		list_link(&out, list_entry(n, struct s2s_link, node), now_ms);
	list_for_each (n, &s2s->streams)
		list_stream(&out, list_entry(n, struct s2s_stream, node), now_ms);
	reply.links = out.links;
	reply.n_links = out.count;
	reply_s2s_list(call, &reply);
	mem_free(out.links);
	arena_reset(s2s->arena);
}

/* By its header, or by what it has proved since. */
static bool speaks_for(const struct s2s_stream *s, const char *domain)
{
	if (s->remote && strcmp(s->remote, domain) == 0)
		return true;
	for (const struct s2s_pair *p = s->pairs; p; p = p->next) {
		if (strcmp(p->remote, domain) == 0)
			return true;
	}
	return false;
}

/* What the DNS said before may be what the operator has just mended. */
static uint32_t retry(struct s2s *s2s, const char *domain)
{
	uint32_t count = 0;

	list_for_each (n, &s2s->links) {
		struct s2s_link *l = list_entry(n, struct s2s_link, node);

		if ((!domain[0] || strcmp(l->remote, domain) == 0) && s2s_link_wake(l))
			count++;
	}
	if (count > 0)
		dns_forget(s2s->dns);
	return count;
}

void on_s2s_close(struct ipc_call *call, const Starling__S2sCloseRequest *r)
{
	struct s2s *s2s = ipc_call_daemon(call);
	Starling__S2sCloseReply reply = STARLING__S2S_CLOSE_REPLY__INIT;

	if (!r->domain[0]) {
		ipc_fail(call, STARLING__CODE__CODE_INVALID, "a remote domain is wanted");
		return;
	}
	list_for_each_safe (n, &s2s->streams) {
		struct s2s_stream *s = list_entry(n, struct s2s_stream, node);

		if (s->state == S2S_CLOSING || !speaks_for(s, r->domain))
			continue;
		s2s_finish(s, "by the operator");
		reply.closed++;
	}
	reply.retried = retry(s2s, r->domain);
	reply_s2s_close(call, &reply);
}

void on_s2s_retry(struct ipc_call *call, const Starling__S2sRetryRequest *r)
{
	Starling__S2sRetryReply reply = STARLING__S2S_RETRY_REPLY__INIT;

	reply.retried = retry(ipc_call_daemon(call), r->domain);
	reply_s2s_retry(call, &reply);
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * proof: the pairs of domains that a stream has proved. A server speaks for no other. */
#include "services/s2s/s2s.h"

#include "common/base/mem.h"
#include "services/s2s/metrics.h"

struct s2s_pair *s2s_pair_find(const struct s2s_stream *s, struct str local, struct str remote)
{
	for (struct s2s_pair *p = s->pairs; p; p = p->next) {
		if (str_is(local, p->local) && str_is(remote, p->remote))
			return p;
	}
	return NULL;
}

struct s2s_pair *s2s_pair_add(struct s2s_stream *s, struct str local, struct str remote)
{
	struct s2s_pair *p = s2s_pair_find(s, local, remote);

	if (p)
		return p;
	if (s->pair_count >= (uint64_t)s->s2s->config->pairs)
		return NULL;
	p = mem_new(struct s2s_pair);
	p->local = mem_strndup(local.p, local.n);
	p->remote = mem_strndup(remote.p, remote.n);
	p->next = s->pairs;
	s->pairs = p;
	s->pair_count++;
	return p;
}

void s2s_pair_drop(struct s2s_stream *s, struct s2s_pair *gone)
{
	for (struct s2s_pair **at = &s->pairs; *at; at = &(*at)->next) {
		struct s2s_pair *p = *at;

		if (p != gone)
			continue;
		*at = p->next;
		s->pair_count--;
		mem_free(p->local);
		mem_free(p->remote);
		mem_free(p);
		return;
	}
}

void s2s_pairs_fini(struct s2s_stream *s)
{
	while (s->pairs)
		s2s_pair_drop(s, s->pairs);
}

bool s2s_any_proved(const struct s2s_stream *s)
{
	for (const struct s2s_pair *p = s->pairs; p; p = p->next) {
		if (p->proof != S2S_PROOF_NONE)
			return true;
	}
	return false;
}

/* XEP-0288: what the link has to send goes over the stream that the other server has made, where it asked for that. */
static void use_both_ways(struct s2s_stream *s, const struct s2s_pair *p)
{
	uint32_t slot = hash_slot(str_from(p->remote));
	struct s2s_link *l;

	if (!s->bidi || s->link || !s2s_owns(s->s2s, slot) || !str_is(str_from(s->remote ? s->remote : ""), p->remote))
		return;
	l = s2s_link_get(s->s2s, str_from(p->local), str_from(p->remote));
	if (l->out)
		return;
	s2s_attempt_cancel(l);
	s->link = l;
	s->authenticated = true;
	s->proof = p->proof;
	s2s_link_open(l, s);
}

void s2s_proved(struct s2s_stream *s, struct s2s_pair *p, enum s2s_proof proof)
{
	p->proof = (uint8_t)proof;
	metric_inc(proof == S2S_PROOF_CERTIFICATE ? &s2s_metrics.proved_certificate : &s2s_metrics.proved_dialback);
	log_info(&s->log, "stream from %s to %s proof=%s %s", p->remote, p->local,
	         proof == S2S_PROOF_CERTIFICATE ? "certificate" : "dialback",
	         conn_tls(s->conn) ? SSL_get_version(conn_tls(s->conn)) : "in clear");
	s2s_stream_limits(s);
	use_both_ways(s, p);
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * policy: what the configuration says of a remote domain. */
#include "services/s2s/s2s.h"

/* A domain, or *.suffix for all below one. */
static bool matches(const char *pattern, const char *domain)
{
	size_t n = strlen(domain), k;

	if (strncmp(pattern, "*.", 2) != 0)
		return strcmp(pattern, domain) == 0;
	k = strlen(pattern) - 1;
	return n > k && strcmp(domain + n - k, pattern + 1) == 0;
}

static bool on_list(const struct config_list *list, const char *domain)
{
	for (size_t i = 0; i < list->count; i++) {
		if (matches(list->items[i], domain))
			return true;
	}
	return false;
}

bool s2s_policy_denied(const struct s2s *s2s, const char *remote)
{
	const struct s2s_config *c = s2s->config;

	return on_list(&c->deny, remote) || (c->allow.count > 0 && !on_list(&c->allow, remote));
}

bool s2s_policy_certificate(const struct s2s *s2s, const char *remote)
{
	const struct s2s_config *c = s2s->config;

	if (on_list(&c->certificate_domains, remote))
		return true;
	return c->default_proof == S2S_PROOF_BY_CERTIFICATE_ONLY && !on_list(&c->dialback_domains, remote);
}

/* A domain that is now denied, or was proved by what does not do any more. */
static bool refuses(const struct s2s *s2s, const char *remote, enum s2s_proof proof)
{
	return s2s_policy_denied(s2s, remote) || (proof == S2S_PROOF_DIALBACK && s2s_policy_certificate(s2s, remote));
}

void s2s_policy_again(struct s2s_stream *s)
{
	bool ends = s->remote && refuses(s->s2s, s->remote, (enum s2s_proof)s->proof);

	for (const struct s2s_pair *p = s->pairs; p && !ends; p = p->next)
		ends = refuses(s->s2s, p->remote, (enum s2s_proof)p->proof);
	if (!ends)
		return;
	if (s->link)
		s2s_attempt_cancel(s->link); /* no other address either */
	s2s_end(s, "policy-violation", "the configuration has changed");
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * policy: what the configuration says of a remote domain, and of where it says that it is. */
#include "services/s2s/s2s.h"

#include "common/net/cidr.h"
#include "common/net/public.h"

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

static bool in_networks(const struct config_list *list, const struct net_addr *addr)
{
	struct cidr network;
	struct err e;

	for (size_t i = 0; i < list->count; i++) {
		if (cidr_parse(list->items[i], &network, &e) == 0 && cidr_has(&network, addr))
			return true;
	}
	return false;
}

/* Anybody can write to anybody at any domain, and whoever has a domain says where it is: without this we would connect, for strangers, to what only the
 * operator's machines are to reach. */
bool s2s_policy_address(const struct s2s *s2s, const struct net_addr *addr)
{
	const struct config_list *list = &s2s->config->private_networks;
	struct net_addr inner = net_addr_inner(addr);

	return net_addr_is_public(addr) || in_networks(list, addr) || in_networks(list, &inner);
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

/* SPDX-License-Identifier: Apache-2.0 */
#include "common/dns/srv.h"

#include <stdlib.h>
#include <string.h>

#define ALL_MAX (2u * DNS_RECORDS_MAX)

static size_t take(const struct dns_result *r, bool direct_tls, struct srv_target *all, size_t n)
{
	for (size_t i = 0; i < r->count; i++) {
		const struct dns_srv *s = &r->srvs[i];

		if (s->target[0] && s->port)
			all[n++] = (struct srv_target){ s->target, s->priority, s->weight, s->port, direct_tls };
	}
	return n;
}

/* By priority; those of weight 0 first in theirs, "so that they have a very small chance" (RFC 2782). The rest is there to make the order one that does
 * not depend on the order of arrival. */
static int compare(const void *a, const void *b)
{
	const struct srv_target *x = a, *y = b;

	if (x->priority != y->priority)
		return x->priority < y->priority ? -1 : 1;
	if (x->weight != y->weight)
		return x->weight < y->weight ? -1 : 1;
	if (x->direct_tls != y->direct_tls)
		return x->direct_tls ? -1 : 1;
	if (x->port != y->port)
		return x->port < y->port ? -1 : 1;
	return strcmp(x->host, y->host);
}

/* RFC 2782, "Weight": a number from 0 to the sum of the n weights, both included, is drawn; the first target at which the running sum reaches it is
 * chosen. */
static size_t draw(const struct srv_target *of, size_t n, srv_chance chance, void *ctx)
{
	uint32_t sum = 0, running = 0, wanted;

	for (size_t i = 0; i < n; i++)
		sum += of[i].weight;
	wanted = chance(ctx, sum + 1);
	for (size_t i = 0; i < n; i++) {
		running += of[i].weight;
		if (running >= wanted)
			return i;
	}
	return n - 1;
}

void srv_merge(const struct dns_result *direct, const struct dns_result *starttls, srv_chance chance, void *ctx, struct srv_list *out)
{
	struct srv_target all[ALL_MAX];
	size_t n = take(starttls, false, all, take(direct, true, all, 0));

	out->said = direct->count > 0 || starttls->count > 0;
	out->count = 0;
	qsort(all, n, sizeof(all[0]), compare);
	for (size_t first = 0; first < n && out->count < SRV_TARGETS_MAX; first++) {
		size_t same = 1, chosen;

		while (first + same < n && all[first + same].priority == all[first].priority)
			same++;
		chosen = first + draw(all + first, same, chance, ctx);
		struct srv_target t = all[chosen];
		/* The others keep their order. */
		memmove(&all[first + 1], &all[first], (chosen - first) * sizeof(all[0]));
		all[first] = t;
		out->targets[out->count++] = t;
	}
}

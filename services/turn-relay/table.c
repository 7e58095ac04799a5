/* SPDX-License-Identifier: Apache-2.0
 *
 * table: allocations by their client's transport address and the socket that he sends to: the 5-tuple of those who come by datagrams (RFC 8656 section 6). Grows when one is made, never on
 * a packet's way. */
#include "common/base/mem.h"
#include "services/turn-relay/mix.h"
#include "services/turn-relay/worker.h"

static struct allocation **bucket(struct worker *w, const struct net_addr *client, const struct udp_port *port)
{
	return &w->buckets[mix_address(client->ip, client->port, port->index, w->shared->hash_key) & (w->bucket_count - 1)];
}

struct allocation *table_find(struct worker *w, const struct net_addr *client, const struct udp_port *port)
{
	struct allocation *a = *bucket(w, client, port);

	while (a && (a->client.udp != port || a->client.addr.port != client->port || memcmp(a->client.addr.ip, client->ip, 16) != 0))
		a = a->next;
	return a;
}

static void insert(struct worker *w, struct allocation *a)
{
	struct allocation **at = bucket(w, &a->client.addr, a->client.udp);

	a->next = *at;
	*at = a;
}

static void grow(struct worker *w)
{
	struct allocation **old = w->buckets;
	uint32_t count = w->bucket_count;

	w->bucket_count = 2 * count;
	w->buckets = mem_zalloc(w->bucket_count * sizeof(*w->buckets));
	for (uint32_t i = 0; i < count; i++) {
		while (old[i]) {
			struct allocation *a = old[i];

			old[i] = a->next;
			insert(w, a);
		}
	}
	mem_free(old);
}

void table_add(struct worker *w, struct allocation *a)
{
	if (w->allocation_count >= w->bucket_count)
		grow(w);
	insert(w, a);
}

void table_remove(struct worker *w, struct allocation *a)
{
	struct allocation **at = bucket(w, &a->client.addr, a->client.udp);

	while (*at != a)
		at = &(*at)->next;
	*at = a->next;
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * admit: who may open a direct connection to us, and in whose name. A listed key was needed to connect at all (zap.h); it must be one of the role
 * that the directory gives the instance. */
#include "ipc/gen/link.client.h"
#include "ipc/runtime/bus_core.h"

static int why_refused(const struct direct *d, const struct envelope *e, const struct peer *p, const char *user, uint64_t connection,
                       const char **out_why)
{
	if (e->destination != d->bus->instance || connection == 0 || e->source >= d->bus->instance) {
		*out_why = "not for this instance, or not by the lower number";
		return STARLING__CODE__CODE_INVALID;
	}
	if (!p) {
		*out_why = "the instance is not in the directory";
		return STARLING__CODE__CODE_NOT_FOUND;
	}
	*out_why = "the key is not listed for the instance's role";
	return allow_has(&d->bus->allow, p->registration->role, user) ? STARLING__CODE__CODE_OK : STARLING__CODE__CODE_DENIED;
}

/* The first record of a connection. */
static struct pair *open_pair(struct direct *d, const uint8_t *id, size_t id_n, const char *user, const struct envelope *e,
                              const struct frame_record *r)
{
	const Starling__LinkOpenRequest *request =
	        (const Starling__LinkOpenRequest *)codec_unpack(d->bus->arena, &starling__link_open_request__descriptor, r->body);
	struct peer *p = directory_find(&d->bus->directory, e->source);
	uint64_t connection = request ? request->connection : 0;
	const char *why;
	int code = why_refused(d, e, p, user, connection, &why);
	struct pair *c;

	arena_reset(d->bus->arena);
	if (code != STARLING__CODE__CODE_OK) {
		receive_refused(d->bus, why, e->source);
		direct_refuse(d, id, id_n, e->source, e->call, code, why);
		return NULL;
	}
	if (p->pair)
		pair_lost(p->pair, "opened anew");
	c = pair_accept(d->bus, p, id, id_n, user, connection);
	c->id_hash = direct_hash(d, id, id_n);
	idmap_put(&d->by_id, c->id_hash, c);
	return c;
}

void admit_frame(struct direct *d, const uint8_t *id, size_t id_n, const char *user, struct str frame)
{
	struct frame_reader reader;
	struct frame_record r;
	struct envelope e = { 0 };

	if (frame_open(&reader, frame) && frame_next(&reader, &r) && envelope_read(r.envelope, &e) && e.kind == STARLING__KIND__KIND_CALL &&
	    e.method == METHOD_LINK_OPEN) {
		open_pair(d, id, id_n, user, &e, &r);
		return;
	}
	receive_refused(d->bus, "not opened", e.source);
	direct_refuse(d, id, id_n, e.source, 0, STARLING__CODE__CODE_NOT_FOUND, "not opened");
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * peers: who is connected and what they said of themselves; the directory that all get. */
#include <string.h>

#include "common/base/clock.h"
#include "common/base/hash.h"
#include "common/base/mem.h"
#include "ipc/gen/bus.client.h"
#include "services/router/router.h"

#define SILENT_TICKS 3u

static uint64_t id_hash(const struct router *r, const uint8_t *id, size_t n)
{
	return (hash_fnv1a64(str_make(id, n)) ^ r->hash_seed) | 1;
}

struct peer *peers_by_id(const struct router *r, const uint8_t *id, size_t n)
{
	struct peer *p = idmap_get(&r->by_id, id_hash(r, id, n));

	return p && p->id_n == n && memcmp(p->id, id, n) == 0 ? p : NULL;
}

struct peer *peers_by_instance(const struct router *r, uint64_t instance)
{
	return idmap_get(&r->by_instance, instance);
}

static void set_registration(struct router *r, struct peer *p, const Starling__Registration *reg, uint64_t connection)
{
	if (p->registration)
		starling__registration__free_unpacked(p->registration, NULL);
	p->registration = (Starling__Registration *)codec_copy(&reg->base);
	p->registration->connection = connection;
	r->directory_changed = true;
}

struct peer *peers_add(struct router *r, const struct router_origin *o, const Starling__Registration *reg)
{
	struct peer *p = mem_new(struct peer);

	p->instance = reg->instance;
	memcpy(p->id, o->id, o->id_n);
	p->id_n = o->id_n;
	p->id_hash = id_hash(r, o->id, o->id_n);
	p->user = mem_strdup(o->user);
	list_init(&p->dirty);
	set_registration(r, p, reg, random_u64());
	idmap_put(&r->by_instance, p->instance, p);
	idmap_put(&r->by_id, p->id_hash, p);
	log_info(daemon_log(r->daemon), "joined role=%s name=%s instance=%016llx", p->registration->role, p->registration->name,
	         (unsigned long long)p->instance);
	return p;
}

void peers_update(struct router *r, struct peer *p, const Starling__Registration *reg)
{
	if (reg->revision > p->registration->revision)
		set_registration(r, p, reg, p->registration->connection);
}

static void peer_free(struct peer *p)
{
	list_remove(&p->dirty);
	buf_fini(&p->out);
	starling__registration__free_unpacked(p->registration, NULL);
	mem_free(p->user);
	mem_free(p);
}

void peers_drop(struct router *r, struct peer *p, const char *why)
{
	struct buf out = p->out;

	log_info(daemon_log(r->daemon), "gone role=%s name=%s instance=%016llx why=%s", p->registration->role, p->registration->name,
	         (unsigned long long)p->instance, why);
	idmap_remove(&r->by_instance, p->instance);
	if (idmap_get(&r->by_id, p->id_hash) == p)
		idmap_remove(&r->by_id, p->id_hash);
	p->out = (struct buf){ 0 };
	peer_free(p);
	r->directory_changed = true;
	forward_return(r, buf_str(&out));
	buf_fini(&out);
}

static struct peer *find_unlisted(const struct router *r)
{
	IDMAP_EACH(&r->by_instance, i)
	{
		struct peer *p = r->by_instance.cells[i].value;

		if (!allow_has(&r->allow, p->registration->role, p->user))
			return p;
	}
	return NULL;
}

void peers_revoke(struct router *r)
{
	struct peer *p;

	while ((p = find_unlisted(r)))
		peers_drop(r, p, "its key is not listed any more");
}

void peers_free(struct router *r)
{
	IDMAP_EACH(&r->by_instance, i)
	{
		peer_free(r->by_instance.cells[i].value);
	}
	idmap_fini(&r->by_instance);
	idmap_fini(&r->by_id);
}

void peers_dirty(struct router *r, struct peer *p)
{
	if (list_unlinked(&p->dirty))
		list_push_back(&r->dirty, &p->dirty);
}

/* The same event to everyone, packed once. */
static void to_all(struct router *r, uint32_t method, const ProtobufCMessage *message)
{
	size_t n = protobuf_c_message_get_packed_size(message);
	struct envelope e = { .kind = STARLING__KIND__KIND_EVENT, .method = method, .source = r->instance };
	uint8_t *body = mem_alloc(n);

	protobuf_c_message_pack(message, body);
	IDMAP_EACH(&r->by_instance, i)
	{
		struct peer *p = r->by_instance.cells[i].value;

		e.destination = p->instance;
		record_write_raw(&p->out, &e, str_make(body, n), (struct str){ NULL, 0 });
		peers_dirty(r, p);
	}
	mem_free(body);
}

void peers_broadcast(struct router *r)
{
	Starling__DirectoryEvent event;

	if (!r->directory_changed)
		return;
	r->directory_changed = false;
	starling__directory_event__init(&event);
	event.revision = ++r->directory_revision;
	event.instances = mem_alloc((r->by_instance.count + 1) * sizeof(*event.instances));
	IDMAP_EACH(&r->by_instance, i)
	{
		event.instances[event.n_instances++] = ((struct peer *)r->by_instance.cells[i].value)->registration;
	}
	to_all(r, METHOD_BUS_DIRECTORY, &event.base);
	mem_free(event.instances);
}

static struct peer *find_silent(const struct router *r)
{
	IDMAP_EACH(&r->by_instance, i)
	{
		struct peer *p = r->by_instance.cells[i].value;

		if (p->silent_ticks > SILENT_TICKS)
			return p;
	}
	return NULL;
}

void peers_heartbeat(struct router *r)
{
	Starling__HeartbeatEvent event;
	struct peer *silent;

	while ((silent = find_silent(r)))
		peers_drop(r, silent, "silent");
	starling__heartbeat_event__init(&event);
	event.revision = r->directory_revision;
	to_all(r, METHOD_BUS_HEARTBEAT, &event.base);
}

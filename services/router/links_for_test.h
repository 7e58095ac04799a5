/* SPDX-License-Identifier: Apache-2.0
 *
 * links_for_test: two buses with a direct connection, for the tests of those. Included once a program. */
#ifndef SERVICES_ROUTER_LINKS_FOR_TEST_H
#define SERVICES_ROUTER_LINKS_FOR_TEST_H

#include "ipc/runtime/bus_core.h"
#include "services/router/bus_for_test.h"

static inline struct peer *peer_of(struct ipc_bus *bus, uint64_t instance)
{
	return directory_find(&bus->directory, instance);
}

/* Both directions go by the direct connection. */
static inline bool settled(struct ipc_bus *bus, uint64_t instance)
{
	for (int i = 0; i < 500; i++) {
		const struct peer *p = peer_of(bus, instance);

		if (p && path_settled(&p->path))
			return true;
		flock_run(&flock, NULL, 0, 10);
	}
	return false;
}

static inline struct ipc_stats stats_of(struct ipc_bus *bus)
{
	struct ipc_stats stats;

	ipc_bus_stats(bus, &stats);
	return stats;
}

/* A client and a server that have talked until their connection stands. */
static inline uint64_t couple(struct client *c, struct server *s, struct ipc_bus **out_server, const char *role)
{
	uint64_t to;

	*s = (struct server){ 0 };
	*out_server = server_new(s, role, 0);
	client_new(c, 0);
	to = client_find(c, role);
	assert_int_equal(to, ipc_bus_instance(*out_server));
	c->only = to;
	call(c, ipc_instance(to), METHOD_AUTH_MECHANISMS, 0);
	assert_true(flock_run(&flock, &c->done, 1, 2000));
	assert_true(settled(c->bus, to));
	assert_true(settled(*out_server, ipc_bus_instance(c->bus)));
	return to;
}

static inline void finish(struct client *c, struct ipc_bus *server)
{
	end(c->bus);
	end(server);
}

#endif

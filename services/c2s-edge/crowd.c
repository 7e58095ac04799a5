/* SPDX-License-Identifier: Apache-2.0
 *
 * crowd: when many have logged in at once, the heap is three times what their sessions need: each had two or three pieces of 16 KiB for its handshake, and
 * what stays lies between them. Once it is quiet again, the pages are given back to the kernel. */
#include <malloc.h>

#include "common/base/mem.h"
#include "services/c2s-edge/c2s.h"

#define LOOK_MS 2000u
#define CROWD   200u /* so many logins, and it is worth some milliseconds */
#define QUIET   20u  /* fewer between two looks, and it is over */

struct c2s_crowd {
	uv_timer_t timer;
	uint32_t came, lately;
};

static void on_look(uv_timer_t *t)
{
	struct c2s_crowd *c = (struct c2s_crowd *)t;
	bool over = c->lately < QUIET;

	c->lately = 0;
	if (!over)
		return;
	uv_timer_stop(t);
#ifdef __GLIBC__
	if (c->came >= CROWD)
		malloc_trim(0);
#endif
	c->came = 0;
}

void c2s_crowd_start(struct c2s_edge *edge)
{
	edge->crowd = mem_new(struct c2s_crowd);
	uv_timer_init(edge->net->uv, &edge->crowd->timer);
}

void c2s_crowd_login(struct c2s_edge *edge)
{
	struct c2s_crowd *c = edge->crowd;

	c->came++;
	c->lately++;
	if (!uv_is_active((uv_handle_t *)&c->timer))
		uv_timer_start(&c->timer, on_look, LOOK_MS, LOOK_MS);
}

static void on_closed(uv_handle_t *handle)
{
	mem_free(handle);
}

void c2s_crowd_stop(struct c2s_edge *edge)
{
	uv_close((uv_handle_t *)&edge->crowd->timer, on_closed);
	edge->crowd = NULL;
}

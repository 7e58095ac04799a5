/* SPDX-License-Identifier: Apache-2.0
 *
 * ticker: what must not wait for the wheel's coarse ticks, and be gathered all the same: acknowledgements for the owners, and clients' <r/> whose
 * answer is due. Between two ticks all that piles up goes out as one. */
#include "common/base/mem.h"
#include "services/c2s-edge/sm.h"

#define TICK_MS 20u

struct c2s_ticker {
	uv_timer_t timer;
	struct c2s_edge *edge;
};

static void on_tick(uv_timer_t *t)
{
	struct c2s_edge *edge = ((struct c2s_ticker *)t)->edge;

	c2s_acked_flush(edge);
	c2s_ack_due(edge);
	if (!list_empty(&edge->answers))
		c2s_ticker_want(edge);
}

void c2s_ticker_start(struct c2s_edge *edge)
{
	edge->ticker = mem_new(struct c2s_ticker);
	edge->ticker->edge = edge;
	uv_timer_init(edge->net->uv, &edge->ticker->timer);
}

void c2s_ticker_want(struct c2s_edge *edge)
{
	if (!uv_is_active((uv_handle_t *)&edge->ticker->timer))
		uv_timer_start(&edge->ticker->timer, on_tick, TICK_MS, 0);
}

static void on_closed(uv_handle_t *handle)
{
	mem_free(handle);
}

void c2s_ticker_stop(struct c2s_edge *edge)
{
	uv_close((uv_handle_t *)&edge->ticker->timer, on_closed);
	edge->ticker = NULL;
}

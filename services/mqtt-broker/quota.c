/* SPDX-License-Identifier: Apache-2.0
 *
 * quota: what all connections of one user have together (limits.user). Nobody is counted while there are no such limits; who logs in without a name has none. */
#include "common/base/mem.h"
#include "common/net/ratelimit.h"
#include "services/mqtt-broker/rights.h"

struct mq_user {
	struct str account; /* owned */
	uint32_t clients, subscriptions;
	struct bucket messages, bytes;
};

static bool configured(const struct mq_config *cfg)
{
	return cfg->user_connections || cfg->user_subscriptions || cfg->user_message_rate || cfg->user_read_rate;
}

static struct mq_user *user_new(struct mq_broker *b, const char *account)
{
	struct mq_user *u = mem_new(struct mq_user);
	uint64_t now = net_now(b->net);

	u->account = str_from(mem_strdup(account));
	bucket_fill(&u->messages, (double)b->config->user_message_burst, now);
	bucket_fill(&u->bytes, (double)b->config->user_read_burst, now);
	mq_names_put(&b->users, u);
	return u;
}

bool mq_quota_enter(struct mq_client *c, bool takes_over)
{
	struct mq_broker *b = c->broker;
	const struct mq_config *cfg = b->config;
	const char *name = mq_client_user(c);
	struct mq_user *u;

	if (c->quota || !name || !configured(cfg))
		return true;
	u = mq_names_get(&b->users, str_from(name));
	if (u && cfg->user_connections && u->clients >= (uint64_t)cfg->user_connections + takes_over)
		return false;
	c->quota = u ? u : user_new(b, name);
	c->quota->clients++;
	return true;
}

void mq_quota_leave(struct mq_client *c)
{
	struct mq_user *u = c->quota;

	if (!u)
		return;
	c->quota = NULL;
	u->subscriptions -= c->counted;
	c->counted = 0;
	if (--u->clients > 0)
		return;
	mq_names_remove(&c->broker->users, u->account);
	mem_free((char *)(uintptr_t)u->account.p);
	mem_free(u);
}

bool mq_quota_subscribed(struct mq_client *c)
{
	const struct mq_config *cfg = c->broker->config;
	uint32_t now = c->session ? c->session->subscriber.count : 0;

	if (!c->quota)
		return true;
	c->quota->subscriptions += now - c->counted;
	c->counted = now;
	return !cfg->user_subscriptions || c->quota->subscriptions <= (uint64_t)cfg->user_subscriptions;
}

/* What is above the rate makes the level negative, and nothing is read until it no longer is. */
static bool spend(struct bucket *b, int64_t rate, int64_t burst, double n, uint64_t now)
{
	if (rate == 0 || n == 0 || bucket_take(b, (double)rate, (double)burst, n, now))
		return true;
	b->tokens -= n;
	return false;
}

bool mq_quota_spend(struct mq_client *c, unsigned messages, size_t bytes)
{
	const struct mq_config *cfg = c->broker->config;
	uint64_t now = net_now(c->broker->net);
	bool ok;

	if (!c->quota)
		return true;
	ok = spend(&c->quota->messages, cfg->user_message_rate, cfg->user_message_burst, messages, now);
	return spend(&c->quota->bytes, cfg->user_read_rate, cfg->user_read_burst, (double)bytes, now) && ok;
}

bool mq_quota_waits(const struct mq_client *c)
{
	const struct mq_config *cfg = c->broker->config;
	uint64_t now = net_now(c->broker->net);
	struct mq_user *u = c->quota;

	if (!u)
		return false;
	return (cfg->user_message_rate &&
	        bucket_level(&u->messages, (double)cfg->user_message_rate, (double)cfg->user_message_burst, now) < 0) ||
	       (cfg->user_read_rate && bucket_level(&u->bytes, (double)cfg->user_read_rate, (double)cfg->user_read_burst, now) < 0);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "services/mqtt-broker/bans.h"

#include <stdio.h>

#include "common/base/mem.h"

static const char *text_of(const char *s)
{
	return s ? s : "";
}

void mq_bans_init(struct mq_bans *b)
{
	*b = (struct mq_bans){ 0 };
	list_init(&b->list);
}

static void drop(struct mq_bans *b, struct mq_ban *ban)
{
	list_remove(&ban->node);
	b->count--;
	mem_free(ban->client);
	mem_free(ban->user);
	mem_free(ban->address);
	mem_free(ban);
}

void mq_bans_fini(struct mq_bans *b)
{
	list_for_each_safe (n, &b->list)
		drop(b, list_entry(n, struct mq_ban, node));
}

int mq_whom_parse(const struct mq_whom *whom, struct mq_ban *out, struct err *e)
{
	*out = (struct mq_ban){ .client = (char *)(uintptr_t)text_of(whom->client),
		                .user = (char *)(uintptr_t)text_of(whom->user),
		                .address = (char *)(uintptr_t)text_of(whom->address) };
	if (!out->client[0] && !out->user[0] && !out->address[0])
		return err_set(e, "neither client, user nor address is given");
	return out->address[0] ? cidr_parse(out->address, &out->net, e) : 0;
}

bool mq_whom_fits(const struct mq_ban *whom, struct str client, const char *user, const struct net_addr *address)
{
	return (!whom->client[0] || str_is(client, whom->client)) && (!whom->user[0] || (user && strcmp(user, whom->user) == 0)) &&
	       (!whom->address[0] || cidr_has(&whom->net, address));
}

static struct mq_ban *find(struct mq_bans *b, const struct mq_whom *whom)
{
	list_for_each (n, &b->list) {
		struct mq_ban *ban = list_entry(n, struct mq_ban, node);

		if (strcmp(ban->client, text_of(whom->client)) == 0 && strcmp(ban->user, text_of(whom->user)) == 0 &&
		    strcmp(ban->address, text_of(whom->address)) == 0)
			return ban;
	}
	return NULL;
}

int mq_bans_add(struct mq_bans *b, const struct mq_whom *whom, int64_t until_s, struct err *e)
{
	struct mq_ban parsed, *ban = find(b, whom);

	if (mq_whom_parse(whom, &parsed, e) < 0)
		return -1;
	if (!ban) {
		if (b->count == MQ_BANS_MAX)
			return err_set(e, "there are %u bans already", MQ_BANS_MAX);
		ban = mem_new(struct mq_ban);
		ban->client = mem_strdup(parsed.client);
		ban->user = mem_strdup(parsed.user);
		ban->address = mem_strdup(parsed.address);
		ban->net = parsed.net;
		list_push_back(&b->list, &ban->node);
		b->count++;
	}
	ban->until_s = until_s;
	return 0;
}

static bool names(const char *ban, const char *wanted)
{
	return !text_of(wanted)[0] || strcmp(ban, wanted) == 0;
}

static bool has_any(const struct mq_whom *whom)
{
	return text_of(whom->client)[0] || text_of(whom->user)[0] || text_of(whom->address)[0];
}

bool mq_bans_remove(struct mq_bans *b, const struct mq_whom *whom)
{
	uint32_t before = b->count;

	list_for_each_safe (n, &b->list) {
		struct mq_ban *ban = list_entry(n, struct mq_ban, node);

		if (names(ban->client, whom->client) && names(ban->user, whom->user) && names(ban->address, whom->address) && has_any(whom))
			drop(b, ban);
	}
	return b->count < before;
}

void mq_bans_expire(struct mq_bans *b, int64_t now_s)
{
	list_for_each_safe (n, &b->list) {
		struct mq_ban *ban = list_entry(n, struct mq_ban, node);

		if (ban->until_s && ban->until_s <= now_s)
			drop(b, ban);
	}
}

bool mq_bans_has(struct mq_bans *b, struct str client, const char *user, const struct net_addr *address, int64_t now_s)
{
	if (b->count == 0)
		return false;
	mq_bans_expire(b, now_s);
	list_for_each (n, &b->list) {
		if (mq_whom_fits(list_entry(n, struct mq_ban, node), client, user, address))
			return true;
	}
	return false;
}

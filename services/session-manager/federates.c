/* SPDX-License-Identifier: Apache-2.0 */
#include "services/session-manager/federates.h"

#include "common/base/clock.h"
#include "common/redis/redis.h"
#include "services/session-manager/sm.h"

#define KEY     "starling:sm:federates"
#define KEEP_S  "3600"
#define TELL_MS 60000u

static void on_told(const redisReply *reply, void *ctx)
{
	(void)reply; /* told again in a while */
	(void)ctx;
}

static void tell(struct sm *sm)
{
	const char *const command[] = { "SET", KEY, "1", "EX", KEEP_S };

	if (redis_command(sm->redis, on_told, sm, 5, command, (const size_t[]){ 3, sizeof(KEY) - 1, 1, 2, sizeof(KEEP_S) - 1 }))
		sm->federates_told_ms = clock_mono_ms();
}

static void on_asked(const redisReply *reply, void *ctx)
{
	struct sm *sm = ctx;

	if (reply && reply->type == REDIS_REPLY_STRING)
		sm->federates = true;
}

static bool sees_one(struct sm *sm)
{
	const Starling__Registration *s2s[1];

	return ipc_bus_instances(sm->bus, "s2s", s2s, 1) > 0;
}

void federates_redis_up(struct sm *sm)
{
	if (sm->federates || sees_one(sm))
		tell(sm);
	else
		redis_command(sm->redis, on_asked, sm, 2, (const char *[]){ "GET", KEY }, (const size_t[]){ 3, sizeof(KEY) - 1 });
}

bool federates(struct sm *sm)
{
	if (sm->federates && clock_mono_ms() - sm->federates_told_ms < TELL_MS)
		return true;
	if (sees_one(sm)) {
		sm->federates = true;
		tell(sm);
	}
	return sm->federates;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "services/session-manager/ownership_redis.h"

#include <stdio.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/hash.h"
#include "common/base/mem.h"
#include "services/session-manager/ownership.h"
#include "services/session-manager/sm.h"

#define MEMBERS_KEY    "starling:sm:members"
#define GENERATION_KEY "starling:sm:generation"
#define FRESH_KEY      "starling:sm:fresh"
#define NUMBER_MAX     24
#define IDENTITY_MAX   256

/* KEYS: members, generation, fresh. ARGV: instance, lease in ms, 1 to be a member, name and machine, a new generation should there be none, 1 to end
 * former lives of those. */
static struct redis_script tick_script = {
	.name = "ownership_tick",
	.source = "redis.call('SET', 'starling:sm:lease:' .. ARGV[1], ARGV[4], 'PX', ARGV[2])\n"
	          "if ARGV[3] == '1' then redis.call('HSET', KEYS[1], ARGV[1], ARGV[4]) else redis.call('HDEL', KEYS[1], ARGV[1]) end\n"
	          "if redis.call('SETNX', KEYS[2], ARGV[5]) == 1 then redis.call('SET', KEYS[3], '1', 'PX', ARGV[2]) end\n"
	          "local out = { redis.call('GET', KEYS[2]), tostring(redis.call('EXISTS', KEYS[3])) }\n"
	          "for _, m in ipairs(redis.call('HKEYS', KEYS[1])) do\n"
	          "  if ARGV[6] == '1' and m ~= ARGV[1] and redis.call('HGET', KEYS[1], m) == ARGV[4] then "
	          "redis.call('DEL', 'starling:sm:lease:' .. m) end\n"
	          "  if redis.call('EXISTS', 'starling:sm:lease:' .. m) == 1 then out[#out + 1] = m out[#out + 1] = redis.call('HGET', "
	          "KEYS[1], m) else redis.call('HDEL', KEYS[1], m) end\n"
	          "end\n"
	          "return out\n",
};

/* KEYS: slots. ARGV: instance, lowest epoch where nothing is stored, then slot and known epoch in turn. */
static struct redis_script take_script = {
	.name = "ownership_take",
	.source = "local out = {}\n"
	          "for i = 3, #ARGV, 2 do\n"
	          "  local cur, free, epoch, continued = redis.call('HGET', KEYS[1], ARGV[i]), true, 0, '1'\n"
	          "  if cur then\n"
	          "    local owner, e = string.match(cur, '^(%S+) (%d+)$')\n"
	          "    epoch = tonumber(e)\n"
	          "    if owner ~= ARGV[1] then\n"
	          "      continued = '0'\n"
	          "      if owner ~= '-' and redis.call('EXISTS', 'starling:sm:lease:' .. owner) == 1 then free = false end\n"
	          "    end\n"
	          "  end\n"
	          "  if free then\n"
	          "    epoch = math.max(epoch, tonumber(ARGV[i + 1])) + 1\n"
	          "    if not cur then epoch = math.max(epoch, tonumber(ARGV[2])) end\n"
	          "    local text = string.format('%.0f', epoch)\n"
	          "    redis.call('HSET', KEYS[1], ARGV[i], ARGV[1] .. ' ' .. text)\n"
	          "    out[#out + 1] = ARGV[i]\n"
	          "    out[#out + 1] = text\n"
	          "    out[#out + 1] = continued\n"
	          "  end\n"
	          "end\n"
	          "return out\n",
};

/* KEYS: slots. ARGV: instance, then slot and epoch in turn. */
static struct redis_script release_script = {
	.name = "ownership_release",
	.source = "for i = 2, #ARGV, 2 do\n"
	          "  if redis.call('HGET', KEYS[1], ARGV[i]) == ARGV[1] .. ' ' .. ARGV[i + 1] then\n"
	          "    redis.call('HSET', KEYS[1], ARGV[i], '- ' .. ARGV[i + 1])\n"
	          "  end\n"
	          "end\n"
	          "return 1\n",
};

void ownership_redis_register(struct redis *r)
{
	redis_script_register(r, &tick_script);
	redis_script_register(r, &take_script);
	redis_script_register(r, &release_script);
}

static void instance_text(const struct sm *sm, char out[NUMBER_MAX])
{
	snprintf(out, NUMBER_MAX, "%016llx", (unsigned long long)ipc_bus_instance(sm->bus));
}

/* What names an instance beyond its life: its name, and the machine, since a unit has the same name on each. */
static const char *identity(const struct sm *sm, char text[IDENTITY_MAX])
{
	char host[65] = "";

	gethostname(host, sizeof(host) - 1);
	snprintf(text, IDENTITY_MAX, "%s@%s", daemon_name(sm->daemon), host);
	return text;
}

bool ownership_redis_tick(struct sm *sm, uint64_t lease_ms, bool member, bool first, redis_fn fn)
{
	char me[NUMBER_MAX], lease[NUMBER_MAX], generation[NUMBER_MAX], text[IDENTITY_MAX];
	const char *name = identity(sm, text);
	const char *argv[] = { MEMBERS_KEY, GENERATION_KEY, FRESH_KEY, me, lease, member ? "1" : "0", name, generation, first ? "1" : "0" };
	size_t lens[9];

	instance_text(sm, me);
	snprintf(lease, sizeof(lease), "%llu", (unsigned long long)lease_ms);
	snprintf(generation, sizeof(generation), "%016llx", (unsigned long long)random_u64());
	for (int i = 0; i < 9; i++)
		lens[i] = strlen(argv[i]);
	return redis_eval(sm->redis, &tick_script, fn, sm, 3, 9, argv, lens);
}

/* slots, me, [floor,] then (slot, number) in turn. */
static bool eval_pairs(struct sm *sm, const struct redis_script *script, const char *fixed[], int fixed_count, const uint32_t *slots,
                       const uint64_t *numbers, uint32_t count, redis_fn fn)
{
	int argc = fixed_count + 2 * (int)count;
	const char **argv = mem_alloc((size_t)argc * sizeof(*argv));
	size_t *lens = mem_alloc((size_t)argc * sizeof(*lens));
	char(*text)[NUMBER_MAX] = mem_alloc((2 * (size_t)count + 1) * NUMBER_MAX);
	bool ok;

	for (int i = 0; i < fixed_count; i++)
		argv[i] = fixed[i];
	for (uint32_t i = 0; i < count; i++) {
		snprintf(text[2 * i], NUMBER_MAX, "%u", slots[i]);
		snprintf(text[2 * i + 1], NUMBER_MAX, "%llu", (unsigned long long)numbers[i]);
		argv[fixed_count + 2 * (int)i] = text[2 * i];
		argv[fixed_count + 2 * (int)i + 1] = text[2 * i + 1];
	}
	for (int i = 0; i < argc; i++)
		lens[i] = strlen(argv[i]);
	ok = redis_eval(sm->redis, script, fn, sm, 1, argc, argv, lens);
	mem_free(argv);
	mem_free(lens);
	mem_free(text);
	return ok;
}

bool ownership_redis_take(struct sm *sm, const uint32_t *slots, const uint64_t *known, uint32_t count, redis_fn fn)
{
	char me[NUMBER_MAX], floor[NUMBER_MAX];

	instance_text(sm, me);
	/* Where Redis knows nothing, the store may still know a former epoch: the clock is above all of them. */
	snprintf(floor, sizeof(floor), "%lld", (long long)(clock_wall_us() / 1000));
	return eval_pairs(sm, &take_script, (const char *[]){ OWNERSHIP_SLOTS_KEY, me, floor }, 3, slots, known, count, fn);
}

bool ownership_redis_release(struct sm *sm, const uint32_t *slots, const uint64_t *epochs, uint32_t count, redis_fn fn)
{
	char me[NUMBER_MAX];

	instance_text(sm, me);
	return eval_pairs(sm, &release_script, (const char *[]){ OWNERSHIP_SLOTS_KEY, me }, 2, slots, epochs, count, fn);
}

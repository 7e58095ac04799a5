/* SPDX-License-Identifier: Apache-2.0 */
#include "services/starlingctl/ctl_config.h"

#include "services/starlingctl/state_dir.h"

static const char *const kinds[] = { "private", "external", NULL };

static const struct config_option options[] = {
	{ .name = "postgres",
	  .type = CONFIG_ENUM,
	  .offset = offsetof(struct ctl_config, postgres),
	  .fallback = "private",
	  .choices = kinds,
	  .doc = "private: up runs a PostgreSQL of its own in pg/; external: one that runs already" },
	{ .name = "redis",
	  .type = CONFIG_ENUM,
	  .offset = offsetof(struct ctl_config, redis),
	  .fallback = "private",
	  .choices = kinds,
	  .doc = "private: up runs a Redis of its own on run/redis.sock; external: one that runs already" },
	{ .name = "scale",
	  .type = CONFIG_LIST,
	  .offset = offsetof(struct ctl_config, scale),
	  .doc = "instances of a role that up runs, as role=N; one each when absent" },
	{ .name = "ready_timeout",
	  .type = CONFIG_DURATION,
	  .offset = offsetof(struct ctl_config, ready_timeout_ms),
	  .fallback = "60s",
	  .min = 1000,
	  .max = 3600000,
	  .doc = "longest time that up --detach waits until all is ready" },
	CONFIG_END,
};

int ctl_config_load(struct ctl_config *c, struct err *e)
{
	*c = (struct ctl_config){ 0 };
	return config_load(STATE_CONFIG, "starlingctl", options, &c->shared, c, e);
}

void ctl_config_free(struct ctl_config *c)
{
	config_free(options, &c->shared, c);
}

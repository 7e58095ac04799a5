/* SPDX-License-Identifier: Apache-2.0
 *
 * daemon_for_test: the skeleton (daemon.h) as unit tests of a daemon's parts have it: what it is asked for the test has put here, and what it is told is
 * written down. Metrics go nowhere. Included once a program, which must not have the real one as well. */
#ifndef COMMON_DAEMON_DAEMON_FOR_TEST_H
#define COMMON_DAEMON_DAEMON_FOR_TEST_H

#include "common/daemon/daemon.h"

struct skeleton {
	uv_loop_t loop; /* the test begins and closes it */
	struct config_shared shared;
	const void *config;
	struct log_ctx log;
	struct ipc_bus *bus; /* NULL where no fake looks at it */
	bool ready, drained;
};
static struct skeleton skeleton;

uv_loop_t *daemon_loop(struct daemon *d)
{
	(void)d;
	return &skeleton.loop;
}

struct ipc_bus *daemon_bus(struct daemon *d)
{
	(void)d;
	return skeleton.bus;
}

const struct config_shared *daemon_shared(struct daemon *d)
{
	(void)d;
	return &skeleton.shared;
}

const void *daemon_config(struct daemon *d)
{
	(void)d;
	return skeleton.config;
}

const struct log_ctx *daemon_log(struct daemon *d)
{
	(void)d;
	return &skeleton.log;
}

const char *daemon_name(struct daemon *d)
{
	(void)d;
	return "daemon-test";
}

const char *daemon_version(void)
{
	return "0";
}

void daemon_ready(struct daemon *d)
{
	(void)d;
	skeleton.ready = true;
}

void daemon_drained(struct daemon *d)
{
	(void)d;
	skeleton.drained = true;
}

#endif

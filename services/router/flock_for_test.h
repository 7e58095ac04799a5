/* SPDX-License-Identifier: Apache-2.0
 *
 * flock_for_test: a real router in a child process and buses in this one, for tests and benches. Header-only, included once a program. */
#ifndef SERVICES_ROUTER_FLOCK_FOR_TEST_H
#define SERVICES_ROUTER_FLOCK_FOR_TEST_H

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/daemon/daemon.h"
#include "ipc/runtime/bus.h"
#include "ipc/runtime/keys.h"

/* Not by router.h: what that calls a peer is something else in the bus, whose inside some tests look at. */
extern const struct daemon_spec router_spec;

struct test_flock {
	char dir[64];
	pid_t router;
	uv_loop_t loop;
};

static inline void flock_path(const struct test_flock *f, const char *name, char out[256])
{
	snprintf(out, 256, "%s/%s", f->dir, name);
}

static inline void flock_make(struct test_flock *f, const char *const *roles)
{
	struct keypair k;
	struct err e;
	char path[256], allow[256];
	FILE *yml;

	snprintf(f->dir, sizeof(f->dir), "/tmp/starling-test-XXXXXX");
	if (!mkdtemp(f->dir))
		abort();
	flock_path(f, "run", path);
	mkdir(path, 0700);
	flock_path(f, "keys", path);
	mkdir(path, 0700);
	flock_path(f, "keys/allow", allow);
	for (size_t i = 0; roles[i]; i++) {
		char name[64];

		keypair_generate(&k);
		snprintf(name, sizeof(name), "keys/%s.key", roles[i]);
		flock_path(f, name, path);
		if (keypair_write(path, &k, &e) != 0)
			abort();
		if (strcmp(roles[i], "unlisted") != 0 && allow_add(allow, roles[i], k.public_key, &e) != 0)
			abort();
	}
	flock_path(f, "starling.yml", path);
	yml = fopen(path, "w");
	if (!yml)
		abort();
	fprintf(yml,
	        "hosts: [localhost]\nstate_dir: .\nbus:\n  keys: keys\n  routers: [\"ipc://%s/run/router.*.ipc\"]\nlog:\n  level: %s\n",
	        f->dir, getenv("FLOCK_LOG") ? getenv("FLOCK_LOG") : "warn");
	fprintf(yml, "services:\n  router:\n    heartbeat: 400ms\n");
	fclose(yml);
	uv_loop_init(&f->loop);
}

/* The router is this program again, executed anew: a process with threads may do nothing else after a fork. main() begins with this and returns its
 * result when it is not negative. */
#define FLOCK_ROUTER "as-router"
static inline int flock_main(int argc, char **argv)
{
	return argc > 1 && strcmp(argv[1], FLOCK_ROUTER) == 0 ? daemon_main(&router_spec, argc - 1, argv + 1) : -1;
}

static inline pid_t flock_start_router(struct test_flock *f, const char *name)
{
	int ready[2];
	char config[256], fd[16], byte;
	char *argv[] = { (char *)"router",
		         (char *)FLOCK_ROUTER,
		         (char *)"--config",
		         config,
		         (char *)"--instance",
		         (char *)name,
		         (char *)"--ready-fd",
		         fd,
		         NULL };
	pid_t pid;

	if (pipe2(ready, O_CLOEXEC) != 0)
		abort();
	flock_path(f, "starling.yml", config);
	snprintf(fd, sizeof(fd), "%d", ready[1]);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that crashes leaves no router behind */
		fcntl(ready[1], F_SETFD, 0);
		execv("/proc/self/exe", argv);
		_exit(127);
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1)
		fprintf(stderr, "router did not get ready\n");
	close(ready[0]);
	return pid;
}

static inline int flock_end(pid_t pid, int sig)
{
	int status = -1;

	kill(pid, sig);
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static inline struct ipc_bus *flock_bus(struct test_flock *f, const char *role, const char *key, struct ipc_config *config,
                                        const struct ipc_bus_hooks *hooks, void *ctx)
{
	static char glob[256], keys[256], allow[256];
	static const char *const routers[] = { glob };
	struct ipc_config c = config ? *config : (struct ipc_config){ 0 };
	struct ipc_bus *bus;
	struct err e;
	char name[80];

	snprintf(name, sizeof(name), "keys/%s.key", key);
	flock_path(f, name, keys);
	flock_path(f, "keys/allow", allow);
	snprintf(glob, sizeof(glob), "ipc://%s/run/router.*.ipc", f->dir);
	c.role = role;
	c.name = c.name ? c.name : role;
	c.version = "test";
	c.routers = routers;
	c.router_count = 1;
	c.key_file = keys;
	c.allow_file = allow;
	c.link = c.link ? c.link : "";
	bus = ipc_bus_new(&f->loop, &c, hooks, ctx, &e);
	if (!bus)
		fprintf(stderr, "%s\n", e.text);
	return bus;
}

static inline void flock_nothing(uv_timer_t *t)
{
	(void)t;
}

/* Runs the loop until *flag is at least `value`, or the time is over. */
static inline bool flock_run(struct test_flock *f, const unsigned *flag, unsigned value, unsigned ms)
{
	uint64_t end = clock_mono_ms() + ms;
	uv_timer_t wake;

	uv_timer_init(&f->loop, &wake);
	uv_timer_start(&wake, flock_nothing, 5, 5);
	while ((!flag || *flag < value) && clock_mono_ms() < end)
		uv_run(&f->loop, UV_RUN_ONCE);
	uv_close((uv_handle_t *)&wake, NULL);
	uv_run(&f->loop, UV_RUN_NOWAIT);
	return flag && *flag >= value;
}

static inline void flock_remove(struct test_flock *f)
{
	char command[128];

	flock_run(f, NULL, 0, 200);
	uv_loop_close(&f->loop);
	snprintf(command, sizeof(command), "rm -rf '%s'", f->dir);
	if (system(command) != 0)
		fprintf(stderr, "cannot remove %s\n", f->dir);
}

#endif

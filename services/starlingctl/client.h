/* SPDX-License-Identifier: Apache-2.0
 *
 * client: a command's place on the bus, as role starlingctl, for as long as the command runs. Calls are made with the generated functions;
 * client_expect() before each and client_answered() at the end of its callback count them, and client_wait() waits for all. */
#ifndef SERVICES_STARLINGCTL_CLIENT_H
#define SERVICES_STARLINGCTL_CLIENT_H

#include "ipc/runtime/bus.h"
#include "services/starlingctl/args.h"
#include "services/starlingctl/ctl_config.h"

struct client {
	struct ctl_config config;
	uv_loop_t loop;
	uv_timer_t limit;
	struct ipc_bus *bus;
	const struct args *args;
	unsigned open; /* calls */
	bool joined;
	bool directory;
	bool timed_out;
	uint64_t opened_ms;   /* uv_now */
	struct ipc_opts opts; /* for every call: the deadline of --timeout */
};

/* Opens the state folder and joins. 0; else an exit status, and the reason has been told. client_close in either case. */
int client_open(struct client *c, const struct args *a);
void client_close(struct client *c);
void client_expect(struct client *c);
void client_answered(struct client *c);
/* Until all calls are answered; each has its deadline, so this ends. */
void client_wait(struct client *c);

/* Waits until the instance has left the directory, at most --timeout. True: it has. */
bool client_lacks(struct client *c, uint64_t instance);
/* Waits until an instance of the role is ready, at most --timeout; the call that follows says it when none is. */
void client_await(struct client *c, const char *role);
/* Every router tells of itself and of who joined it: waits until all that are there have done so, that is, until no more comes. Before
 * client_select, for commands that speak to all. */
void client_settle(struct client *c);
/* Opened so short a time ago that not every router may have been joined. */
bool client_is_new(const struct client *c);
/* The instances that `which` means: a name, a role, or all when NULL. Pointers are valid until the loop turns. */
unsigned client_select(const struct client *c, const char *which, const Starling__Registration **out, unsigned max);
enum { CLIENT_MAX_INSTANCES = 512 };

#endif

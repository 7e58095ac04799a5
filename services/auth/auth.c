/* SPDX-License-Identifier: Apache-2.0 */
#include "services/auth/auth.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "services/auth/figures.h"

#define STORAGE_DEADLINE_MS 4000 /* at most; under the 5000 that callers of auth wait by default */
#define STORAGE_MARGIN_MS   100  /* kept for the way back */
#define STORAGE_LEAST_MS    50

const struct options *auth_options(const struct auth *a)
{
	return daemon_config(a->daemon);
}

bool auth_serves(const struct auth *a, const char *host)
{
	return options_list_has(&daemon_shared(a->daemon)->hosts, host);
}

bool auth_registration_open(const struct auth *a, const char *host)
{
	const struct options *o = auth_options(a);

	return o->registration && (o->registration_hosts.count == 0 || options_list_has(&o->registration_hosts, host));
}

static int load_seal(struct auth *a, struct err *e)
{
	const char *configured = auth_options(a)->seal_key;
	uint8_t key[SEAL_KEY_SIZE];
	char path[4096];

	snprintf(path, sizeof(path), "%s/auth-seal.key", daemon_shared(a->daemon)->keys_dir);
	if (seal_key_load(configured && *configured ? configured : path, key, e) != 0)
		return -1;
	a->seal = seal_new(key);
	mem_wipe(key, sizeof(key));
	seal_derive(a->seal, "starling auth decoy v1", a->decoy_key);
	return 0;
}

/* libuv reads it when the first work is queued. An operator's own value stands. */
static void size_worker_pool(int64_t threads)
{
	char text[24];

	snprintf(text, sizeof(text), "%lld", (long long)threads);
	setenv("UV_THREADPOOL_SIZE", text, 0);
}

static void configure_throttles(struct auth *a)
{
	const struct options *o = auth_options(a);

	throttle_configure(a->failures, (double)o->failures_per_minute / 60, (double)o->failure_burst, (uint32_t)o->throttle_addresses);
	throttle_configure(a->registrations, (double)o->registrations_per_hour / 3600, (double)o->registration_burst,
	                   (uint32_t)o->throttle_addresses);
}

int auth_start(struct daemon *d, void **out_state, struct err *e)
{
	struct auth *a = mem_new(struct auth);

	a->daemon = d;
	if (load_seal(a, e) != 0) {
		mem_free(a);
		return -1;
	}
	size_worker_pool(auth_options(a)->hash_threads);
	a->hashing = hashing_new(daemon_loop(d));
	a->failures = throttle_new();
	a->registrations = throttle_new();
	configure_throttles(a);
	figures_register(a);
	*out_state = a;
	return 0;
}

void auth_run(void *state)
{
	struct auth *a = state;

	daemon_ready(a->daemon);
}

static void hashing_idle(void *ctx)
{
	struct auth *a = ctx;

	daemon_drained(a->daemon);
}

void auth_drain(void *state)
{
	struct auth *a = state;

	hashing_when_idle(a->hashing, hashing_idle, a);
}

void auth_reload(void *state)
{
	configure_throttles(state);
}

void auth_stop(void *state)
{
	struct auth *a = state;

	hashing_free(&a->hashing);
	throttle_free(&a->failures);
	throttle_free(&a->registrations);
	seal_free(&a->seal);
	mem_free_secret(a, sizeof(*a));
}

void auth_status(void *state, struct daemon_status *out)
{
	const struct auth *a = state;

	out->work = a->logins;
}

struct ipc_opts auth_storage_opts(const struct ipc_call *call)
{
	uint64_t now = clock_mono_ms(), until = ipc_call_deadline(call);
	uint64_t left = until > now + STORAGE_MARGIN_MS + STORAGE_LEAST_MS ? until - now - STORAGE_MARGIN_MS : STORAGE_LEAST_MS;

	return (struct ipc_opts){ .deadline_ms = (uint32_t)(left < STORAGE_DEADLINE_MS ? left : STORAGE_DEADLINE_MS),
		                  .trace = ipc_call_trace(call) };
}

void auth_pass_failure(struct ipc_call *call, const struct ipc_result *result)
{
	ipc_fail(call, result->code, "%s", result->text ? result->text : "");
}

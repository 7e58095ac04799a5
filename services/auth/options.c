/* SPDX-License-Identifier: Apache-2.0 */
#include "services/auth/options.h"

#include <string.h>

#include "common/crypto/scram_message.h"
#include "services/auth/mechanism.h"

#define AT(member) offsetof(struct options, member)

const struct config_option options_table[] = {
	{ .name = "mechanisms",
	  .type = CONFIG_LIST,
	  .offset = AT(mechanisms),
	  .fallback = "SCRAM-SHA-512-PLUS,SCRAM-SHA-256-PLUS,SCRAM-SHA-1-PLUS,SCRAM-SHA-512,SCRAM-SHA-256,SCRAM-SHA-1,PLAIN",
	  .reloads = true,
	  .doc = "SASL mechanisms that may be used; they are offered strongest first, whatever the order here." },
	{ .name = "iterations",
	  .type = CONFIG_INT,
	  .offset = AT(iterations),
	  .fallback = "10000",
	  .min = SCRAM_ITERATIONS_MIN,
	  .max = SCRAM_ITERATIONS_MAX,
	  .reloads = true,
	  .doc = "Rounds of PBKDF2 for passwords set from now on; each client spends them too at every login." },
	{ .name = "seal_key",
	  .type = CONFIG_PATH,
	  .offset = AT(seal_key),
	  .doc = "File with the key that all instances of auth share; by default auth-seal.key among the bus's keys." },
	{ .name = "hash_threads",
	  .type = CONFIG_INT,
	  .offset = AT(hash_threads),
	  .fallback = "2",
	  .min = 1,
	  .max = 64,
	  .doc = "Worker threads that hash passwords, for PLAIN and for new passwords." },
	{ .name = "hash_queue",
	  .type = CONFIG_INT,
	  .offset = AT(hash_queue),
	  .fallback = "256",
	  .min = 1,
	  .max = 65536,
	  .reloads = true,
	  .doc = "Passwords waiting to be hashed at most; beyond that, logins with PLAIN fail with temporary-auth-failure." },
	{ .name = "throttle.failures_per_minute",
	  .type = CONFIG_INT,
	  .offset = AT(failures_per_minute),
	  .fallback = "20",
	  .min = 0,
	  .max = 1000000,
	  .reloads = true,
	  .doc = "Failed logins allowed to one client address (IPv6: one /64) a minute, per instance; 0 is no limit." },
	{ .name = "throttle.burst",
	  .type = CONFIG_INT,
	  .offset = AT(failure_burst),
	  .fallback = "60",
	  .min = 1,
	  .max = 1000000,
	  .reloads = true,
	  .doc = "Failed logins allowed at once to an address that had none for long." },
	{ .name = "throttle.addresses",
	  .type = CONFIG_INT,
	  .offset = AT(throttle_addresses),
	  .fallback = "65536",
	  .min = 64,
	  .max = 10000000,
	  .reloads = true,
	  .doc = "Addresses remembered at most; newcomers beyond share one allowance." },
	{ .name = "registration.enabled",
	  .type = CONFIG_BOOL,
	  .offset = AT(registration),
	  .fallback = "false",
	  .reloads = true,
	  .doc = "Whether users may create accounts themselves (XEP-0077)." },
	{ .name = "registration.hosts",
	  .type = CONFIG_LIST,
	  .offset = AT(registration_hosts),
	  .reloads = true,
	  .doc = "Hosts on which they may; empty is all." },
	{ .name = "registration.per_hour",
	  .type = CONFIG_INT,
	  .offset = AT(registrations_per_hour),
	  .fallback = "20",
	  .min = 0,
	  .max = 1000000,
	  .reloads = true,
	  .doc = "Accounts that one client address may ask for in an hour, per instance; 0 is no limit." },
	{ .name = "registration.burst",
	  .type = CONFIG_INT,
	  .offset = AT(registration_burst),
	  .fallback = "10",
	  .min = 1,
	  .max = 1000000,
	  .reloads = true,
	  .doc = "Accounts that an address may ask for at once." },
	{ .name = "registration.password_min",
	  .type = CONFIG_INT,
	  .offset = AT(password_min),
	  .fallback = "8",
	  .min = 1,
	  .max = 1023,
	  .reloads = true,
	  .doc = "Characters that a password needs at least when a user sets it; operators may set any that is not empty." },
	{ .name = "registration.reserved",
	  .type = CONFIG_LIST,
	  .offset = AT(reserved),
	  .fallback = "abuse,admin,administrator,hostmaster,postmaster,root,security,support,webmaster",
	  .reloads = true,
	  .doc = "User names that only an operator may create." },
	CONFIG_END,
};

bool options_list_has(const struct config_list *list, const char *item)
{
	for (size_t i = 0; i < list->count; i++) {
		if (strcmp(list->items[i], item) == 0)
			return true;
	}
	return false;
}

int options_check(const struct config_shared *shared, const void *config, struct err *e)
{
	const struct options *o = config;

	if (o->mechanisms.count == 0)
		return err_set(e, "services.auth.mechanisms: nobody could log in without any");
	for (size_t i = 0; i < o->mechanisms.count; i++) {
		if (!mechanism_find(o->mechanisms.items[i]))
			return err_set(e, "services.auth.mechanisms: %s is not a mechanism known here", o->mechanisms.items[i]);
	}
	for (size_t i = 0; i < o->registration_hosts.count; i++) {
		if (!options_list_has(&shared->hosts, o->registration_hosts.items[i]))
			return err_set(e, "services.auth.registration.hosts: %s is not among the hosts", o->registration_hosts.items[i]);
	}
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * command: what starlingctl can be told to do. main.c has the table; each command is a function in a file of its own or with its kin. */
#ifndef SERVICES_STARLINGCTL_COMMAND_H
#define SERVICES_STARLINGCTL_COMMAND_H

#include "services/starlingctl/args.h"
#include "services/starlingctl/exit_code.h"

struct command {
	const char *name;
	const char *words; /* positional arguments, as in the usage line */
	unsigned min_words, max_words;
	unsigned options;                 /* enum args_option */
	int (*run)(const struct args *a); /* returns the exit status; has said on stderr why it is not 0 */
	const char *summary;
	const char *details; /* more for --help: what exit statuses mean here */
};

extern const struct command commands[]; /* ends with name NULL */

/* Everything behind main(). Returns the exit status. */
int command_main(int argc, char **argv);

int command_init(const struct args *a);
int command_up(const struct args *a);
int command_down(const struct args *a);
int command_status(const struct args *a);
int command_register(const struct args *a);
int command_unregister(const struct args *a);
int command_change_password(const struct args *a);
int command_registered_users(const struct args *a);
int command_connected_users(const struct args *a);
int command_kick(const struct args *a);
int command_s2s(const struct args *a);
int command_turn(const struct args *a);
int command_mqtt(const struct args *a);
int command_log_level(const struct args *a);
int command_reload(const struct args *a);
int command_drain(const struct args *a);
int command_health(const struct args *a);

/* "starlingctl: text" to stderr; with --json also {"error": text, "status": status} to stdout. Returns status. */
int command_fail(const struct args *a, int status, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Done and nothing to show: {"status": 0} with --json, else nothing. Returns CTL_OK. */
int command_done(const struct args *a);

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of commands, their help, and the way into them. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "services/starlingctl/command.h"
#include "services/starlingctl/json.h"

#define BUS_OPTIONS (OPTION_DIR | OPTION_JSON | OPTION_TIMEOUT)

const struct command commands[] = {
	{ "init", "", 0, 0, OPTION_DIR | OPTION_DOMAIN | OPTION_MISSING | OPTION_JSON, command_init,
	  "make a state folder: config, keys, certificates",
	  "Starts nothing. Refuses (2) when DIR is there and not empty, unless --missing; what exists is never changed." },
	{ "up", "", 0, 0,
	  OPTION_DIR | OPTION_DETACH | OPTION_PORT_OFFSET | OPTION_SCALE | OPTION_NO_POSTGRES | OPTION_NO_REDIS | OPTION_WHEN_READY |
	          OPTION_JSON,
	  command_up, "run the flock of a state folder, until Ctrl-C or down",
	  "Starts what is missing again, with back-off. Ends with 0 when stopped; 2 when it runs already; 1 when it cannot be started." },
	{ "down", "", 0, 0, OPTION_DIR | OPTION_JSON, command_down, "stop the flock of a state folder, and wait until it is gone",
	  "0 also when nothing ran." },
	{ "status", "", 0, 0, BUS_OPTIONS, command_status, "every instance: version, uptime, connections, rate, memory, health",
	  "0 when all are healthy, 1 when one is not, 69 when no router answers." },
	{ "register", "USER HOST [PASSWORD|-]", 2, 3, BUS_OPTIONS, command_register, "make an account",
	  "Without a password, or with -, its first line is read from standard input (other users can see arguments). 2 when the account "
	  "exists." },
	{ "unregister", "USER HOST", 2, 2, BUS_OPTIONS, command_unregister, "remove an account and all that is stored for it",
	  "2 when there is none." },
	{ "change-password", "USER HOST [PASSWORD|-]", 2, 3, BUS_OPTIONS, command_change_password, "give an account another password",
	  "Password as with register. 2 when there is no such account." },
	{ "registered-users", "HOST", 1, 1, BUS_OPTIONS, command_registered_users, "list the accounts of a host", NULL },
	{ "connected-users", "[HOST]", 0, 1, BUS_OPTIONS, command_connected_users, "list the sessions",
	  "75 when a session-manager did not answer: the list has gaps." },
	{ "kick", "USER HOST", 2, 2, BUS_OPTIONS, command_kick, "end all sessions of an account", "2 when there was none." },
	{ "s2s", "list [DOMAIN] | close DOMAIN | retry [DOMAIN]", 1, 2, BUS_OPTIONS, command_s2s,
	  "the streams to and from other servers: list them, end them, try again",
	  "close ends those of one remote domain in good order; what waits for it connects anew. retry: what waits after failures, for one "
	  "domain or for all, tries again now. 2 when there was none; 75 when an s2s did not answer: the list has gaps." },
	{ "turn", "list [USER] | kick USER [TIME] | quota USER [NUMBER|default]", 1, 3, BUS_OPTIONS, command_turn,
	  "relayed media of calls: list the allocations, end a user's",
	  "USER is an account, user@host. kick with a TIME (10m, 2h) also keeps the user from making new ones for so long. 2 when there "
	  "was none to end; "
	  "75 when a relay did not answer: the list has gaps." },
	{ "mqtt", "list|sessions [USER] | kick|unban KIND NAME | ban KIND NAME [TIME] | bans", 1, 4, BUS_OPTIONS, command_mqtt,
	  "MQTT clients and sessions: list them, end connections, keep clients out",
	  "KIND is client (NAME: its identifier), user (user@host) or address (192.0.2.1, 192.0.2.0/24). ban also ends connections; "
	  "without a TIME "
	  "(10m, 2h) it lasts until unban. 2 when there was none; 75 when a broker did not answer: the list has gaps." },
	{ "log-level", "LEVEL [INSTANCE|ROLE]", 1, 2, BUS_OPTIONS, command_log_level, "set error, warn, info or debug until the next start",
	  "2 when there is no such instance." },
	{ "reload", "[INSTANCE|ROLE]", 0, 1, BUS_OPTIONS, command_reload, "read the configuration again",
	  "1 when it has mistakes: the old one stays in force." },
	{ "drain", "INSTANCE|ROLE", 1, 1, BUS_OPTIONS, command_drain,
	  "empty an instance, before an upgrade: it finishes what it has, and ends",
	  "Clients of an edge are sent away over a time, and resume elsewhere. Waits until it has left, at most --timeout (then 75: it "
	  "goes on "
	  "draining). Under `up` a new one is started in its place. 2 when there is no such instance." },
	{ "health", "URL", 1, 1, OPTION_TIMEOUT, command_health, "ask a daemon's /healthz, for container health checks",
	  "URL is http://ADDRESS:PORT/healthz." },
	{ 0 },
};

int command_fail(const struct args *a, int status, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fprintf(stderr, "starlingctl: %s\n", text);
	if (a->json) {
		struct json j = { 0 };

		json_open(&j, NULL, '{');
		json_text(&j, "error", text);
		json_number(&j, "status", status);
		json_close(&j, '}');
		json_print(&j);
	}
	return status;
}

int command_done(const struct args *a)
{
	if (a->json)
		printf("{\"status\":0}\n");
	return CTL_OK;
}

static void print_usage(FILE *to)
{
	fprintf(to, "usage: starlingctl COMMAND [OPTIONS] ...\n\n");
	for (const struct command *c = commands; c->name; c++)
		fprintf(to, "  %-18s %s\n", c->name, c->summary);
	fprintf(to, "\n`starlingctl COMMAND --help` says more.\n"
	            "Exit status: 0 done, 1 failed, 2 not found or exists already, 64 wrong usage, 69 no flock to talk to, 75 try again "
	            "later.\n");
}

static int print_help(const struct command *c)
{
	printf("usage: starlingctl %s [OPTIONS]%s%s\n\n%c%s.\n", c->name, *c->words ? " " : "", c->words, c->summary[0] - 'a' + 'A',
	       c->summary + 1);
	if (c->details)
		printf("%s\n", c->details);
	printf("\n");
	args_print_options(c->options);
	return CTL_OK;
}

static int run(const struct command *c, int argc, char **argv)
{
	struct args a = { .timeout_ms = 5000 };
	struct err e;

	if (args_parse(&a, c->options, c->min_words, c->max_words, argc, argv, &e))
		return command_fail(&a, CTL_USAGE, "%s: %s (usage: starlingctl %s [OPTIONS] %s)", c->name, e.text, c->name, c->words);
	return a.help ? print_help(c) : c->run(&a);
}

int command_main(int argc, char **argv)
{
	if (argc < 2) {
		print_usage(stderr);
		return CTL_USAGE;
	}
	if (strcmp(argv[1], "--version") == 0) {
		printf("starlingctl %s\n", STARLING_VERSION);
		return CTL_OK;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
		print_usage(stdout);
		return CTL_OK;
	}
	for (const struct command *c = commands; c->name; c++)
		if (strcmp(c->name, argv[1]) == 0)
			return run(c, argc - 2, argv + 2);
	fprintf(stderr, "starlingctl: no command '%s'\n\n", argv[1]);
	print_usage(stderr);
	return CTL_USAGE;
}

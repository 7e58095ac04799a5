/* SPDX-License-Identifier: Apache-2.0
 *
 * args: see args.h. */
#include "common/daemon/args.h"

#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/daemon/daemon.h"

#define INSTANCE_MAX 64

enum { OPT_CONFIG = 'c', OPT_HELP = 'h', OPT_VERSION = 'V', OPT_INSTANCE = 256, OPT_READY_FD, OPT_CHECK, OPT_PRINT };

static void print_help(const char *role, const char *summary)
{
	printf("%s: %s\n"
	       "\n"
	       "usage: %s --config FILE [options]\n"
	       "\n"
	       "  -c, --config FILE    the flock's starling.yml\n"
	       "      --instance NAME  name in logs and tables, unique in the flock\n"
	       "      --ready-fd N     write a byte to this descriptor when ready to serve, and close it\n"
	       "      --check-config   check the file and exit\n"
	       "      --print-config   print what is in force and exit\n"
	       "  -V, --version        print the version and exit\n"
	       "  -h, --help           print this and exit\n"
	       "\n"
	       "signals: TERM and INT finish the work in hand and exit (twice: at once), HUP reads the file again.\n"
	       "exit status: 0 stopped as asked, %d failed, %d wrong arguments, %d wrong configuration.\n",
	       role, summary, role, EXIT_FAILED, EXIT_BAD_USAGE, EXIT_BAD_CONFIG);
}

static bool refuse(const char *role, int *out_status, const char *why, const char *what)
{
	fprintf(stderr, "%s: %s%s%s\n", role, why, what ? ": " : "", what ? what : "");
	fprintf(stderr, "Try: %s --help\n", role);
	*out_status = EXIT_BAD_USAGE;
	return false;
}

static bool good_instance(const char *name)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");

	return n > 0 && n <= INSTANCE_MAX && name[n] == '\0';
}

static int parse_fd(const char *text)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (end == text || *end || n < 0 || n > 65535 || fcntl((int)n, F_GETFD) < 0)
		return -1;
	fcntl((int)n, F_SETFD, FD_CLOEXEC);
	return (int)n;
}

/* One option of the command line. True: go on. */
static bool take(struct args *args, int option, const char *role, const char *summary, int *out_status)
{
	switch (option) {
	case OPT_CONFIG:
		args->config = optarg;
		return true;
	case OPT_INSTANCE:
		args->instance = optarg;
		return good_instance(optarg) || refuse(role, out_status, "--instance wants at most 64 of a-z A-Z 0-9 . _ -", NULL);
	case OPT_READY_FD:
		args->ready_fd = parse_fd(optarg);
		return args->ready_fd >= 0 || refuse(role, out_status, "--ready-fd wants the number of an open descriptor", optarg);
	case OPT_CHECK:
		args->check_config = true;
		return true;
	case OPT_PRINT:
		args->print_config = true;
		return true;
	case OPT_HELP:
		print_help(role, summary);
		*out_status = 0;
		return false;
	case OPT_VERSION:
		printf("starling %s %s\n", role, daemon_version());
		*out_status = 0;
		return false;
	default:
		/* getopt has said what is wrong. */
		fprintf(stderr, "Try: %s --help\n", role);
		*out_status = EXIT_BAD_USAGE;
		return false;
	}
}

bool args_parse(struct args *args, const char *role, const char *summary, int argc, char **argv, int *out_status)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, OPT_CONFIG },
		{ "instance", required_argument, NULL, OPT_INSTANCE },
		{ "ready-fd", required_argument, NULL, OPT_READY_FD },
		{ "check-config", no_argument, NULL, OPT_CHECK },
		{ "print-config", no_argument, NULL, OPT_PRINT },
		{ "version", no_argument, NULL, OPT_VERSION },
		{ "help", no_argument, NULL, OPT_HELP },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	*args = (struct args){ .ready_fd = -1 };
	optind = 1;
	while ((option = getopt_long(argc, argv, "c:hV", options, NULL)) != -1)
		if (!take(args, option, role, summary, out_status))
			return false;
	if (optind < argc)
		return refuse(role, out_status, "unexpected argument", argv[optind]);
	if (!args->config)
		return refuse(role, out_status, "--config FILE is missing", NULL);
	return true;
}

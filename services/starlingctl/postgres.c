/* SPDX-License-Identifier: Apache-2.0 */
#include "services/starlingctl/postgres.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "services/starlingctl/postgres_init.h"
#include "services/starlingctl/state_dir.h"

/* The version that the data was made with, else the newest. */
static int find_programs(struct postgres *pg, struct err *e)
{
	char *version = state_dir_exists(STATE_PG_DATA "/PG_VERSION") ? state_dir_read(STATE_PG_DATA "/PG_VERSION", NULL, e) : NULL;
	char pattern[128];
	glob_t found = { 0 };
	long best = -1;

	snprintf(pattern, sizeof(pattern), "/usr/lib/postgresql/%.*s/bin", version ? (int)strcspn(version, "\n") : 1,
	         version ? version : "*");
	if (glob(pattern, 0, NULL, &found) == 0)
		for (size_t i = 0; i < found.gl_pathc; i++) {
			long number = strtol(found.gl_pathv[i] + sizeof("/usr/lib/postgresql/") - 1, NULL, 10);

			if (number > best) {
				best = number;
				snprintf(pg->bin, sizeof(pg->bin), "%s", found.gl_pathv[i]);
			}
		}
	globfree(&found);
	mem_free(version);
	if (best < 0)
		return err_set(
		        e, "no PostgreSQL found as %s: install the package postgresql, or set services.starlingctl.postgres to external",
		        pattern);
	snprintf(pg->program, sizeof(pg->program), "%s/postgres", pg->bin);
	return 0;
}

static int choose_user(struct postgres *pg, struct err *e)
{
	struct passwd *user;

	if (geteuid() != 0)
		return 0;
	user = getpwnam("postgres");
	if (!user)
		return err_set(e, "PostgreSQL cannot run as root, and there is no user postgres");
	pg->uid = user->pw_uid;
	pg->gid = user->pw_gid;
	return 0;
}

int postgres_own(const struct postgres *pg, const char *path, struct err *e)
{
	if (pg->uid && chown(path, pg->uid, pg->gid))
		return err_set(e, "%s: %s", path, strerror(errno));
	return 0;
}

static int open_folder(const char *path, int *out_fd, struct err *e)
{
	*out_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *out_fd < 0 ? err_set(e, "%s: %s", path, strerror(errno)) : 0;
}

int postgres_open(struct postgres *pg, const struct config_shared *shared, struct err *e)
{
	*pg = (struct postgres){ .data_fd = -1, .socket_fd = -1 };
	if (find_programs(pg, e) || choose_user(pg, e))
		return -1;
	if (!state_dir_exists(STATE_PG_DATA "/PG_VERSION") && postgres_make_database(pg, e))
		return -1;
	if (postgres_write_access(pg, shared->user, e))
		return -1;
	/* The socket's path must fit sockaddr_un, as clients will write it. */
	if (strlen(state_dir_path()) + sizeof("/" STATE_PG_SOCKET "/.s.PGSQL.5432") > 107)
		return err_set(e, "the path %s is too long for sockets below it", state_dir_path());
	if (state_dir_mkdir(STATE_PG_SOCKET, 0711, e) || postgres_own(pg, STATE_PG_SOCKET, e))
		return -1;
	return open_folder(STATE_PG_DATA, &pg->data_fd, e) || open_folder(STATE_PG_SOCKET, &pg->socket_fd, e) ? -1 : 0;
}

void postgres_close(struct postgres *pg)
{
	if (pg->data_fd > 0)
		close(pg->data_fd);
	if (pg->socket_fd > 0)
		close(pg->socket_fd);
	pg->data_fd = pg->socket_fd = -1;
}

static void prepare(struct child *c, uv_process_options_t *options, const char **argv)
{
	/* Durability is the promise, so it does not depend on what stands in postgresql.conf; everything else may be tuned there. */
	static const char *const fixed[] = {
		"-D", "/proc/self/fd/3", "-c", "listen_addresses=",     "-c", "unix_socket_directories=/proc/self/fd/4",
		"-c", "fsync=on",        "-c", "synchronous_commit=on", "-c", "logging_collector=off",
		NULL
	};
	struct postgres *pg = c->context;

	*argv++ = pg->program;
	for (unsigned i = 0; fixed[i]; i++)
		*argv++ = fixed[i];
	options->stdio[3] = (uv_stdio_container_t){ .flags = UV_INHERIT_FD, .data.fd = pg->data_fd };
	options->stdio[4] = (uv_stdio_container_t){ .flags = UV_INHERIT_FD, .data.fd = pg->socket_fd };
	options->stdio_count = 5;
	if (pg->uid) {
		options->flags |= UV_PROCESS_SETUID | UV_PROCESS_SETGID;
		options->uid = pg->uid;
		options->gid = pg->gid;
	}
}

/* postmaster.pid holds the process in line 1 and its state in line 8. */
static bool ready(const struct child *c)
{
	char *text = state_dir_read(STATE_PG_DATA "/postmaster.pid", NULL, NULL);
	const char *line = text;
	bool yes = text && strtol(text, NULL, 10) == c->pid;

	for (int i = 1; yes && line && i < 8; i++) {
		line = strchr(line, '\n');
		line = line ? line + 1 : NULL;
	}
	yes = yes && line && strncmp(line, "ready", 5) == 0;
	mem_free(text);
	return yes;
}

/* SIGINT: fast shutdown, does not wait for clients. */
const struct program postgres_program = { prepare, ready, SIGINT };

/* SPDX-License-Identifier: Apache-2.0 */
#include "services/starlingctl/postgres_init.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/log.h"
#include "services/starlingctl/run_tool.h"
#include "services/starlingctl/state_dir.h"

#define NEW_DATA STATE_PG_DATA ".new"

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int make_in(const struct postgres *pg, int fd, struct err *e)
{
	char initdb[PATH_MAX + 16];
	const char *init[] = { initdb,       "-D",          "/proc/self/fd/3",   "-U", "starling", "-E", "UTF8",
		               "--locale=C", "--auth=peer", "--no-instructions", NULL };
	const char *create[] = { pg->program, "--single", "-D", "/proc/self/fd/3", "postgres", NULL };
	struct tool tool = { .argv = init, .fd3 = fd, .uid = pg->uid, .gid = pg->gid };

	snprintf(initdb, sizeof(initdb), "%s/initdb", pg->bin);
	if (run_tool(&tool, e))
		return -1;
	tool.argv = create;
	tool.input = "CREATE DATABASE starling;\n";
	return run_tool(&tool, e);
}

/* In a folder beside it, which then takes its place: what is left by a crash is never taken for a database. */
int postgres_make_database(const struct postgres *pg, struct err *e)
{
	int fd, rc;

	log_info(NULL, "making the database in %s/%s", state_dir_path(), STATE_PG_DATA);
	if (state_dir_exists(NEW_DATA) && nftw(NEW_DATA, remove_one, 16, FTW_DEPTH | FTW_PHYS))
		return err_set(e, "%s: %s", NEW_DATA, strerror(errno));
	if (state_dir_mkdir(NEW_DATA, 0700, e) || postgres_own(pg, NEW_DATA, e))
		return -1;
	fd = open(NEW_DATA, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_set(e, "%s: %s", NEW_DATA, strerror(errno));
	rc = make_in(pg, fd, e);
	close(fd);
	if (rc)
		return -1;
	if (rename(NEW_DATA, STATE_PG_DATA))
		return err_set(e, "%s: %s", STATE_PG_DATA, strerror(errno));
	return 0;
}

static void add_user(char *text, size_t cap, const char *user)
{
	size_t n = strlen(text);

	if (user && *user)
		snprintf(text + n, cap - n, "starling \"%s\" starling\n", user);
}

static const char *own_name(void)
{
	struct passwd *me = getpwuid(geteuid());

	return me ? me->pw_name : "";
}

int postgres_write_access(const struct postgres *pg, const char *daemon_user, struct err *e)
{
	static const char hba[] = "# Written by starlingctl up.\nlocal all all peer map=starling\n";
	char ident[1024] = "# Written by starlingctl up: system users that are the database role starling.\n";

	add_user(ident, sizeof(ident), own_name());
	add_user(ident, sizeof(ident), daemon_user);
	if (pg->uid)
		add_user(ident, sizeof(ident), "postgres");
	if (state_dir_replace(STATE_PG_DATA "/pg_hba.conf", 0600, hba, sizeof(hba) - 1, e) ||
	    state_dir_replace(STATE_PG_DATA "/pg_ident.conf", 0600, ident, strlen(ident), e))
		return -1;
	return postgres_own(pg, STATE_PG_DATA "/pg_hba.conf", e) || postgres_own(pg, STATE_PG_DATA "/pg_ident.conf", e) ? -1 : 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "services/starlingctl/plan.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "services/starlingctl/state_dir.h"

enum { STORE_STOP_MS = 60000, BEYOND_DRAIN_MS = 5000 };

static void prepare_daemon(struct child *c, uv_process_options_t *options, const char **argv)
{
	const char *const words[] = { c->context, "--config", STATE_CONFIG, "--instance", c->name, "--ready-fd", "3", NULL };

	(void)options;
	memcpy(argv, words, sizeof(words));
}

static const struct program daemon_program = { prepare_daemon, NULL, SIGTERM };

/* The daemons lie beside our own program. */
static int find_programs(struct plan *p, struct err *e)
{
	char self[PATH_MAX], path[PATH_MAX + 80];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	const char *folder;

	if (n < 0)
		return err_set(e, "/proc/self/exe: %s", strerror(errno));
	self[n] = '\0';
	folder = dirname(self);
	for (unsigned i = 0; i < ROLE_COUNT; i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, roles[i].name);
		if (p->counts[i] && access(path, X_OK))
			return err_set(e, "%s: %s", path, strerror(errno));
		p->programs[i] = mem_strdup(path);
	}
	return 0;
}

int plan_open(struct plan *p, const struct ctl_config *config, const struct args *a, struct err *e)
{
	*p = (struct plan){ .postgres = { .data_fd = -1, .socket_fd = -1 } };
	for (unsigned i = 0; i < ROLE_COUNT; i++)
		p->counts[i] = roles[i].usual;
	for (size_t i = 0; i < config->scale.count; i++)
		if (roles_parse_scale(config->scale.items[i], p->counts, e))
			return -1;
	return roles_parse_scale(a->scale, p->counts, e) || find_programs(p, e) ? -1 : 0;
}

void plan_close(struct plan *p)
{
	postgres_close(&p->postgres);
	for (unsigned i = 0; i < ROLE_COUNT; i++)
		mem_free(p->programs[i]);
}

/* A folder and the files in it. */
static int give_folder(const char *path, const struct passwd *user, struct err *e)
{
	DIR *d = opendir(path);
	int rc = d ? fchown(dirfd(d), user->pw_uid, user->pw_gid) : -1;

	for (struct dirent *entry; rc == 0 && (entry = readdir(d));)
		if (entry->d_type == DT_REG)
			rc = fchownat(dirfd(d), entry->d_name, user->pw_uid, user->pw_gid, AT_SYMLINK_NOFOLLOW);
	if (rc)
		err_set(e, "%s: %s", path, strerror(errno));
	if (d)
		closedir(d);
	return rc;
}

/* Can that user walk to the state folder? Said here, by name, rather than by each daemon's failing. */
static int check_way(const struct passwd *user, struct err *e)
{
	char path[PATH_MAX];
	struct stat st;

	snprintf(path, sizeof(path), "%s", state_dir_path());
	for (char *slash = path; slash;) {
		slash = strchr(slash + 1, '/');
		if (slash)
			*slash = '\0';
		if (stat(path, &st) == 0 && st.st_uid != user->pw_uid && st.st_gid != user->pw_gid && !(st.st_mode & S_IXOTH))
			return err_set(e, "the user %s cannot walk through %s: chmod o+x, or another place for the state folder",
			               user->pw_name, path);
		if (slash)
			*slash = '/';
	}
	return 0;
}

/* When the daemons become another user, theirs is what they read after that. Redis runs as that user too, so that its socket need be open to
 * nobody else. */
static int give_to_user(struct plan *p, const char *name, struct err *e)
{
	static const char *const folders[] = { "run", "redis", "keys", "tls" };
	struct passwd *user = *name && geteuid() == 0 ? getpwnam(name) : NULL;

	if (*name && geteuid() == 0 && !user)
		return err_set(e, "user: there is no user %s", name);
	if (!user)
		return 0;
	if (check_way(user, e))
		return -1;
	p->redis.uid = user->pw_uid;
	p->redis.gid = user->pw_gid;
	for (unsigned i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
		if (give_folder(folders[i], user, e))
			return -1;
	return 0;
}

static struct child *add(struct supervisor *s, const char *role, unsigned wave, const struct program *program, void *context, bool to_file)
{
	struct child *c = supervisor_add(s);

	if (!c)
		return NULL;
	snprintf(c->name, sizeof(c->name), "%s", role);
	c->role = role;
	c->wave = wave;
	c->program = program;
	c->context = context;
	c->stop_timeout_ms = STORE_STOP_MS;
	c->to_file = to_file;
	return c;
}

int plan_build(struct plan *p, struct supervisor *s, const struct ctl_config *config, const struct args *a, bool to_file, struct err *e)
{
	if (give_to_user(p, config->shared.user, e))
		return -1;
	if (config->postgres == STORE_PRIVATE && !a->no_postgres) {
		if (postgres_open(&p->postgres, &config->shared, e))
			return -1;
		add(s, "postgres", WAVE_STORES, &postgres_program, &p->postgres, to_file);
	}
	if (config->redis == STORE_PRIVATE && !a->no_redis)
		add(s, "redis", WAVE_STORES, &redis_program, &p->redis, to_file);
	for (unsigned i = 0; i < ROLE_COUNT; i++)
		for (unsigned k = 1; k <= p->counts[i]; k++) {
			struct child *c = add(s, roles[i].name, roles[i].wave, &daemon_program, p->programs[i], to_file);

			if (!c)
				return err_set(e, "more than %d processes", SUPERVISOR_MAX_CHILDREN);
			snprintf(c->name, sizeof(c->name), "%s-%u", roles[i].name, k);
			c->stop_timeout_ms = (uint64_t)config->shared.drain_ms + BEYOND_DRAIN_MS;
		}
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * `starlingctl init`: makes a state folder and starts nothing. Never changes what is there. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "services/starlingctl/command.h"
#include "services/starlingctl/ctl_config.h"
#include "services/starlingctl/init.h"
#include "services/starlingctl/json.h"
#include "services/starlingctl/state_dir.h"

static const struct {
	const char *path;
	mode_t mode;
} folders[] = { { "run", 0711 }, { "log", 0700 }, { "pg", 0700 }, { "redis", 0700 } };

static bool is_empty(const char *path)
{
	DIR *d = opendir(path);
	bool empty = true;

	if (!d)
		return false;
	for (struct dirent *entry; empty && (entry = readdir(d));)
		empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
	closedir(d);
	return empty;
}

static int make_folders(struct err *e)
{
	for (unsigned i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
		if (state_dir_mkdir(folders[i].path, folders[i].mode, e))
			return -1;
	return 0;
}

static int make_all(const char *const *domains, unsigned count, struct err *e)
{
	if (make_folders(e) || init_keys(e) || init_certificates(domains, count, e))
		return -1;
	/* Last: a folder with starling.yml is complete. */
	return state_dir_exists(STATE_CONFIG) ? 0 : init_config(domains, count, e);
}

/* With a starling.yml there, its hosts count. */
static int make_missing(const char *const *domains, unsigned count, struct err *e)
{
	struct ctl_config config;
	int rc;

	if (!state_dir_exists(STATE_CONFIG))
		return make_all(domains, count, e);
	if (ctl_config_load(&config, e)) {
		ctl_config_free(&config);
		return -1;
	}
	rc = make_all((const char *const *)config.shared.hosts.items, (unsigned)config.shared.hosts.count, e);
	ctl_config_free(&config);
	return rc;
}

static int report(const struct args *a, const char *const *domains, unsigned count)
{
	struct json j = { 0 };
	char path[4096];

	if (!getcwd(path, sizeof(path)))
		path[0] = '\0';
	if (!a->json) {
		printf("%s is ready: %s to edit, then: starlingctl up --dir %s\n", path, STATE_CONFIG, a->dir);
		return CTL_OK;
	}
	json_open(&j, NULL, '{');
	json_text(&j, "dir", path);
	json_open(&j, "domains", '[');
	for (unsigned i = 0; i < count; i++)
		json_text(&j, NULL, domains[i]);
	json_close(&j, ']');
	json_close(&j, '}');
	json_print(&j);
	return CTL_OK;
}

int command_init(const struct args *a)
{
	static const char *const fallback[] = { "localhost" };
	const char *const *domains = a->domain_count ? a->domains : fallback;
	unsigned count = a->domain_count ? a->domain_count : 1;
	struct err e;

	if (!a->dir)
		return command_fail(a, CTL_USAGE, "init: --dir is needed");
	if (mkdir(a->dir, 0711) && errno != EEXIST)
		return command_fail(a, CTL_FAILED, "%s: %s", a->dir, strerror(errno));
	if (!a->missing && !is_empty(a->dir))
		return command_fail(a, CTL_CONFLICT, "%s is not empty; nothing was changed", a->dir);
	if (chdir(a->dir))
		return command_fail(a, CTL_FAILED, "%s: %s", a->dir, strerror(errno));
	if (a->missing ? make_missing(domains, count, &e) : make_all(domains, count, &e))
		return command_fail(a, CTL_FAILED, "%s", e.text);
	return report(a, domains, count);
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * state_dir: the folder that `init` makes and all other commands work in: starling.yml, keys/, tls/, run/, log/, pg/, redis/.
 * starlingctl's working directory is that folder once it is open, so that paths within it are short and relative. */
#ifndef SERVICES_STARLINGCTL_STATE_DIR_H
#define SERVICES_STARLINGCTL_STATE_DIR_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "common/base/err.h"

#define STATE_CONFIG    "starling.yml"
#define STATE_LOCK      "run/supervisor.lock"
#define STATE_PID       "run/supervisor.pid"
#define STATE_CHILDREN  "run/children"
#define STATE_PG_DATA   "pg"
#define STATE_PG_SOCKET "run/pg"
#define STATE_REDIS     "run/redis.sock"

/* Finds the folder (dir; or $STARLING_DIR, or ".", or /etc/starling), and makes it the working directory. 0, or -1 with e set. */
int state_dir_open(const char *dir, struct err *e);
/* Absolute path of the folder, after state_dir_open. */
const char *state_dir_path(void);
bool state_dir_exists(const char *path);
/* Makes the folder unless it is there. */
int state_dir_mkdir(const char *path, mode_t mode, struct err *e);
/* A new file with this content, on disk when it returns. Fails when there is one. */
int state_dir_create(const char *path, mode_t mode, const char *text, size_t n, struct err *e);
/* Replaces the file at once: readers see the old or the new content. */
int state_dir_replace(const char *path, mode_t mode, const char *text, size_t n, struct err *e);
/* Whole content, NUL-terminated, freed by the caller with mem_free; NULL with e set. At most 1 MiB. */
char *state_dir_read(const char *path, size_t *out_n, struct err *e);

#endif

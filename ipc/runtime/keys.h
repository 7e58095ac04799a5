/* SPDX-License-Identifier: Apache-2.0
 *
 * keys: the CURVE key pairs of the flock on disk. <role>.key holds two lines, `public <z85>` and `secret <z85>`; the file `allow` holds
 * lines `<role> <z85 public key>`. Empty lines and lines that begin with # mean nothing. */
#ifndef IPC_RUNTIME_KEYS_H
#define IPC_RUNTIME_KEYS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"

#define KEYS_Z85      40 /* characters of a key */
#define KEYS_ROLE_MAX 63

struct keypair {
	char public_key[KEYS_Z85 + 1];
	char secret_key[KEYS_Z85 + 1];
};

void keypair_generate(struct keypair *out);
void keypair_wipe(struct keypair *k);
int keypair_read(const char *path, struct keypair *out, struct err *e);
/* Mode 0600; refuses to replace a file. */
int keypair_write(const char *path, const struct keypair *k, struct err *e);

struct allow_entry {
	char role[KEYS_ROLE_MAX + 1];
	char key[KEYS_Z85 + 1];
};
struct allow {
	struct allow_entry *items;
	size_t count;
};
int allow_read(const char *path, struct allow *out, struct err *e);
void allow_fini(struct allow *a);
bool allow_has(const struct allow *a, const char *role, const char *key); /* role NULL: any */
/* Adds one line, creating the file. */
int allow_add(const char *path, const char *role, const char *public_key, struct err *e);

/* Lower-case letters, digits and hyphens, at most KEYS_ROLE_MAX of them. */
bool keys_role_valid(const char *role);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include "common/crypto/jwt_keys.h"

#include <dirent.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base/mem.h"
#include "common/crypto/base64.h"

#define FILE_MAX   65536u
#define SECRET_MIN 32u  /* RFC 7518 section 3.2 */
#define RSA_MIN    2048 /* section 3.3 */

static int read_file(const char *path, char *out, size_t *out_n, struct err *e)
{
	FILE *f = fopen(path, "re");

	if (!f)
		return err_set(e, "%s: %s", path, strerror(errno));
	*out_n = fread(out, 1, FILE_MAX, f);
	fclose(f);
	return *out_n == FILE_MAX ? err_set(e, "%s: too long for a key", path) : 0;
}

static const char *algorithm_of(EVP_PKEY *key)
{
	char curve[64] = "";

	if (EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA)
		return EVP_PKEY_get_bits(key) >= RSA_MIN ? "RS256" : NULL;
	if (EVP_PKEY_get_base_id(key) == EVP_PKEY_EC && EVP_PKEY_get_group_name(key, curve, sizeof(curve), NULL) == 1)
		return strcmp(curve, "prime256v1") == 0 ? "ES256" : NULL;
	return NULL;
}

static int take_pem(struct jwt_key *key, const char *path, const char *text, size_t n, struct err *e)
{
	BIO *in = BIO_new_mem_buf(text, (int)n);

	key->pkey = in ? PEM_read_bio_PUBKEY(in, NULL, NULL, NULL) : NULL;
	BIO_free(in);
	ERR_clear_error();
	if (!key->pkey)
		return err_set(e, "%s: no public key", path);
	key->alg = algorithm_of(key->pkey);
	return key->alg ? 0 : err_set(e, "%s: neither an RSA key of 2048 bits or more nor one on P-256", path);
}

static int take_secret(struct jwt_key *key, const char *path, const char *text, size_t n, struct err *e)
{
	while (n > 0 && strchr("\r\n \t", text[n - 1]))
		n--;
	key->secret = mem_zalloc(base64_decoded_max(n) + 1);
	key->alg = "HS256";
	if (!base64_decode(str_make(text, n), key->secret, &key->secret_n)) {
		key->secret_n = base64_decoded_max(n);
		return err_set(e, "%s: neither a key in PEM nor a secret in base64", path);
	}
	return key->secret_n >= SECRET_MIN ? 0 : err_set(e, "%s: a secret of less than %u bytes", path, SECRET_MIN);
}

/* kid: NULL, or the file's name. */
static int add(struct jwt_keys *keys, const char *path, const char *name, struct err *e)
{
	static const char *const endings[] = { ".pem", ".secret" };
	char *text = mem_zalloc(FILE_MAX);
	struct jwt_key *key;
	size_t n = 0;
	int r = read_file(path, text, &n, e);

	if (r == 0) {
		keys->keys = mem_realloc(keys->keys, (keys->count + 1) * sizeof(*keys->keys));
		key = &keys->keys[keys->count++];
		*key = (struct jwt_key){ .kid = mem_strdup(name) };
		for (size_t i = 0; name && i < sizeof(endings) / sizeof(*endings); i++) {
			size_t end = strlen(endings[i]), all = strlen(key->kid);

			if (all > end && strcmp(key->kid + all - end, endings[i]) == 0)
				key->kid[all - end] = '\0';
		}
		r = n >= 11 && memcmp(text, "-----BEGIN ", 11) == 0 ? take_pem(key, path, text, n, e) : take_secret(key, path, text, n, e);
	}
	mem_free_secret(text, FILE_MAX);
	return r;
}

static int add_folder(struct jwt_keys *keys, const char *path, struct err *e)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	char file[4096];
	struct stat st;
	int r = 0;

	if (!dir)
		return err_set(e, "%s: %s", path, strerror(errno));
	while (r == 0 && (entry = readdir(dir)) != NULL) {
		snprintf(file, sizeof(file), "%s/%s", path, entry->d_name);
		if (entry->d_name[0] == '.' || stat(file, &st) != 0 || !S_ISREG(st.st_mode))
			continue;
		r = keys->count < JWT_KEYS_MAX ? add(keys, file, entry->d_name, e)
		                               : err_set(e, "%s: more than %u keys", path, JWT_KEYS_MAX);
	}
	closedir(dir);
	return r;
}

struct jwt_keys *jwt_keys_load(const char *path, struct err *e)
{
	struct jwt_keys *keys = mem_new(struct jwt_keys);
	struct stat st;
	int r;

	if (stat(path, &st) != 0)
		r = err_set(e, "%s: %s", path, strerror(errno));
	else
		r = S_ISDIR(st.st_mode) ? add_folder(keys, path, e) : add(keys, path, NULL, e);
	if (r == 0 && keys->count == 0)
		r = err_set(e, "%s: no key", path);
	if (r < 0)
		jwt_keys_free(&keys);
	return keys;
}

void jwt_keys_free(struct jwt_keys **out)
{
	struct jwt_keys *keys = *out;

	*out = NULL;
	if (!keys)
		return;
	for (size_t i = 0; i < keys->count; i++) {
		mem_free(keys->keys[i].kid);
		EVP_PKEY_free(keys->keys[i].pkey);
		mem_free_secret(keys->keys[i].secret, keys->keys[i].secret_n);
	}
	mem_free(keys->keys);
	mem_free(keys);
}

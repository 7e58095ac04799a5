/* SPDX-License-Identifier: Apache-2.0 */
#include "common/net/tls_trust.h"

#include <dirent.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/net/tls.h"

struct tls_trust {
	X509_STORE *store;
};

/* Debian's and Alpine's, Fedora's, and the folder that most have. A bundle is read three times as fast as the folder of the same, with its links. */
static const char *system_path(void)
{
	static const char *const bundles[] = { "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt" };

	for (size_t i = 0; i < sizeof(bundles) / sizeof(*bundles); i++) {
		if (access(bundles[i], R_OK) == 0)
			return bundles[i];
	}
	return "/etc/ssl/certs";
}

static int load_file(struct tls_trust *trust, const char *path, struct err *e)
{
	char text[160];

	ERR_clear_error();
	if (X509_STORE_load_file(trust->store, path) == 1)
		return 0;
	return err_set(e, "%s: no usable certificates: %s", path, tls_error_text(text, sizeof(text)));
}

/* Folders made for OpenSSL have the same certificate under several names; the store keeps one. */
static int load_folder(struct tls_trust *trust, const char *path, struct err *e)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	char file[4096];
	struct stat st;

	if (!dir)
		return err_set(e, "%s: %s", path, strerror(errno));
	while ((entry = readdir(dir)) != NULL) {
		snprintf(file, sizeof(file), "%s/%s", path, entry->d_name);
		if (entry->d_name[0] != '.' && stat(file, &st) == 0 && S_ISREG(st.st_mode))
			load_file(trust, file, NULL);
	}
	closedir(dir);
	return 0;
}

struct tls_trust *tls_trust_load(const char *path, struct err *e)
{
	struct tls_trust *trust = mem_new(struct tls_trust);
	struct stat st;
	int r;

	if (!path || !*path)
		path = system_path();
	trust->store = X509_STORE_new();
	if (!trust->store)
		r = err_set(e, "%s: OpenSSL has no room for it", path);
	else if (stat(path, &st) != 0)
		r = err_set(e, "%s: %s", path, strerror(errno));
	else
		r = S_ISDIR(st.st_mode) ? load_folder(trust, path, e) : load_file(trust, path, e);
	if (r == 0 && tls_trust_count(trust) == 0)
		r = err_set(e, "%s: no certificate in PEM", path);
	if (r < 0)
		tls_trust_free(&trust);
	return trust;
}

/* Certificates in the file are passed over: nobody is trusted by being in a list of those who are not. */
int tls_trust_revoke(struct tls_trust *trust, const char *path, struct err *e)
{
	FILE *f = fopen(path, "re");
	unsigned count = 0;
	X509_CRL *crl;

	if (!f)
		return err_set(e, "%s: %s", path, strerror(errno));
	while ((crl = PEM_read_X509_CRL(f, NULL, NULL, NULL)) != NULL) {
		count += X509_STORE_add_crl(trust->store, crl) == 1;
		X509_CRL_free(crl);
	}
	fclose(f);
	/* Such as "no start line" at the end of the file. */
	ERR_clear_error();
	if (count == 0)
		return err_set(e, "%s: no revocation list in PEM", path);
	X509_STORE_set_flags(trust->store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
	return 0;
}

void tls_trust_free(struct tls_trust **trust)
{
	if (!*trust)
		return;
	X509_STORE_free((*trust)->store);
	mem_free(*trust);
	*trust = NULL;
}

size_t tls_trust_count(const struct tls_trust *trust)
{
	STACK_OF(X509_OBJECT) *objects = X509_STORE_get0_objects(trust->store);
	size_t n = 0;

	for (int i = 0; i < sk_X509_OBJECT_num(objects); i++)
		n += X509_OBJECT_get0_X509(sk_X509_OBJECT_value(objects, i)) != NULL;
	return n;
}

X509_STORE *tls_trust_store(const struct tls_trust *trust)
{
	return trust->store;
}

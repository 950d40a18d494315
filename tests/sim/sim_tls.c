#include "sim_tls.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buf.h"

#define DAYS 825

static int fail(struct err **err, const char *what)
{
	char text[256];

	ERR_error_string_n(ERR_get_error(), text, sizeof(text));
	return err_set(err, ERR_TLS, "%s: %s", what, text);
}

static X509 *cert_new(const char *cn, EVP_PKEY *key, const char *issuer_cn)
{
	X509 *x = X509_new();
	X509_NAME *n = X509_NAME_new();
	unsigned char serial[15];
	BIGNUM *bn;

	RAND_bytes(serial, sizeof(serial));
	serial[0] &= 0x7f;
	bn = BN_bin2bn(serial, sizeof(serial), NULL);
	BN_to_ASN1_INTEGER(bn, X509_get_serialNumber(x));
	BN_free(bn);
	X509_set_version(x, 2);
	X509_gmtime_adj(X509_getm_notBefore(x), -3600);
	X509_gmtime_adj(X509_getm_notAfter(x), (long)DAYS * 86400);
	X509_set_pubkey(x, key);
	X509_NAME_add_entry_by_txt(
	    n, "O", MBSTRING_ASC, (const unsigned char *)"ramet-sim", -1, -1, 0);
	X509_NAME_add_entry_by_txt(n, "CN", MBSTRING_UTF8, (const unsigned char *)cn, -1, -1, 0);
	X509_set_subject_name(x, n);
	X509_NAME_free(n);
	n = X509_NAME_new();
	X509_NAME_add_entry_by_txt(
	    n, "O", MBSTRING_ASC, (const unsigned char *)"ramet-sim", -1, -1, 0);
	X509_NAME_add_entry_by_txt(
	    n, "CN", MBSTRING_UTF8, (const unsigned char *)issuer_cn, -1, -1, 0);
	X509_set_issuer_name(x, n);
	X509_NAME_free(n);
	return x;
}

static bool ext_add(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *e;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	if (!e)
		return false;
	X509_add_ext(x, e, -1);
	X509_EXTENSION_free(e);
	return true;
}

static char *alt_names(const struct strs *hosts)
{
	struct buf b;
	unsigned char addr[16];

	buf_init(&b, 0);
	for (size_t i = 0; i < hosts->n; i++) {
		bool ip = inet_pton(AF_INET, hosts->v[i], addr) == 1 ||
			  inet_pton(AF_INET6, hosts->v[i], addr) == 1;

		buf_addf(&b, "%s%s:%s", i ? "," : "", ip ? "IP" : "DNS", hosts->v[i]);
	}
	return buf_take(&b);
}

static int pem_write(const char *path, X509 *cert, X509 *chain, EVP_PKEY *key, struct err **err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, key ? 0600 : 0644);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "w");
	bool ok = f != NULL;

	if (fd >= 0 && !f)
		close(fd);
	if (ok && cert)
		ok = PEM_write_X509(f, cert) == 1;
	if (ok && chain)
		ok = PEM_write_X509(f, chain) == 1;
	if (ok && key)
		ok = PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) == 1;
	if (f && fclose(f) != 0)
		ok = false;
	return ok ? 0 : err_set(err, ERR_IO, "cannot write %s", path);
}

static bool exts_ok(X509 *ca, X509 *srv, const char *names)
{
	return ext_add(ca, ca, NID_basic_constraints, "critical,CA:TRUE") &&
	       ext_add(ca, ca, NID_key_usage, "critical,keyCertSign,cRLSign") &&
	       ext_add(ca, ca, NID_subject_key_identifier, "hash") &&
	       ext_add(srv, ca, NID_basic_constraints, "critical,CA:FALSE") &&
	       ext_add(srv, ca, NID_key_usage, "critical,digitalSignature") &&
	       ext_add(srv, ca, NID_ext_key_usage, "serverAuth") &&
	       ext_add(srv, ca, NID_subject_alt_name, names);
}

int tls_make(const char *dir, const struct strs *hosts, struct err **err)
{
	_cleanup_str_ char *ca_path = mem_printf("%s/ca.pem", dir);
	_cleanup_str_ char *cert_path = mem_printf("%s/server.pem", dir);
	_cleanup_str_ char *key_path = mem_printf("%s/server.key", dir);
	_cleanup_str_ char *names = alt_names(hosts);
	EVP_PKEY *ca_key, *key;
	X509 *ca, *srv;
	int r = -1;

	if (mkdir(dir, 0755) < 0 && access(dir, W_OK) < 0)
		return err_set(err, ERR_IO, "cannot make the directory %s", dir);
	if (!access(ca_path, R_OK) && !access(cert_path, R_OK) && !access(key_path, R_OK))
		return 0;
	ca_key = EVP_EC_gen("P-256");
	key = EVP_EC_gen("P-256");
	ca = cert_new("simulated cluster CA", ca_key, "simulated cluster CA");
	srv = cert_new(hosts->n ? hosts->v[0] : "localhost", key, "simulated cluster CA");
	if (!exts_ok(ca, srv, names) || !X509_sign(ca, ca_key, EVP_sha256()) ||
	    !X509_sign(srv, ca_key, EVP_sha256()))
		fail(err, "cannot make a certificate");
	else if (pem_write(ca_path, ca, NULL, NULL, err) == 0 &&
		 pem_write(key_path, NULL, NULL, key, err) == 0)
		r = pem_write(cert_path, srv, ca, NULL, err);
	X509_free(ca);
	X509_free(srv);
	EVP_PKEY_free(ca_key);
	EVP_PKEY_free(key);
	return r;
}

int tls_context(const char *cert, const char *key, SSL_CTX **ret, struct err **err)
{
	SSL_CTX *c = SSL_CTX_new(TLS_server_method());

	if (!c)
		return fail(err, "cannot start TLS");
	SSL_CTX_set_min_proto_version(c, TLS1_2_VERSION);
	if (SSL_CTX_use_certificate_chain_file(c, cert) != 1 ||
	    SSL_CTX_use_PrivateKey_file(c, key, SSL_FILETYPE_PEM) != 1 ||
	    SSL_CTX_check_private_key(c) != 1) {
		SSL_CTX_free(c);
		return fail(err, cert);
	}
	*ret = c;
	return 0;
}

char *tls_fingerprint(const char *cert)
{
	FILE *f = fopen(cert, "re");
	X509 *x = f ? PEM_read_X509(f, NULL, NULL, NULL) : NULL;
	unsigned char md[EVP_MAX_MD_SIZE];
	unsigned len = 0;
	struct buf b;

	if (f)
		fclose(f);
	if (!x)
		return NULL;
	X509_digest(x, EVP_sha256(), md, &len);
	X509_free(x);
	buf_init(&b, 0);
	for (unsigned i = 0; i < len; i++)
		buf_addf(&b, "%s%02X", i ? ":" : "", md[i]);
	return buf_take(&b);
}

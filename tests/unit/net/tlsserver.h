/*
 * tlsserver: a small scripted HTTPS server for tests, in processes of its own.
 *
 * Not a simulated cluster (tests/sim): it knows bytes and connections, no meaning. What it does is
 * chosen by a word in the path of the request, see answer().
 *
 * The server process dies with tlsserver_stop or with the test. Counters are in shared memory.
 *
 * Test programs; everything is static, each program has its own.
 */
#ifndef RAMET_TLSSERVER_H
#define RAMET_TLSSERVER_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "crypt.h"
#include "mem.h"

struct tlsserver_shared {
	atomic_int connections, in_flight, max_in_flight;
	atomic_int requests, status_calls; /* those for /cluster/status count apart */
	atomic_int release;	    /* requests for "/held" are answered once this is not 0 */
	char cluster[32];	    /* of which it says to be; "" = "c" */
	atomic_int no_quorum, away; /* it says so; it cannot reach the node: 595 */
	char node[32];		    /* with a name: /cluster/status says that this node answers */
	char good_token[64];	    /* when not "", tokens without it get 401 */
	char unwell[128], page[64]; /* with a status line: the answer to everything */
	char last_auth[256];
};

struct tlsserver {
	pid_t pid;
	int port;
	struct tlsserver_shared *shared;
};

/* A key with a certificate for 127.0.0.1, signed by another one or by itself. */
struct identity {
	EVP_PKEY *key;
	X509 *cert;
	char path[256]; /* the certificate as PEM */
	char fingerprint[CRYPT_HEX_LEN];
};

static UNUSED void identity_fini(struct identity *id)
{
	unlink(id->path);
	X509_free(id->cert);
	EVP_PKEY_free(id->key);
}

static UNUSED void add_extension(X509 *cert, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
	X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	MUST(ext && X509_add_ext(cert, ext, -1) == 1);
	X509_EXTENSION_free(ext);
}

static UNUSED void identity_init(struct identity *id, const char *dir, const char *name,
    const char *san, const struct identity *ca)
{
	static long serial = 1;
	id->key = EVP_EC_gen("P-256");
	id->cert = X509_new();
	MUST(id->key && id->cert);
	X509_set_version(id->cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(id->cert), serial++);
	X509_gmtime_adj(X509_getm_notBefore(id->cert), -3600);
	X509_gmtime_adj(X509_getm_notAfter(id->cert), 24L * 3600);
	X509_set_pubkey(id->cert, id->key);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(id->cert), "CN", MBSTRING_ASC,
	    (const unsigned char *)name, -1, -1, 0);
	X509_set_issuer_name(id->cert, X509_get_subject_name(ca ? ca->cert : id->cert));
	add_extension(
	    id->cert, NID_basic_constraints, san ? "critical,CA:FALSE" : "critical,CA:TRUE");
	if (san)
		add_extension(id->cert, NID_subject_alt_name, san);
	MUST(X509_sign(id->cert, ca ? ca->key : id->key, EVP_sha256()) > 0);
	snprintf(id->path, sizeof(id->path), "%s/%s.pem", dir, name);
	FILE *f = fopen(id->path, "w");
	MUST(f && PEM_write_X509(f, id->cert) == 1);
	fclose(f);
	unsigned char *der = NULL;
	int len = i2d_X509(id->cert, &der);
	MUST(len > 0);
	crypt_sha256_hex(der, (size_t)len, id->fingerprint);
	OPENSSL_free(der);
}

/* Seconds from now, instead of the day around it. */
static UNUSED void identity_date(struct identity *id, long from, long to, const struct identity *ca)
{
	X509_gmtime_adj(X509_getm_notBefore(id->cert), from);
	X509_gmtime_adj(X509_getm_notAfter(id->cert), to);
	MUST(X509_sign(id->cert, ca->key, EVP_sha256()) > 0);
}

static UNUSED void nap(void)
{
	nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

static UNUSED void put_text(SSL *ssl, const char *text)
{
	SSL_write(ssl, text, (int)strlen(text));
}

static UNUSED void put_reply(SSL *ssl, const char *status, const char *body, bool close)
{
	char head[512];
	snprintf(head, sizeof(head), "HTTP/1.1 %s\r\nContent-Length: %zu\r\n%s\r\n", status,
	    strlen(body), close ? "Connection: close\r\n" : "");
	put_text(ssl, head);
	put_text(ssl, body);
}

/* False: the connection is over. */
static UNUSED bool answer(SSL *ssl, int fd, struct tlsserver_shared *sh, const char *request)
{
	char path[512] = "";
	sscanf(request, "%*s %511s", path);
	if (*sh->unwell) {
		put_reply(ssl, sh->unwell, sh->page, true);
		return false;
	}
	if (strstr(path, "/reason")) {
		put_reply(ssl, "500 VM is locked (clone)", "{\"data\":null}", true);
		return false;
	}
	if (strstr(path, "/echo")) {
		put_reply(ssl, "200 OK", request, false);
		return true;
	}
	if (strstr(path, "/silent")) {
		for (;;)
			pause();
	}
	if (strstr(path, "/reset")) {
		struct linger l = {.l_onoff = 1, .l_linger = 0};
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
		close(fd);
		_exit(0);
	}
	if (strstr(path, "/half")) {
		put_text(ssl, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n0123456789");
		return false;
	}
	if (strstr(path, "/big")) {
		put_text(ssl, "HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n");
		for (int i = 0; i < 40; i++)
			put_text(ssl,
			    "0123456789012345678901234567890123456789012345678901234567890123456789"
			    "012345678901234567890123456789");
		return true;
	}
	if (strstr(path, "/headers")) {
		put_text(ssl, "HTTP/1.1 200 OK\r\n");
		for (int i = 0; i < 100000; i++)
			put_text(ssl, "X-More: 0123456789012345678901234567890123456789\r\n");
		return false;
	}
	if (strstr(path, "/redirect")) {
		put_text(ssl, "HTTP/1.1 302 Found\r\nLocation: /ok\r\nContent-Length: 0\r\n\r\n");
		return true;
	}
	if (strstr(path, "/dropidle")) {
		put_reply(ssl, "200 OK", "bye", false);
		return false;
	}
	if (strstr(path, "/garbage")) {
		put_text(ssl, "SSH-2.0-OpenSSH_9.2\r\n\r\n");
		return false;
	}
	if (strstr(path, "/held")) {
		while (!atomic_load(&sh->release))
			nap();
	}
	if (*sh->good_token && !strstr(sh->last_auth, sh->good_token)) {
		put_reply(ssl, "401 Authentication failed!", "", true);
		return false;
	}
	if (*sh->node && strstr(path, "/cluster/status")) {
		char body[256];
		snprintf(body, sizeof(body),
		    "{\"data\":[{\"type\":\"cluster\",\"name\":\"%s\",\"quorate\":%d},"
		    "{\"type\":\"node\",\"name\":\"other\",\"local\":0},"
		    "{\"type\":\"node\",\"name\":\"%s\",\"local\":1}]}",
		    *sh->cluster ? sh->cluster : "c", atomic_load(&sh->no_quorum) ? 0 : 1,
		    sh->node);
		put_reply(ssl, "200 OK", body, false);
		return true;
	}
	if (atomic_load(&sh->away)) {
		put_reply(ssl, "595 No route to host", "", true);
		return false;
	}
	put_reply(ssl, "200 OK", "hello", false);
	return true;
}

/* One request with its body; false at the end of the connection. */
static UNUSED bool read_request(SSL *ssl, char *buf, size_t cap)
{
	size_t len = 0;
	for (;;) {
		buf[len] = '\0';
		char *end = strstr(buf, "\r\n\r\n");
		if (end) {
			size_t body = 0;
			char *cl = strcasestr(buf, "Content-Length:");
			if (cl && cl < end)
				body = strtoul(cl + 15, NULL, 10);
			if (len >= (size_t)(end + 4 - buf) + body)
				return true;
		}
		int n = len + 1 < cap ? SSL_read(ssl, buf + len, (int)(cap - 1 - len)) : 0;
		if (n <= 0)
			return false;
		len += (size_t)n;
	}
}

static UNUSED void serve(SSL_CTX *ctx, int fd, struct tlsserver_shared *sh)
{
	static char request[1 << 16];
	int on = 1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	SSL *ssl = SSL_new(ctx);
	SSL_set_fd(ssl, fd);
	bool more = SSL_accept(ssl) == 1;
	while (more && read_request(ssl, request, sizeof(request))) {
		bool status = strstr(request, "/cluster/status ") != NULL;
		atomic_fetch_add(status ? &sh->status_calls : &sh->requests, 1);
		int now = atomic_fetch_add(&sh->in_flight, 1) + 1;
		int max = atomic_load(&sh->max_in_flight);
		while (now > max && !atomic_compare_exchange_weak(&sh->max_in_flight, &max, now))
			;
		char *auth = strcasestr(request, "\r\nAuthorization:");
		if (auth)
			snprintf(sh->last_auth, sizeof(sh->last_auth), "%.*s",
			    (int)strcspn(auth + 2, "\r"), auth + 2);
		more = answer(ssl, fd, sh, request);
		atomic_fetch_sub(&sh->in_flight, 1);
	}
	SSL_shutdown(ssl);
	SSL_free(ssl);
	close(fd);
}

/* A socket bound to a free port of 127.0.0.1; the port in *ret_port. */
static UNUSED int bind_loopback(int *ret_port)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(sa);
	MUST(fd >= 0 && bind(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0);
	MUST(getsockname(fd, (struct sockaddr *)&sa, &len) == 0);
	*ret_port = ntohs(sa.sin_port);
	return fd;
}

static UNUSED void tlsserver_start(struct tlsserver *s, const struct identity *id)
{
	s->shared = mmap(
	    NULL, sizeof(*s->shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	MUST(s->shared != MAP_FAILED);
	int listener = bind_loopback(&s->port);
	MUST(listen(listener, 64) == 0);
	s->pid = fork();
	MUST(s->pid >= 0);
	if (s->pid > 0) {
		setpgid(s->pid, s->pid);
		close(listener);
		return;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setpgid(0, 0);
	signal(SIGCHLD, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	MUST(SSL_CTX_use_certificate(ctx, id->cert) == 1 &&
	     SSL_CTX_use_PrivateKey(ctx, id->key) == 1);
	for (;;) {
		int fd = accept(listener, NULL, NULL);
		if (fd < 0)
			continue;
		atomic_fetch_add(&s->shared->connections, 1);
		if (fork() == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			serve(ctx, fd, s->shared);
			_exit(0);
		}
		close(fd);
	}
}

static UNUSED void tlsserver_stop(struct tlsserver *s)
{
	kill(-s->pid, SIGKILL);
	kill(s->pid, SIGKILL);
	waitpid(s->pid, NULL, 0);
	munmap(s->shared, sizeof(*s->shared));
}

static UNUSED void tlsserver_url(const struct tlsserver *s, const char *path, char ret[256])
{
	snprintf(ret, 256, "https://127.0.0.1:%d%s", s->port, path);
}

#endif

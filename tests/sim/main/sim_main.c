/* ramet-sim: the simulated cluster as a program. */
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "sim.h"
#include "sim_control.h"
#include "sim_http.h"
#include "sim_tls.h"

#define SEED_MAX ((size_t)16 << 20)

static const char help[] =
    "Usage: ramet-sim --seed FILE [OPTION]…\n"
    "Answers as the API of a Proxmox VE cluster does, with guests that are configuration only.\n"
    "\n"
    "  -s, --seed FILE        the cluster to start with, YAML (see docs/ramet-sim.md)\n"
    "      --pve VERSION      8.4 or 9.2; instead of what the seed says\n"
    "  -l, --listen ADDR:PORT where to listen; port 0 takes a free one (127.0.0.1:8006)\n"
    "      --all-nodes        one port for each node, counted up from PORT\n"
    "  -t, --tls-dir DIR      make a CA and a certificate there, or use those made before;\n"
    "                         give DIR/ca.pem to the client (./ramet-sim-tls)\n"
    "      --cert FILE        certificate chain, PEM; with --key instead of --tls-dir\n"
    "      --key FILE         its key, PEM\n"
    "      --plain            HTTP without TLS\n"
    "  -j, --journal FILE     append every change as a line of JSON\n"
    "  -r, --random N         number that all chance comes from (1)\n"
    "      --speed X          time runs X times as fast (1)\n"
    "  -f, --fault SPEC       something goes wrong; may be repeated. SPEC is\n"
    "                         KIND[,method=POST][,path=/nodes/*/clone][,nth=N][,times=N]\n"
    "                         [,probability=P][,status=N][,delay=MS][,text=…]\n"
#define SIM_FAULT(code, word, doc) "                           " word ": " doc "\n"
#include "sim_fault.def"
#undef SIM_FAULT
    "  -c, --control PATH     a Unix socket that takes these lines and answers \"ok\" or \"error: "
    "…\":\n"
    "%s\n"
    "      --check            only read the seed and say whether it is good\n"
    "  -h, --help             this text\n"
    "      --version          the program's version\n"
    "\n"
    "Prints one line \"endpoint URL node NAME\" for each port, then \"ca FILE\", \"fingerprint "
    "…\"\n"
    "and \"ready\". On SIGHUP certificate and key are read again, and \"fingerprint …\" is "
    "printed.\n"
    "Ends on SIGTERM and SIGINT with status 0, or 1 when the journal could not be written whole.\n";

struct options {
	const char *seed, *pve, *cert, *key, *tls_dir, *journal, *control;
	char *address;
	int port;
	bool all_nodes, plain, check;
	uint64_t random;
	double speed;
	const char *faults[64];
	size_t nfaults;
};

static int complain(const struct err *e)
{
	fprintf(stderr, "ramet-sim: %s\n", err_msg(e));
	if (e && e->hint)
		fprintf(stderr, "  %s\n", e->hint);
	return e && e->code == ERR_USAGE ? 2 : 1;
}

/* A place that is not open would be taken by the next file that is opened. */
static int take_places(struct err **err)
{
	bool heard = fcntl(STDOUT_FILENO, F_GETFD) >= 0;
	int fd;

	do
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	while (fd >= 0 && fd <= STDERR_FILENO);
	close(fd);
	if (heard)
		return 0;
	err_set(err, ERR_IO, "standard output is closed");
	return err_hint(err, "open it, to /dev/null at least");
}

/* Whoever waits for a line that cannot be written waits for ever. */
static int said(struct err **err)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return 0;
	err_set(err, ERR_IO, "cannot write to standard output: %s", strerror(errno));
	return err_hint(err, "make room there, or let somebody read it");
}

static int parse_listen(const char *arg, struct options *o, struct err **err)
{
	const char *colon = strrchr(arg, ':');
	int64_t port;

	if (!colon || text_to_int(colon + 1, 0, 65535, &port) < 0)
		return err_set(err, ERR_USAGE, "--listen %s: ADDRESS:PORT is expected", arg);
	free(o->address);
	o->address = *arg == '[' && colon[-1] == ']'
			 ? mem_strndup(arg + 1, (size_t)(colon - arg) - 2)
			 : mem_strndup(arg, (size_t)(colon - arg));
	o->port = (int)port;
	return 0;
}

enum { OPT_PVE = 256, OPT_ALL, OPT_CERT, OPT_KEY, OPT_PLAIN, OPT_SPEED, OPT_CHECK, OPT_VERSION };

static const struct option longopts[] = {{"seed", 1, NULL, 's'}, {"pve", 1, NULL, OPT_PVE},
    {"listen", 1, NULL, 'l'}, {"all-nodes", 0, NULL, OPT_ALL}, {"tls-dir", 1, NULL, 't'},
    {"cert", 1, NULL, OPT_CERT}, {"key", 1, NULL, OPT_KEY}, {"plain", 0, NULL, OPT_PLAIN},
    {"journal", 1, NULL, 'j'}, {"control", 1, NULL, 'c'}, {"random", 1, NULL, 'r'},
    {"speed", 1, NULL, OPT_SPEED}, {"fault", 1, NULL, 'f'}, {"check", 0, NULL, OPT_CHECK},
    {"help", 0, NULL, 'h'}, {"version", 0, NULL, OPT_VERSION}, {0}};

static int one_option(int c, struct options *o, struct err **err)
{
	int64_t n;

	switch (c) {
	case 's':
		o->seed = optarg;
		return 0;
	case OPT_PVE:
		o->pve = optarg;
		return 0;
	case 'l':
		return parse_listen(optarg, o, err);
	case OPT_ALL:
		o->all_nodes = true;
		return 0;
	case 't':
		o->tls_dir = optarg;
		return 0;
	case OPT_CERT:
		o->cert = optarg;
		return 0;
	case OPT_KEY:
		o->key = optarg;
		return 0;
	case OPT_PLAIN:
		o->plain = true;
		return 0;
	case 'j':
		o->journal = optarg;
		return 0;
	case 'c':
		o->control = optarg;
		return 0;
	case 'r':
		if (text_to_int(optarg, 0, INT64_MAX, &n) < 0)
			return err_set(err, ERR_USAGE, "--random %s: a number is expected", optarg);
		o->random = (uint64_t)n;
		return 0;
	case OPT_SPEED:
		if (text_to_num(optarg, &o->speed) < 0 || o->speed <= 0)
			return err_set(
			    err, ERR_USAGE, "--speed %s: a number above 0 is expected", optarg);
		return 0;
	case 'f':
		if (o->nfaults == ARRAY_LEN(o->faults))
			return err_set(err, ERR_USAGE, "too many faults");
		o->faults[o->nfaults++] = optarg;
		return 0;
	case OPT_CHECK:
		o->check = true;
		return 0;
	}
	err_set(err, ERR_USAGE, "the command line is wrong");
	return err_hint(err, "see ramet-sim --help");
}

/* 0: go on; 1: done; -1: wrong. */
static int parse_options(int argc, char **argv, struct options *o, struct err **err)
{
	int c;

	*o = (struct options){.address = mem_strdup("127.0.0.1"),
	    .port = 8006,
	    .random = 1,
	    .speed = 1,
	    .tls_dir = "ramet-sim-tls"};
	while ((c = getopt_long(argc, argv, "s:l:t:j:c:r:f:h", longopts, NULL)) != -1) {
		if (c == 'h' || c == OPT_VERSION) {
			if (c == 'h')
				printf(help, control_help);
			else
				puts("ramet-sim " RAMET_VERSION);
			return 1;
		}
		if (one_option(c, o, err) < 0)
			return -1;
	}
	if (!o->seed || optind < argc) {
		err_set(err, ERR_USAGE, o->seed ? "unexpected argument" : "no seed is given");
		return err_hint(err, "say --seed FILE; see ramet-sim --help");
	}
	if (!o->cert != !o->key)
		return err_set(err, ERR_USAGE, "--cert and --key belong together");
	return 0;
}

static int read_file(const char *path, char **ret, size_t *ret_len, struct err **err)
{
	FILE *f = fopen(path, "re");
	_cleanup_str_ char *text = NULL;
	int failed;
	size_t n;

	if (!f)
		return err_set(err, ERR_IO, "%s: %s", path, strerror(errno));
	text = mem_alloc(SEED_MAX + 1);
	n = fread(text, 1, SEED_MAX + 1, f);
	failed = ferror(f) ? errno : 0;
	fclose(f);
	if (failed)
		return err_set(err, ERR_IO, "%s: %s", path, strerror(failed));
	if (n > SEED_MAX)
		return err_set(err, ERR_LIMIT, "%s: is larger than 16 MiB", path);
	*ret = TAKE(text);
	*ret_len = n;
	return 0;
}

static int start_sim(const struct options *o, struct sim **ret, struct err **err)
{
	_cleanup_str_ char *yaml = NULL;
	struct timespec now;
	struct sim_opts so = {.seed_name = o->seed, .version = o->pve, .random = o->random};
	int fd;

	if (read_file(o->seed, &yaml, &so.seed_len, err) < 0)
		return -1;
	clock_gettime(CLOCK_REALTIME, &now);
	so.wall_ms = (int64_t)now.tv_sec * 1000;
	so.seed_yaml = yaml;
	if (sim_new(&so, ret, err) < 0)
		return -1;
	for (size_t i = 0; i < o->nfaults; i++)
		if (sim_fault_add_text(*ret, o->faults[i], err) < 0)
			return -1;
	if (!o->journal)
		return 0;
	fd = open(o->journal, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (fd < 0)
		return err_set(err, ERR_IO, "%s: %s", o->journal, strerror(errno));
	sim_journal_fd(*ret, fd);
	return 0;
}

static int start_tls(const struct options *o, SSL_CTX **ret, struct err **err)
{
	_cleanup_strs_ struct strs hosts = {0};
	_cleanup_str_ char *cert = NULL;
	_cleanup_str_ char *key = NULL;

	if (o->plain)
		return 0;
	if (o->cert)
		return tls_context(o->cert, o->key, ret, err);
	strs_add(&hosts, "localhost");
	strs_add(&hosts, "127.0.0.1");
	strs_add(&hosts, "::1");
	if (!strs_has(&hosts, o->address))
		strs_add(&hosts, o->address);
	if (tls_make(o->tls_dir, &hosts, err) < 0)
		return -1;
	cert = mem_printf("%s/server.pem", o->tls_dir);
	key = mem_printf("%s/server.key", o->tls_dir);
	return tls_context(cert, key, ret, err);
}

/* To whoever reads along, and to the nodes, which tell it themselves. */
static void announce_cert(const struct options *o, struct sim *sim)
{
	_cleanup_str_ char *made = mem_printf("%s/server.pem", o->tls_dir);
	_cleanup_str_ char *print = o->plain ? NULL : tls_fingerprint(o->cert ? o->cert : made);

	if (print) {
		printf("fingerprint %s\n", print);
		sim_certificate(sim, print);
	}
}

static int announce(
    const struct options *o, const struct sim_http *h, struct sim *sim, struct err **err)
{
	bool v6 = strchr(o->address, ':');

	for (size_t i = 0; i < sim_http_count(h); i++)
		printf("endpoint %s://%s%s%s:%d node %s\n", o->plain ? "http" : "https",
		    v6 ? "[" : "", o->address, v6 ? "]" : "", sim_http_port(h, i),
		    sim_http_node(h, i));
	if (!o->plain && !o->cert)
		printf("ca %s/ca.pem\n", o->tls_dir);
	announce_cert(o, sim);
	puts("ready");
	return said(err);
}

static void on_signal(evutil_socket_t sig, short what, void *arg)
{
	(void)sig;
	(void)what;
	event_base_loopexit(arg, NULL);
}

struct server {
	struct event_base *base;
	int failed; /* errno of a line that somebody may wait for */
	const struct options *o;
	struct sim *sim;
	struct sim_http *http;
	SSL_CTX **tls;
};

/* What cannot be used changes nothing. */
static void on_hup(evutil_socket_t sig, short what, void *arg)
{
	struct server *s = arg;
	SSL_CTX *fresh = NULL;
	struct err *err = NULL;

	(void)sig;
	(void)what;
	if (start_tls(s->o, &fresh, &err) < 0) {
		complain(err);
	} else if (fresh) {
		sim_http_set_tls(s->http, fresh);
		SSL_CTX_free(*s->tls);
		*s->tls = fresh;
		announce_cert(s->o, s->sim);
		if (said(&err) < 0)
			complain(err);
	}
	err_free(&err);
}

static int64_t real_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* For whoever waits for it at the other end of a pipe; there may be nobody any more. */
static void on_held(void *arg, const char *method, const char *path)
{
	struct server *s = arg;

	printf("held %s %s\n", method, path);
	if (fflush(stdout) < 0 && errno != EPIPE) {
		s->failed = errno;
		event_base_loopexit(s->base, NULL);
	}
}

/* What was lost is said at the end at the latest: a test must not believe a journal with a gap. */
static int ended(const struct options *o, const struct server *s, struct err **err)
{
	int failed = sim_journal_failed(s->sim);

	if (s->failed)
		return err_set(
		    err, ERR_IO, "cannot write to standard output: %s", strerror(s->failed));
	if (!failed)
		return 0;
	err_set(
	    err, ERR_IO, "%s: %s: changes are missing from there on", o->journal, strerror(failed));
	return err_hint(err, "make room for the journal, and run again");
}

static int run(const struct options *o, struct sim *sim, SSL_CTX **tls, struct err **err)
{
	struct event_base *base = event_base_new();
	struct server server = {.base = base, .o = o, .sim = sim, .tls = tls};
	struct event *hup = evsignal_new(base, SIGHUP, on_hup, &server);
	struct event *term = evsignal_new(base, SIGTERM, on_signal, base);
	struct event *intr = evsignal_new(base, SIGINT, on_signal, base);
	struct sim_http_opts ho = {.address = o->address,
	    .port = o->port,
	    .all_nodes = o->all_nodes,
	    .tls = *tls,
	    .speed = o->speed,
	    .clock_us = real_us};
	struct sim_http *h = NULL;
	struct sim_control *control = NULL;
	int r = sim_http_start(base, sim, &ho, &h, err);

	if (r == 0 && o->control)
		r = control_start(sim, h, o->control, &control, err);
	if (r == 0) {
		server.http = h;
		event_add(hup, NULL);
		event_add(term, NULL);
		event_add(intr, NULL);
		r = announce(o, h, sim, err);
	}
	if (r == 0) {
		sim_fault_watch(sim, on_held, &server);
		event_base_dispatch(base);
		r = ended(o, &server, err);
	}
	control_free(&control);
	sim_http_free(&h);
	event_free(hup);
	event_free(term);
	event_free(intr);
	event_base_free(base);
	return r;
}

/* Reads the seed and serves it, or only says whether it is good. */
static int serve(const struct options *o, struct err **err)
{
	struct sim *sim = NULL;
	SSL_CTX *tls = NULL;
	int r = start_sim(o, &sim, err);

	if (r == 0 && o->check) {
		printf("%s: good, %zu guests\n", o->seed, sim_guests(sim, NULL, 0));
		r = said(err);
	} else if (r == 0 && (r = start_tls(o, &tls, err)) == 0)
		r = run(o, sim, &tls, err);
	sim_free(&sim);
	SSL_CTX_free(tls);
	return r;
}

int main(int argc, char **argv)
{
	struct options o = {0};
	struct err *err = NULL;
	int r = take_places(&err);

	if (r == 0)
		r = parse_options(argc, argv, &o, &err);
	if (r == 1) {
		r = said(&err);
	} else if (r == 0) {
		/* A client that goes away must not end the cluster. */
		signal(SIGPIPE, SIG_IGN);
		r = serve(&o, &err);
	}
	free(o.address);
	r = r < 0 ? complain(err) : 0;
	err_free(&err);
	return r;
}

#include "telemetry.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "httpd.h"
#include "log.h"
#include "metrics.h"
#include "notify.h"
#include "webhook.h"

#define TELEMETRY_MAGIC 0x746c6d74u
#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"
/* How often `systemctl status` gets a new line. */
#define STATUS_MS 10000

struct telemetry {
	uint32_t magic;
	struct setup *setup;
	struct clock *clock;
	struct controller *controller; /* NULL = not yet */
	struct httpd *httpd;	       /* NULL = not wanted */
	struct notify *notify;
	timer_id tell;
	char *told; /* to the service manager, last */
};

/* ---- figures ---- */

/* When this process started is known to the kernel, but in ticks since a boot whose moment moves
 * with the wall clock: the moment that this is asked first is as good. */
static double start_time(void)
{
	static double start;
	if (start == 0)
		start = (double)loop_wall_ms() / 1000;
	return start;
}

static double resident_bytes(void)
{
	long pages = 0;
	FILE *f = fopen("/proc/self/statm", "re");
	if (!f)
		return 0;
	if (fscanf(f, "%*s %ld", &pages) != 1) /* NOLINT(cert-err34-c): the kernel wrote it */
		pages = 0;
	fclose(f);
	return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static double open_fds(void)
{
	double n = 0;
	DIR *d = opendir("/proc/self/fd");
	if (!d)
		return 0;
	while (readdir(d))
		n++;
	closedir(d);
	return n - 3; /* ".", ".." and the folder itself */
}

static double cpu_seconds(void)
{
	struct rusage u;
	if (getrusage(RUSAGE_SELF, &u) != 0)
		return 0;
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void measure_process(void)
{
	metrics_set(METRIC_BUILD, 0, 1);
	metrics_set(METRIC_RESIDENT, 0, resident_bytes());
	metrics_set(METRIC_CPU, 0, cpu_seconds());
	metrics_set(METRIC_FDS, 0, open_fds());
	metrics_set(METRIC_START, 0, start_time());
}

static void measure_model(const struct status *s)
{
	struct status_counts n = status_count(s);
	size_t leaves = 0;
	for (size_t i = 0; i < s->n_vms; i++)
		leaves += s->vms[i]->drifts.n;
	for (unsigned i = 0; i < VMSTAT_STATE__MAX; i++)
		metrics_set(METRIC_VMS, i, (double)n.by_state[i]);
	metrics_set(METRIC_VMS_STALLED, 0, (double)n.stalled);
	metrics_set(METRIC_VMS_DRIFTED, 0, (double)n.drifted);
	metrics_set(METRIC_VMS_PENDING, 0, (double)n.pending);
	metrics_set(METRIC_DRIFTED_LEAVES, 0, (double)leaves);
	metrics_set(METRIC_FINDINGS, 0, (double)s->findings.n);
	metrics_set(METRIC_OBSERVE_ONLY, 0, s->observe_only);
	metrics_set(METRIC_PROBLEM, 0, s->git_problem != NULL);
	metrics_set(METRIC_PROBLEM, 1, s->cluster_problem != NULL);
	metrics_set(METRIC_PROBLEM, 2, s->report_problem != NULL);
	metrics_set(METRIC_PROBLEM, 3, s->state_problem != NULL);
}

static bool is_ready(const struct telemetry *t)
{
	return t->controller && controller_is_ready(t->controller);
}

/* ---- routes ---- */

/* That it answers is what is asked: there is one loop. */
static void on_healthz(void *arg, const struct httpd_request *req, struct httpd_reply *ret)
{
	(void)arg;
	(void)req;
	buf_adds(&ret->body, "ok\n");
}

static void on_readyz(void *arg, const struct httpd_request *req, struct httpd_reply *ret)
{
	struct telemetry *t = arg;
	(void)req;
	if (is_ready(t)) {
		buf_adds(&ret->body, "ok\n");
		return;
	}
	const struct status *s = t->controller ? controller_status(t->controller) : NULL;
	const char *why = s && s->git_problem	    ? s->git_problem
			  : s && s->cluster_problem ? s->cluster_problem
						    : "Git and the cluster are being read";
	ret->status = 503;
	buf_addf(&ret->body, "not ready: %s\n", why);
}

static void on_metrics(void *arg, const struct httpd_request *req, struct httpd_reply *ret)
{
	struct telemetry *t = arg;
	(void)req;
	measure_process();
	if (t->controller) {
		measure_model(controller_status(t->controller));
		metrics_set(METRIC_LOOKS, 0, (double)controller_looks(t->controller));
	}
	metrics_set(METRIC_READY, 0, is_ready(t));
	ret->type = METRICS_TYPE;
	metrics_print(&ret->body);
}

static void on_webhook(void *arg, const struct httpd_request *req, struct httpd_reply *ret)
{
	struct telemetry *t = arg;
	const struct config *k = t->setup->config;
	struct webhook_proof proof = {.sha256 = httpd_header(req, "X-Hub-Signature-256"),
	    .signature = httpd_header(req, "X-Forgejo-Signature"),
	    .token = httpd_header(req, "X-Gitlab-Token")};
	if (!proof.signature)
		proof.signature = httpd_header(req, "X-Gitea-Signature");
	if (!proof.signature)
		proof.signature = httpd_header(req, "X-Gogs-Signature");
	enum webhook_verdict v = webhook_judge(
	    k->http_webhook_secret.value, k->git_branch, &proof, req->body, req->body_len);
	metrics_add(METRIC_WEBHOOKS, v, 1);
	switch (v) {
	case WEBHOOK_ACCEPTED:
		log_info("git", "push event: looking again");
		if (t->controller)
			controller_poke(t->controller);
		ret->status = 202;
		buf_adds(&ret->body, "looking again\n");
		return;
	case WEBHOOK_IGNORED:
		ret->status = 202;
		buf_adds(&ret->body, "not the watched branch\n");
		return;
	case WEBHOOK_REFUSED:
	case WEBHOOK__MAX:
		break;
	}
	ret->status = 401;
	buf_adds(
	    &ret->body, "the event is not signed with the secret of http.webhook_secret_file\n");
}

static void on_answer(void *arg, int status)
{
	(void)arg;
	metrics_add(METRIC_HTTP_REQUESTS, status < 400 ? 0 : status < 500 ? 1 : 2, 1);
}

static int listen_on(struct telemetry *t, struct err **err)
{
	static const struct httpd_route routes[] = {
	    {"GET", "/healthz", on_healthz},
	    {"GET", "/readyz", on_readyz},
	    {"GET", "/metrics", on_metrics},
	    /* Last: without a secret there is no such route. */
	    {"POST", "/webhook", on_webhook},
	};
	const struct config *k = t->setup->config;
	bool hook = k->http_webhook_secret.value && *k->http_webhook_secret.value;
	if (!*k->http_listen)
		return 0;
	struct httpd_opts o = {.listen = k->http_listen,
	    .routes = routes,
	    .n_routes = ARRAY_LEN(routes) - !hook,
	    .on_answer = on_answer,
	    .arg = t};
	if (httpd_new(t->setup->loop, &o, &t->httpd, err) != 0)
		return -1;
	log_info("http", "listening on %s: /healthz /readyz /metrics%s", httpd_address(t->httpd),
	    hook ? " /webhook" : "");
	return 0;
}

/* ---- the service manager ---- */

static void tell(void *arg)
{
	struct telemetry *t = arg;
	t->tell = clock_timer(t->clock, STATUS_MS, tell, t);
	if (!t->controller)
		return;
	const struct status *s = controller_status(t->controller);
	struct status_counts n = status_count(s);
	const char *problem = s->git_problem ? s->git_problem : s->cluster_problem;
	_cleanup_str_ char *line = problem ? mem_strdup(problem)
					   : mem_printf("%zu VMs: %zu ready, %zu need a person, "
							"%zu drifted",
						 n.total, n.ready, n.stalled, n.drifted);
	if (text_eq(line, t->told))
		return;
	notify_status(t->notify, line);
	mem_replace(&t->told, line);
}

/* ---- life ---- */

int telemetry_new(struct setup *s, struct telemetry **ret, struct err **err)
{
	struct telemetry *t = mem_alloc(sizeof(*t));
	t->magic = TELEMETRY_MAGIC;
	t->setup = s;
	t->clock = loop_clock(s->loop);
	start_time();
	if (listen_on(t, err) != 0) {
		telemetry_free(&t);
		return -1;
	}
	t->notify = notify_new(
	    s->loop, &(struct notify_opts){.socket = cli_env(s->cli->env, "NOTIFY_SOCKET"),
			 .watchdog_usec = cli_env(s->cli->env, "WATCHDOG_USEC"),
			 .watchdog_pid = cli_env(s->cli->env, "WATCHDOG_PID")});
	*ret = t;
	return 0;
}

void telemetry_free(struct telemetry **tp)
{
	struct telemetry *t = *tp;
	if (!t)
		return;
	CHECK_OBJ(t, TELEMETRY_MAGIC);
	clock_cancel(t->clock, &t->tell);
	httpd_free(&t->httpd);
	notify_free(&t->notify);
	free(t->told);
	t->magic = 0;
	free(t);
	*tp = NULL;
}

void telemetry_set_controller(struct telemetry *t, struct controller *c)
{
	t->controller = c;
	notify_ready(t->notify, "reading Git and the cluster");
	t->tell = clock_timer(t->clock, STATUS_MS, tell, t);
}

void telemetry_note(struct telemetry *t, const struct note *n)
{
	switch (n->kind) {
	case NOTE_REVISION:
		metrics_add(METRIC_REVISIONS, 0, 1);
		metrics_set(METRIC_REVISION_SEEN, 0, (double)clock_wall(t->clock) / 1000);
		return;
	case NOTE_STEP:
		metrics_add(METRIC_STEPS, 0, 1);
		return;
	case NOTE_DRIFT:
		metrics_add(METRIC_DRIFTS, 0, 1);
		return;
	case NOTE_REPORT:
		metrics_add(METRIC_REPORTS, 0, 1);
		return;
	case NOTE_FINDING:
	case NOTE_STATE:
	case NOTE_PROGRESS:
	case NOTE_DONE:
	case NOTE_TROUBLE:
	case NOTE__MAX:
		return;
	}
}

void telemetry_reloading(struct telemetry *t)
{
	notify_reloading(t->notify);
}

void telemetry_stopping(struct telemetry *t)
{
	notify_stopping(t->notify);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "metrics.h"
#include "text.h"

static int reset(void **state UNUSED)
{
	metrics_reset();
	return 0;
}

static size_t count(const char *values)
{
	size_t n = 1;
	for (const char *s = values; (s = strchr(s, '|')); s++)
		n++;
	return n;
}

static void every_row_follows_the_conventions(void **state UNUSED)
{
	for (enum metric m = 0; m < METRIC__MAX; m++) {
		const struct metric_row *r = metrics_row(m);
		bool total = text_ends(r->name, "_total");
		if (!text_starts(r->name, "ramet_") && !text_starts(r->name, "process_"))
			fail_msg("%s: no prefix", r->name);
		if (total != (r->kind == METRIC_KIND_COUNTER))
			fail_msg("%s: counters and only counters end in _total", r->name);
		if (!r->doc[0] || strpbrk(r->doc, "\n\\"))
			fail_msg("%s: its text is empty or needs escaping", r->name);
		if (!r->label != !r->values || (r->values && count(r->values) > METRICS_VALUES_MAX))
			fail_msg("%s: its label", r->name);
		/* Prometheus gives these two to every series itself, and renames ours. */
		if (r->label && (text_eq(r->label, "job") || text_eq(r->label, "instance")))
			fail_msg("%s: its label is taken", r->name);
		for (enum metric k = 0; k < m; k++)
			assert_string_not_equal(r->name, metrics_row(k)->name);
	}
}

static void prints_what_was_counted(void **state UNUSED)
{
	_cleanup_buf_ struct buf b = {0};
	metrics_add(METRIC_CLUSTER_REQUESTS, 0, 1);
	metrics_add(METRIC_CLUSTER_REQUESTS, 0, 2);
	metrics_add(METRIC_CLUSTER_REQUESTS, 3, 1);
	metrics_observe(METRIC_GIT_JOB_SECONDS, 0.25);
	metrics_observe(METRIC_GIT_JOB_SECONDS, 1.5);
	metrics_set(METRIC_RESIDENT, 0, 22020096);
	metrics_print(&b);
	const char *s = buf_str(&b);
	assert_non_null(strstr(s, "\n# TYPE ramet_cluster_requests_total counter\n"
				  "ramet_cluster_requests_total{outcome=\"ok\"} 3\n"));
	assert_non_null(strstr(s, "\nramet_cluster_requests_total{outcome=\"forbidden\"} 1\n"));
	assert_non_null(strstr(s, "\nramet_cluster_requests_total{outcome=\"cut\"} 0\n"));
	assert_non_null(strstr(s, "\n# TYPE ramet_git_job_duration_seconds summary\n"
				  "ramet_git_job_duration_seconds_sum 1.75\n"
				  "ramet_git_job_duration_seconds_count 2\n"));
	assert_non_null(strstr(s, "\nprocess_resident_memory_bytes 22020096\n"));
}

/* The judge of the format is Prometheus' own program, where it is installed. */
static void promtool_has_no_complaint(void **state UNUSED)
{
	_cleanup_buf_ struct buf b = {0};
	if (system("command -v promtool >/dev/null 2>&1") != 0) /* NOLINT(cert-env33-c) */
		skip();
	metrics_print(&b);
	FILE *p = popen("promtool check metrics", "w"); /* NOLINT(cert-env33-c) */
	assert_non_null(p);
	assert_int_equal(fwrite(b.data, 1, b.len, p), b.len);
	assert_int_equal(pclose(p), 0);
}

#define REFERENCE RAMET_SOURCE_DIR "/docs/metrics.md"

static void print_reference(struct buf *out)
{
	buf_adds(out, "<!-- made from controller/base/metrics.def by test_metrics --update -->\n"
		      "# Metrics\n\n"
		      "`GET /metrics` on [`http.listen`](config.md) answers in the text format of "
		      "Prometheus. "
		      "Labels take only the values that\nstand here, so the number of samples does "
		      "not depend "
		      "on the number of VMs. For one VM there is `ramet status NAME`.\n\n"
		      "`GET /healthz` answers 200 as long as the controller's loop turns; `GET "
		      "/readyz` answers "
		      "200 once a desired state is in\nforce and the cluster has been seen, and "
		      "until then 503 "
		      "with the reason. `POST /webhook` is there when\n`http.webhook_secret_file` "
		      "is set.\n\n");
	metrics_print_markdown(out);
}

static void the_reference_is_current(void **state UNUSED)
{
	static char text[1 << 16];
	_cleanup_buf_ struct buf b = {0};
	print_reference(&b);
	FILE *f = fopen(REFERENCE, "re");
	if (!f)
		fail_msg("%s is not there; run test_metrics --update", REFERENCE);
	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	fclose(f);
	assert_string_equal(text, buf_str(&b));
}

static int update(void)
{
	_cleanup_buf_ struct buf b = {0};
	print_reference(&b);
	FILE *f = fopen(REFERENCE, "we");
	if (!f)
		return 1;
	fwrite(b.data, 1, b.len, f);
	return fclose(f) != 0;
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "--update") == 0)
		return update();
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(every_row_follows_the_conventions, reset),
	    cmocka_unit_test_setup(prints_what_was_counted, reset),
	    cmocka_unit_test(the_reference_is_current),
	    cmocka_unit_test_setup(promtool_has_no_complaint, reset),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

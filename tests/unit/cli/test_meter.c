/* What passes through a meter comes out the same, and is counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "meter.h"
#include "metrics.h"
#include "status.h"
#include "text.h"
#include "vclock.h"

/* ---- ports that answer when told to ---- */

struct inner {
	struct cluster_port cluster;
	struct gitport git;
	cluster_cb on_reply;
	gitport_cb on_result;
	void *arg;
	uint64_t next, cancelled;
};

static struct inner in;

static cluster_id in_submit(struct cluster_port *p UNUSED, const struct cluster_request *req UNUSED,
    cluster_cb cb, void *arg)
{
	in.on_reply = cb;
	in.arg = arg;
	return ++in.next;
}

static void in_cancel(struct cluster_port *p UNUSED, cluster_id id)
{
	in.cancelled = id;
}

static const char *in_entry(struct cluster_port *p UNUSED)
{
	return "pve2";
}

static gitport_job in_list(struct gitport *p UNUSED, gitport_cb cb, void *arg)
{
	in.on_result = cb;
	in.arg = arg;
	return ++in.next;
}

static void in_git_cancel(struct gitport *p UNUSED, gitport_job id)
{
	in.cancelled = id;
}

struct fixture {
	struct vclock *v;
	struct meter *m;
	int replies, results;
	int status;
};

static int set_up(void **state)
{
	static const struct cluster_port_ops cluster_ops = {
	    .submit = in_submit, .cancel = in_cancel, .entry = in_entry};
	static const struct gitport_ops git_ops = {.list = in_list, .cancel = in_git_cancel};
	struct fixture *f = mem_alloc(sizeof(*f));
	in = (struct inner){.cluster.ops = &cluster_ops, .git.ops = &git_ops, .next = 70};
	metrics_reset();
	f->v = vclock_new(1, 0);
	f->m = meter_new(vclock_clock(f->v), &in.cluster, &in.git);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	meter_free(&f->m);
	vclock_free(&f->v);
	free(f);
	return 0;
}

static void on_reply(void *arg, const struct cluster_reply *r)
{
	struct fixture *f = arg;
	f->replies++;
	f->status = r->status;
}

static void on_result(void *arg, const struct gitport_result *res UNUSED)
{
	struct fixture *f = arg;
	f->results++;
}

static void ask(struct fixture *f, struct cluster_reply reply)
{
	struct cluster_request req = {.method = "GET", .path = "/version"};
	assert_true(cluster_submit(meter_cluster(f->m), &req, on_reply, f) != 0);
	vclock_run_until(f->v, clock_now(vclock_clock(f->v)) + 250);
	in.on_reply(in.arg, &reply);
}

static void counts_calls_by_outcome(void **state)
{
	struct fixture *f = *state;
	static const struct {
		enum cluster_transport transport;
		int status;
		const char *label;
	} calls[] = {
	    {CLUSTER_REPLIED, 200, "ok"},
	    {CLUSTER_REPLIED, 400, "refused"},
	    {CLUSTER_REPLIED, 401, "unauthenticated"},
	    {CLUSTER_REPLIED, 403, "forbidden"},
	    {CLUSTER_REPLIED, 500, "failed"},
	    {CLUSTER_REPLIED, 596, "failed"},
	    {CLUSTER_NOT_SENT, 0, "not_sent"},
	    {CLUSTER_CUT, 0, "cut"},
	};
	for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
		_cleanup_buf_ struct buf b = {0};
		metrics_reset();
		ask(f, (struct cluster_reply){.transport = calls[i].transport,
			   .status = calls[i].status,
			   .body_len = 11});
		assert_int_equal(f->replies, i + 1);
		assert_int_equal(f->status, calls[i].status);
		metrics_print(&b);
		_cleanup_str_ char *want = mem_printf(
		    "\nramet_cluster_requests_total{outcome=\"%s\"} 1\n", calls[i].label);
		assert_non_null(strstr(buf_str(&b), want));
		assert_non_null(
		    strstr(buf_str(&b), "\nramet_cluster_request_duration_seconds_sum 0.25\n"));
		assert_non_null(strstr(buf_str(&b), "\nramet_cluster_received_bytes_total 11\n"));
	}
}

static void counts_jobs_and_their_failures(void **state)
{
	struct fixture *f = *state;
	struct err err = {.code = ERR_TIMEOUT};
	gitport_list(meter_git(f->m), on_result, f);
	in.on_result(in.arg, &(struct gitport_result){0});
	gitport_list(meter_git(f->m), on_result, f);
	in.on_result(in.arg, &(struct gitport_result){.err = &err});
	assert_int_equal(f->results, 2);
	assert_true(metrics_get(METRIC_GIT_JOBS, 0) == 2);
	assert_true(metrics_get(METRIC_GIT_FAILURES, 0) == 1);
}

static void cancelling_reaches_the_port_within(void **state)
{
	struct fixture *f = *state;
	struct cluster_request req = {.method = "GET", .path = "/version"};
	cluster_id id = cluster_submit(meter_cluster(f->m), &req, on_reply, f);
	cluster_cancel(meter_cluster(f->m), &id);
	assert_int_equal(in.cancelled, 71);
	gitport_job job = gitport_list(meter_git(f->m), on_result, f);
	gitport_cancel(meter_git(f->m), &job);
	assert_int_equal(in.cancelled, 72);
	assert_int_equal(f->replies + f->results, 0);
	assert_string_equal(meter_cluster(f->m)->ops->entry(meter_cluster(f->m)), "pve2");
	/* One is left under way: freeing the meter gives it up. */
	gitport_list(meter_git(f->m), on_result, f);
	meter_free(&f->m);
	assert_int_equal(in.cancelled, 73);
}

static void no_history_is_said_so(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(gitport_compare(meter_git(f->m), "a", "b", on_result, f), 0);
}

/* The states are named in two tables, for two kinds of reader. */
static void vm_states_are_those_of_the_report(void **state UNUSED)
{
	const char *s = metrics_row(METRIC_VMS)->values;
	for (unsigned i = 0; i < VMSTAT_STATE__MAX; i++) {
		const char *word = i == VMSTAT_PENDING ? "Pending" : vmstat_state_word(i);
		assert_non_null(s);
		assert_true(text_starts(s, word));
		s = strchr(s, '|');
		s = s ? s + 1 : NULL;
	}
	assert_null(s);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    T(counts_calls_by_outcome),
	    T(counts_jobs_and_their_failures),
	    T(cancelling_reaches_the_port_within),
	    T(no_history_is_said_so),
	    cmocka_unit_test(vm_states_are_those_of_the_report),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

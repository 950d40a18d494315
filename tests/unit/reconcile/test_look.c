/* A source is read as the snapshot of it has it that is to be cloned. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../pve/fakeport.h"
#include "look.h"

#define STATUS "{\"data\":{\"status\":\"stopped\"}}"
#define SNAPSHOTS "{\"data\":[{\"name\":\"golden\"},{\"name\":\"current\"}]}"
#define PENDING                                                                    \
	"{\"data\":[{\"key\":\"digest\",\"value\":\"abc\"},"                       \
	"{\"key\":\"description\",\"value\":\"of the VM\"},"                       \
	"{\"key\":\"scsi1\",\"value\":\"local:9000/vm-9000-disk-1.raw,size=1G\"}," \
	"{\"key\":\"cores\",\"value\":8,\"pending\":4}]}"
#define CONFIG                                                                           \
	"{\"data\":{\"cores\":2,\"name\":\"old\",\"description\":\"of the snapshot\","   \
	"\"snaptime\":1,\"parent\":\"x\",\"runningmachine\":\"pc\",\"vmstate\":\"a:b\"," \
	"\"digest\":\"def\"}}"
#define REPLIED(text)                                                       \
	{                                                                   \
		.transport = CLUSTER_REPLIED, .status = 200, .body = (text) \
	}

struct seen {
	enum look_end end;
	struct obs_guest g;
	bool over;
};

static void on_end(
    void *arg, enum look_end end, struct obs_guest *g, const struct pvereq_result *why)
{
	struct seen *s = arg;

	(void)why;
	s->end = end;
	s->g = *g;
	*g = (struct obs_guest){0};
	s->over = true;
}

static bool is_over(const void *arg)
{
	return ((const struct seen *)arg)->over;
}

static void expect(const struct fake_answer *script, size_t n, const char *snapshot,
    const char *cores, bool has_disk)
{
	struct vclock *v = vclock_new(1, 1800000000000);
	struct fakeport port;
	struct seen s = {0};

	fakeport_init(&port, v, script, n);
	struct pvereq *pve = pvereq_new(&port.port, vclock_clock(v), 30000);
	struct look *l = look_start(pve, 9000, "pve1", false, on_end, &s);
	look_at_snapshot(l, snapshot);
	assert_true(vclock_run_to(v, clock_now(vclock_clock(v)) + 600000, is_over, &s));
	assert_int_equal(s.end, LOOK_OK);
	assert_int_equal(port.n_seen, n);
	assert_string_equal(kv_get(&s.g.current, "cores"), cores);
	assert_int_equal(kv_has(&s.g.current, "scsi1"), has_disk);
	/* The notes of the VM go with the clone, and its digest is the one to write by. */
	assert_string_equal(kv_get(&s.g.current, "description"), "of the VM");
	assert_string_equal(s.g.digest, "abc");
	if (n == 4 && !has_disk) {
		assert_string_equal(port.seen[2].path, "/nodes/pve1/qemu/9000/config");
		assert_string_equal(kv_get(&port.seen[2].params, "snapshot"), "golden");
		assert_int_equal(s.g.current.n, 3);
		assert_true(kv_eq(&s.g.current, &s.g.pending));
		assert_int_equal(s.g.pending_keys.n, 0);
	}
	look_cancel(&l);
	obs_guest_fini(&s.g);
	pvereq_free(&pve);
	fakeport_fini(&port);
	vclock_free(&v);
}

static void test_snapshot(void **state)
{
	static const struct fake_answer known[] = {
	    REPLIED(STATUS), REPLIED(SNAPSHOTS), REPLIED(CONFIG), REPLIED(PENDING)};
	static const struct fake_answer gone[] = {REPLIED(STATUS), REPLIED(SNAPSHOTS),
	    {.transport = CLUSTER_REPLIED,
		.status = 500,
		.reason = "snapshot 'golden' does not exist"},
	    REPLIED(PENDING)};
	static const struct fake_answer other[] = {
	    REPLIED(STATUS), REPLIED(SNAPSHOTS), REPLIED(PENDING)};

	(void)state;
	expect(known, ARRAY_LEN(known), "golden", "2", false);
	expect(gone, ARRAY_LEN(gone), "golden", "8", true);
	expect(
	    other, ARRAY_LEN(other), "silver", "8", true); /* a plan tells that it is not there */
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_snapshot)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
